//! Header lines: ordered, with the letters in which they came.

use std::fmt;
use std::ops::Range;

/// The header lines of one message, in the order received or added.
///
/// All text lies in one buffer; a line is a pair of ranges in it. Look-ups ignore case (RFC 9110, section 5.1). A
/// name is ASCII without blanks and controls; a value holds no control character but the tab. What is neither is
/// never stored, so nothing that is added here can become two lines: callers that take names and values from outside
/// say what is wrong with them by [`is_name`] and [`is_value`] first.
#[derive(Clone, Default)]
pub struct Headers {
    text: Vec<u8>,
    lines: Vec<Line>,
}

#[derive(Clone)]
struct Line {
    tag: Tag,
    name: Range<u32>,
    value: Range<u32>,
}

/// Length, first and last letter of a name: what differs here needs no comparison.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Tag(u32);

impl Tag {
    fn of(name: &[u8]) -> Self {
        let fold = |byte: Option<&u8>| byte.map_or(0, |byte| u32::from(byte | 0x20));
        Self((name.len() as u32) << 16 | fold(name.first()) << 8 | fold(name.last()))
    }
}

/// The longest text that one set of headers holds; lines beyond it are not stored.
const LONGEST_TEXT: usize = 1 << 30;

impl Headers {
    pub fn new() -> Self {
        Self::default()
    }

    /// With room for `bytes` of text and `lines` lines.
    pub fn with_capacity(bytes: usize, lines: usize) -> Self {
        Self { text: Vec::with_capacity(bytes), lines: Vec::with_capacity(lines) }
    }

    /// How many lines there are.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Bytes of all lines on the wire, each with its `: ` and line end.
    pub fn wire_length(&self) -> usize {
        self.lines.iter().map(|line| line.name.len() + line.value.len() + 4).sum()
    }

    /// The value of the first line of that name.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.get_all(name).next()
    }

    /// [`Headers::get`], if the value is UTF-8.
    pub fn text(&self, name: &str) -> Option<&str> {
        str::from_utf8(self.get(name)?).ok()
    }

    /// The values of all lines of that name.
    pub fn get_all(&self, name: &str) -> impl DoubleEndedIterator<Item = &[u8]> {
        self.positions(name.as_bytes()).map(|at| self.value(at))
    }

    pub fn contains(&self, name: &str) -> bool {
        self.positions(name.as_bytes()).next().is_some()
    }

    /// Whether a list-valued header names `item`, without regard to case (RFC 9110, section 5.6.1).
    pub fn lists(&self, name: &str, item: &str) -> bool {
        self.get_all(name).flat_map(items).any(|found| found.eq_ignore_ascii_case(item.as_bytes()))
    }

    /// Names, with their letters, and values.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &[u8])> + DoubleEndedIterator {
        (0..self.lines.len()).map(|at| (self.name(at), self.value(at)))
    }

    /// Adds a line behind the others.
    pub fn append(&mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
        let (name, value) = (name.as_ref(), value.as_ref());
        if is_field_name(name) && is_value(value) {
            self.make_room(name.len() + value.len());
            if self.text.len() + name.len() + value.len() <= LONGEST_TEXT {
                self.push(name, value);
            }
        }
    }

    /// Makes `value` the only one of that name. The first line keeps its place and takes the new letters.
    pub fn insert(&mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
        let name = name.as_ref();
        let Some(first) = self.positions(name).next() else { return self.append(name, value) };
        let before = self.lines.len();
        self.append(name, value);
        if self.lines.len() == before {
            return;
        }
        self.lines.swap_remove(first);
        let (kept, rest) = self.lines.split_at(first + 1);
        if rest.iter().any(|line| line.tag == kept[first].tag) {
            let mut at = 0;
            self.retain_lines(|headers, line| {
                at += 1;
                at <= first + 1 || !headers.is_named(line, name)
            });
        }
    }

    /// Takes all lines of that name away; answers whether there were any.
    pub fn remove(&mut self, name: &str) -> bool {
        let found = self.contains(name);
        if found {
            self.retain_lines(|headers, line| !headers.is_named(line, name.as_bytes()));
        }
        found
    }

    /// Keeps the lines for which `keep` answers true.
    pub fn retain(&mut self, mut keep: impl FnMut(&str, &[u8]) -> bool) {
        self.retain_lines(|headers, line| {
            keep(headers.as_name(line.name.clone()), headers.slice(line.value.clone()))
        });
    }

    pub fn clear(&mut self) {
        self.text.clear();
        self.lines.clear();
    }

    /// Writes all lines, each with its line end.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        out.reserve(self.wire_length());
        for line in &self.lines {
            out.extend_from_slice(self.slice(line.name.clone()));
            out.extend_from_slice(b": ");
            out.extend_from_slice(self.slice(line.value.clone()));
            out.extend_from_slice(b"\r\n");
        }
    }

    /// Throws the text of lines that are gone away, before the buffer grows for the sake of it: whoever sets a header
    /// again and again uses up no memory.
    fn make_room(&mut self, more: usize) {
        if self.text.capacity() - self.text.len() >= more {
            return;
        }
        let used: usize = self.lines.iter().map(|line| line.name.len() + line.value.len()).sum();
        if used <= self.text.len() / 2 {
            let old = std::mem::replace(&mut self.text, Vec::with_capacity(2 * (used + more)));
            for line in std::mem::take(&mut self.lines) {
                let slice = |range: Range<u32>| &old[range.start as usize..range.end as usize];
                self.push(slice(line.name), slice(line.value));
            }
        }
    }

    /// Adds a line whose parts have been checked.
    pub(crate) fn push(&mut self, name: &[u8], value: &[u8]) {
        let start = self.text.len() as u32;
        self.text.extend_from_slice(name);
        let middle = self.text.len() as u32;
        self.text.extend_from_slice(value);
        let end = self.text.len() as u32;
        self.lines.push(Line { tag: Tag::of(name), name: start..middle, value: middle..end });
    }

    fn positions(&self, name: &[u8]) -> impl DoubleEndedIterator<Item = usize> {
        let tag = Tag::of(name);
        (0..self.lines.len()).filter(move |&at| {
            let line = &self.lines[at];
            line.tag == tag && self.slice(line.name.clone()).eq_ignore_ascii_case(name)
        })
    }

    fn is_named(&self, line: &Line, name: &[u8]) -> bool {
        line.tag == Tag::of(name) && self.slice(line.name.clone()).eq_ignore_ascii_case(name)
    }

    fn retain_lines(&mut self, mut keep: impl FnMut(&Self, &Line) -> bool) {
        let mut lines = std::mem::take(&mut self.lines);
        lines.retain(|line| keep(self, line));
        self.lines = lines;
    }

    fn name(&self, at: usize) -> &str {
        self.as_name(self.lines[at].name.clone())
    }

    fn as_name(&self, range: Range<u32>) -> &str {
        str::from_utf8(self.slice(range)).unwrap_or_default()
    }

    fn value(&self, at: usize) -> &[u8] {
        self.slice(self.lines[at].value.clone())
    }

    fn slice(&self, range: Range<u32>) -> &[u8] {
        &self.text[range.start as usize..range.end as usize]
    }
}

/// One line per header, as on the wire.
impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = self.iter().map(|(name, value)| (name, String::from_utf8_lossy(value).into_owned()));
        f.debug_map().entries(lines).finish()
    }
}

/// Equal when the same lines stand in the same order, whatever the letters of their names.
impl PartialEq for Headers {
    fn eq(&self, other: &Self) -> bool {
        let is_same =
            |at| self.name(at).eq_ignore_ascii_case(other.name(at)) && self.value(at) == other.value(at);
        self.len() == other.len() && (0..self.len()).all(is_same)
    }
}

impl Eq for Headers {}

impl<N: AsRef<[u8]>, V: AsRef<[u8]>> FromIterator<(N, V)> for Headers {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(lines: I) -> Self {
        let mut headers = Self::new();
        headers.extend(lines);
        headers
    }
}

impl<N: AsRef<[u8]>, V: AsRef<[u8]>> Extend<(N, V)> for Headers {
    fn extend<I: IntoIterator<Item = (N, V)>>(&mut self, lines: I) {
        lines.into_iter().for_each(|(name, value)| self.append(name, value));
    }
}

/// The members of a comma-separated list; empty ones do not count (RFC 9110, section 5.6.1.2).
pub fn items(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii).filter(|item| !item.is_empty())
}

/// Whether the bytes are a token, and so a header's name (RFC 9110, sections 5.1 and 5.6.2).
pub fn is_name(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(|&byte| is_token_byte(byte))
}

fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'^'..=b'`' | b'|' | b'~')
}

/// What upstreams send as a name and the reference passes on: visible ASCII, token or not.
pub(crate) fn is_field_name(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(|&byte| byte.is_ascii_graphic() && byte != b':')
}

/// Whether the bytes can be a header's value: no control character but the tab (RFC 9110, section 5.5).
pub fn is_value(value: &[u8]) -> bool {
    value.iter().all(|&byte| byte == b'\t' || (byte >= b' ' && byte != 0x7f))
}

#[cfg(test)]
mod tests;
