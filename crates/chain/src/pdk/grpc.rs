//! How an answer looks to a gRPC client: status and message are headers, there is no body.

use http::Version;
use polygate_http1::Headers;
use serde_json::Value as Json;

use crate::Exchange;
use crate::pdk::{Content, query};

const CONTENT_TYPE_GRPC: &str = "application/grpc";

/// The canonical names of the status codes, by code.
const NAMES: [&str; 17] = [
    "OK",
    "Canceled",
    "Unknown",
    "InvalidArgument",
    "DeadlineExceeded",
    "NotFound",
    "AlreadyExists",
    "PermissionDenied",
    "ResourceExhausted",
    "FailedPrecondition",
    "Aborted",
    "OutOfRange",
    "Unimplemented",
    "Internal",
    "Unavailable",
    "DataLoss",
    "Unauthenticated",
];

/// Whether the client waits for a gRPC answer.
pub fn is_request(exchange: &Exchange) -> bool {
    exchange.request.version == Version::HTTP_2 && has_grpc_type(&exchange.request.headers)
}

pub fn has_grpc_type(headers: &Headers) -> bool {
    headers.get("Content-Type").is_some_and(|value| value.starts_with(CONTENT_TYPE_GRPC.as_bytes()))
}

/// Adds `grpc-status` and `grpc-message`, unless a plugin set them. Without a message it is the name
/// of the code.
pub fn describe(headers: &mut Headers, status: u16, message: Option<&str>) {
    let code = code(status);
    let message = message.unwrap_or(NAMES[usize::from(code)]);
    // Percent-encoded as gRPC over HTTP/2 wants it: all but printable ASCII, and the sign itself.
    let message =
        query::percent_encode(message.as_bytes(), |byte| (b' '..=b'~').contains(&byte) && byte != b'%');
    for (name, value) in [("grpc-status", code.to_string()), ("grpc-message", message)] {
        if !headers.contains(name) {
            headers.append(name, value);
        }
    }
    headers.insert("Content-Type", CONTENT_TYPE_GRPC);
}

/// The text for `grpc-message` in a body that was meant for HTTP: itself, or the member `message`.
pub fn message(body: Content) -> Option<String> {
    match body {
        Content::Nothing => None,
        Content::Text(text) => (!text.is_empty()).then(|| String::from_utf8_lossy(&text).into_owned()),
        Content::Json(json) => match serde_json::from_str(&json) {
            Ok(Json::Object(mut members)) => match members.remove("message") {
                Some(Json::String(text)) => Some(text),
                _ => None,
            },
            _ => None,
        },
    }
}

fn code(status: u16) -> u8 {
    match status {
        200..=299 => 0,
        401 => 16,
        403 => 7,
        404 => 5,
        409 => 6,
        429 => 8,
        499 => 1,
        400..=498 => 3,
        501 => 12,
        503 => 14,
        504 => 4,
        500..=599 => 13,
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_names() {
        for (status, code, name) in [
            (200, "0", "OK"),
            (302, "2", "Unknown"),
            (400, "3", "InvalidArgument"),
            (418, "3", "InvalidArgument"),
            (429, "8", "ResourceExhausted"),
            (502, "13", "Internal"),
            (504, "4", "DeadlineExceeded"),
        ] {
            let mut headers = Headers::new();
            describe(&mut headers, status, None);
            assert_eq!((headers.text("grpc-status"), headers.text("grpc-message")), (Some(code), Some(name)));
        }
        let mut headers = Headers::new();
        describe(&mut headers, 500, Some("50% ü\n"));
        assert_eq!(headers.text("grpc-message"), Some("50%25 %C3%BC%0A"));
    }
}
