//! What makes a message invalid: one table.

use std::fmt;

/// One way in which a message breaks the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    RequestLine,
    RequestLineTooLong,
    Method,
    Target,
    TargetByte,
    Version,
    StatusLine,
    HeadTooLarge,
    Colon,
    Fold,
    Name,
    Value,
    HostMissing,
    HostRepeated,
    Host,
    CodingUnknown,
    CodingRepeated,
    CodingWithLength,
    CodingInOldVersion,
    Length,
    LengthRepeated,
    ChunkSize,
    ChunkEnd,
    Trailer,
    TrailersTooLarge,
}

/// A rule, and where it comes from.
#[derive(Debug)]
pub struct Rule {
    pub fault: Fault,
    /// What a client is answered whose request breaks it. From an upstream any fault is a 502.
    pub status: u16,
    /// Stable, for counters.
    pub label: &'static str,
    /// The section that asks for it.
    pub source: &'static str,
    pub text: &'static str,
}

const fn rule(
    fault: Fault,
    status: u16,
    label: &'static str,
    source: &'static str,
    text: &'static str,
) -> Rule {
    Rule { fault, status, label, source, text }
}

/// All rules, in the order of [`Fault`]. 494 is nginx's status for a head that is too large; it goes out as 400.
pub const RULES: [Rule; 25] = [
    rule(
        Fault::RequestLine,
        400,
        "request_line",
        "RFC 9112, 3",
        "the request line is not a method, a target and a version",
    ),
    rule(
        Fault::RequestLineTooLong,
        414,
        "request_line_too_long",
        "RFC 9112, 3",
        "the request line is too long",
    ),
    rule(
        Fault::Method,
        400,
        "method",
        "RFC 9112, 3.1; nginx",
        "the method has other letters than A to Z, - and _",
    ),
    rule(
        Fault::Target,
        400,
        "target",
        "RFC 9112, 3.2",
        "the request target is no path and no http://host/path",
    ),
    rule(
        Fault::TargetByte,
        400,
        "target_byte",
        "RFC 9112, 3.2; nginx",
        "the request target holds a control character",
    ),
    rule(Fault::Version, 505, "version", "RFC 9110, 2.5", "the version is not HTTP/1"),
    rule(
        Fault::StatusLine,
        502,
        "status_line",
        "RFC 9112, 4",
        "the status line is not a version and a status",
    ),
    rule(
        Fault::HeadTooLarge,
        494,
        "head_too_large",
        "RFC 9110, 5.4",
        "a header line, or the head, is too large",
    ),
    rule(Fault::Colon, 400, "colon", "RFC 9112, 5", "a header line has no colon"),
    rule(Fault::Fold, 400, "fold", "RFC 9112, 5.2", "a header line is folded"),
    rule(
        Fault::Name,
        400,
        "name",
        "RFC 9112, 5.1",
        "a header name is empty, or holds a blank or a control character",
    ),
    rule(Fault::Value, 400, "value", "RFC 9110, 5.5", "a header value holds a control character"),
    rule(Fault::HostMissing, 400, "host_missing", "RFC 9112, 3.2", "there is no Host"),
    rule(Fault::HostRepeated, 400, "host_repeated", "RFC 9112, 3.2", "there is more than one Host"),
    rule(
        Fault::Host,
        400,
        "host",
        "RFC 9112, 3.2; RFC 3986, 3.2.2",
        "the Host is no host with an optional port",
    ),
    rule(
        Fault::CodingUnknown,
        501,
        "coding_unknown",
        "RFC 9112, 6.1",
        "a transfer coding other than chunked",
    ),
    rule(Fault::CodingRepeated, 400, "coding_repeated", "RFC 9112, 6.1", "chunked is applied more than once"),
    rule(
        Fault::CodingWithLength,
        400,
        "coding_with_length",
        "RFC 9112, 6.3",
        "both a transfer coding and a length",
    ),
    rule(
        Fault::CodingInOldVersion,
        400,
        "coding_in_old_version",
        "RFC 9112, 6.1",
        "a transfer coding in an HTTP/1.0 request",
    ),
    rule(Fault::Length, 400, "length", "RFC 9110, 8.6", "the Content-Length is no number"),
    rule(
        Fault::LengthRepeated,
        400,
        "length_repeated",
        "RFC 9112, 6.3",
        "there is more than one Content-Length",
    ),
    rule(Fault::ChunkSize, 400, "chunk_size", "RFC 9112, 7.1", "a chunk does not begin with its size"),
    rule(Fault::ChunkEnd, 400, "chunk_end", "RFC 9112, 7.1", "a chunk does not end where its size says"),
    rule(Fault::Trailer, 400, "trailer", "RFC 9112, 7.1.2", "a trailer is no header line"),
    rule(Fault::TrailersTooLarge, 400, "trailers_too_large", "RFC 9112, 7.1.2", "the trailers are too large"),
];

impl Fault {
    pub fn rule(self) -> &'static Rule {
        &RULES[self as usize]
    }

    /// A stable name, for counters.
    pub fn label(self) -> &'static str {
        self.rule().label
    }

    /// What a client is answered: see [`Rule::status`].
    pub fn status(self) -> u16 {
        self.rule().status
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.rule().text)
    }
}

impl std::error::Error for Fault {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_faults() {
        for (at, rule) in RULES.iter().enumerate() {
            assert_eq!(rule.fault as usize, at, "{rule:?}");
            assert_eq!(rule.fault.rule().text, rule.text);
        }
    }
}
