//! The head of a request.

use std::ops::Range;

use http::{Method, Version};

use crate::framing::Framing;
use crate::head::{Fields, Limits, Lines, Names, version};
use crate::headers::Headers;
use crate::host::is_authority;
use crate::rules::Fault;

/// A request's line and headers, which keep all rules.
#[derive(Debug)]
pub struct RequestHead {
    pub method: Method,
    /// Path and query as received. The authority of an absolute target has become the `Host` header (RFC 9112,
    /// section 3.2.2).
    pub target: Vec<u8>,
    /// HTTP/1.0 or HTTP/1.1; later minor versions count as 1.1.
    pub version: Version,
    pub headers: Headers,
    pub framing: Framing,
    /// The client means to send more requests on the connection (RFC 9112, section 9.3).
    pub keep_alive: bool,
    /// The client waits for `100 Continue` before it sends the body (RFC 9110, section 10.1.1).
    pub expects_continue: bool,
    /// The client asks for another protocol, as HTTP/1.0 cannot (RFC 9110, section 7.8).
    pub upgrades: bool,
    /// Header lines that were left out since their name has letters that none should have.
    pub dropped: u32,
    /// Bytes of the head.
    pub length: usize,
}

/// A request that breaks a rule, as far as it was understood.
#[derive(Debug)]
pub struct Refused {
    pub fault: Fault,
    /// The request line as received; the beginning of one that is too long.
    pub line: Vec<u8>,
    pub method: Option<Method>,
    pub target: Vec<u8>,
    pub version: Version,
    pub headers: Headers,
    /// Bytes of the lines that were looked at.
    pub length: usize,
}

/// Reads the head of one request from an input that grows.
#[derive(Debug)]
pub struct RequestParser {
    limits: Limits,
    lines: Lines,
    line: Option<RequestLine>,
    /// Where the request line lies in the input, for who wants to say what was refused.
    raw_line: Range<usize>,
    /// Bytes up to the end of the request line.
    line_end: usize,
    fields: Fields,
}

#[derive(Debug)]
struct RequestLine {
    method: Method,
    target: Vec<u8>,
    /// Of an absolute target.
    authority: Option<Vec<u8>>,
    version: Version,
}

impl RequestParser {
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            lines: Lines::default(),
            line: None,
            raw_line: 0..0,
            line_end: 0,
            fields: Fields::default(),
        }
    }

    /// Whether a request has begun: something other than empty lines has come.
    pub fn has_begun(&self, input: &[u8]) -> bool {
        self.line.is_some() || input.iter().any(|byte| !matches!(byte, b'\r' | b'\n'))
    }

    /// Goes on reading; `input` is that of the last call with more at its end. `None` asks for more. What is behind
    /// [`RequestHead::length`] is not looked at.
    pub fn parse(&mut self, input: &[u8]) -> Result<Option<RequestHead>, Box<Refused>> {
        self.advance(input).map_err(|fault| self.refused(fault, input))
    }

    fn advance(&mut self, input: &[u8]) -> Result<Option<RequestHead>, Fault> {
        if self.line.is_none() && !self.request_line(input)? {
            return Ok(None);
        }
        loop {
            let room = self.limits.room(self.lines.taken() - self.line_end);
            match self.lines.next(input, room).map_err(|_| Fault::HeadTooLarge)? {
                None => return Ok(None),
                Some(line) if line.is_empty() => return self.finish().map(Some),
                Some(line) => {
                    let hosts = self.fields.hosts;
                    self.fields.add(&input[line], Names::Usual)?;
                    if self.fields.hosts > hosts {
                        check_host(&self.fields)?;
                    }
                }
            }
        }
    }

    /// Takes in the first line that is not empty (RFC 9112, section 2.2); answers whether it was there.
    fn request_line(&mut self, input: &[u8]) -> Result<bool, Fault> {
        let line = loop {
            let start = self.lines.taken();
            let Ok(line) = self.lines.next(input, self.limits.line) else {
                // Its beginning tells enough.
                self.raw_line = start..start + self.limits.line.min(256);
                return Err(Fault::RequestLineTooLong);
            };
            match line {
                None => return Ok(false),
                Some(line) if !line.is_empty() => break line,
                Some(_) if self.lines.taken() > self.limits.line => return Err(Fault::RequestLine),
                Some(_) => {}
            }
        };
        self.line_end = self.lines.taken();
        self.raw_line = line.clone();
        self.line = Some(RequestLine::parse(&input[line])?);
        self.fields = Fields::for_rest(&input[self.line_end..], self.limits);
        Ok(true)
    }

    fn finish(&mut self) -> Result<RequestHead, Fault> {
        let Some(line) = &mut self.line else { return Err(Fault::RequestLine) };
        let fields = &mut self.fields;
        settle_host(line, fields)?;
        let framing = framing(line.version, fields)?;
        let is_old = line.version == Version::HTTP_10;
        let keep_alive =
            !fields.connection_lists("close") && (!is_old || fields.connection_lists("keep-alive"));
        let expects_continue = fields.expects && !is_old && fields.headers.lists("expect", "100-continue");
        Ok(RequestHead {
            method: std::mem::take(&mut line.method),
            target: std::mem::take(&mut line.target),
            version: line.version,
            framing,
            keep_alive,
            expects_continue,
            upgrades: fields.upgrades && !is_old && fields.connection_lists("upgrade"),
            dropped: fields.dropped,
            headers: std::mem::take(&mut fields.headers),
            length: self.lines.taken(),
        })
    }

    fn refused(&mut self, fault: Fault, input: &[u8]) -> Box<Refused> {
        let (method, target, version) = match self.line.take() {
            Some(line) => (Some(line.method), line.target, line.version),
            None => (None, Vec::new(), Version::HTTP_11),
        };
        let line = input[self.raw_line.clone()].to_vec();
        let headers = std::mem::take(&mut self.fields.headers);
        Box::new(Refused { fault, line, method, target, version, headers, length: self.lines.taken() })
    }
}

impl RequestLine {
    fn parse(line: &[u8]) -> Result<Self, Fault> {
        let (method, rest) = split(line).ok_or(Fault::RequestLine)?;
        if method.is_empty()
            || !method.iter().all(|byte| byte.is_ascii_uppercase() || matches!(byte, b'-' | b'_'))
        {
            return Err(Fault::Method);
        }
        let (target, version_text) = split(rest).ok_or(Fault::RequestLine)?;
        let method = Method::from_bytes(method).map_err(|_| Fault::Method)?;
        let (target, authority) = origin_form(target)?;
        let version = version(version_text, Fault::RequestLine)?;
        Ok(Self { method, target, authority, version })
    }
}

/// At the first blank.
fn split(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = memchr::memchr(b' ', text)?;
    Some((&text[..at], &text[at + 1..]))
}

/// Path and query of a target, and the authority of an absolute one (RFC 9112, section 3.2).
fn origin_form(target: &[u8]) -> Result<(Vec<u8>, Option<Vec<u8>>), Fault> {
    if target.iter().any(|&byte| byte <= b' ' || byte == 0x7f) {
        return Err(Fault::TargetByte);
    }
    if target.first() == Some(&b'/') {
        return Ok((target.to_vec(), None));
    }
    let colon = memchr::memmem::find(target, b"://").ok_or(Fault::Target)?;
    let scheme = &target[..colon];
    let is_scheme_byte = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-.".contains(byte);
    if !scheme.first().is_some_and(u8::is_ascii_alphabetic) || !scheme.iter().all(is_scheme_byte) {
        return Err(Fault::Target);
    }
    let rest = &target[colon + 3..];
    let end = rest.iter().position(|byte| matches!(byte, b'/' | b'?')).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    if !is_authority(authority) {
        return Err(Fault::Target);
    }
    let slash: &[u8] = if path.first() == Some(&b'/') { b"" } else { b"/" };
    Ok(([slash, path].concat(), Some(authority.to_vec())))
}

/// As soon as there is a `Host`, so that a refusal does not look at lines behind it, as in the reference.
fn check_host(fields: &Fields) -> Result<(), Fault> {
    match fields.hosts {
        1 if is_authority(fields.headers.get("host").unwrap_or_default()) => Ok(()),
        1 => Err(Fault::Host),
        _ => Err(Fault::HostRepeated),
    }
}

/// One `Host` in HTTP/1.1 (RFC 9112, section 3.2); an absolute target's authority takes its place.
fn settle_host(line: &mut RequestLine, fields: &mut Fields) -> Result<(), Fault> {
    if fields.hosts == 0 && line.version == Version::HTTP_11 {
        return Err(Fault::HostMissing);
    }
    if let Some(authority) = line.authority.take() {
        fields.headers.insert("Host", authority);
    }
    Ok(())
}

/// How the body of a request is delimited (RFC 9112, section 6.3).
fn framing(version: Version, fields: &Fields) -> Result<Framing, Fault> {
    if fields.has_coding() {
        if version == Version::HTTP_10 {
            return Err(Fault::CodingInOldVersion);
        }
        fields.is_chunked()?;
        return if fields.has_length() { Err(Fault::CodingWithLength) } else { Ok(Framing::Chunked) };
    }
    Ok(fields.length()?.unwrap_or(Framing::Length(0)))
}
