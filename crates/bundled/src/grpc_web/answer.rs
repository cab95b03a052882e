//! The answer to a call: what comes of messages, and the trailers behind them as a last one.

use polygate_chain::{BodyFilter, Exchange};
use polygate_http1::Headers;

use super::encoding::{Encoding, to_text};

/// Says of a message that it is trailers.
const TRAILERS: u8 = 0x80;

/// What tells how a call ended, in trailers or, where there are no messages, in the head.
const OUTCOME: [&str; 3] = ["grpc-status", "grpc-message", "grpc-status-details-bin"];

pub struct Answer {
    is_text: bool,
    trailers: Headers,
}

impl Answer {
    /// Takes what the head says of the outcome out of it.
    pub fn of(head: &mut Headers, encoding: &Encoding) -> Self {
        let mut trailers = Headers::new();
        for name in OUTCOME {
            if let Some(value) = head.get(name).map(<[u8]>::to_vec) {
                trailers.append(name, value);
                head.remove(name);
            }
        }
        Self { is_text: encoding.is_text, trailers }
    }

    /// Names in lower case, as in HTTP/2.
    fn last_message(&self) -> Vec<u8> {
        let mut lines = Vec::new();
        for (name, value) in self.trailers.iter() {
            lines.extend(name.bytes().map(|byte| byte.to_ascii_lowercase()));
            lines.extend([b":", value, b"\r\n"].concat());
        }
        let mut message = vec![TRAILERS];
        message.extend((lines.len() as u32).to_be_bytes());
        message.append(&mut lines);
        message
    }
}

impl BodyFilter for Answer {
    fn piece(&mut self, _: &mut Exchange, piece: &[u8], out: &mut Vec<u8>) {
        match self.is_text {
            true => to_text(piece, out),
            false => out.extend_from_slice(piece),
        }
    }

    fn trailers(&mut self, trailers: &mut Headers) {
        self.trailers.extend(trailers.iter());
        trailers.clear();
    }

    fn end(&mut self, exchange: &mut Exchange, out: &mut Vec<u8>) {
        if !self.trailers.contains(OUTCOME[0]) {
            // Unknown.
            self.trailers.append(OUTCOME[0], "2");
            self.trailers.append(OUTCOME[1], "the upstream did not say how the call ended");
        }
        self.piece(exchange, &self.last_message(), out);
    }
}
