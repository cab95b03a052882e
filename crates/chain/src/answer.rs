//! Who made the response, and the response that a plugin or the gateway made itself.

use bytes::Bytes;

/// What `kong.response.get_source` answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    Service,
    Exit,
    Error,
}

impl Source {
    pub fn as_str(self) -> &'static str {
        match self {
            Source::Service => "service",
            Source::Exit => "exit",
            Source::Error => "error",
        }
    }
}

/// A decision that ends the request, or a connection without one, in place of the upstream's answer. The headers are in
/// the exchange's response head, which later plugins may not change any more.
#[derive(Debug, Clone)]
pub struct Answer {
    pub source: Source,
    /// That of the response head, where there is one.
    pub status: u16,
    pub body: Bytes,
}
