//! The validators of a single field.
//!
//! [`Rule::run`] gives the message of the failure; [`ORDER`] is the order in which the rules of a
//! field are tried. Texts are those that clients of the Admin API match on.

use serde_json::Value;

use super::ValueCheck;
use super::named::Check;
use crate::lua_pattern::Pattern;

/// The attributes that are rules, in the order in which they run.
pub(crate) const ORDER: [&str; 22] = [
    "eq",
    "ne",
    "not_one_of",
    "one_of",
    "gt",
    "timestamp",
    "uuid",
    "is_regex",
    "between",
    "len_eq",
    "len_min",
    "len_max",
    "starts_with",
    "not_match",
    "match_none",
    "match",
    "match_all",
    "match_any",
    "contains",
    "check",
    "custom_validator",
    "mutually_exclusive_subsets",
];

#[derive(Debug, Clone)]
pub(crate) enum Rule {
    Eq(Value),
    Ne(Value),
    NotOneOf(Vec<Value>),
    OneOf(Vec<Value>),
    Gt(f64),
    Timestamp,
    Uuid,
    IsRegex,
    Between(f64, f64),
    LenEq(u64),
    LenMin(u64),
    LenMax(u64),
    StartsWith(String),
    NotMatch(Pattern),
    MatchNone(Vec<Worded>),
    Match(Pattern),
    MatchAll(Vec<Worded>),
    MatchAny { patterns: Vec<Pattern>, error: Option<String> },
    Contains(Value),
    Named(Check),
    Own(ValueCheck),
    Exclusive(Vec<Vec<Value>>),
}

/// A pattern with its own message.
#[derive(Debug, Clone)]
pub(crate) struct Worded {
    pub(crate) pattern: Pattern,
    pub(crate) error: Option<String>,
}

impl Rule {
    /// `eq: null`, which says that the field must stay unset.
    pub(crate) fn forbids_values(&self) -> bool {
        matches!(self, Self::Eq(Value::Null))
    }

    /// Tries the rule on a value of the field's type.
    pub(crate) fn run(&self, value: &Value) -> Result<(), String> {
        let text = value.as_str().unwrap_or_default();
        let number = value.as_f64().unwrap_or_default();
        let invalid = || format!("invalid value: {text}");
        match self {
            Self::Eq(wanted) => hold(same(value, wanted), || format!("value must be {}", plain(wanted))),
            Self::Ne(unwanted) => {
                hold(!same(value, unwanted), || format!("value must not be {}", plain(value)))
            }
            Self::NotOneOf(options) => hold(!options.iter().any(|option| same(value, option)), || {
                format!("must not be one of: {}", list(options))
            }),
            Self::OneOf(options) => hold(options.iter().any(|option| same(value, option)), || {
                format!("expected one of: {}", list(options))
            }),
            Self::Gt(limit) => hold(number > *limit, || format!("value must be greater than {limit}")),
            Self::Timestamp => hold(number > 0.0, || "expected a valid timestamp".to_owned()),
            Self::Uuid => hold(is_uuid(text), || "expected a valid UUID".to_owned()),
            Self::IsRegex => hold(is_regex(text), || format!("not a valid regex: {text}")),
            Self::Between(low, high) => {
                hold((*low..=*high).contains(&number), || format!("value should be between {low} and {high}"))
            }
            Self::LenEq(wanted) => hold(length(value) == *wanted, || format!("length must be {wanted}")),
            Self::LenMin(least) => {
                hold(length(value) >= *least, || format!("length must be at least {least}"))
            }
            Self::LenMax(most) => hold(length(value) <= *most, || format!("length must be at most {most}")),
            Self::StartsWith(prefix) => {
                hold(text.starts_with(prefix.as_str()), || format!("should start with: {prefix}"))
            }
            Self::NotMatch(pattern) => hold(!pattern.matches(text), invalid),
            Self::Match(pattern) => hold(pattern.matches(text), invalid),
            Self::MatchNone(list) => worded(list.iter().find(|entry| entry.pattern.matches(text)), invalid),
            Self::MatchAll(list) => worded(list.iter().find(|entry| !entry.pattern.matches(text)), invalid),
            Self::MatchAny { patterns, error } => {
                hold(patterns.iter().any(|pattern| pattern.matches(text)), || {
                    error.clone().unwrap_or_else(invalid)
                })
            }
            Self::Contains(wanted) => hold(items(value).iter().any(|item| same(item, wanted)), || {
                format!("expected to contain: {}", plain(wanted))
            }),
            Self::Named(check) => check(text),
            Self::Own(check) => check(value),
            Self::Exclusive(subsets) => exclusive(items(value), subsets),
        }
    }
}

fn hold(holds: bool, message: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(message()) }
}

fn worded(failed: Option<&Worded>, otherwise: impl FnOnce() -> String) -> Result<(), String> {
    match failed {
        None => Ok(()),
        Some(entry) => Err(entry.error.clone().unwrap_or_else(otherwise)),
    }
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// Bytes of a text, entries of a container.
fn length(value: &Value) -> u64 {
    let length = match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.len(),
        Value::Object(members) => members.len(),
        _ => 0,
    };
    length as u64
}

/// Equality that does not tell 5 from 5.0.
pub(crate) fn same(one: &Value, other: &Value) -> bool {
    match (one.as_f64(), other.as_f64()) {
        (Some(one), Some(other)) => one == other,
        _ => one == other,
    }
}

/// A value as it reads in a message: text without quotes.
pub(crate) fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn list(values: &[Value]) -> String {
    values.iter().map(plain).collect::<Vec<_>>().join(", ")
}

/// Only the plain 36-character form.
pub(crate) fn is_uuid(text: &str) -> bool {
    text.len() == 36 && uuid::Uuid::try_parse(text).is_ok()
}

/// Look-around and back references are valid to PCRE, which such fields are written for; only our
/// own engine lacks them.
fn is_regex(text: &str) -> bool {
    match regex::Regex::new(text) {
        Ok(_) => true,
        Err(regex::Error::Syntax(reason)) => {
            reason.contains("look-around, including") || reason.contains("backreferences are not supported")
        }
        Err(_) => true,
    }
}

fn exclusive(items: &[Value], subsets: &[Vec<Value>]) -> Result<(), String> {
    let mut touched: Vec<&[Value]> = Vec::new();
    for item in items {
        let subset = subsets.iter().find(|subset| subset.contains(item));
        if let Some(subset) = subset.filter(|subset| !touched.contains(&subset.as_slice())) {
            touched.push(subset);
        }
    }
    hold(touched.len() <= 1, || {
        let sets: Vec<_> = touched.iter().map(|set| format!("({})", quoted(set.iter().map(plain)))).collect();
        format!("these sets are mutually exclusive: {}", sets.join(", "))
    })
}

/// `'a', 'b'`
pub(crate) fn quoted(names: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    names.into_iter().map(|name| format!("'{}'", name.as_ref())).collect::<Vec<_>>().join(", ")
}
