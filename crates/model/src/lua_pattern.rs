//! Lua patterns, which the `match` family of schema attributes is written in.
//!
//! Only the question "does it match somewhere" is answered; captures exist for back references.
//! Patterns and values are bytes, and classes are those of the C locale, as in Lua. A pattern is
//! checked when it is compiled, so that a broken one is refused with its schema, not at a request.

mod compile;
mod matcher;
mod pattern;
#[cfg(test)]
mod tests;

pub use pattern::{Pattern, PatternError};

impl Pattern {
    pub fn new(text: &str) -> Result<Self, PatternError> {
        compile::compile(text.as_bytes())
    }

    /// Whether the pattern matches somewhere in the value (`string.match` gives something).
    pub fn matches(&self, value: &str) -> bool {
        matcher::matches(self, value.as_bytes())
    }
}
