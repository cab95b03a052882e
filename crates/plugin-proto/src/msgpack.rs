//! `MsgPack:1`: MessagePack-RPC without length prefixes, one object after another.
//!
//! ```text
//! request       [0, id, method, params]    host to server
//! response      [1, id, error, result]     server to host
//! notification  [2, label, args]           server to host; `args` is not wrapped
//! ```
//!
//! Published servers read the first two bytes of a request by hand, so a request always starts with
//! `94 00`. At most one request may be outstanding on a connection: pipelining kills some servers.
//!
//! A [`Decoder`] finds whole frames; what is in them is read in place, with a [`Reader`].

mod error;
mod frame;
mod head;
mod reader;
mod scan;
mod step;
#[cfg(test)]
mod tests;
pub mod write;

pub use error::DecodeError;
pub use frame::{Decoder, Frame};
pub use reader::Reader;
pub use scan::Limits;
pub use step::{Args, Call, Step};
