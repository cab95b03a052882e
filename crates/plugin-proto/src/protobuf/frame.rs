//! The length-prefixed frames.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use prost::Message;

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a frame of {length} bytes is larger than the limit of {limit}")]
pub struct TooLarge {
    pub length: usize,
    pub limit: usize,
}

/// Takes frames off a buffer that fills in any number of pieces.
#[derive(Debug, Clone, Copy)]
pub struct Decoder {
    /// Bytes of one frame. The protocol sets no maximum, so a host must.
    pub limit: usize,
}

impl Default for Decoder {
    fn default() -> Self {
        Self { limit: 256 << 20 }
    }
}

impl Decoder {
    /// The next frame without its length, or `None` while it is incomplete. Length zero is a frame.
    pub fn decode(&self, buffer: &mut BytesMut) -> Result<Option<Bytes>, TooLarge> {
        let Some(prefix) = buffer.first_chunk() else { return Ok(None) };
        let length = u32::from_le_bytes(*prefix) as usize;
        if length > self.limit {
            return Err(TooLarge { length, limit: self.limit });
        }
        if buffer.len() < 4 + length {
            return Ok(None);
        }
        buffer.advance(4);
        Ok(Some(buffer.split_to(length).freeze()))
    }
}

pub fn write_frame(out: &mut BytesMut, frame: &[u8]) {
    out.put_u32_le(frame_length(frame.len()));
    out.put_slice(frame);
}

pub fn write_message(out: &mut BytesMut, message: &impl Message) {
    write_frame_of(out, |out| message.encode(out).expect("the buffer grows"));
}

/// Appends a frame of what `write` appends.
pub fn write_frame_of(out: &mut BytesMut, write: impl FnOnce(&mut BytesMut)) {
    let start = out.len();
    out.put_u32_le(0);
    write(out);
    let length = frame_length(out.len() - start - 4);
    out[start..start + 4].copy_from_slice(&length.to_le_bytes());
}

/// Appends a frame up to the content of its only field, which has to follow.
pub fn write_bytes_head(out: &mut BytesMut, field: u32, length: u32) {
    let head = prost::length_delimiter_len(length as usize) + prost::encoding::key_len(field);
    out.put_u32_le(frame_length(head + length as usize));
    prost::encoding::encode_key(field, prost::encoding::WireType::LengthDelimited, out);
    prost::encoding::encode_varint(length.into(), out);
}

fn frame_length(length: usize) -> u32 {
    u32::try_from(length).expect("nothing of 4 GiB gets past the body limits")
}
