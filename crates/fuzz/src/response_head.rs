//! The head of a response, with the limits of nginx and with small ones.

use polygate_http1::{Framing, Headers, Limits, ResponseHead, ResponseParser, is_value, write};

/// Bytes of an upstream.
pub fn response_head(data: &[u8]) {
    for limits in [Limits::default(), Limits { line: 40, head: 100 }] {
        let whole = ResponseParser::new(limits).parse(data);
        assert_eq!(byte_by_byte(data, limits), format!("{whole:?}"), "bytes one by one, and at once");
        if let Ok(Some(head)) = whole {
            assert!(head.length <= data.len());
            is_sound(&head);
            is_the_same_again(&head);
        }
    }
}

fn byte_by_byte(data: &[u8], limits: Limits) -> String {
    let mut parser = ResponseParser::new(limits);
    for end in 0..data.len() {
        let outcome = parser.parse(&data[..end]);
        if !matches!(outcome, Ok(None)) {
            return format!("{outcome:?}");
        }
    }
    format!("{:?}", parser.parse(data))
}

/// What every later step relies on.
fn is_sound(head: &ResponseHead) {
    assert!((100..1000).contains(&head.status) && is_value(&head.reason), "{head:?}");
    for (name, value) in head.headers.iter() {
        assert!(
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':'),
            "{head:?}"
        );
        assert!(is_value(value), "{head:?}");
    }
    let lengths = head.headers.get_all("content-length").count();
    let codings = head.headers.get_all("transfer-encoding").count();
    assert!(lengths <= 1 && (lengths == 0 || codings == 0), "one framing is left: {head:?}");
    if head.framing_for(false) == Framing::Chunked {
        assert!(codings > 0, "{head:?}");
    }
    assert!(head.framing_for(true).is_empty());
}

fn is_the_same_again(head: &ResponseHead) {
    let mut out = Vec::new();
    write::status_line(&mut out, head.version, head.status, Some(&head.reason));
    head.headers.write_to(&mut out);
    out.extend_from_slice(b"\r\n");
    let limits = Limits { line: out.len(), head: out.len() };
    let again =
        ResponseParser::new(limits).parse(&out).expect("we write what is valid").expect("and all of it");
    assert_eq!((again.length, again.version, again.status), (out.len(), head.version, head.status));
    assert_eq!(again.framing_for(false), head.framing_for(false), "{}", out.escape_ascii());
    let lines =
        |headers: &Headers| headers.iter().map(|(name, value)| (name.to_owned(), value.to_vec())).collect();
    let (again, head): (Vec<_>, Vec<_>) = (lines(&again.headers), lines(&head.headers));
    assert_eq!(again, head);
}
