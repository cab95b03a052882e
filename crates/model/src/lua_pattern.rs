//! Lua patterns, which the `match` family of schema attributes is written in.
//!
//! Only the question "does it match somewhere" is answered; captures exist for back references.
//! Patterns and values are bytes, and classes are those of the C locale, as in Lua. A pattern is
//! checked when it is compiled, so that a broken one is refused with its schema, not at a request.

mod compile;
mod matcher;
#[cfg(test)]
mod tests;

use thiserror::Error;

/// Lua's own limit on captures.
const MAX_CAPTURES: usize = 32;
/// Each `*`, `+`, `-` and `?` is a level of the matcher's stack, which Lua ends at 200 levels too.
const MAX_REPEATS: usize = 200;

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PatternError {
    #[error("malformed pattern (ends with '%')")]
    EndsWithEscape,
    #[error("malformed pattern (missing ']')")]
    MissingBracket,
    #[error("malformed pattern (missing '[' after '%f')")]
    MissingSetAfterFrontier,
    #[error("malformed pattern (missing arguments to '%b')")]
    MissingBalanceArguments,
    #[error("unfinished capture")]
    UnfinishedCapture,
    #[error("invalid pattern capture")]
    InvalidCapture,
    #[error("too many captures")]
    TooManyCaptures,
    #[error("pattern too complex (more than {MAX_REPEATS} repetitions)")]
    TooComplex,
}

/// A compiled pattern.
#[derive(Debug, Clone)]
pub struct Pattern {
    anchored: bool,
    items: Vec<Item>,
    captures: usize,
}

#[derive(Debug, Clone)]
enum Item {
    One(Class),
    /// `*` and `+` (`at_least` 0 or 1): as many as possible.
    Greedy {
        class: Class,
        at_least: usize,
    },
    /// `-`: as few as possible.
    Lazy(Class),
    /// `?`
    Optional(Class),
    Open(usize),
    Close(usize),
    Position(usize),
    BackReference(usize),
    Balanced {
        open: u8,
        close: u8,
    },
    Frontier(Class),
    End,
}

/// The bytes that a single position accepts, one bit each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Class([u128; 2]);

impl Class {
    fn any() -> Self {
        Self([u128::MAX; 2])
    }

    fn insert(&mut self, byte: u8) {
        self.0[usize::from(byte >> 7)] |= 1 << (byte & 127);
    }

    fn contains(&self, byte: u8) -> bool {
        self.0[usize::from(byte >> 7)] & (1 << (byte & 127)) != 0
    }

    fn union(self, other: Self) -> Self {
        Self([self.0[0] | other.0[0], self.0[1] | other.0[1]])
    }

    fn complement(self) -> Self {
        Self([!self.0[0], !self.0[1]])
    }
}

impl Pattern {
    pub fn new(text: &str) -> Result<Self, PatternError> {
        compile::compile(text.as_bytes())
    }

    /// Whether the pattern matches somewhere in the value (`string.match` gives something).
    pub fn matches(&self, value: &str) -> bool {
        matcher::matches(self, value.as_bytes())
    }
}
