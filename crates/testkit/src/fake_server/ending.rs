//! How a scripted handler ends, well or badly.

use std::io;
use std::os::unix::net::UnixStream;

/// How a scripted handler ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// As it should.
    Return,
    /// As it should, and the answer is sent twice.
    ReturnTwice,
    /// The event is answered by an error (MessagePack), or the connection closed (ProtoBuf).
    Error(String),
    /// The connection is closed without an answer.
    Close,
    /// Nothing is ever answered; the connection stays open.
    Hang,
    /// As `Hang`, and no later event of any connection is answered either: what a Python handler does
    /// that raises before its first PDK call.
    Wedge,
    /// As `Hang`, and nothing that is asked later is answered: what a loop does that never ends.
    Freeze,
    /// These bytes in place of an answer; then the connection is closed.
    Bytes(Vec<u8>),
    /// Nothing more is sent and the connection is free: after `kong.response.exit`.
    Silence,
}

/// Waits for the other side to close.
pub(super) fn hang(stream: &mut UnixStream) -> io::Result<()> {
    io::copy(stream, &mut io::sink()).map(drop)
}
