//! What was observed, made comparable: what differs from run to run gets a name, ports become symbols.

use std::sync::LazyLock;

use regex::Regex;

use crate::reference::exchange::Piece;
use crate::reference::recorded::{Answer, Case, Message, Outcome, Received, Text};
use crate::reference::symbols::{Symbols, UPSTREAMS, merge};
use crate::reference::wire::{Lines, find};

/// Values that differ from run to run, and their names.
static NAMES: LazyLock<[(Regex, &str); 3]> = LazyLock::new(|| {
    [
        (r"\b[0-9a-f]{32}\b", "<id>"),
        (r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", "<uuid>"),
        (r"kong/\d+\.\d+\.\d+", "kong/V"),
    ]
    .map(|(pattern, name)| (Regex::new(pattern).expect("a pattern"), name))
});

pub struct Normal<'a> {
    pub symbols: &'a Symbols,
    /// Whether upstreams are all the same.
    pub any_upstream: bool,
    /// Whether the request was of HTTP/1.0, whose connections are kept only if the answer says so.
    pub http10: bool,
}

impl<'a> Normal<'a> {
    pub fn of(case: &Case, request: &[Piece], symbols: &'a Symbols) -> Self {
        let is_http10 = |piece: &Piece| match piece {
            Piece::Bytes(bytes) => find(bytes, b" HTTP/1.0\r").is_some(),
            Piece::Pause(_) => false,
        };
        Self { symbols, any_upstream: case.any_upstream, http10: request.first().is_some_and(is_http10) }
    }

    pub fn outcome(&self, responses: Vec<Answer>, upstream: Vec<Received>) -> Outcome {
        Outcome {
            responses: responses.into_iter().map(|answer| self.answer(answer)).collect(),
            upstream: upstream.into_iter().map(|request| self.request(request)).collect(),
        }
    }

    fn answer(&self, answer: Answer) -> Answer {
        match answer {
            Answer::Message(message) => Answer::Message(Message {
                headers: self.answer_lines(message.headers),
                body: self.text(&message.body),
                trailers: self.text(&message.trailers),
                interim: message
                    .interim
                    .into_iter()
                    .map(|(s, lines)| (s, self.answer_lines(lines)))
                    .collect(),
                ..message
            }),
            Answer::Raw { raw } => Answer::Raw { raw: self.text(&raw) },
            other => other,
        }
    }

    fn request(&self, request: Received) -> Received {
        let value = |(name, value): (String, String)| (name, self.text(&Text(value)).0);
        Received {
            port: if self.any_upstream && request.port != UPSTREAMS[3] { UPSTREAMS[0] } else { request.port },
            line: self.text(&request.line),
            headers: request.headers.into_iter().map(value).collect(),
            body: Text(self.symbolise(&request.body.0)),
            ..request
        }
    }

    /// Without `Date` lines of now and without saying that a connection is kept where that goes without saying.
    fn answer_lines(&self, lines: Lines) -> Lines {
        let told = |(name, value): &(String, String)| match name.to_ascii_lowercase().as_str() {
            "date" => value.contains("1970"),
            "connection" => self.http10 || !value.eq_ignore_ascii_case("keep-alive"),
            _ => true,
        };
        let value = |(name, value): (String, String)| {
            let value = if is_latency(&name) && value.parse::<i64>().is_ok() {
                "<n>".to_owned()
            } else {
                self.text(&Text(value)).0
            };
            (name, value)
        };
        lines.into_iter().filter(told).map(value).collect()
    }

    fn text(&self, Text(text): &Text) -> Text {
        let named = NAMES
            .iter()
            .fold(text.clone(), |text, (regex, name)| regex.replace_all(&text, *name).into_owned());
        Text(self.symbolise(&named))
    }

    fn symbolise(&self, text: &str) -> String {
        let text = self.symbols.symbolise(text);
        if self.any_upstream { merge(&text) } else { text }
    }
}

fn is_latency(name: &str) -> bool {
    let known = ["X-Kong-Upstream-Latency", "X-Kong-Proxy-Latency", "X-Kong-Response-Latency"];
    known.iter().any(|known| known.eq_ignore_ascii_case(name))
}
