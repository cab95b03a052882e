//! Request targets: what is decoded is decoded once, and what is matched is what is sent.

use polygate_http1::{Limits, RequestParser};
use polygate_model::path::{PathFault, check, encode_for_upstream, normalize};

/// The path of a request, and the whole of a target.
pub fn target(data: &[u8]) {
    let path = data.split(|&byte| byte == b'?').next().unwrap_or_default();
    let normal = normalize(path);
    assert_eq!(normalize(normal.as_ref()), normal, "normal twice of {}", path.escape_ascii());
    assert!(!matches!(check(normal.as_ref()), Err(PathFault::Triplet | PathFault::Nul)), "{normal}");
    if path.first() == Some(&b'/') {
        assert_eq!(normal.as_bytes(), model(path), "of {}", path.escape_ascii());
        if !path.contains(&b'#') {
            assert_eq!(check(path).is_ok(), nginx_takes(path), "{}", path.escape_ascii());
        }
    }
    can_be_sent(data, &normal);
}

/// A target that a request can have goes upstream as a target that a request can have.
fn can_be_sent(target: &[u8], normal: &str) {
    let read = |target: &[u8]| {
        let head = [b"GET ", target, b" HTTP/1.0\r\n\r\n"].concat();
        RequestParser::new(Limits { line: head.len(), head: 2 }).parse(&head).ok().flatten()
    };
    let Some(head) = read(target) else { return };
    if head.target == target {
        let upstream = encode_for_upstream(normal);
        assert!(upstream.is_ascii(), "{upstream}");
        let again = read(upstream.as_bytes()).expect("what goes upstream is a target");
        assert_eq!(again.target, upstream.as_bytes());
    }
}

/// The normal form, in the plainest words: units that are decoded or not, segments of units, and their text.
fn model(path: &[u8]) -> Vec<u8> {
    let units = units(path);
    let mut segments: Vec<&[(u8, bool)]> = Vec::new();
    let mut is_folder = false;
    for segment in units.split(|&unit| unit == (b'/', false)) {
        is_folder = matches!(segment, [] | [(b'.', false)] | [(b'.', false), (b'.', false)]);
        match segment {
            [] | [(b'.', false)] => {}
            [(b'.', false), (b'.', false)] => drop(segments.pop()),
            segment => segments.push(segment),
        }
    }
    let mut text = Vec::new();
    for segment in &segments {
        text.push(b'/');
        for &(byte, is_kept) in *segment {
            if is_kept { text.extend(format!("%{byte:02X}").bytes()) } else { text.push(byte) }
        }
    }
    if is_folder || segments.is_empty() {
        text.push(b'/');
    }
    let mut out = String::new();
    for chunk in text.utf8_chunks() {
        out += chunk.valid();
        chunk.invalid().iter().for_each(|byte| out += &format!("%{byte:02X}"));
    }
    out.into_bytes()
}

/// Bytes, and whether each stays a triplet.
fn units(path: &[u8]) -> Vec<(u8, bool)> {
    let digit = |at: usize| path.get(at).and_then(|&byte| char::from(byte).to_digit(16));
    let (mut units, mut at) = (Vec::new(), 0);
    while at < path.len() {
        match (path[at], digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                let byte = (high * 16 + low) as u8;
                units.push((byte, b"!*'();:@&=+$,/?%#[]".contains(&byte)));
                at += 3;
            }
            (byte, ..) => {
                units.push((byte, byte == b'%'));
                at += 1;
            }
        }
    }
    units
}

/// What a parser with nginx's states says: it goes over the path once and counts what it has written.
fn nginx_takes(path: &[u8]) -> bool {
    #[derive(Clone, Copy, PartialEq)]
    enum State {
        Usual,
        Slash,
        Dot,
        DotDot,
    }
    let (mut written, mut state, mut rest): (Vec<u8>, _, _) = (Vec::new(), State::Usual, path);
    let back = |written: &mut Vec<u8>| {
        // Over the two dots, the slash before them, and the segment before that.
        written.truncate(written.len() - 3);
        let slash = written.iter().rposition(|&byte| byte == b'/');
        slash.inspect(|&at| written.truncate(at + 1)).is_some()
    };
    while let [first, tail @ ..] = rest {
        let mut byte = *first;
        rest = tail;
        if byte == b'%' {
            let Some(value) = tail.first_chunk::<2>().and_then(|digits| {
                let text = str::from_utf8(digits).ok().filter(|text| !text.starts_with('+'))?;
                u8::from_str_radix(text, 16).ok()
            }) else {
                return false;
            };
            if value == 0 {
                return false;
            }
            (byte, rest) = (value, &tail[2..]);
        }
        state = match (state, byte) {
            (State::Slash, b'/') => State::Slash,
            (State::Usual, b'/') => State::Slash,
            (State::Dot, b'/') => {
                written.pop();
                state = State::Slash;
                continue;
            }
            (State::DotDot, b'/') => {
                if !back(&mut written) {
                    return false;
                }
                state = State::Slash;
                continue;
            }
            (State::Slash, b'.') => State::Dot,
            (State::Dot, b'.') => State::DotDot,
            _ => State::Usual,
        };
        if (state, byte) != (State::Slash, b'/') || written.last() != Some(&b'/') {
            written.push(byte);
        }
    }
    state != State::DotDot || back(&mut written)
}
