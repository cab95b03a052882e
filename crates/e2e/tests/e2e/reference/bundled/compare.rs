//! What differs between what was recorded and what is observed. Letters of header names do not count, nor does the order of
//! lines of different names; JSON is compared as values, a form without regard to the order of its pairs.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use crate::reference::bundled::recorded::Answer;
use crate::reference::wire::{Lines, values};

/// Headers of a connection, which the other recorded cases compare.
pub const HOP: [&str; 3] = ["connection", "keep-alive", "transfer-encoding"];

pub fn answers(recorded: &Answer, observed: &Answer, ignore: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    if recorded.status != observed.status {
        found.push(format!("status: recorded {}, observed {}", recorded.status, observed.status));
    }
    headers("response", &recorded.headers, &observed.headers, ignore, &mut found);
    bodies("body", &recorded.body, &observed.body, &mut found);
    if recorded.upstream.len() != observed.upstream.len() {
        let (recorded, observed) = (recorded.upstream.len(), observed.upstream.len());
        found.push(format!("upstream: recorded {recorded} requests, observed {observed}"));
    }
    for (recorded, observed) in recorded.upstream.iter().zip(&observed.upstream) {
        let line = |it: &super::recorded::Received| format!("{} {} {}", it.method, it.target, it.version);
        if line(recorded) != line(observed) {
            found.push(format!("upstream: recorded {}, observed {}", line(recorded), line(observed)));
        }
        headers("upstream", &recorded.headers, &observed.headers, ignore, &mut found);
        bodies("upstream body", &recorded.body, &observed.body, &mut found);
    }
    found
}

fn headers(place: &str, recorded: &Lines, observed: &Lines, ignore: &[String], found: &mut Vec<String>) {
    // A body without a length, or with one where the other has none, is a matter of framing.
    let has_length = |lines: &Lines| values(lines, "Content-Length").next().is_some();
    let is_framed_otherwise = has_length(recorded) != has_length(observed);
    let counts = |name: &str| {
        let is_ignored = ignore.iter().any(|other| other.eq_ignore_ascii_case(name));
        !(is_ignored
            || name == "date"
            || HOP.contains(&name)
            || name == "content-length" && is_framed_otherwise)
    };
    let by_name = |lines: &Lines| {
        let lines = lines.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone()));
        let mut lines: Vec<_> = lines.filter(|(name, _)| counts(name)).collect();
        lines.sort_by(|one, other| one.0.cmp(&other.0));
        lines
    };
    let (recorded, observed) = (by_name(recorded), by_name(observed));
    let mut rest = observed.clone();
    let before = found.len();
    for line in &recorded {
        match rest.iter().position(|other| other == line) {
            Some(at) => drop(rest.remove(at)),
            None => found.push(format!("{place}: lacks {}: {}", line.0, line.1)),
        }
    }
    found.extend(rest.iter().map(|(name, value)| format!("{place}: has {name}: {value}")));
    if found.len() == before && recorded != observed {
        found.push(format!("{place}: lines of one name are in another order"));
    }
}

fn bodies(place: &str, recorded: &str, observed: &str, found: &mut Vec<String>) {
    if !same_body(recorded, observed) {
        found.push(format!("{place}: recorded {recorded:?}, observed {observed:?}"));
    }
}

fn same_body(one: &str, other: &str) -> bool {
    if one == other {
        return true;
    }
    if let (Some(one), Some(other)) = (json(one), json(other)) {
        return same(&one, &other);
    }
    let pairs = |text: &str| text.split('&').map(str::to_owned).collect::<BTreeSet<_>>();
    one.contains('&')
        && !one.contains(|c: char| c.is_whitespace() || "{<".contains(c))
        && pairs(one) == pairs(other)
}

/// A list or an object. A name that stands for a number becomes text.
fn json(text: &str) -> Option<Value> {
    static NAME: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"([:\[,])\{\{(\w+)\}\}([,}\]])").expect("a pattern"));
    let quoted = |text: &str| NAME.replace_all(text, "${1}\"{{${2}}}\"${3}").into_owned();
    // Twice, as two names may share a comma.
    let value: Value = serde_json::from_str(&quoted(&quoted(text))).ok()?;
    (value.is_object() || value.is_array()).then_some(value)
}

/// Whether values are equal; 1 and 1.0 are.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one == other || one.as_f64() == other.as_f64(),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(name, one)| other.get(name).is_some_and(|other| same(one, other)))
        }
        _ => one == other,
    }
}

/// What differs between messages of a sink.
pub fn messages(recorded: &Value, observed: &Value, path: &str) -> Vec<String> {
    match (recorded, observed) {
        (Value::Object(one), Value::Object(other)) => {
            let names: BTreeSet<_> = one.keys().chain(other.keys()).collect();
            let difference = |name: &String| match (one.get(name), other.get(name)) {
                (Some(one), Some(other)) => messages(one, other, &format!("{path}.{name}")),
                (Some(one), None) => vec![format!("{path}.{name}: missing, recorded {one}")],
                (None, other) => vec![format!("{path}.{name}: not recorded, observed {other:?}")],
            };
            names.into_iter().flat_map(difference).collect()
        }
        (Value::Array(one), Value::Array(other)) if path.ends_with(".headers") => {
            let lines = |items: &[Value]| -> Lines {
                items.iter().filter_map(|item| serde_json::from_value(item.clone()).ok()).collect()
            };
            let mut found = Vec::new();
            headers(path, &lines(one), &lines(other), &[], &mut found);
            found
        }
        (Value::Array(one), Value::Array(other)) => {
            let mut found = Vec::new();
            if one.len() != other.len() {
                found.push(format!("{path}: recorded {} entries, observed {}", one.len(), other.len()));
            }
            for (at, (one, other)) in one.iter().zip(other).enumerate() {
                found.extend(messages(one, other, &format!("{path}[{at}]")));
            }
            found
        }
        _ if same(recorded, observed) => Vec::new(),
        _ => vec![format!("{path}: recorded {recorded}, observed {observed}")],
    }
}
