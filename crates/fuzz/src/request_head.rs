//! The head of a request, with the limits of nginx and with small ones.

use polygate_http1::{Headers, Limits, RequestHead, RequestParser, is_authority, is_name, is_value, write};

/// Bytes of a connection.
pub fn request_head(data: &[u8]) {
    for limits in [Limits::default(), Limits { line: 40, head: 100 }] {
        let whole = RequestParser::new(limits).parse(data);
        let outcome = format!("{whole:?}");
        assert_eq!(byte_by_byte(data, limits), outcome, "bytes one by one, and at once");
        match whole {
            Ok(Some(head)) => {
                assert!(head.length <= data.len() && head.headers.wire_length() <= 2 * head.length);
                is_sound(&head);
                is_the_same_again(&head);
            }
            Ok(None) => {}
            Err(refused) => {
                assert!(matches!(refused.fault.status(), 400 | 414 | 494 | 501 | 505), "{refused:?}");
                assert!(refused.length <= data.len());
                lines_are_sound(&refused.headers);
            }
        }
    }
}

fn byte_by_byte(data: &[u8], limits: Limits) -> String {
    let mut parser = RequestParser::new(limits);
    for end in 0..data.len() {
        let outcome = parser.parse(&data[..end]);
        if !matches!(outcome, Ok(None)) {
            return format!("{outcome:?}");
        }
    }
    format!("{:?}", parser.parse(data))
}

/// What every later step relies on.
fn is_sound(head: &RequestHead) {
    assert_eq!(head.target.first(), Some(&b'/'), "{head:?}");
    assert!(!head.target.iter().any(|&byte| byte <= b' ' || byte == 0x7f), "{head:?}");
    let hosts: Vec<&[u8]> = head.headers.get_all("host").collect();
    assert!(hosts.len() == 1 || (hosts.is_empty() && head.version == http::Version::HTTP_10), "{head:?}");
    assert!(hosts.iter().all(|host| is_authority(host)), "{head:?}");
    lines_are_sound(&head.headers);
}

fn lines_are_sound(headers: &Headers) {
    for (name, value) in headers.iter() {
        assert!(is_name(name.as_bytes()) && is_value(value), "{name}: {}", value.escape_ascii());
        assert_eq!(value.trim_ascii(), value, "blanks around a value do not count");
    }
}

fn is_the_same_again(head: &RequestHead) {
    let mut out = Vec::new();
    write::request_line(&mut out, &head.method, &head.target);
    // An old request may have none.
    if !head.headers.contains("host") {
        write::line(&mut out, "Host", b"a");
    }
    head.headers.write_to(&mut out);
    out.extend_from_slice(b"\r\n");
    // Names without their blanks and the other form of a target make a head longer, but not by more than this.
    let limits = Limits { line: out.len(), head: out.len() };
    let again =
        RequestParser::new(limits).parse(&out).expect("we write what is valid").expect("and all of it");
    assert_eq!((again.length, again.dropped), (out.len(), 0));
    assert_eq!((again.method.as_str(), &again.target), (head.method.as_str(), &head.target));
    assert_eq!(again.framing, head.framing, "{}", out.escape_ascii());
    let lines =
        |headers: &Headers| headers.iter().map(|(name, value)| (name.to_owned(), value.to_vec())).collect();
    let (mut again, head): (Vec<_>, Vec<_>) = (lines(&again.headers), lines(&head.headers));
    if again.len() > head.len() {
        again.remove(0);
    }
    assert_eq!(again, head);
}
