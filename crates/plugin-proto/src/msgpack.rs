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

mod encode;
mod scan;
mod step;
#[cfg(test)]
mod tests;
mod value;

use bytes::{Buf, Bytes, BytesMut};

use crate::msgpack::scan::Scanner;

pub use encode::{write_notification, write_request, write_request_head, write_response};
pub use step::{Step, StepData};
pub use value::Value;

/// What a peer may send in one frame.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of a whole frame.
    pub bytes: usize,
    /// Nested arrays and maps.
    pub depth: usize,
    /// Values in all; a value in memory is much larger than the byte a nil takes on the wire.
    pub values: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes: 256 << 20, depth: 128, values: 1 << 20 }
    }
}

/// One frame, either direction.
#[derive(Debug, Clone, PartialEq)]
pub enum Frame {
    Request {
        id: u32,
        method: Bytes,
        params: Vec<Value>,
    },
    /// `Err` holds any error that is not nil, the empty string included.
    Response {
        id: u32,
        outcome: Result<Value, Value>,
    },
    Notification {
        label: Bytes,
        args: Value,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    #[error("a frame is larger than the limit of {limit} bytes")]
    TooLarge { limit: usize },
    #[error("values are nested deeper than {limit}")]
    TooDeep { limit: usize },
    #[error("a frame holds more than {limit} values")]
    TooMany { limit: usize },
    #[error("byte 0xc1 starts no MessagePack value")]
    Reserved,
    #[error("not a MessagePack-RPC frame: {0}")]
    NotAFrame(String),
    #[error("not an answer to an event: {0}")]
    NotAStep(String),
}

/// Takes frames off a buffer that fills in any number of pieces. Each byte is looked at once, however
/// small the pieces are. After an error the rest of the stream means nothing: drop the connection.
#[derive(Debug, Default)]
pub struct Decoder {
    limits: Limits,
    scanner: Scanner,
}

impl Decoder {
    pub fn new(limits: Limits) -> Self {
        Self { limits, scanner: Scanner::default() }
    }

    /// The next frame, or `None` while it is incomplete.
    pub fn decode(&mut self, buffer: &mut BytesMut) -> Result<Option<Frame>, DecodeError> {
        self.decode_value(buffer)?.map(Frame::from_value).transpose()
    }

    /// The next value, whatever it is.
    pub fn decode_value(&mut self, buffer: &mut BytesMut) -> Result<Option<Value>, DecodeError> {
        let Some(length) = self.scanner.scan(buffer, &self.limits)? else { return Ok(None) };
        self.scanner = Scanner::default();
        let mut frame = buffer.split_to(length).freeze();
        let value = value::take(&mut frame);
        debug_assert!(!frame.has_remaining(), "the scanner and the decoder agree on lengths");
        Ok(Some(value))
    }
}

impl Frame {
    fn from_value(value: Value) -> Result<Self, DecodeError> {
        let wrong = |value: &Value| DecodeError::NotAFrame(value.preview());
        let Value::Array(items) = value else { return Err(wrong(&value)) };
        let mut items = items.into_iter();
        match (items.next(), items.next(), items.next(), items.next(), items.next()) {
            (Some(Value::Int(0)), Some(id), Some(Value::Str(method)), Some(Value::Array(params)), None) => {
                Ok(Self::Request { id: message_id(&id).ok_or_else(|| wrong(&id))?, method, params })
            }
            (Some(Value::Int(1)), Some(id), Some(error), Some(result), None) => {
                let outcome = if error == Value::Nil { Ok(result) } else { Err(error) };
                Ok(Self::Response { id: message_id(&id).ok_or_else(|| wrong(&id))?, outcome })
            }
            (Some(Value::Int(2)), Some(Value::Str(label)), Some(args), None, None) => {
                Ok(Self::Notification { label, args })
            }
            (Some(first), ..) => Err(wrong(&first)),
            _ => Err(DecodeError::NotAFrame("an empty array".into())),
        }
    }
}

fn message_id(value: &Value) -> Option<u32> {
    value.as_int()?.try_into().ok()
}
