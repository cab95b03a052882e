//! The test's end of a connection: a client's or an upstream's.

use polygate_http1::{Decoder, Framing};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::tests::pipe::End;

pub struct Peer {
    end: End,
    input: Vec<u8>,
}

/// One message, as it was received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// With the empty line.
    pub head: String,
    /// Without its framing.
    pub body: String,
}

impl Message {
    pub fn line(&self) -> &str {
        self.head.lines().next().unwrap()
    }

    /// Of a response.
    pub fn status(&self) -> u16 {
        self.line().split(' ').nth(1).unwrap().parse().unwrap()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers(name).next()
    }

    pub fn headers(&self, name: &str) -> impl Iterator<Item = &str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.filter(move |(of, _)| of.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

impl Peer {
    pub fn over(end: End) -> Self {
        Self { end, input: Vec::new() }
    }

    /// The connection, of which nothing was read.
    pub fn into_end(self) -> End {
        self.end
    }

    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes).await.unwrap();
    }

    pub async fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> std::io::Result<()> {
        self.end.write_all(bytes.as_ref()).await
    }

    /// Says that nothing more will be sent.
    pub async fn finish(&mut self) {
        self.end.shutdown().await.unwrap();
    }

    /// See [`End::reset`].
    pub fn reset(self) {
        self.end.reset();
    }

    /// One response, interim ones too.
    pub async fn answer(&mut self) -> Message {
        self.next_answer().await.expect("a response, not the end of the connection")
    }

    pub async fn next_answer(&mut self) -> Option<Message> {
        self.message(false).await
    }

    /// One response without a body, whatever its head says.
    pub async fn answer_to_head(&mut self) -> Message {
        let head = self.head().await.expect("a response, not the end of the connection");
        Message { head, body: String::new() }
    }

    /// One request.
    pub async fn request(&mut self) -> Message {
        self.next_request().await.expect("a request, not the end of the connection")
    }

    pub async fn next_request(&mut self) -> Option<Message> {
        self.message(true).await
    }

    /// A head; `None` when the connection ends before it.
    pub async fn head(&mut self) -> Option<String> {
        loop {
            let end = self.input.windows(4).position(|bytes| bytes == b"\r\n\r\n");
            if let Some(end) = end {
                let head = self.input.drain(..end + 4).collect();
                return Some(String::from_utf8(head).unwrap());
            }
            if self.fill().await == 0 {
                assert_eq!(String::from_utf8_lossy(&self.input), "", "broken off");
                return None;
            }
        }
    }

    async fn message(&mut self, is_request: bool) -> Option<Message> {
        let mut message = Message { head: self.head().await?, body: String::new() };
        let length = message.header("Content-Length").map(|length| length.parse().unwrap());
        let framing = match (message.header("Transfer-Encoding"), length) {
            (Some(_), Some(_)) => panic!("two lengths: {message:?}"),
            (Some("chunked"), None) => Framing::Chunked,
            (None, Some(length)) => Framing::Length(length),
            _ if is_request => Framing::Length(0),
            _ if matches!(message.status(), 100..200 | 204 | 304) => Framing::Length(0),
            _ => Framing::UntilClose,
        };
        message.body = String::from_utf8(self.body(framing).await).unwrap();
        Some(message)
    }

    async fn body(&mut self, framing: Framing) -> Vec<u8> {
        let mut decoder = Decoder::new(framing);
        let mut body = Vec::new();
        while !decoder.is_done() {
            let progress = decoder.advance(&self.input).unwrap();
            self.input.drain(..progress.skip);
            body.extend(self.input.drain(..progress.content));
            if progress.content == 0 && !decoder.is_done() && self.fill().await == 0 {
                assert!(decoder.ends_with_connection(), "broken off: {:?}", String::from_utf8_lossy(&body));
                break;
            }
        }
        body
    }

    /// Waits for `count` bytes, and reads no more.
    pub async fn bytes(&mut self, count: usize) -> String {
        let at_hand = self.input.len().min(count);
        let mut bytes: Vec<u8> = self.input.drain(..at_hand).collect();
        bytes.resize(count, 0);
        self.end.read_exact(&mut bytes[at_hand..]).await.unwrap();
        String::from_utf8(bytes).unwrap()
    }

    /// What comes until the end of the connection, which must not be a reset.
    pub async fn rest(&mut self) -> String {
        while self.fill().await > 0 {}
        String::from_utf8(std::mem::take(&mut self.input)).unwrap()
    }

    /// Waits for the connection to end in any way.
    pub async fn closed(&mut self) {
        while let Ok(1..) = self.end.read_buf(&mut self.input).await {}
    }

    /// What was received and not taken yet.
    pub fn received(&self) -> &[u8] {
        &self.input
    }

    /// Reads what is there until `is_enough`; whether that was before the end of the connection.
    pub async fn until(&mut self, is_enough: impl Fn(&[u8]) -> bool) -> bool {
        while !is_enough(&self.input) {
            if !matches!(self.end.read_buf(&mut self.input).await, Ok(1..)) {
                return false;
            }
        }
        true
    }

    async fn fill(&mut self) -> usize {
        self.end.read_buf(&mut self.input).await.unwrap()
    }
}
