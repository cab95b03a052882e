//! Messages within a stream: one byte of what they are, four of their length (PROTOCOL-HTTP2.md of gRPC).

use bytes::{Buf as _, BytesMut};

/// Bytes of a message that has to be seen whole.
pub const LARGEST: usize = 16 << 20;
const HEAD: usize = 5;

/// Adds a message.
pub fn write(kind: u8, message: &[u8], out: &mut Vec<u8>) {
    out.push(kind);
    out.extend((message.len() as u32).to_be_bytes());
    out.extend_from_slice(message);
}

/// Messages of a stream that comes in pieces.
#[derive(Default)]
pub struct Frames(BytesMut);

impl Frames {
    pub fn add(&mut self, piece: &[u8]) {
        self.0.extend_from_slice(piece);
    }

    /// Kind and content of the next message, if it is there whole. The error is for the log.
    pub fn take(&mut self) -> Result<Option<(u8, BytesMut)>, String> {
        let [kind, a, b, c, d, ..] = self.0[..] else { return Ok(None) };
        let length = u32::from_be_bytes([a, b, c, d]) as usize;
        if length > LARGEST {
            return Err(format!("a message of {length} bytes, of which {LARGEST} are the most"));
        }
        if self.0.len() < HEAD + length {
            return Ok(None);
        }
        self.0.advance(HEAD);
        Ok(Some((kind, self.0.split_to(length))))
    }

    /// Whether nothing is left that was no whole message.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_come_in_any_pieces() {
        let mut stream = Vec::new();
        write(0, b"one", &mut stream);
        write(0x80, b"", &mut stream);
        write(1, &[7; 300], &mut stream);
        for size in 1..stream.len() {
            let (mut frames, mut found) = (Frames::default(), Vec::new());
            for piece in stream.chunks(size) {
                frames.add(piece);
                while let Some((kind, message)) = frames.take().unwrap() {
                    found.push((kind, message.to_vec()));
                }
            }
            assert_eq!(found, [(0, b"one".to_vec()), (0x80, vec![]), (1, vec![7; 300])], "pieces of {size}");
            assert!(frames.is_empty());
        }
    }

    #[test]
    fn no_message_is_waited_for_that_is_too_large() {
        let mut frames = Frames::default();
        frames.add(&[0, 0x01, 0, 0, 1]);
        assert!(frames.take().unwrap_err().contains("a message of 16777217 bytes"));
    }
}
