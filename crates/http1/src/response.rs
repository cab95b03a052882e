//! The head of a response.

use std::borrow::Cow;

use http::Version;

use crate::framing::Framing;
use crate::head::{Fields, Limits, Lines, Names, version};
use crate::headers::Headers;
use crate::rules::Fault;
use crate::write;

/// A response's line and headers, which keep all rules.
#[derive(Debug)]
pub struct ResponseHead {
    pub version: Version,
    /// 100 to 999.
    pub status: u16,
    /// As received, often empty.
    pub reason: Cow<'static, [u8]>,
    /// Without a `Content-Length` that a transfer coding overrides (RFC 9112, section 6.3).
    pub headers: Headers,
    /// As if the request was no HEAD: see [`ResponseHead::framing_for`].
    framing: Framing,
    /// The peer means to serve more requests on the connection, and its framing leaves no doubt.
    pub keep_alive: bool,
    /// Bytes of the head.
    pub length: usize,
}

/// Reads the head of one response from an input that grows.
#[derive(Debug)]
pub struct ResponseParser {
    limits: Limits,
    lines: Lines,
    line: Option<StatusLine>,
    /// Bytes of the status line.
    line_end: usize,
    fields: Fields,
}

#[derive(Debug)]
struct StatusLine {
    version: Version,
    status: u16,
    reason: Cow<'static, [u8]>,
}

impl ResponseParser {
    pub fn new(limits: Limits) -> Self {
        Self { limits, lines: Lines::default(), line: None, line_end: 0, fields: Fields::default() }
    }

    /// Goes on reading; `input` is that of the last call with more at its end. `None` asks for more.
    pub fn parse(&mut self, input: &[u8]) -> Result<Option<ResponseHead>, Fault> {
        loop {
            let limit = match self.line {
                None => self.limits.line,
                Some(_) => self.limits.room(self.lines.taken() - self.line_end),
            };
            let line = self.lines.next(input, limit).map_err(|_| Fault::HeadTooLarge)?;
            let Some(line) = line else { return Ok(None) };
            if self.line.is_none() {
                self.line = Some(StatusLine::parse(&input[line])?);
                self.line_end = self.lines.taken();
                self.fields = Fields::for_rest(&input[self.line_end..], self.limits);
            } else if line.is_empty() {
                return self.finish().map(Some);
            } else {
                self.fields.add(&input[line], Names::Visible)?;
            }
        }
    }

    fn finish(&mut self) -> Result<ResponseHead, Fault> {
        let line = self.line.take().ok_or(Fault::StatusLine)?;
        let fields = &mut self.fields;
        let is_old = line.version == Version::HTTP_10;
        // Two lengths, or a coding that the version does not know: what comes behind may be no response at all (RFC
        // 9112, sections 6.1 and 6.3).
        let is_doubtful = fields.has_coding() && (is_old || fields.has_length());
        let announced = if fields.is_chunked()? {
            fields.headers.remove("content-length");
            Framing::Chunked
        } else {
            fields.length()?.unwrap_or(Framing::UntilClose)
        };
        let framing = if has_no_content(line.status) { Framing::Length(0) } else { announced };
        Ok(ResponseHead {
            version: line.version,
            status: line.status,
            reason: line.reason,
            framing,
            keep_alive: !is_doubtful
                && !fields.connection_lists("close")
                && (!is_old || fields.connection_lists("keep-alive")),
            headers: std::mem::take(&mut fields.headers),
            length: self.lines.taken(),
        })
    }
}

impl ResponseHead {
    /// How the body is delimited (RFC 9112, section 6.3). That of an answer to HEAD is empty whatever its head says.
    pub fn framing_for(&self, is_head: bool) -> Framing {
        if is_head { Framing::Length(0) } else { self.framing }
    }

    /// An answer before the answer (RFC 9110, section 15.2).
    pub fn is_interim(&self) -> bool {
        self.status < 200
    }
}

/// Statuses whose responses end with their head (RFC 9112, section 6.3).
pub(crate) fn has_no_content(status: u16) -> bool {
    status < 200 || status == 204 || status == 304
}

impl StatusLine {
    fn parse(line: &[u8]) -> Result<Self, Fault> {
        let mut parts = line.splitn(3, |&byte| byte == b' ');
        let version = version(parts.next().unwrap_or_default(), Fault::StatusLine)?;
        let digits = parts.next().unwrap_or_default();
        let reason = parts.next().unwrap_or_default();
        let is_status = digits.len() == 3 && digits[0] != b'0' && digits.iter().all(u8::is_ascii_digit);
        if !is_status || !crate::is_value(reason) {
            return Err(Fault::StatusLine);
        }
        let status = digits.iter().fold(0, |status, digit| status * 10 + u16::from(digit - b'0'));
        let usual = write::reason(status).as_bytes();
        let reason = if reason == usual { usual.into() } else { reason.to_vec().into() };
        Ok(Self { version, status, reason })
    }
}
