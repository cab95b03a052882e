//! The access log, in the layout of `combined` with the request id at the end.

use std::io::Write as _;

use http::{Method, Version};
use polygate_chain::{Exchange, credentials};
use polygate_http1::write::{is_quotable, is_quotable_byte, number};

use crate::date;

/// Adds the line of a request that came with `method`. `line` is that of one whose head was refused, as received.
pub fn write(out: &mut Vec<u8>, exchange: &Exchange, method: &Method, line: Option<&[u8]>) {
    let request = &exchange.request;
    out.extend_from_slice(exchange.session.client_ip().as_bytes());
    out.extend_from_slice(b" - ");
    match credentials::basic_user(&request.headers) {
        Some(user) if !user.is_empty() => escape(out, user.as_bytes()),
        _ => out.push(b'-'),
    }
    out.extend_from_slice(b" [");
    let timings = &exchange.session.timings;
    date::log_now(timings.unix(timings.latest), |date| out.extend_from_slice(date.as_bytes()));
    out.extend_from_slice(b"] \"");
    match line {
        Some(line) => escape(out, line),
        None => {
            out.extend_from_slice(method.as_str().as_bytes());
            out.push(b' ');
            escape(out, &request.target);
            out.push(b' ');
            out.extend_from_slice(version_text(request.version).as_bytes());
        }
    }
    out.extend_from_slice(b"\" ");
    number(out, exchange.response.status.into());
    out.push(b' ');
    number(out, exchange.body_bytes_sent);
    for name in ["Referer", "User-Agent"] {
        out.extend_from_slice(b" \"");
        escape(out, request.headers.get(name).unwrap_or(b"-"));
        out.push(b'"');
    }
    out.extend_from_slice(b" kong_request_id: \"");
    out.extend_from_slice(exchange.session.id.as_bytes());
    out.extend_from_slice(b"\"\n");
}

pub fn version_text(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_2 => "HTTP/2.0",
        _ => "HTTP/1.1",
    }
}

/// Quotes, backslashes and everything outside printable ASCII as `\xHH`: one request, one line.
fn escape(out: &mut Vec<u8>, bytes: &[u8]) {
    if is_quotable(bytes) {
        return out.extend_from_slice(bytes);
    }
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|&byte| !is_quotable_byte(byte)) {
        out.extend_from_slice(&rest[..at]);
        // Writing to memory does not fail.
        let _ = write!(out, "\\x{:02X}", rest[at]);
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_ends_the_line_or_a_quote() {
        for (text, expected) in
            [("plain", "plain"), ("a\"b", "a\\x22b"), ("\r\n\\", "\\x0D\\x0A\\x5C"), ("\u{e9}", "\\xC3\\xA9")]
        {
            let mut out = Vec::new();
            escape(&mut out, text.as_bytes());
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }
}
