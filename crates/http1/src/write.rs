//! Messages as bytes.

use http::{Method, Version};

use crate::headers::decimal;
use crate::scan;

/// `method target HTTP/1.1`. The target must hold no blank and no control character.
pub fn request_line(out: &mut Vec<u8>, method: &Method, target: &[u8]) {
    for part in [method.as_str().as_bytes(), b" ", target, b" HTTP/1.1\r\n"] {
        out.extend_from_slice(part);
    }
}

/// `version status reason`. The reason is the status's own if none is given; it may be empty.
pub fn status_line(out: &mut Vec<u8>, version: Version, status: u16, reason: Option<&[u8]>) {
    out.extend_from_slice(if version == Version::HTTP_10 { b"HTTP/1.0 " } else { b"HTTP/1.1 " });
    number(out, status.into());
    out.push(b' ');
    out.extend_from_slice(reason.unwrap_or(self::reason(status).as_bytes()));
    out.extend_from_slice(b"\r\n");
}

/// One header line. Name and value must be such.
pub fn line(out: &mut Vec<u8>, name: impl AsRef<[u8]>, value: &[u8]) {
    for part in [name.as_ref(), b": ", value, b"\r\n"] {
        out.extend_from_slice(part);
    }
}

/// Whether a text stands between quotes as it is: visible ASCII and blanks, without quotes and backslashes.
pub fn is_quotable(text: &[u8]) -> bool {
    scan::all(text, is_quotable_byte)
}

/// [`is_quotable`] of one byte.
pub fn is_quotable_byte(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') & (byte != b'"') & (byte != b'\\')
}

/// Decimal digits.
pub fn number(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(decimal(number, &mut [0; 20]));
}

/// What stands before the content of a chunk of `length` bytes, which must not be 0.
pub fn chunk_start(out: &mut Vec<u8>, length: usize) {
    debug_assert_ne!(length, 0, "an empty chunk ends the body");
    let shifts = (0..usize::BITS / 4).rev().map(|nibble| length >> (nibble * 4));
    out.extend(shifts.skip_while(|shifted| *shifted == 0).map(|shifted| b"0123456789abcdef"[shifted & 15]));
    out.extend_from_slice(CHUNK_END);
}

/// What stands behind the content of a chunk.
pub const CHUNK_END: &[u8] = b"\r\n";

/// The end of a chunked body without trailers.
pub const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// What tells a client to send its body.
pub const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// The phrase of a status in the words of the reference, which has none for 426; empty for an unknown one.
pub fn reason(status: u16) -> &'static str {
    match status {
        100 => "Continue",
        101 => "Switching Protocols",
        102 => "Processing",
        103 => "Early Hints",
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        203 => "Non-Authoritative Information",
        204 => "No Content",
        205 => "Reset Content",
        206 => "Partial Content",
        207 => "Multi-Status",
        300 => "Multiple Choices",
        301 => "Moved Permanently",
        302 => "Moved Temporarily",
        303 => "See Other",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        402 => "Payment Required",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Not Allowed",
        406 => "Not Acceptable",
        407 => "Proxy Authentication Required",
        408 => "Request Time-out",
        409 => "Conflict",
        410 => "Gone",
        411 => "Length Required",
        412 => "Precondition Failed",
        413 => "Request Entity Too Large",
        414 => "Request-URI Too Large",
        415 => "Unsupported Media Type",
        416 => "Requested Range Not Satisfiable",
        417 => "Expectation Failed",
        418 => "I'm a teapot",
        421 => "Misdirected Request",
        422 => "Unprocessable Entity",
        423 => "Locked",
        424 => "Failed Dependency",
        425 => "Too Early",
        428 => "Precondition Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        451 => "Unavailable For Legal Reasons",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Temporarily Unavailable",
        504 => "Gateway Time-out",
        505 => "HTTP Version Not Supported",
        506 => "Variant Also Negotiates",
        507 => "Insufficient Storage",
        508 => "Loop Detected",
        510 => "Not Extended",
        511 => "Network Authentication Required",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_chunks() {
        for value in [0, 7, 10, 404, 65_535, u64::MAX] {
            let mut out = Vec::new();
            number(&mut out, value);
            assert_eq!(out, value.to_string().as_bytes());
        }
        for length in [1, 15, 16, 255, 256, 4096, 65_535, usize::MAX] {
            let mut out = Vec::new();
            chunk_start(&mut out, length);
            assert_eq!(out, format!("{length:x}\r\n").as_bytes());
        }
    }

    #[test]
    fn first_lines() {
        let mut out = Vec::new();
        request_line(&mut out, &Method::GET, b"/a?b");
        status_line(&mut out, Version::HTTP_11, 404, None);
        status_line(&mut out, Version::HTTP_10, 299, Some(b"Odd"));
        status_line(&mut out, Version::HTTP_11, 599, None);
        status_line(&mut out, Version::HTTP_11, 200, Some(b""));
        line(&mut out, "X-A", b"1");
        let expected = "GET /a?b HTTP/1.1\r\nHTTP/1.1 404 Not Found\r\nHTTP/1.0 299 Odd\r\nHTTP/1.1 599 \r\nHTTP/1.1 200 \r\nX-A: 1\r\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
