//! What a pattern is made of.

use thiserror::Error;

/// Lua's own limit on captures.
pub(super) const MAX_CAPTURES: usize = 32;
/// Each `*`, `+`, `-` and `?` is a level of the matcher's stack, which Lua ends at 200 levels too.
pub(super) const MAX_REPEATS: usize = 200;

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
    pub(super) anchored: bool,
    pub(super) items: Vec<Item>,
    pub(super) captures: usize,
}

#[derive(Debug, Clone)]
pub(super) enum Item {
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
pub(super) struct Class([u128; 2]);

impl Class {
    pub(super) fn any() -> Self {
        Self([u128::MAX; 2])
    }

    pub(super) fn insert(&mut self, byte: u8) {
        self.0[usize::from(byte >> 7)] |= 1 << (byte & 127);
    }

    pub(super) fn contains(&self, byte: u8) -> bool {
        self.0[usize::from(byte >> 7)] & (1 << (byte & 127)) != 0
    }

    pub(super) fn union(self, other: Self) -> Self {
        Self([self.0[0] | other.0[0], self.0[1] | other.0[1]])
    }

    pub(super) fn complement(self) -> Self {
        Self([!self.0[0], !self.0[1]])
    }
}
