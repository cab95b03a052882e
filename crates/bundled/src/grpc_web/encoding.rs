//! How the messages of a call are written.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use polygate_http1::Headers;

use super::frames::{self, Frames};
use super::json::Method;

/// As the client says it in `Content-Type`. The answer has the same one.
pub struct Encoding {
    pub mime_type: String,
    /// In Base64.
    pub is_text: bool,
    pub is_json: bool,
    /// In the frames of gRPC; otherwise the body is a message.
    pub is_framed: bool,
}

impl Encoding {
    /// `None` for what is no call of gRPC-Web.
    pub fn of(headers: &Headers) -> Option<Self> {
        let mime_type = headers.text("Content-Type")?.split(';').next()?.trim().to_ascii_lowercase();
        let (is_text, is_json, is_framed) = match mime_type.strip_prefix("application/")? {
            "grpc-web" | "grpc-web+proto" => (false, false, true),
            "grpc-web-text" | "grpc-web-text+proto" => (true, false, true),
            "grpc-web+json" => (false, true, true),
            "grpc-web-text+json" => (true, true, true),
            "json" => (false, true, false),
            _ => return None,
        };
        Some(Self { mime_type, is_text, is_json, is_framed })
    }

    /// A whole request as gRPC has it; `method` is that of messages in JSON. The error says what is wrong with it.
    pub fn messages(&self, body: &[u8], method: Option<&Method>) -> Result<Vec<u8>, String> {
        let decoded = match self.is_text {
            true => &*from_text(body).ok_or("the request body is not in Base64")?,
            false => body,
        };
        let Some(method) = method else { return Ok(decoded.to_vec()) };
        let mut messages = Vec::new();
        if !self.is_framed {
            frames::write(0, &method.to_message(decoded)?, &mut messages);
            return Ok(messages);
        }
        let mut frames = Frames::default();
        frames.add(decoded);
        while let Some((kind, json)) = frames.take()? {
            frames::write(kind, &method.to_message(&json)?, &mut messages);
        }
        match frames.is_empty() {
            true => Ok(messages),
            false => Err("the request ends within a message".to_owned()),
        }
    }
}

/// Out of Base64 that may be padded anywhere: whoever writes it pads what there is when it has to be sent.
pub fn from_text(mut text: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    while !text.is_empty() {
        // Padding fills its group of four up.
        let end = text.iter().position(|byte| *byte == b'=').map_or(text.len(), |at| at - at % 4 + 4);
        let (part, rest) = text.split_at_checked(end)?;
        BASE64_STANDARD.decode_vec(part, &mut bytes).ok()?;
        text = rest;
    }
    Some(bytes)
}

/// Base64 of its own, so that nothing waits for what comes next.
pub fn to_text(bytes: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(BASE64_STANDARD.encode(bytes).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_read_as_it_is_written_or_not_at_all() {
        for bytes in [&b""[..], b"a", b"ab", b"abc", b"abcd"] {
            let mut text = Vec::new();
            to_text(bytes, &mut text);
            to_text(b"xyz", &mut text);
            to_text(bytes, &mut text);
            assert_eq!(from_text(&text), Some([bytes, b"xyz", bytes].concat()));
        }
        // All texts of eight signs of these; most are none.
        for number in 0..3_u32.pow(8) {
            let text: Vec<u8> = (0..8).map(|at| b"A=!"[(number / 3_u32.pow(at) % 3) as usize]).collect();
            if let Some(bytes) = from_text(&text) {
                assert!(bytes.iter().all(|byte| *byte == 0) && (2..=6).contains(&bytes.len()), "{text:?}");
            }
        }
    }
}
