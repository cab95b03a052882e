//! How the messages of a call are written.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use polygate_http1::Headers;

/// As the client says it in `Content-Type`. The answer has the same one.
pub struct Encoding {
    pub mime_type: String,
    /// In Base64.
    pub is_text: bool,
}

impl Encoding {
    /// `None` for what is no call of gRPC-Web.
    pub fn of(headers: &Headers) -> Option<Self> {
        let mime_type = headers.text("Content-Type")?.split(';').next()?.trim().to_ascii_lowercase();
        let kind = mime_type.strip_prefix("application/grpc-web")?;
        let is_text = match kind {
            "" | "+proto" => false,
            "-text" | "-text+proto" => true,
            _ => return None,
        };
        Some(Self { mime_type, is_text })
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
