//! Each of the 256 values of a byte, in each place where it could matter.

use polygate_http1::{Framing, Limits};

use crate::outcome::{Outcome, body, growing, request, response};
use crate::rows::{escape, unescape};

/// Puts each byte in the place of `$`, and compares what comes out with what `expected` says of it: the line without
/// what was left of the input, in which `$` stands for the byte.
fn each(run: impl Fn(&[u8]) -> Outcome, template: &str, expected: impl Fn(u8) -> &'static str) {
    let (before, after) = template.split_once('$').expect("a place for the byte");
    for byte in 0..=u8::MAX {
        let input = [unescape(before), vec![byte], unescape(after)].concat();
        let line = run(&input).line;
        let line = line.split(" > ").next().unwrap_or_default();
        assert_eq!(line, expected(byte).replace('$', &escape(&[byte])), "{template} with {byte:#04x}");
    }
}

fn as_request(input: &[u8]) -> Outcome {
    let whole = request(growing(input, usize::MAX, 1), input, Limits::default());
    assert_eq!(request(growing(input, 1, 1), input, Limits::default()), whole, "{}", escape(input));
    whole
}

fn as_response(input: &[u8]) -> Outcome {
    let whole = response(growing(input, usize::MAX, 1), input, Limits::default());
    assert_eq!(response(growing(input, 1, 1), input, Limits::default()), whole, "{}", escape(input));
    whole
}

fn as_chunks(input: &[u8]) -> Outcome {
    let whole = body(Framing::Chunked, input, usize::MAX, 1);
    assert_eq!(body(Framing::Chunked, input, 1, 1), whole, "{}", escape(input));
    whole
}

/// What no value may hold.
fn is_control(byte: u8) -> bool {
    byte != b'\t' && (byte < b' ' || byte == 0x7f)
}

fn is_usual(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_".contains(&byte)
}

#[test]
fn methods() {
    let is_letter = |byte| matches!(byte, b'A'..=b'Z' | b'-' | b'_');
    each(as_request, r"$ET / HTTP/1.1\r\nHost: a\r\n\r\n", |byte| match byte {
        b'\n' => "ET / HTTP/1.1 | Host: a",
        byte if is_letter(byte) => "$ET / HTTP/1.1 | Host: a",
        _ => "400 Method",
    });
    each(as_request, r"G$T / HTTP/1.1\r\nHost: a\r\n\r\n", |byte| match byte {
        b'\n' => "400 RequestLine",
        b' ' => "400 Target",
        byte if is_letter(byte) => "G$T / HTTP/1.1 | Host: a",
        _ => "400 Method",
    });
    each(as_request, r"GET$ / HTTP/1.1\r\nHost: a\r\n\r\n", |byte| match byte {
        b'\n' => "400 RequestLine",
        b' ' => "400 Target",
        byte if is_letter(byte) => "GET$ / HTTP/1.1 | Host: a",
        _ => "400 Method",
    });
    each(as_request, r"GET$/ HTTP/1.1\r\nHost: a\r\n\r\n", |byte| match byte {
        b' ' => "GET / HTTP/1.1 | Host: a",
        b'\n' => "400 RequestLine",
        _ => "400 Method",
    });
}

#[test]
fn targets() {
    for template in [r"GET /a$b HTTP/1.1\r\nHost: a\r\n\r\n", r"GET /a?$b HTTP/1.1\r\nHost: a\r\n\r\n"] {
        let is_query = template.contains('?');
        each(as_request, template, |byte| match byte {
            b'\n' | b' ' => "400 RequestLine",
            0..b' ' | 0x7f => "400 TargetByte",
            _ if is_query => "GET /a?$b HTTP/1.1 | Host: a",
            _ => "GET /a$b HTTP/1.1 | Host: a",
        });
    }
    each(as_request, r"GET $a HTTP/1.1\r\nHost: a\r\n\r\n", |byte| match byte {
        b'/' => "GET /a HTTP/1.1 | Host: a",
        b' ' => "400 Target",
        b'\n' => "400 RequestLine",
        0..b' ' | 0x7f => "400 TargetByte",
        _ => "400 Target",
    });
    each(as_request, r"GET /$HTTP/1.1\r\nHost: a\r\n\r\n", |byte| match byte {
        b' ' => "GET / HTTP/1.1 | Host: a",
        _ => "400 RequestLine",
    });
    each(as_request, r"GET h$p://b/c HTTP/1.1\r\nHost: a\r\n\r\n", |byte| match byte {
        b'\n' => "400 RequestLine",
        b' ' => "400 Target",
        0..b' ' | 0x7f => "400 TargetByte",
        byte if byte.is_ascii_alphanumeric() || b"+-.".contains(&byte) => "GET /c HTTP/1.1 | Host: b",
        _ => "400 Target",
    });
}

#[test]
fn versions() {
    each(as_request, r"GET / HTTP/$.1\r\nHost: a\r\n\r\n", |byte| match byte {
        b'1' => "GET / HTTP/1.1 | Host: a",
        b'2'..=b'9' => "505 Version",
        _ => "400 RequestLine",
    });
    each(as_request, r"GET / HTTP/1.$\r\nHost: a\r\n\r\n", |byte| match byte {
        b'0' => "GET / HTTP/1.0 close | Host: a",
        b'1'..=b'9' => "GET / HTTP/1.1 | Host: a",
        _ => "400 RequestLine",
    });
    each(as_request, r"GET / HTTP/1.1$\nHost: a\r\n\r\n", |byte| match byte {
        b'\r' => "GET / HTTP/1.1 | Host: a",
        // The head ends there.
        b'\n' => "400 HostMissing",
        _ => "400 RequestLine",
    });
    each(as_request, r"GET / HTTP/1.1$Host: a\r\n\r\n", |byte| match byte {
        b'\n' => "GET / HTTP/1.1 | Host: a",
        _ => "400 RequestLine",
    });
}

#[test]
fn names() {
    for (template, kept, first) in [
        (r"GET / HTTP/1.0\r\n$a: 1\r\n\r\n", "GET / HTTP/1.0 close | $a: 1", true),
        (r"GET / HTTP/1.0\r\na$b: 1\r\n\r\n", "GET / HTTP/1.0 close | a$b: 1", false),
        (r"GET / HTTP/1.0\r\na$: 1\r\n\r\n", "GET / HTTP/1.0 close | a$: 1", false),
    ] {
        let is_end = template.contains("a$:");
        each(as_request, template, |byte| match byte {
            b'\n' if first => "GET / HTTP/1.0 close",
            b'\n' => "400 Colon",
            b' ' | b'\t' if first => "400 Fold",
            b':' if first => "400 Name",
            b':' if is_end => "GET / HTTP/1.0 close | a: : 1",
            b':' => "GET / HTTP/1.0 close | a: b: 1",
            0..=b' ' | 0x7f => "400 Name",
            byte if is_usual(byte) => kept,
            _ => "GET / HTTP/1.0 close dropped 1",
        });
    }
    each(as_response, r"HTTP/1.1 204 A\r\na$b: 1\r\n\r\n", |byte| match byte {
        b'\n' => "502 Colon",
        b':' => "HTTP/1.1 204 A length 0 | a: b: 1",
        0..=b' ' | 0x7f => "502 Name",
        0x80.. => "HTTP/1.1 204 A length 0",
        _ => "HTTP/1.1 204 A length 0 | a$b: 1",
    });
    // What stands in the place of the colon.
    each(as_request, r"GET / HTTP/1.0\r\na$1\r\n\r\n", |byte| match byte {
        b':' => "GET / HTTP/1.0 close | a: 1",
        _ => "400 Colon",
    });
}

#[test]
fn values() {
    for (template, kept) in [
        (r"GET / HTTP/1.0\r\na: $b\r\n\r\n", "GET / HTTP/1.0 close | a: $b"),
        (r"GET / HTTP/1.0\r\na: b$c\r\n\r\n", "GET / HTTP/1.0 close | a: b$c"),
        (r"GET / HTTP/1.0\r\na: b$\r\n\r\n", "GET / HTTP/1.0 close | a: b$"),
    ] {
        let (is_start, is_end) = (template.contains("$b"), template.contains(r"$\r"));
        each(as_request, template, |byte| match byte {
            // A line of its own, without a colon or empty; the head ends with the latter.
            b'\n' if is_end => "GET / HTTP/1.0 close | a: b",
            b'\n' => "400 Colon",
            b' ' | b'\t' if is_start || is_end => "GET / HTTP/1.0 close | a: b",
            byte if is_control(byte) => "400 Value",
            _ => kept,
        });
    }
    each(as_response, r"HTTP/1.1 204 A\r\na: b$c\r\n\r\n", |byte| match byte {
        b'\n' => "502 Colon",
        byte if is_control(byte) => "502 Value",
        _ => "HTTP/1.1 204 A length 0 | a: b$c",
    });
}

#[test]
fn hosts() {
    each(as_request, r"GET / HTTP/1.1\r\nHost: a$b\r\n\r\n", |byte| match byte {
        b'\n' => "400 Colon",
        byte if is_control(byte) => "400 Value",
        byte if byte.is_ascii_alphanumeric() || b"-._~!$&'()*+;=".contains(&byte) => {
            "GET / HTTP/1.1 | Host: a$b"
        }
        _ => "400 Host",
    });
    each(as_request, r"GET / HTTP/1.1\r\nHost: a:8$\r\n\r\n", |byte| match byte {
        b'\n' | b' ' | b'\t' => "GET / HTTP/1.1 | Host: a:8",
        byte if is_control(byte) => "400 Value",
        b'0'..=b'9' => "GET / HTTP/1.1 | Host: a:8$",
        _ => "400 Host",
    });
}

#[test]
fn lengths_and_codings() {
    each(as_request, r"GET / HTTP/1.0\r\nContent-Length: 1$\r\n\r\n", |byte| match byte {
        b'\n' | b' ' | b'\t' => "GET / HTTP/1.0 length 1 close | Content-Length: 1",
        byte if is_control(byte) => "400 Value",
        b'0'..=b'9' => "GET / HTTP/1.0 length 1$ close | Content-Length: 1$",
        _ => "400 Length",
    });
    for template in [
        r"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked$\r\n\r\n",
        r"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: $chunked\r\n\r\n",
    ] {
        let is_end = template.contains("d$");
        each(as_request, template, |byte| match byte {
            b'\n' if is_end => "GET / HTTP/1.1 chunked | Host: a | Transfer-Encoding: chunked",
            b'\n' => "400 Colon",
            b' ' | b'\t' => "GET / HTTP/1.1 chunked | Host: a | Transfer-Encoding: chunked",
            b',' if is_end => "GET / HTTP/1.1 chunked | Host: a | Transfer-Encoding: chunked,",
            b',' => "GET / HTTP/1.1 chunked | Host: a | Transfer-Encoding: ,chunked",
            byte if is_control(byte) => "400 Value",
            _ => "501 CodingUnknown",
        });
    }
}

#[test]
fn status_lines() {
    each(as_response, r"HTTP/1.1 $00 A\r\nContent-Length: 0\r\n\r\n", |byte| match byte {
        b'1' => "HTTP/1.1 100 A length 0 | Content-Length: 0",
        b'2'..=b'9' => "HTTP/1.1 $00 A length 0 | Content-Length: 0",
        _ => "502 StatusLine",
    });
    each(as_response, r"HTTP/1.1 20$ A\r\nContent-Length: 0\r\n\r\n", |byte| match byte {
        b'0'..=b'9' => "HTTP/1.1 20$ A length 0 | Content-Length: 0",
        _ => "502 StatusLine",
    });
    each(as_response, r"HTTP/1.1 200$A\r\nContent-Length: 0\r\n\r\n", |byte| match byte {
        b' ' => "HTTP/1.1 200 A length 0 | Content-Length: 0",
        b'\n' => "502 Colon",
        _ => "502 StatusLine",
    });
    each(as_response, r"HTTP/1.1 200 A$B\r\nContent-Length: 0\r\n\r\n", |byte| match byte {
        b'\n' => "502 Colon",
        byte if is_control(byte) => "502 StatusLine",
        _ => "HTTP/1.1 200 A$B length 0 | Content-Length: 0",
    });
    each(as_response, r"HTTP/$.1 204 A\r\n\r\n", |byte| match byte {
        b'1' => "HTTP/1.1 204 A length 0",
        b'2'..=b'9' => "502 Version",
        _ => "502 StatusLine",
    });
}

#[test]
fn chunks() {
    each(as_chunks, r"$\r\n", |byte| match byte {
        byte if byte.is_ascii_hexdigit() => r#"more """#,
        _ => r#"400 ChunkSize """#,
    });
    each(as_chunks, r"0$\r\n\r\n", |byte| match byte {
        b'0' | b';' | b' ' | b'\t' => r#"done """#,
        // The size of a chunk that begins with the second line end.
        b'1' => r#"400 ChunkEnd "\r""#,
        byte if byte.is_ascii_hexdigit() => r#"more "\r\n""#,
        _ => r#"400 ChunkSize """#,
    });
    each(as_chunks, r"0;a$b\r\n\r\n", |byte| match byte {
        byte if is_control(byte) => r#"400 ChunkSize """#,
        _ => r#"done """#,
    });
    each(as_chunks, r"0 $\r\n\r\n", |byte| match byte {
        b' ' | b'\t' | b';' => r#"done """#,
        _ => r#"400 ChunkSize """#,
    });
    each(as_chunks, r"0\r$\r\n", |byte| match byte {
        b'\n' => r#"done """#,
        _ => r#"400 ChunkSize """#,
    });
    each(as_chunks, r"1\r\n$\r\n0\r\n\r\n", |_| r#"done "$""#);
    each(as_chunks, r"1\r\na$\n0\r\n\r\n", |byte| match byte {
        b'\r' => r#"done "a""#,
        _ => r#"400 ChunkEnd "a""#,
    });
    each(as_chunks, r"1\r\na\r$0\r\n\r\n", |byte| match byte {
        b'\n' => r#"done "a""#,
        _ => r#"400 ChunkEnd "a""#,
    });
}

#[test]
fn trailers() {
    each(as_chunks, r"0\r\na$b: 1\r\n\r\n", |byte| match byte {
        b':' => r#"done "" | a: b: 1"#,
        0..=b' ' | 0x7f => r#"400 Trailer """#,
        byte if is_usual(byte) => r#"done "" | a$b: 1"#,
        _ => r#"done """#,
    });
    each(as_chunks, r"0\r\na: b$c\r\n\r\n", |byte| match byte {
        byte if is_control(byte) => r#"400 Trailer """#,
        _ => r#"done "" | a: b$c"#,
    });
    each(as_chunks, r"0\r\na: b$\n\r\n", |byte| match byte {
        b'\r' => r#"done "" | a: b"#,
        _ => r#"400 Trailer """#,
    });
}
