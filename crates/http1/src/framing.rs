//! Where the body of a message ends.

/// How a body is delimited (RFC 9112, section 6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// So many bytes.
    Length(u64),
    Chunked,
    /// Whatever comes before the connection ends.
    UntilClose,
}

impl Framing {
    pub fn is_empty(self) -> bool {
        self == Self::Length(0)
    }
}
