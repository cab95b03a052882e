//! Answers, as the bytes of a connection say.

use std::sync::LazyLock;

use regex::bytes::Regex;

use crate::reference::recorded::{Answer, Message, Text};
use crate::reference::wire::{Chunks, Lines, dechunk, find, is_chunked, text, values};

/// The first answer and how many bytes it took; `None` while more bytes must come. `ended` says that none will.
pub fn parse(bytes: &[u8], to_head: bool, ended: bool) -> Option<(Answer, usize)> {
    let Some((mut message, mut at)) = head(bytes) else {
        return ended.then(|| (Answer::Raw { raw: Text(text(bytes)) }, bytes.len()));
    };
    if (100..200).contains(&message.status) && message.status != 101 {
        let (mut answer, length) = parse(&bytes[at..], to_head, ended)?;
        if let Answer::Message(last) = &mut answer {
            last.interim.insert(0, (message.status, message.headers));
        }
        return Some((answer, at + length));
    }
    at += body(&mut message, &bytes[at..], to_head, ended)?;
    Some((Answer::Message(message), at))
}

/// A status line with its header lines, and how many bytes they took.
fn head(bytes: &[u8]) -> Option<(Message, usize)> {
    static STATUS_LINE: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"^(HTTP/\d\.\d) (\d{1,4}) ?([^\r]*)").expect("a pattern"));
    let end = find(bytes, b"\r\n\r\n")?;
    let parts = STATUS_LINE.captures(bytes)?;
    let message = Message {
        version: text(&parts[1]),
        status: text(&parts[2]).parse().ok()?,
        reason: text(&parts[3]),
        headers: lines(&text(&bytes[..end])),
        framing: String::new(),
        body: Text::default(),
        trailers: Text::default(),
        interim: Vec::new(),
        closed: false,
    };
    Some((message, end + 4))
}

/// The header lines behind a first line.
fn lines(head: &str) -> Lines {
    let split = |line: &str| {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        (name.to_owned(), value.trim().to_owned())
    };
    head.split("\r\n").skip(1).map(split).collect()
}

/// Puts the body into the message; how many bytes it took.
fn body(message: &mut Message, bytes: &[u8], to_head: bool, ended: bool) -> Option<usize> {
    let length = values(&message.headers, "Content-Length").next().map(|length| length.parse().unwrap_or(0));
    let (framing, body, taken) = if to_head || matches!(message.status, 204 | 304) {
        ("none", Vec::new(), 0)
    } else if is_chunked(&message.headers) {
        match dechunk(bytes) {
            Chunks::Whole { content, trailers, length } => {
                message.trailers = Text(text(&trailers));
                ("chunked", content, length)
            }
            Chunks::Part if !ended => return None,
            Chunks::Part | Chunks::Broken => ("chunked, cut", bytes.to_vec(), bytes.len()),
        }
    } else if let Some(length) = length {
        match bytes.get(..length) {
            Some(body) => ("length", body.to_vec(), length),
            None if ended => ("length, cut", bytes.to_vec(), bytes.len()),
            None => return None,
        }
    } else if message.status == 101 {
        ("upgrade", bytes.to_vec(), bytes.len())
    } else if ended {
        ("close", bytes.to_vec(), bytes.len())
    } else {
        return None;
    };
    (message.framing, message.body) = (framing.to_owned(), Text(text(&body)));
    Some(taken)
}
