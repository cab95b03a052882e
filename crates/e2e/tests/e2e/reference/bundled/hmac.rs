//! Signatures of requests (draft-cavage-http-signatures-00).

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ring::hmac::{HMAC_SHA256, HMAC_SHA384, HMAC_SHA512, Key, sign};

use crate::reference::bundled::recorded::Signed;
use crate::reference::wire::{Lines, values};

/// The header line, and the signature alone.
pub fn line(
    signed: &Signed,
    method: &str,
    target: &str,
    version: &str,
    headers: &Lines,
) -> ((String, String), String) {
    let part = |name: &String| match name.as_str() {
        "request-line" => format!("{method} {target} HTTP/{version}"),
        "@request-target" => format!("{name}: {} {target}", method.to_ascii_lowercase()),
        _ => format!("{name}: {}", values(headers, name).last().unwrap_or_default()),
    };
    let text = signed.headers.iter().map(part).collect::<Vec<_>>().join("\n");
    let algorithm = signed.algorithm.as_deref().unwrap_or("hmac-sha256");
    let key = match algorithm {
        "hmac-sha384" => HMAC_SHA384,
        "hmac-sha512" => HMAC_SHA512,
        _ => HMAC_SHA256,
    };
    let signature = BASE64_STANDARD.encode(sign(&Key::new(key, signed.secret.as_bytes()), text.as_bytes()));
    let value = format!(
        "hmac username=\"{}\", algorithm=\"{algorithm}\", headers=\"{}\", signature=\"{signature}\"",
        signed.username,
        signed.headers.join(" ")
    );
    let name = signed.r#in.as_deref().unwrap_or("Authorization");
    ((name.to_owned(), value), signature)
}
