//! Tables of bytes as text.
//!
//! A row is a line with what comes in and, indented below it, what must come out; see [`crate::outcome`] for how that
//! is written. `\r`, `\n`, `\t`, `\\` and `\x7f` stand for bytes, `{8192*a}` for so many of them. A line that begins
//! with `#` is a comment, one that begins with `@` holds for the rows below it in the same file:
//!
//! * `@input GET $ HTTP/1.1\r\nHost: a\r\n\r\n`: a row says only what stands in the place of `$`.
//! * `@output GET $ HTTP/1.1 | Host: a`: what comes out where a row does not say.
//! * `@limits 40 100`: of a line, and of all header lines.

use std::fs;
use std::path::Path;

use polygate_http1::Limits;

/// What comes in, and what must come out.
pub struct Row {
    /// File and line.
    pub place: String,
    pub input: Vec<u8>,
    pub expected: String,
    pub limits: Limits,
}

/// All rows of a folder.
pub fn rows(folder: &str) -> Vec<Row> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bytes").join(folder);
    let entries = fs::read_dir(folder).expect("a folder of tables");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry of it").path()).collect();
    paths.sort();
    paths.iter().flat_map(|path| read(path)).collect()
}

fn read(path: &Path) -> Vec<Row> {
    let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let text = fs::read_to_string(path).expect("a table");
    let (mut input, mut output, mut limits) = ("$", "", Limits::default());
    let mut rows: Vec<Row> = Vec::new();
    let mut lines = text.lines().enumerate().peekable();
    while let Some((number, line)) = lines.next() {
        let place = format!("{file}:{}", number + 1);
        match line.split_once(' ').unwrap_or((line, "")) {
            ("", "") | ("#", _) => {}
            ("@input", template) => input = if template.is_empty() { "$" } else { template },
            ("@output", template) => output = template,
            ("@limits", numbers) => limits = parse_limits(numbers),
            _ => {
                let below =
                    lines.next_if(|(_, next)| next.starts_with("    ")).map(|(_, next)| next.trim_start());
                let expected = below.unwrap_or(output).replace('$', line);
                assert!(!expected.is_empty(), "{place} does not say what comes out");
                rows.push(Row { place, input: unescape(&input.replace('$', line)), expected, limits });
            }
        }
    }
    rows
}

fn parse_limits(numbers: &str) -> Limits {
    match numbers.split_once(' ') {
        Some((line, head)) => {
            Limits { line: line.parse().expect("a number"), head: head.parse().expect("a number") }
        }
        None => Limits::default(),
    }
}

/// The bytes that a text of a table stands for.
pub fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        rest = &rest[first.len_utf8()..];
        match first {
            '\\' => rest = escaped(rest, &mut bytes),
            '{' => match repeated(rest) {
                Some((count, unit, tail)) => {
                    bytes.extend(unescape(unit).repeat(count));
                    rest = tail;
                }
                None => bytes.push(b'{'),
            },
            _ => bytes.extend_from_slice(first.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    bytes
}

fn escaped<'a>(rest: &'a str, bytes: &mut Vec<u8>) -> &'a str {
    let (byte, length) = match rest.as_bytes() {
        [b'r', ..] => (b'\r', 1),
        [b'n', ..] => (b'\n', 1),
        [b't', ..] => (b'\t', 1),
        [b'\\', ..] => (b'\\', 1),
        [b'x', ..] => (u8::from_str_radix(&rest[1..3], 16).expect("two digits"), 3),
        _ => panic!("no such escape: \\{rest}"),
    };
    bytes.push(byte);
    &rest[length..]
}

/// Count, unit and what follows of a text behind `{`.
fn repeated(rest: &str) -> Option<(usize, &str, &str)> {
    let (inside, tail) = rest.split_once('}')?;
    let (count, unit) = inside.split_once('*')?;
    Some((count.parse().ok()?, unit, tail))
}

/// As a table says it: long runs of a byte are counted.
pub fn escape(bytes: &[u8]) -> String {
    let mut text = String::new();
    for run in bytes.chunk_by(|one, other| one == other) {
        let byte = match run[0] {
            b'\r' => "\\r".to_owned(),
            b'\n' => "\\n".to_owned(),
            b'\t' => "\\t".to_owned(),
            b'\\' => "\\\\".to_owned(),
            b' '..=b'~' => char::from(run[0]).to_string(),
            byte => format!("\\x{byte:02x}"),
        };
        match run.len() {
            0..=19 => text.push_str(&byte.repeat(run.len())),
            count => text.push_str(&format!("{{{count}*{byte}}}")),
        }
    }
    text
}

#[test]
fn escapes_are_read_as_written() {
    let bytes: Vec<u8> = (0..=u8::MAX).chain([b'a'; 50]).chain(*b"{2*").collect();
    assert_eq!(unescape(&escape(&bytes)), bytes);
    assert_eq!(unescape(r"{3*a\n}b{}"), b"a\na\na\nb{}");
}
