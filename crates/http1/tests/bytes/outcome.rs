//! What came out, as a line of a table.
//!
//! * A request: `POST /a HTTP/1.1 length 5 close continue upgrade dropped 1 | Host: a | X-B: c > rest`. What is usual is
//!   left out: no body, a connection that is kept. Behind `>` stands what was left in the input.
//! * A response: `HTTP/1.1 200 OK length 5 close | X-A: b > rest`, with `length`, `chunked` or `until-close`.
//! * A body: `done "content" | X-Trailer: a > rest`, or `more` or a fault with the content until then.
//! * A fault: `400 Colon`, the status and the name of the rule. Input that is not complete: `more`.

use std::fmt::Write;

use polygate_http1::{
    Decoder, Fault, Framing, Headers, Limits, Progress, Refused, RequestParser, ResponseParser,
};

use crate::rows::escape;

/// What came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    pub line: String,
    pub fault: Option<Fault>,
    /// Whatever else must not depend on how the input came.
    pub details: String,
}

/// Shows `input` as it grows by pieces of `size` bytes, the first of which is of `first` bytes.
pub fn growing(input: &[u8], first: usize, size: usize) -> impl Iterator<Item = &[u8]> {
    let mut end = 0;
    std::iter::from_fn(move || {
        let is_first = end == 0;
        let is_over = end >= input.len() && !is_first;
        end = (end + if is_first { first } else { size }).clamp(1, input.len().max(1));
        (!is_over).then(|| &input[..end.min(input.len())])
    })
}

pub fn request<'a>(inputs: impl Iterator<Item = &'a [u8]>, whole: &[u8], limits: Limits) -> Outcome {
    let mut parser = RequestParser::new(limits);
    for input in inputs {
        let head = match parser.parse(input) {
            Ok(Some(head)) => head,
            Ok(None) => continue,
            Err(refused) => return refusal(&refused),
        };
        let mut line = format!(
            "{} {} {:?}",
            escape(head.method.as_str().as_bytes()),
            escape(&head.target),
            head.version
        );
        match head.framing {
            Framing::Length(0) => {}
            framing => write!(line, " {}", name(framing)).expect("a text"),
        }
        let flags =
            [(!head.keep_alive, "close"), (head.expects_continue, "continue"), (head.upgrades, "upgrade")];
        flags.iter().filter(|(is_set, _)| *is_set).for_each(|(_, flag)| line.extend([" ", flag]));
        if head.dropped > 0 {
            write!(line, " dropped {}", head.dropped).expect("a text");
        }
        add_headers(&mut line, &head.headers);
        add_rest(&mut line, &whole[head.length..]);
        return Outcome { line, fault: None, details: String::new() };
    }
    more("more".to_owned())
}

fn refusal(refused: &Refused) -> Outcome {
    let fault = refused.fault;
    let line = format!("{} {fault:?}", fault.status());
    Outcome { line, fault: Some(fault), details: format!("{refused:?}") }
}

pub fn response<'a>(inputs: impl Iterator<Item = &'a [u8]>, whole: &[u8], limits: Limits) -> Outcome {
    let mut parser = ResponseParser::new(limits);
    for input in inputs {
        let head = match parser.parse(input) {
            Ok(Some(head)) => head,
            Ok(None) => continue,
            // Whatever the rule says to clients: an upstream's faults are all the same to them.
            Err(fault) => {
                let line = format!("502 {fault:?}");
                return Outcome { line, fault: Some(fault), details: String::new() };
            }
        };
        assert!(head.framing_for(true).is_empty(), "an answer to HEAD has no content");
        assert_eq!(head.is_interim(), head.status < 200);
        let mut line = format!("{:?} {}", head.version, head.status);
        if !head.reason.is_empty() {
            write!(line, " {}", escape(&head.reason)).expect("a text");
        }
        write!(line, " {}", name(head.framing_for(false))).expect("a text");
        line.push_str(if head.keep_alive { "" } else { " close" });
        add_headers(&mut line, &head.headers);
        add_rest(&mut line, &whole[head.length..]);
        return Outcome { line, fault: None, details: String::new() };
    }
    more("more".to_owned())
}

/// Pieces of `size` bytes, the first of which is of `first` bytes; what was not taken is shown again with the next one.
pub fn body(framing: Framing, whole: &[u8], first: usize, size: usize) -> Outcome {
    let mut decoder = Decoder::new(framing);
    let (mut content, mut taken) = (Vec::new(), 0);
    for input in growing(whole, first, size) {
        while !decoder.is_done() && taken < input.len() {
            let before = decoder.remaining();
            match decoder.advance(&input[taken..]) {
                Ok(progress) => {
                    assert_ne!(progress, Progress::default(), "nothing is taken of what is there");
                    let start = taken + progress.skip;
                    taken = start + progress.content;
                    content.extend_from_slice(&input[start..taken]);
                    if let Some(before) = before {
                        assert_eq!(decoder.remaining(), Some(before - progress.content as u64));
                    }
                }
                Err(fault) => {
                    let line = format!("{} {fault:?} \"{}\"", fault.status(), escape(&content));
                    return Outcome { line, fault: Some(fault), details: String::new() };
                }
            }
        }
    }
    assert_eq!(decoder.ends_with_connection(), framing == Framing::UntilClose);
    if !decoder.is_done() {
        return more(format!("more \"{}\"", escape(&content)));
    }
    assert_eq!(decoder.remaining(), Some(0));
    let mut line = format!("done \"{}\"", escape(&content));
    if let Some(trailers) = decoder.trailers() {
        add_headers(&mut line, trailers);
    }
    add_rest(&mut line, &whole[taken..]);
    Outcome { line, fault: None, details: String::new() }
}

fn more(line: String) -> Outcome {
    Outcome { line, fault: None, details: String::new() }
}

fn name(framing: Framing) -> String {
    match framing {
        Framing::Length(length) => format!("length {length}"),
        Framing::Chunked => "chunked".to_owned(),
        Framing::UntilClose => "until-close".to_owned(),
    }
}

fn add_headers(line: &mut String, headers: &Headers) {
    for (name, value) in headers.iter() {
        let blank = if value.is_empty() { "" } else { " " };
        write!(line, " | {}:{blank}{}", escape(name.as_bytes()), escape(value)).expect("a text");
    }
}

fn add_rest(line: &mut String, rest: &[u8]) {
    if !rest.is_empty() {
        write!(line, " > {}", escape(rest)).expect("a text");
    }
}
