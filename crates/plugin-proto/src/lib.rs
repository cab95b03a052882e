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

#[cfg(test)]
mod tests {
    use bytes::{Bytes, BytesMut};

    /// A generator of bytes that look like the wire now and then; the same ones each time.
    fn noise(seed: u64) -> Vec<u8> {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut next = move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        let likely = [0x90, 0x91, 0x94, 0x82, 0xdc, 0xdf, 0xc4, 0xc7, 0xd9, 0x00, 0x01, b'[', b'{', b'"'];
        let length = next() % 40;
        (0..length)
            .map(|_| if next() % 2 == 0 { likely[next() as usize % likely.len()] } else { next() as u8 })
            .collect()
    }

    #[test]
    fn no_decoder_panics_whatever_comes() {
        for seed in 0..20_000 {
            let bytes = noise(seed);
            let mut buffer = BytesMut::from(&bytes[..]);
            let mut decoder = super::msgpack::Decoder::default();
            while let Ok(Some(value)) = decoder.decode_value(&mut buffer) {
                let _ = super::msgpack::Step::read(&value);
                let _ = super::msgpack::Reader::new(&value).value();
            }
            let _ = super::msgpack::Decoder::default().decode(&mut BytesMut::from(&bytes[..]));
            let _ = super::dump::parse_dump(&bytes);
            let _ = super::dump::parse_single_dump(&bytes);
            let _ = super::protobuf::name(&Bytes::from(bytes), 1);
        }
    }

    #[test]
    fn a_frame_decodes_the_same_in_pieces() {
        for seed in 0..5_000 {
            let bytes = noise(seed);
            let mut whole = BytesMut::from(&bytes[..]);
            let expected = super::msgpack::Decoder::default().decode_value(&mut whole);
            let mut decoder = super::msgpack::Decoder::default();
            let mut buffer = BytesMut::new();
            let mut found = Ok(None);
            for byte in bytes {
                buffer.extend_from_slice(&[byte]);
                found = decoder.decode_value(&mut buffer);
                if !matches!(found, Ok(None)) {
                    break;
                }
            }
            assert_eq!(found, expected, "seed {seed}");
        }
    }
}
