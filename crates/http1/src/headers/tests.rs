use super::*;

fn lines(headers: &Headers) -> String {
    let mut out = Vec::new();
    headers.write_to(&mut out);
    assert_eq!(out.len(), headers.wire_length());
    String::from_utf8(out).unwrap()
}

fn sample() -> Headers {
    [("Host", "a"), ("X-A", "1"), ("x-b", "2"), ("x-a", "3"), ("X_A", "4")].into_iter().collect()
}

#[test]
fn letters_and_order_are_kept() {
    assert_eq!(lines(&sample()), "Host: a\r\nX-A: 1\r\nx-b: 2\r\nx-a: 3\r\nX_A: 4\r\n");
}

#[test]
fn look_ups_ignore_case() {
    let headers = sample();
    for (name, expected) in [
        ("host", vec!["a"]),
        ("x-A", vec!["1", "3"]),
        ("X-B", vec!["2"]),
        ("x_a", vec!["4"]),
        ("x-c", vec![]),
        ("", vec![]),
        ("h", vec![]),
    ] {
        assert_eq!(
            headers.get_all(name).collect::<Vec<_>>(),
            expected.iter().map(|it| it.as_bytes()).collect::<Vec<_>>(),
            "{name}"
        );
        assert_eq!(headers.contains(name), !expected.is_empty());
        assert_eq!(headers.text(name), expected.first().copied());
    }
}

#[test]
fn insert_replaces_in_place() {
    let mut headers = sample();
    headers.insert("X-a", "new");
    assert_eq!(lines(&headers), "Host: a\r\nX-a: new\r\nx-b: 2\r\nX_A: 4\r\n");
    headers.insert("X-Z", "z");
    assert_eq!(headers.text("x-z"), Some("z"));
    headers.insert("x_a", "5");
    assert!(lines(&headers).ends_with("x-b: 2\r\nx_a: 5\r\nX-Z: z\r\n"));
}

#[test]
fn lines_are_removed() {
    let mut headers = sample();
    assert!(headers.remove("X-A"));
    assert!(!headers.remove("X-A"));
    assert_eq!(lines(&headers), "Host: a\r\nx-b: 2\r\nX_A: 4\r\n");
    headers.retain(|name, value| name == b"Host" || value == b"4");
    assert_eq!(lines(&headers), "Host: a\r\nX_A: 4\r\n");
    headers.clear();
    assert!(headers.is_empty());
}

#[test]
fn what_is_no_line_is_never_stored() {
    for byte in 0..=u8::MAX {
        let mut headers = Headers::new();
        headers.append("x", [b'a', byte, b'b']);
        let legal = byte == b'\t' || (byte >= b' ' && byte != 0x7f);
        assert_eq!(headers.len(), usize::from(legal), "value {byte:#x}");
        let mut headers = Headers::new();
        headers.append([b'a', byte], "v");
        assert_eq!(headers.len(), usize::from(byte.is_ascii_graphic() && byte != b':'), "name {byte:#x}");
        assert_eq!(is_name(&[byte]), byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte));
    }
    let mut headers = sample();
    headers.insert("X-A", "1\r\nEvil: 1");
    headers.insert("", "v");
    assert_eq!(headers, sample(), "a value that cannot stand changes nothing");
}

#[test]
fn lists_are_searched() {
    let headers: Headers =
        [("Connection", "close , X-a"), ("connection", ",,Upgrade"), ("TE", "")].into_iter().collect();
    for (item, found) in [("CLOSE", true), ("x-a", true), ("upgrade", true), ("x", false), ("", false)] {
        assert_eq!(headers.lists("Connection", item), found, "{item}");
    }
    assert!(!headers.lists("te", "trailers"));
}

#[test]
fn names_that_look_alike_are_told_apart() {
    // Same length, first and last letter: only the comparison can tell.
    let headers: Headers = [("abcd", "1"), ("axyd", "2"), ("A@@D", "3")].into_iter().collect();
    assert_eq!(headers.text("ABCD"), Some("1"));
    assert_eq!(headers.text("axyd"), Some("2"));
    assert_eq!(headers.text("azzd"), None);
}

#[test]
fn repeats_are_told_from_names_that_look_alike() {
    let mut headers: Headers = [("abcd", "1"), ("axyd", "2"), ("A@@D", "3")].into_iter().collect();
    assert!(!headers.has_repeats());
    headers.append("ABCD", "4");
    assert!(headers.has_repeats());
    headers.insert("abcd", "5");
    assert!(!headers.has_repeats(), "the others are gone");
}

#[test]
fn numbers_are_values() {
    let mut headers = sample();
    headers.append_number("X-N", 0);
    headers.insert_number("x-a", u64::MAX);
    assert_eq!(lines(&headers), "Host: a\r\nx-a: 18446744073709551615\r\nx-b: 2\r\nX_A: 4\r\nX-N: 0\r\n");
    assert!(headers.lines().map(|(name, _)| name).eq(headers.iter().map(|(name, _)| name.as_bytes())));
}
