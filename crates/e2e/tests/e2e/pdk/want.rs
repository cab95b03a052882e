//! What an outcome must be, with the differences between the languages in one place.

use regex::Regex;
use serde_json::{Map, Value};

#[derive(Debug, Clone, PartialEq)]
pub enum Want {
    /// This value, where objects may have further members; whole numbers and their float forms are equal.
    Has(Value),
    /// A text that matches.
    Text(&'static str),
    /// Any number.
    Number,
    /// Any map with these members.
    Members(&'static [&'static str]),
    /// No result, in the language's own words: undefined, None, a zero value, a complaint about the missing type.
    Nothing,
    /// Done: no result, or true.
    Done,
    /// The error that the function itself gives, or no result where errors cannot be sent.
    Refused,
    /// An error with this text.
    Error(&'static str),
    /// The request ends with the call, or fails for it: there is no outcome to see.
    Ends,
}

impl Want {
    pub fn accepts(&self, outcome: &Value) -> bool {
        let (result, error) = (&outcome["result"], outcome["error"].as_str());
        match self {
            Want::Has(value) => error.is_none() && has(result, value),
            Want::Text(pattern) => result.as_str().is_some_and(|text| matches(pattern, text)),
            Want::Number => result.is_number(),
            Want::Members(names) => names.iter().all(|name| result.get(name).is_some()),
            Want::Nothing => match error {
                Some(text) => is_missing_type(text),
                None => is_zero(result),
            },
            Want::Done => error.is_none() && (result.is_null() || *result == Value::Bool(true)),
            Want::Refused => error.is_some() || is_zero(result),
            Want::Error(text) => error.is_some_and(|error| error.contains(text)),
            Want::Ends => false,
        }
    }
}

fn matches(pattern: &str, text: &str) -> bool {
    Regex::new(pattern).expect("a valid pattern").is_match(text)
}

/// Go's MessagePack SDK turns an absent value into a type error.
fn is_missing_type(text: &str) -> bool {
    text.starts_with("expected type:") || text == "null response" || text.starts_with("Return value")
}

/// Go has no absent value.
fn is_zero(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Object(members) => members.values().all(is_zero),
        _ => false,
    }
}

fn has(value: &Value, part: &Value) -> bool {
    match (value, part) {
        (Value::Object(all), Value::Object(some)) => has_members(all, some),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| has(a, b)),
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        _ => value == part,
    }
}

fn has_members(all: &Map<String, Value>, some: &Map<String, Value>) -> bool {
    some.iter().all(|(name, part)| all.get(name).is_some_and(|value| has(value, part)))
}
