//! What a frame means, by where it stands in an event.
//!
//! go-pdk writes the name of a function before it encodes the argument. When encoding fails (text that
//! is not UTF-8) the plugin goes on and the argument frame is missing, so the next frame stands where
//! the host expects an argument. The rules here find the way back.

use bytes::Bytes;
use prost::Message;

use crate::protobuf::message::RpcReturn;

/// A frame in place of a function name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Name {
    /// `kong.request.get_path` and the like; an argument frame follows.
    Function(Bytes),
    /// The handler has finished; an `RpcReturn` follows.
    End,
    /// The `RpcReturn` itself: the frame taken for the last argument was the end. The connection is
    /// of no further use.
    EndSlipped,
}

/// A frame in place of an argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Argument {
    Message(Bytes),
    /// The call before lost its argument and never happened; this is the name of the next one.
    NextFunction(Bytes),
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected the name of a PDK function, got a frame of {length} bytes: {text}")]
pub struct NotAName {
    pub length: usize,
    /// The start of the frame, made printable.
    pub text: String,
}

/// Reads the frame in place of a function name. `sequence` is that of the event's call.
pub fn name(frame: &Bytes, sequence: i64) -> Result<Name, NotAName> {
    if frame.is_empty() {
        return Ok(Name::End);
    }
    if let Some(function) = function(frame) {
        return Ok(Name::Function(function));
    }
    match RpcReturn::decode(frame.clone()) {
        Ok(message) if message.sequence == sequence => Ok(Name::EndSlipped),
        _ => Err(NotAName {
            length: frame.len(),
            text: frame[..frame.len().min(64)].escape_ascii().to_string(),
        }),
    }
}

/// Reads the frame in place of an argument. No argument message can start with the bytes `kong.`:
/// `k` would be field 13 with a wire type that no message has.
pub fn argument(frame: Bytes) -> Argument {
    match function(&frame) {
        Some(function) => Argument::NextFunction(function),
        None => Argument::Message(frame),
    }
}

fn function(frame: &Bytes) -> Option<Bytes> {
    frame.starts_with(b"kong.").then(|| frame.clone())
}
