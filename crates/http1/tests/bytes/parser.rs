//! What a parser tells besides what came out.

use http::{Method, Version};
use polygate_http1::{Fault, Limits, Refused, RequestParser, items};

use crate::rows::{escape, unescape};

#[test]
fn a_request_begins_with_the_first_byte_of_a_line() {
    for (input, expected) in [
        ("", false),
        (r"\r", false),
        (r"\r\n", false),
        (r"\n\r\n\r", false),
        ("G", true),
        (r"\r\nG", true),
        (r"\x00", true),
        (" ", true),
        (r"GET / HTTP/1.1\r\n", true),
    ] {
        let input = unescape(input);
        let mut parser = RequestParser::new(Limits::default());
        assert_eq!(parser.has_begun(&input), expected, "{}", escape(&input));
        assert!(parser.parse(&input).expect("nothing is wrong yet").is_none());
        assert_eq!(parser.has_begun(&input), expected, "{}", escape(&input));
    }
}

/// The fault, the request line, and what was understood: method, target, version, header lines.
#[test]
fn what_is_refused_is_told() {
    for (input, fault, line, understood) in [
        (r"get / HTTP/1.1\r\n", Fault::Method, "get / HTTP/1.1", None),
        (r"\r\n\nGET * HTTP/1.1\r\n", Fault::Target, "GET * HTTP/1.1", None),
        (r"GET / HTTP/2.0\n", Fault::Version, "GET / HTTP/2.0", None),
        (r"\x16\x03\x01\n", Fault::RequestLine, r"\x16\x03\x01", None),
        (r"GET /{9000*a}", Fault::RequestLineTooLong, r"GET /{251*a}", None),
        (r"\r\n{8192*a}", Fault::RequestLineTooLong, r"{256*a}", None),
        (r"{8193*\n}GET / HTTP/1.1\r\n", Fault::RequestLine, "", None),
        (
            r"GET http://b/c?d HTTP/1.3\r\nX: 1\r\nY\r\nZ: 2\r\n\r\n",
            Fault::Colon,
            "GET http://b/c?d HTTP/1.3",
            Some("GET /c?d HTTP/1.1 X: 1"),
        ),
        (
            r"POST /\xff HTTP/1.0\r\nX: 1\r\nTransfer-Encoding: gzip\r\n\r\n",
            Fault::CodingInOldVersion,
            r"POST /\xff HTTP/1.0",
            Some(r"POST /\xff HTTP/1.0 X: 1 Transfer-Encoding: gzip"),
        ),
        (
            r"GET / HTTP/1.1\r\nX: 1\r\nY: {9000*a}",
            Fault::HeadTooLarge,
            "GET / HTTP/1.1",
            Some("GET / HTTP/1.1 X: 1"),
        ),
    ] {
        let input = unescape(input);
        let refused = RequestParser::new(Limits::default()).parse(&input).expect_err("it is refused");
        assert_eq!((refused.fault, escape(&refused.line)), (fault, line.to_owned()));
        assert_eq!(summary(&refused).as_deref(), understood);
    }
}

fn summary(refused: &Refused) -> Option<String> {
    let Some(method) = &refused.method else {
        assert!(refused.target.is_empty() && refused.headers.is_empty());
        assert_eq!(refused.version, Version::HTTP_11);
        return None;
    };
    let mut text = format!("{method} {} {:?}", escape(&refused.target), refused.version);
    for (name, value) in refused.headers.iter() {
        text += &format!(" {name}: {}", escape(value));
    }
    Some(text)
}

#[test]
fn a_head_tells_how_long_it_is() {
    let input = b"\r\nDELETE /a HTTP/1.1\r\nHost: a\r\n\r\nrest";
    let head = RequestParser::new(Limits::default()).parse(input).expect("it is valid").expect("it is whole");
    assert_eq!((head.method, head.length), (Method::DELETE, input.len() - 4));
}

#[test]
fn lists_are_taken_apart() {
    for (value, expected) in [
        ("", vec![]),
        (" , ,\t,", vec![]),
        ("a", vec!["a"]),
        (" a ,b\t,, c d ,", vec!["a", "b", "c d"]),
        ("a;q=0.5, b", vec!["a;q=0.5", "b"]),
    ] {
        let found: Vec<&[u8]> = items(value.as_bytes()).collect();
        assert!(found.iter().copied().eq(expected.iter().map(|item| item.as_bytes())), "{value}");
    }
}
