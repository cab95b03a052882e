//! What differs between a recorded outcome and an observed one.
//!
//! Letters of header names and reason phrases count, and so does the order of lines of one name. The order of names does
//! not: some of the reference's own lines come in the order of a Lua table, which changes from run to run.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};

use crate::reference::recorded::{Answer, Message, Other, Outcome, Received};
use crate::reference::wire::Lines;

pub struct Difference {
    what: String,
    recorded: String,
    observed: String,
}

/// How much of a value a difference shows.
const SHOWN: usize = 160;

/// Long values are cut off, but for `{:#}`.
impl Display for Difference {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let short = |text: &str| match text.char_indices().nth(SHOWN) {
            Some((end, _)) if !f.alternate() => format!("{}... ({} characters)", &text[..end], text.len()),
            _ => text.to_owned(),
        };
        write!(f, "{}: recorded {}, observed {}", self.what, short(&self.recorded), short(&self.observed))
    }
}

pub fn differences(recorded: &Outcome, observed: &Outcome) -> Vec<Difference> {
    let mut found = Found(Vec::new());
    found.value("answers", &recorded.responses.len(), &observed.responses.len());
    for (recorded, observed) in recorded.responses.iter().zip(&observed.responses) {
        found.answer(recorded, observed);
    }
    let lines = |outcome: &Outcome| outcome.upstream.iter().map(|r| r.line.0.clone()).collect::<Vec<_>>();
    if recorded.upstream.len() != observed.upstream.len() {
        found.value("upstream requests", &lines(recorded), &lines(observed));
    }
    for (recorded, observed) in recorded.upstream.iter().zip(&observed.upstream) {
        found.request(recorded, observed);
    }
    found.0
}

struct Found(Vec<Difference>);

impl Found {
    fn value<T: PartialEq + fmt::Debug>(&mut self, what: &str, recorded: &T, observed: &T) {
        if recorded != observed {
            let (recorded, observed) = (format!("{recorded:?}"), format!("{observed:?}"));
            self.0.push(Difference { what: what.to_owned(), recorded, observed });
        }
    }

    fn answer(&mut self, recorded: &Answer, observed: &Answer) {
        let (Some(a), Some(b)) = (recorded.message(), observed.message()) else {
            return self.value("answer", &summary(recorded), &summary(observed));
        };
        self.value("status", &a.status, &b.status);
        if a.status != b.status {
            // Another answer altogether.
            return;
        }
        self.value("version", &a.version, &b.version);
        self.value("reason", &a.reason, &b.reason);
        self.value("framing", &a.framing, &b.framing);
        self.value("body", &a.body.0, &b.body.0);
        self.value("trailers", &a.trailers.0, &b.trailers.0);
        self.value("interim answers", &a.interim, &b.interim);
        self.value("connection closed", &a.closed, &b.closed);
        self.lines("header", &a.headers, &b.headers);
    }

    fn request(&mut self, recorded: &Received, observed: &Received) {
        self.value("upstream port", &recorded.port, &observed.port);
        self.value("upstream line", &recorded.line.0, &observed.line.0);
        self.value("upstream framing", &recorded.framing, &observed.framing);
        self.value("upstream body", &recorded.body.0, &observed.body.0);
        self.value("upstream trailers", &recorded.trailers.0, &observed.trailers.0);
        self.lines("upstream header", &recorded.headers, &observed.headers);
    }

    /// One difference for each name whose lines are not the same ones.
    fn lines(&mut self, what: &str, recorded: &Lines, observed: &Lines) {
        let mut names: BTreeMap<String, [Vec<String>; 2]> = BTreeMap::new();
        for (side, lines) in [recorded, observed].into_iter().enumerate() {
            for (name, value) in lines {
                names.entry(name.to_ascii_lowercase()).or_default()[side].push(format!("{name}: {value}"));
            }
        }
        for (name, [recorded, observed]) in names {
            self.value(&format!("{what} {name}"), &recorded, &observed);
        }
    }
}

/// An answer in one line, for one that is HTTP on one side only.
fn summary(answer: &Answer) -> String {
    match answer {
        Answer::Message(Message { status, reason, .. }) => format!("{status} {reason}"),
        Answer::Raw { raw } => format!("no HTTP: {:?}", raw.0),
        Answer::Other(Other::Timeout) => "none in time".to_owned(),
        Answer::Other(Other::Nothing) => "the connection's end".to_owned(),
    }
}
