//! Header lines: ordered, with the letters in which they came.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use crate::scan;

/// The header lines of one message, in the order received or added.
///
/// All text lies in one buffer, each line as it goes over the wire: `Name: value` and a line end. Look-ups ignore case
/// (RFC 9110, section 5.1). A name is ASCII without blanks and controls; a value holds no control character but the tab.
/// What is neither is never stored, so nothing that is added here can become two lines: callers that take names and
/// values from outside say what is wrong with them by [`is_name`] and [`is_value`] first.
#[derive(Clone, Default)]
pub struct Headers {
    text: Vec<u8>,
    lines: Vec<Line>,
    /// A bit for each name that there is or was: most look-ups are for one that never was, and end here.
    seen: u64,
}

#[derive(Clone)]
struct Line {
    tag: Tag,
    start: u32,
    colon: u32,
    /// Of the value; the line end is behind it.
    end: u32,
}

impl Line {
    fn name(&self) -> Range<usize> {
        self.start as usize..self.colon as usize
    }

    fn value(&self) -> Range<usize> {
        self.colon as usize + 2..self.end as usize
    }

    fn whole(&self) -> Range<usize> {
        self.start as usize..self.end as usize + 2
    }
}

/// Length, first and last letter of a name: what differs here needs no comparison.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Tag(u32);

impl Tag {
    fn of(name: &[u8]) -> Self {
        let fold = |byte: Option<&u8>| byte.map_or(0, |byte| u32::from(byte | 0x20));
        Self((name.len() as u32) << 16 | fold(name.first()) << 8 | fold(name.last()))
    }

    /// One of 64 bits, the same for the same tag.
    fn bit(self) -> u64 {
        // Multiplying by the golden ratio spreads what differs over the upper bits.
        1 << (self.0.wrapping_mul(0x9e37_79b9) >> 26)
    }
}

/// Room for a few lines: where there is one, there are more.
const LEAST_TEXT: usize = 240;

/// The longest text that one set of headers holds; lines beyond it are not stored.
const LONGEST_TEXT: usize = 1 << 30;

impl Headers {
    pub fn new() -> Self {
        Self::default()
    }

    /// With room for `bytes` of text and `lines` lines.
    pub fn with_capacity(bytes: usize, lines: usize) -> Self {
        Self { text: Vec::with_capacity(bytes), lines: Vec::with_capacity(lines), seen: 0 }
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
        self.lines.iter().map(|line| line.whole().len()).sum()
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
        self.places(name.as_bytes()).map(|at| self.value(&self.lines[at]))
    }

    /// The values of all lines of that name as one list (RFC 9110, section 5.3).
    pub fn joined(&self, name: &str) -> Option<Cow<'_, [u8]>> {
        let mut lines = self.get_all(name);
        let first = lines.next()?;
        let mut list = Cow::Borrowed(first);
        for line in lines {
            list.to_mut().extend_from_slice(b", ");
            list.to_mut().extend_from_slice(line);
        }
        Some(list)
    }

    pub fn contains(&self, name: &str) -> bool {
        self.places(name.as_bytes()).next().is_some()
    }

    /// Whether a list-valued header names `item`, without regard to case (RFC 9110, section 5.6.1).
    pub fn lists(&self, name: &str, item: &str) -> bool {
        self.get_all(name).flat_map(items).any(|found| found.eq_ignore_ascii_case(item.as_bytes()))
    }

    /// [`Headers::iter`] with names as bytes.
    pub fn lines(&self) -> impl ExactSizeIterator<Item = (&[u8], &[u8])> + DoubleEndedIterator {
        self.lines.iter().map(|line| (&self.text[line.name()], self.value(line)))
    }

    /// Names, with their letters, and values.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &[u8])> + DoubleEndedIterator {
        self.lines.iter().map(|line| (self.name(line), self.value(line)))
    }

    /// Whether several lines have the same name.
    pub fn has_repeats(&self) -> bool {
        let mut seen = 0;
        self.lines.iter().enumerate().any(|(at, line)| {
            let is_new = seen & line.tag.bit() == 0;
            seen |= line.tag.bit();
            let name = &self.text[line.name()];
            !is_new && self.lines[..at].iter().any(|it| it.tag == line.tag && self.is_named(it, name))
        })
    }

    /// Adds a line behind the others.
    pub fn append(&mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
        let (name, value) = (name.as_ref(), value.as_ref());
        if is_field_name(name) && is_value(value) {
            let length = name.len() + value.len() + 4;
            self.make_room(length);
            if self.text.len() + length <= LONGEST_TEXT {
                self.push(name, value);
            }
        }
    }

    /// [`Headers::append`] of a number, in decimal digits.
    pub fn append_number(&mut self, name: &str, number: u64) {
        let mut digits = [0; 20];
        self.append(name, decimal(number, &mut digits));
    }

    /// [`Headers::insert`] of a number.
    pub fn insert_number(&mut self, name: &str, number: u64) {
        let mut digits = [0; 20];
        self.insert(name, decimal(number, &mut digits));
    }

    /// Makes `value` the only one of that name. The first line keeps its place and takes the new letters.
    pub fn insert(&mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
        let (name, value) = (name.as_ref(), value.as_ref());
        let mut places = self.places(name);
        let (first, is_only) = (places.next(), places.next().is_none());
        drop(places);
        let Some(first) = first else { return self.append(name, value) };
        let line = &self.lines[first];
        if is_only && self.text[line.name()] == *name && self.text[line.value()] == *value {
            return;
        }
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
    pub fn retain(&mut self, mut keep: impl FnMut(&[u8], &[u8]) -> bool) {
        self.retain_lines(|headers, line| keep(&headers.text[line.name()], headers.value(line)));
    }

    pub fn clear(&mut self) {
        self.text.clear();
        self.lines.clear();
        self.seen = 0;
    }

    /// Writes all lines, each with its line end.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        out.reserve(self.wire_length());
        self.lines.iter().for_each(|line| out.extend_from_slice(&self.text[line.whole()]));
    }

    /// Throws the text of lines that are gone away, before the buffer grows for the sake of it: whoever sets a header
    /// again and again uses up no memory.
    fn make_room(&mut self, more: usize) {
        if self.text.capacity() - self.text.len() >= more {
            return;
        }
        let used = self.wire_length();
        if used < self.text.len() / 2 {
            let old = std::mem::replace(&mut self.text, Vec::with_capacity(2 * (used + more)));
            for line in std::mem::take(&mut self.lines) {
                self.push(&old[line.name()], &old[line.value()]);
            }
        } else {
            self.text.reserve(more.max(LEAST_TEXT));
        }
    }

    /// Adds a line whose parts have been checked.
    pub(crate) fn push(&mut self, name: &[u8], value: &[u8]) {
        let start = self.text.len() as u32;
        self.text.extend_from_slice(name);
        let colon = self.text.len() as u32;
        self.text.extend_from_slice(b": ");
        self.text.extend_from_slice(value);
        let end = self.text.len() as u32;
        self.text.extend_from_slice(b"\r\n");
        let tag = Tag::of(name);
        self.seen |= tag.bit();
        self.lines.push(Line { tag, start, colon, end });
    }

    /// Which of the lines have that name.
    pub fn places(&self, name: &[u8]) -> impl DoubleEndedIterator<Item = usize> {
        let tag = Tag::of(name);
        let count = if self.seen & tag.bit() == 0 { 0 } else { self.lines.len() };
        (0..count).filter(move |&at| self.lines[at].tag == tag && self.is_named(&self.lines[at], name))
    }

    fn is_named(&self, line: &Line, name: &[u8]) -> bool {
        let own = &self.text[line.name()];
        // Most are written alike, which is found out faster.
        own == name || own.eq_ignore_ascii_case(name)
    }

    fn retain_lines(&mut self, mut keep: impl FnMut(&Self, &Line) -> bool) {
        let mut lines = std::mem::take(&mut self.lines);
        lines.retain(|line| keep(self, line));
        self.lines = lines;
    }

    fn name(&self, line: &Line) -> &str {
        str::from_utf8(&self.text[line.name()]).unwrap_or_default()
    }

    fn value(&self, line: &Line) -> &[u8] {
        &self.text[line.value()]
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
        let is_same = |(one, two)| {
            self.name(one).eq_ignore_ascii_case(other.name(two)) && self.value(one) == other.value(two)
        };
        self.len() == other.len() && self.lines.iter().zip(&other.lines).all(is_same)
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

/// A number in decimal digits, at the end of `digits`.
pub(crate) fn decimal(number: u64, digits: &mut [u8; 20]) -> &[u8] {
    let (mut at, mut rest) = (digits.len(), number);
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            return &digits[at..];
        }
    }
}

/// The members of a comma-separated list; empty ones do not count (RFC 9110, section 5.6.1.2).
pub fn items(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii).filter(|item| !item.is_empty())
}

/// Whether the bytes are a token, and so a header's name (RFC 9110, sections 5.1 and 5.6.2).
pub fn is_name(name: &[u8]) -> bool {
    is_name_of(name, NameByte::Token)
}

/// What upstreams send as a name and the reference passes on: visible ASCII, token or not.
pub(crate) fn is_field_name(name: &[u8]) -> bool {
    is_name_of(name, NameByte::Visible)
}

fn is_name_of(name: &[u8], worst: NameByte) -> bool {
    let is_good = |byte| byte != b':' && NameByte::of(byte) <= worst;
    !name.is_empty() && name.iter().fold(true, |is_name, &byte| is_name & is_good(byte))
}

/// What a byte makes of a name that holds it, from good to bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum NameByte {
    /// A letter, a digit, `-`, `_`, or the colon at the end of the name.
    Usual,
    Token,
    /// ASCII that can be seen.
    Visible,
    Foreign,
    /// Or a control character.
    Blank,
}

impl NameByte {
    const ALL: [Self; 256] = {
        let mut all = [Self::Usual; 256];
        let mut byte = 0;
        while byte < 256 {
            all[byte] = match byte as u8 {
                0..=b' ' | 0x7f => Self::Blank,
                0x80.. => Self::Foreign,
                b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' | b'_' | b':' => Self::Usual,
                b'!' | b'#'..=b'\'' | b'*' | b'+' | b'.' | b'^' | b'`' | b'|' | b'~' => Self::Token,
                _ => Self::Visible,
            };
            byte += 1;
        }
        all
    };

    pub fn of(byte: u8) -> Self {
        Self::ALL[usize::from(byte)]
    }
}

/// Whether the bytes can be a header's value: no control character but the tab (RFC 9110, section 5.5).
pub fn is_value(value: &[u8]) -> bool {
    scan::all(value, |byte| (byte == b'\t') | ((byte >= b' ') & (byte != 0x7f)))
}

#[cfg(test)]
mod tests;
