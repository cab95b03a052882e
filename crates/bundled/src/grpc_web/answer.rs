//! The answer to a call: what comes of messages, and the trailers behind them as a last one.

use polygate_chain::{BodyFilter, Exchange};
use polygate_http1::Headers;
use polygate_telemetry::log;

use super::encoding::{Encoding, to_text};
use super::frames::{self, Frames};
use super::json::Method;

/// Says of a message that it is trailers.
const TRAILERS: u8 = 0x80;

/// What tells how a call ended, in trailers or, where there are no messages, in the head.
const STATUS: &str = "grpc-status";
const MESSAGE: &str = "grpc-message";
const OUTCOME: [&str; 3] = [STATUS, MESSAGE, "grpc-status-details-bin"];

pub struct Answer {
    encoding: Encoding,
    /// Of messages that become JSON.
    json: Option<Json>,
    trailers: Headers,
}

struct Json {
    method: Method,
    frames: Frames,
    /// A message could not be read: nothing behind it can.
    is_broken: bool,
}

impl Answer {
    /// Takes what the head says of the outcome out of it, if there is another place for that.
    pub fn of(head: &mut Headers, encoding: Encoding, method: Option<Method>) -> Self {
        let mut trailers = Headers::new();
        for name in OUTCOME.into_iter().filter(|_| encoding.is_framed) {
            if let Some(value) = head.get(name).map(<[u8]>::to_vec) {
                trailers.append(name, value);
                head.remove(name);
            }
        }
        let json = method.map(|method| Json { method, frames: Frames::default(), is_broken: false });
        Self { encoding, json, trailers }
    }

    fn write(&self, bytes: &[u8], out: &mut Vec<u8>) {
        match self.encoding.is_text {
            true => to_text(bytes, out),
            false => out.extend_from_slice(bytes),
        }
    }

    fn ends_with(&mut self, status: &str, message: &str) {
        self.trailers.insert(STATUS, status);
        self.trailers.insert(MESSAGE, message);
    }

    /// Names in lower case, as in HTTP/2.
    fn last_message(&self) -> Vec<u8> {
        let mut lines = Vec::new();
        for (name, value) in self.trailers.iter() {
            lines.extend(name.bytes().map(|byte| byte.to_ascii_lowercase()));
            lines.extend([b":", value, b"\r\n"].concat());
        }
        let mut message = Vec::new();
        frames::write(TRAILERS, &lines, &mut message);
        message
    }
}

impl BodyFilter for Answer {
    fn piece(&mut self, _: &mut Exchange, piece: &[u8], out: &mut Vec<u8>) {
        match &mut self.json {
            None => self.write(piece, out),
            Some(json) => {
                let came = json.take(piece, self.encoding.is_framed);
                self.write(&came, out);
            }
        }
    }

    fn trailers(&mut self, trailers: &mut Headers) {
        self.trailers.extend(trailers.iter());
        trailers.clear();
    }

    fn end(&mut self, _: &mut Exchange, out: &mut Vec<u8>) {
        if self.json.as_mut().is_some_and(|json| !json.is_whole()) {
            // Internal.
            self.ends_with("13", "the gateway could not read an answer");
        } else if !self.trailers.contains(STATUS) {
            // Unknown.
            self.ends_with("2", "the upstream did not say how the call ended");
        }
        if self.encoding.is_framed {
            self.write(&self.last_message(), out);
        }
    }
}

impl Json {
    /// The messages that are there whole.
    fn take(&mut self, piece: &[u8], is_framed: bool) -> Vec<u8> {
        let mut out = Vec::new();
        self.frames.add(piece);
        while !self.is_broken {
            match self.next() {
                Ok(Some((kind, json))) if is_framed => frames::write(kind, &json, &mut out),
                Ok(Some((_, json))) => out.extend_from_slice(&json),
                Ok(None) => return out,
                Err(why) => self.give_up(&why),
            }
        }
        self.frames = Frames::default();
        out
    }

    /// Whether all of the answer became JSON.
    fn is_whole(&mut self) -> bool {
        if !self.frames.is_empty() {
            self.give_up("it ends within a message");
        }
        !self.is_broken
    }

    fn give_up(&mut self, why: &str) {
        log!(Error, "[grpc-web] an answer cannot be read: {why}; the rest is left out");
        self.is_broken = true;
    }

    fn next(&mut self) -> Result<Option<(u8, Vec<u8>)>, String> {
        match self.frames.take()? {
            None => Ok(None),
            Some((0, message)) => Ok(Some((0, self.method.to_json(&message)?))),
            Some((kind, _)) => Err(format!("a message of kind {kind}, as one that is compressed")),
        }
    }
}
