//! Frames and messages of the plugin-server protocols, and the dump they print.
//!
//! Two protocols are in use: `MsgPack:1` ([`msgpack`]) and `ProtoBuf:1` ([`protobuf`]). A server tells
//! which one it speaks, and which plugins it holds, in its [`dump`]. Everything here is pure: bytes in,
//! values out, no sockets and no clock. Input comes from another process and is never trusted: each
//! decoder has a limit on size and depth and answers an error, not a panic.

pub mod dump;
pub mod msgpack;
pub mod protobuf;

use std::fmt;

/// The protocol of a plugin server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Protocol {
    MsgPack,
    ProtoBuf,
}

impl Protocol {
    /// The name as dumps have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MsgPack => "MsgPack:1",
            Self::ProtoBuf => "ProtoBuf:1",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        [Self::MsgPack, Self::ProtoBuf].into_iter().find(|protocol| protocol.as_str() == name)
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
