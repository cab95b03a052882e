//! The tables, each row in one piece, byte by byte, and in all pairs of pieces.

use polygate_http1::{Fault, Framing, RULES};

use crate::outcome::{Outcome, body, growing, request, response};
use crate::rows::{Row, rows, unescape};

/// Longer inputs are not split in all pairs: that takes the square of their length.
const LONGEST_SPLIT: usize = 300;

#[test]
fn requests() {
    check("requests", |row, first, size| request(growing(&row.input, first, size), &row.input, row.limits));
}

#[test]
fn responses() {
    check("responses", |row, first, size| response(growing(&row.input, first, size), &row.input, row.limits));
}

#[test]
fn bodies() {
    check("bodies", decoded);
}

/// A row of `bodies/` begins with the framing and a blank.
fn decoded(row: &Row, first: usize, size: usize) -> Outcome {
    let at = row.input.iter().position(|&byte| byte == b' ').expect("a framing in front");
    let framing = match &row.input[..at] {
        b"chunked" => Framing::Chunked,
        b"close" => Framing::UntilClose,
        length => {
            Framing::Length(str::from_utf8(length).ok().and_then(|text| text.parse().ok()).expect("a length"))
        }
    };
    body(framing, &row.input[at + 1..], first, size)
}

#[test]
fn every_rule_is_reached() {
    let mut reached: Vec<Fault> = Vec::new();
    for row in rows("requests") {
        reached.extend(request(growing(&row.input, usize::MAX, 1), &row.input, row.limits).fault);
    }
    for row in rows("responses") {
        reached.extend(response(growing(&row.input, usize::MAX, 1), &row.input, row.limits).fault);
    }
    for row in rows("bodies") {
        reached.extend(decoded(&row, usize::MAX, 1).fault);
    }
    for rule in &RULES {
        assert!(reached.contains(&rule.fault), "no row breaks the rule {:?}", rule.fault);
    }
}

#[test]
fn every_rule_says_what_it_is() {
    for rule in &RULES {
        let status = match rule.fault {
            Fault::RequestLineTooLong => 414,
            Fault::HeadTooLarge => 494,
            Fault::CodingUnknown => 501,
            Fault::StatusLine => 502,
            Fault::Version => 505,
            _ => 400,
        };
        assert_eq!(rule.status, status, "{:?}", rule.fault);
        assert_eq!(rule.fault.status(), status);
        assert_eq!(rule.fault.to_string(), rule.text);
        assert!(rule.source.starts_with("RFC "), "{:?} has no source", rule.fault);
    }
}

fn check(folder: &str, run: impl Fn(&Row, usize, usize) -> Outcome) {
    let mut wrong = String::new();
    for row in rows(folder) {
        let whole = run(&row, usize::MAX, 1);
        if whole.line != row.expected {
            wrong += &format!(
                "\n{}\n  expected {:.300}\n  was      {:.300}\n",
                row.place, row.expected, whole.line
            );
        }
        assert_eq!(run(&row, 1, 1), whole, "{} byte by byte", row.place);
        for first in 1..row.input.len().min(LONGEST_SPLIT) {
            assert_eq!(run(&row, first, usize::MAX / 2), whole, "{} split at {first}", row.place);
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn a_table_is_read_as_its_comment_says() {
    assert_eq!(unescape(r"GET \x2f {3*a}"), b"GET / aaa");
}
