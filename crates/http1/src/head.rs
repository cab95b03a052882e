//! What the heads of requests and responses have in common: lines, limits, header lines.

use std::ops::Range;

use crate::framing::Framing;
use crate::headers::{Headers, NameByte, is_value, items};
use crate::rules::Fault;

/// How large a head may be, in bytes with line ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The first line, and each header line.
    pub line: usize,
    /// All header lines together, with the empty line behind them.
    pub head: usize,
}

impl Default for Limits {
    /// nginx's `large_client_header_buffers 4 8k`.
    fn default() -> Self {
        Self { line: 8 * 1024, head: 32 * 1024 }
    }
}

impl Limits {
    /// How long the next header line may be behind so many bytes of them.
    pub(crate) fn room(self, used: usize) -> usize {
        self.line.min(self.head - used)
    }
}

/// Finds lines in an input that grows at its end. Looks at each byte once.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    /// Where the next line begins.
    start: usize,
    /// No line ends before this.
    searched: usize,
}

impl Lines {
    /// The next line without its end; `None` when it is not complete. A bare LF ends a line too (RFC 9112, section
    /// 2.2). A line longer than `limit` is an error as soon as that is known.
    pub fn next(&mut self, input: &[u8], limit: usize) -> Result<Option<Range<usize>>, TooLong> {
        let from = self.searched.max(self.start);
        let Some(found) = memchr::memchr(b'\n', &input[from..]) else {
            self.searched = input.len();
            return if input.len() - self.start >= limit { Err(TooLong) } else { Ok(None) };
        };
        let (start, end) = (self.start, from + found);
        if end + 1 - start > limit {
            return Err(TooLong);
        }
        self.start = end + 1;
        let has_cr = input[start..end].last() == Some(&b'\r');
        Ok(Some(start..end - usize::from(has_cr)))
    }

    /// Bytes of the lines so far.
    pub fn taken(&self) -> usize {
        self.start
    }
}

pub(crate) struct TooLong;

/// Header lines as far as they have come, and what they say of the message's body and connection.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fields {
    pub headers: Headers,
    pub hosts: u32,
    lengths: u32,
    codings: u32,
    connections: u32,
    pub expects: bool,
    pub upgrades: bool,
    pub dropped: u32,
}

/// Which names a role takes. Both refuse blanks and controls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Names {
    /// A name with anything but letters, digits, `-` and `_` is left out, as nginx does with requests: programs that
    /// make variables of names cannot tell `X.A` from `X-A`.
    Usual,
    /// All of visible ASCII is passed on, as nginx does with responses.
    Visible,
}

impl Fields {
    /// With room for what has come of the lines. A body may be behind them; allocators have small texts at hand.
    pub fn for_rest(input: &[u8], limits: Limits) -> Self {
        let bytes = (input.len() + 64).min(960).min(limits.head);
        Self { headers: Headers::with_capacity(bytes, 24), ..Self::default() }
    }

    /// Takes in one line, which is not empty.
    pub fn add(&mut self, line: &[u8], names: Names) -> Result<(), Fault> {
        if matches!(line[0], b' ' | b'\t') {
            return Err(Fault::Fold);
        }
        // A name is looked at once, on the way to its end.
        let mut worst = NameByte::Usual;
        let is_end = |&byte: &u8| {
            worst = worst.max(NameByte::of(byte));
            byte == b':'
        };
        let colon = line.iter().position(is_end).ok_or(Fault::Colon)?;
        let (name, value) = (&line[..colon], trim(&line[colon + 1..]));
        if name.is_empty() || worst == NameByte::Blank {
            return Err(Fault::Name);
        }
        if !is_value(value) {
            return Err(Fault::Value);
        }
        let is_taken = match names {
            Names::Usual => worst == NameByte::Usual,
            Names::Visible => worst <= NameByte::Visible,
        };
        if !is_taken {
            self.dropped += 1;
            return Ok(());
        }
        self.note(name);
        self.headers.push(name, value);
        Ok(())
    }

    /// Counts the lines that matter to the message itself.
    fn note(&mut self, name: &[u8]) {
        let is = |other: &str| name.eq_ignore_ascii_case(other.as_bytes());
        match name.len() {
            4 if is("host") => self.hosts += 1,
            6 if is("expect") => self.expects = true,
            7 if is("upgrade") => self.upgrades = true,
            10 if is("connection") => self.connections += 1,
            14 if is("content-length") => self.lengths += 1,
            17 if is("transfer-encoding") => self.codings += 1,
            _ => {}
        }
    }

    /// Whether `Connection` lists `item`.
    pub fn connection_lists(&self, item: &str) -> bool {
        self.connections > 0 && self.headers.lists("connection", item)
    }

    /// `chunked` and nothing else, or no coding at all (RFC 9112, section 6.1).
    pub fn is_chunked(&self) -> Result<bool, Fault> {
        if self.codings == 0 {
            return Ok(false);
        }
        let mut codings = self.headers.get_all("transfer-encoding").flat_map(items);
        if !codings.by_ref().all(|coding| coding.eq_ignore_ascii_case(b"chunked")) {
            return Err(Fault::CodingUnknown);
        }
        match self.headers.get_all("transfer-encoding").flat_map(items).count() {
            0 => Err(Fault::CodingUnknown),
            1 => Ok(true),
            _ => Err(Fault::CodingRepeated),
        }
    }

    pub fn has_coding(&self) -> bool {
        self.codings > 0
    }

    pub fn has_length(&self) -> bool {
        self.lengths > 0
    }

    /// The one `Content-Length` (RFC 9110, section 8.6).
    pub fn length(&self) -> Result<Option<Framing>, Fault> {
        match self.lengths {
            0 => Ok(None),
            1 => {
                let value = self.headers.get("content-length").unwrap_or_default();
                parse_length(value).map(|length| Some(Framing::Length(length))).ok_or(Fault::Length)
            }
            _ => Err(Fault::LengthRepeated),
        }
    }
}

/// Digits only, and few enough for what file offsets can say.
fn parse_length(value: &[u8]) -> Option<u64> {
    let is_number = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    let length = str::from_utf8(value).ok().filter(|_| is_number)?.parse::<u64>().ok()?;
    (length <= i64::MAX as u64).then_some(length)
}

/// Without blanks and tabs at both ends (RFC 9110, section 5.5).
fn trim(value: &[u8]) -> &[u8] {
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let start = value.iter().position(|byte| !is_blank(byte)).unwrap_or(value.len());
    let end = value.iter().rposition(|byte| !is_blank(byte)).map_or(start, |last| last + 1);
    &value[start..end]
}

/// One digit, a dot, one digit (RFC 9112, section 2.3): HTTP/1.0, or HTTP/1.1 for all later minor versions (RFC 9110,
/// section 2.5).
pub(crate) fn version(text: &[u8], malformed: Fault) -> Result<http::Version, Fault> {
    match text.strip_prefix(b"HTTP/") {
        Some(b"1.0") => Ok(http::Version::HTTP_10),
        Some([b'1', b'.', b'0'..=b'9']) => Ok(http::Version::HTTP_11),
        Some([b'2'..=b'9', b'.', b'0'..=b'9']) => Err(Fault::Version),
        _ => Err(malformed),
    }
}
