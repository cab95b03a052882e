//! `ProtoBuf:1`: frames of a little-endian `u32` length and that many bytes.
//!
//! A simple call is one frame each way, [`message::RpcCall`] and [`message::RpcReturn`]. In an event the
//! server sends pairs of frames, the bare name of a PDK function and its argument message, and the
//! host answers each pair with one frame. A frame of length zero in place of a name ends the event; an
//! `RpcReturn` follows. There is no way to report an error: a server that cannot go on closes.

mod dynamic;
mod frame;
pub mod message;
mod position;
#[cfg(test)]
mod tests;

pub use dynamic::{write_bytes, write_struct, write_value};
pub use frame::{Decoder, TooLarge, write_bytes_head, write_frame, write_frame_of, write_message};
pub use position::{Argument, Name, NotAName, argument, name};
/// Encoding and decoding of the messages.
pub use prost::Message;
