//! The phases in which Lua runs.

use std::fmt;

/// By their names in the reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hook {
    Certificate,
    Rewrite,
    Access,
    HeaderFilter,
    BodyFilter,
    Log,
}

impl Hook {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Certificate => "certificate",
            Self::Rewrite => "rewrite",
            Self::Access => "access",
            Self::HeaderFilter => "header_filter",
            Self::BodyFilter => "body_filter",
            Self::Log => "log",
        }
    }
}

impl fmt::Display for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
