//! A client that sends frames as the test wants them, right or wrong.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::http2::frames::PREFACE;
use crate::tests::World;
use crate::tests::pipe::End;

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const PRIORITY: u8 = 2;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const CONTINUATION: u8 = 9;

pub const END_STREAM: u8 = 1;
pub const ACK: u8 = 1;
pub const END_HEADERS: u8 = 4;

pub type Fields<'a> = Vec<(&'a [u8], &'a [u8])>;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    pub payload: Vec<u8>,
}

impl Frame {
    /// Of a response's head: what the usual statuses are in the static table (RFC 7541, appendix A).
    pub fn status(&self) -> u16 {
        match self.payload[0] {
            0x88 => 200,
            0x8c => 400,
            0x8d => 404,
            0x8e => 500,
            first => panic!("the status is not in the table: {first:#x}"),
        }
    }

    /// Of a reset or a GOAWAY.
    pub fn code(&self) -> u32 {
        let at = if self.kind == GOAWAY { 4 } else { 0 };
        u32::from_be_bytes(self.payload[at..at + 4].try_into().unwrap())
    }
}

pub struct RawClient {
    end: End,
    input: Vec<u8>,
}

impl RawClient {
    /// One that has said what a client begins with.
    pub async fn open(world: &World) -> Self {
        let mut client = Self { end: world.http2(), input: Vec::new() };
        client.bytes(PREFACE).await.unwrap();
        client.send(SETTINGS, 0, 0, &[]).await.unwrap();
        client
    }

    pub async fn bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.end.write_all(bytes).await
    }

    pub async fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> io::Result<()> {
        self.bytes(&frame(kind, flags, stream, payload)).await
    }

    pub async fn headers(&mut self, stream: u32, fields: &Fields<'_>, flags: u8) -> io::Result<()> {
        self.send(HEADERS, flags | END_HEADERS, stream, &block(fields)).await
    }

    /// See [`End::writes`].
    pub fn writes(&self) -> usize {
        self.end.writes()
    }

    /// Reads what has come, for later, and does not wait for more.
    pub fn skim(&mut self) {
        let cx = &mut Context::from_waker(Waker::noop());
        while let Poll::Ready(Ok(1..)) = pin!(self.end.read_buf(&mut self.input)).poll(cx) {}
    }

    /// The next frame; `None` when the connection has ended.
    pub async fn frame(&mut self) -> Option<Frame> {
        loop {
            if let Some((&[a, b, c, kind, flags, s, t, u, v], rest)) = self.input.split_first_chunk() {
                let length = u32::from_be_bytes([0, a, b, c]) as usize;
                if rest.len() >= length {
                    let payload = rest[..length].to_vec();
                    self.input.drain(..9 + length);
                    return Some(Frame { kind, flags, stream: u32::from_be_bytes([s, t, u, v]), payload });
                }
            }
            if !matches!(self.end.read_buf(&mut self.input).await, Ok(1..)) {
                return None;
            }
        }
    }

    /// The next frame of a kind, whatever comes before it.
    pub async fn next(&mut self, kind: u8) -> Option<Frame> {
        loop {
            let frame = self.frame().await?;
            if frame.kind == kind {
                return Some(frame);
            }
        }
    }
}

pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let [_, a, b, c] = (payload.len() as u32).to_be_bytes();
    [&[a, b, c, kind, flags], &stream.to_be_bytes()[..], payload].concat()
}

/// Each field as it is, without tables or Huffman's code (RFC 7541, section 6.2.2).
pub fn block(fields: &Fields<'_>) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            text_length(&mut block, text.len());
            block.extend_from_slice(text);
        }
    }
    block
}

/// RFC 7541, section 5.1, with a prefix of seven bits.
fn text_length(block: &mut Vec<u8>, length: usize) {
    let Some(mut rest) = length.checked_sub(127) else { return block.push(length as u8) };
    block.push(127);
    while rest >= 128 {
        block.push((rest % 128) as u8 | 128);
        rest /= 128;
    }
    block.push(rest as u8);
}

/// A request's fields with some of them changed: what `changes` names twice is there twice, what it names with no value
/// is left out.
pub fn fields<'a>(changes: &[(&'a str, Option<&'a [u8]>)]) -> Fields<'a> {
    let usual: [(&str, &[u8]); 4] =
        [(":method", b"POST"), (":scheme", b"http"), (":authority", b"a.test"), (":path", b"/")];
    let is_changed = |name: &str| changes.iter().any(|(changed, _)| *changed == name);
    let kept =
        usual.iter().filter(|(name, _)| !is_changed(name)).map(|(name, value)| (name.as_bytes(), *value));
    let given = changes.iter().filter_map(|(name, value)| Some((name.as_bytes(), (*value)?)));
    let (pseudo, others): (Vec<_>, Vec<_>) = kept.chain(given).partition(|(name, _)| name.starts_with(b":"));
    pseudo.into_iter().chain(others).collect()
}
