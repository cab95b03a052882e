//! Frames in a stream.

use bytes::{Bytes, BytesMut};

use crate::msgpack::error::{DecodeError, preview};
use crate::msgpack::reader::Reader;
use crate::msgpack::scan::{Limits, Scanner};

/// One frame, either direction. What it carries is still encoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// `params` is an array.
    Request {
        id: u32,
        method: Bytes,
        params: Bytes,
    },
    /// `Err` is the text of any error that is not nil, the empty string included.
    Response {
        id: u32,
        outcome: Result<Bytes, String>,
    },
    Notification {
        label: Bytes,
        args: Bytes,
    },
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
        let Some(frame) = self.decode_value(buffer)? else { return Ok(None) };
        match read(&frame) {
            Some(frame) => Ok(Some(frame)),
            None => Err(DecodeError::NotAFrame(preview(&Reader::new(&frame).value()))),
        }
    }

    /// The bytes of the next value, whatever it is.
    pub fn decode_value(&mut self, buffer: &mut BytesMut) -> Result<Option<Bytes>, DecodeError> {
        let length = self.scanner.scan(buffer, &self.limits)?;
        Ok(length.map(|length| buffer.split_to(length).freeze()))
    }
}

fn read(frame: &Bytes) -> Option<Frame> {
    let mut reader = Reader::new(frame);
    let count = reader.array()?;
    match (count, reader.int()?) {
        (4, 0) => {
            let (id, method) = (id(&mut reader)?, text(frame, &mut reader)?);
            let params = reader.rest();
            reader.array().map(|_| Frame::Request { id, method, params })
        }
        (4, 1) => {
            let id = id(&mut reader)?;
            let outcome = if reader.is_nil() {
                reader.skip();
                Ok(reader.rest())
            } else {
                Err(preview(&reader.value()))
            };
            Some(Frame::Response { id, outcome })
        }
        (3, 2) => Some(Frame::Notification { label: text(frame, &mut reader)?, args: reader.rest() }),
        _ => None,
    }
}

fn id(reader: &mut Reader<'_>) -> Option<u32> {
    reader.int()?.try_into().ok()
}

fn text(frame: &Bytes, reader: &mut Reader<'_>) -> Option<Bytes> {
    Some(frame.slice_ref(reader.bytes()?))
}
