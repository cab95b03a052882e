//! The arguments of a call, from values to the types that functions take, with the error texts of Kong's PDK: plugins'
//! tests match them.
//!
//! There is one function for each type that `protocol/pdk.toml` gives to an argument; `name` is what errors call it. An
//! absent argument is nil. A table may arrive as a list when it is empty, since most languages pack both alike.

use std::borrow::Cow;
use std::fmt::Display;

use bytes::Bytes;

use crate::exchange::Authenticated;
use crate::pdk::PdkError;
use crate::pdk::headers::{self, Change};
use crate::{Key, Value};

/// What `exit` and `error` make a body of.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    Nothing,
    Text(Bytes),
    /// A table, as JSON.
    Json(String),
}

/// The argument at `index`, counted from 0.
pub fn any(args: &[Value], index: usize) -> &Value {
    static NIL: Value = Value::Nil;
    args.get(index).unwrap_or(&NIL)
}

/// The argument that `take` makes of a value, or `None` for nil.
pub fn optional<'a, T>(
    value: &'a Value,
    name: &str,
    take: impl FnOnce(&'a Value, &str) -> Result<T, PdkError>,
) -> Result<Option<T>, PdkError> {
    if value.is_nil() { Ok(None) } else { take(value, name).map(Some) }
}

/// Any bytes.
pub fn string<'a>(value: &'a Value, name: &str) -> Result<&'a Bytes, PdkError> {
    value.as_bytes().ok_or_else(|| wrong_type(name, "a string"))
}

/// A string that has to be UTF-8.
pub fn text<'a>(value: &'a Value, name: &str) -> Result<&'a str, PdkError> {
    let bytes = string(value, name)?;
    std::str::from_utf8(bytes)
        .map_err(|_| PdkError::thrown(format!("{name} must be UTF-8: given {:?}", bytes.as_ref())))
}

/// A text, or a number as its text.
pub fn word<'a>(value: &'a Value, name: &str) -> Result<Cow<'a, str>, PdkError> {
    match value {
        Value::Int(_) | Value::Float(_) => Ok(String::from_utf8_lossy(&value.plain()).into_owned().into()),
        _ => text(value, name).map(Cow::Borrowed),
    }
}

/// As [`word`], `None` for what is neither.
pub fn maybe_word<'a>(value: &'a Value, name: &str) -> Result<Option<Cow<'a, str>>, PdkError> {
    Ok(word(value, name).ok())
}

/// As [`text`]; what is none counts as absent.
pub fn maybe_text<'a>(value: &'a Value, _name: &str) -> Result<Option<&'a str>, PdkError> {
    Ok(value.as_str())
}

/// The text of a vault's reference. What is no text is no reference, which is no misuse.
pub fn reference<'a>(value: &'a Value, _name: &str) -> Result<&'a str, PdkError> {
    value.as_str().ok_or_else(|| PdkError::returned(format!("not a reference, given {}", value.type_name())))
}

pub fn bool(value: &Value, name: &str) -> Result<bool, PdkError> {
    match value {
        Value::Bool(flag) => Ok(*flag),
        _ => Err(wrong_type(name, "a boolean")),
    }
}

/// What Lua takes for true.
pub fn truth(value: &Value, _name: &str) -> Result<bool, PdkError> {
    Ok(value.truth())
}

/// An integer within bounds that are part of it.
pub fn int<T>(low: T, high: T) -> impl Fn(&Value, &str) -> Result<T, PdkError>
where
    T: TryFrom<i64> + PartialOrd + Display + Copy,
{
    move |value, name| {
        let number = value.as_int().ok_or_else(|| wrong_type(name, "an integer"))?;
        T::try_from(number).ok().filter(|number| (low..=high).contains(number)).ok_or_else(|| {
            PdkError::thrown(format!("{name} must be an integer between {low} and {high}: given {number}"))
        })
    }
}

/// As [`int`], with a fraction that counts for nothing.
pub fn truncated<T>(low: T, high: T) -> impl Fn(&Value, &str) -> Result<T, PdkError>
where
    T: TryFrom<i64> + PartialOrd + Display + Copy,
{
    move |value, name| int(low, high)(&without_fraction(value), name)
}

fn without_fraction(value: &Value) -> Value {
    match value {
        Value::Float(number) => Value::number(number.trunc()),
        other => other.clone(),
    }
}

/// How many headers or arguments are wanted: 1 to 1000.
pub fn limit(value: &Value, name: &str) -> Result<usize, PdkError> {
    let number = match *value {
        Value::Int(number) => number as f64,
        Value::Float(number) => number,
        _ => return Err(wrong_type(name, "a number")),
    };
    if number > 1000.0 {
        Err(PdkError::thrown(format!("{name} must be <= 1000")))
    } else if number >= 1.0 {
        Ok(number as usize)
    } else {
        Err(PdkError::thrown(format!("{name} must be >= 1")))
    }
}

/// A number of bytes; what is none is no limit.
pub fn size(value: &Value, _name: &str) -> Result<Option<u64>, PdkError> {
    Ok(value.as_int().and_then(|size| u64::try_from(size).ok()).filter(|size| *size > 0))
}

/// The status of a response from `low` on; a fraction counts for nothing. An informational one is refused: the client would go on waiting.
pub fn status(low: u16) -> impl Fn(&Value, &str) -> Result<u16, PdkError> {
    move |value, name| {
        if !matches!(value, Value::Int(_) | Value::Float(_)) {
            return Err(wrong_type(name, "a number"));
        }
        let status = without_fraction(value).as_int().and_then(|status| u16::try_from(status).ok());
        match status.filter(|status| (low..=599).contains(status)) {
            Some(status @ 100..200) => {
                Err(PdkError::thrown(format!("{name} {status} does not end a response, use 200 to 599")))
            }
            Some(status) => Ok(status),
            None => Err(PdkError::thrown(format!("{name} must be a number between {low} and 599"))),
        }
    }
}

pub fn content(value: &Value, name: &str) -> Result<Content, PdkError> {
    match value {
        Value::Nil => Ok(Content::Nothing),
        Value::Str(text) => Ok(Content::Text(text.clone())),
        Value::List(_) | Value::Map(_) => Ok(Content::Json(value.to_json().to_string())),
        _ => Err(wrong_type(name, "a nil, string or table")),
    }
}

/// A map or a list.
pub fn table<'a>(value: &'a Value, name: &str) -> Result<&'a Value, PdkError> {
    match value {
        Value::Map(_) | Value::List(_) => Ok(value),
        _ => Err(wrong_type(name, "a table")),
    }
}

/// A map; a list only when it is empty.
pub fn record(value: &Value, name: &str) -> Result<Value, PdkError> {
    match value {
        Value::List(items) if items.is_empty() => Ok(Value::Map(Vec::new())),
        Value::Map(_) => Ok(value.clone()),
        _ => Err(wrong_type(name, "a table or nil")),
    }
}

pub fn consumer(value: &Value, name: &str) -> Result<Authenticated, PdkError> {
    record(value, name).map(Authenticated::Given)
}

/// The name of a header.
pub fn header_name<'a>(value: &'a Value, name: &str) -> Result<&'a str, PdkError> {
    headers::checked_name(string(value, name)?)
}

/// Name and values of a header: two arguments.
pub fn header(args: &[Value], index: usize) -> Result<Change<'_>, PdkError> {
    match any(args, index) {
        Value::Str(name) => Change::new(name, any(args, index + 1)),
        other => Err(headers::invalid_name(other)),
    }
}

/// A map of headers.
pub fn headers<'a>(value: &'a Value, name: &str) -> Result<Vec<Change<'a>>, PdkError> {
    changes(table(value, name)?)
}

/// As [`headers`]; nil is a map of none.
pub fn maybe_headers<'a>(value: &'a Value, name: &str) -> Result<Vec<Change<'a>>, PdkError> {
    match value {
        Value::Nil => Ok(Vec::new()),
        Value::Map(_) | Value::List(_) => changes(value),
        _ => Err(wrong_type(name, "a nil or table")),
    }
}

fn changes(table: &Value) -> Result<Vec<Change<'_>>, PdkError> {
    let members: &[_] = match table {
        Value::Map(members) => members,
        Value::List(items) if !items.is_empty() => return Err(headers::invalid_name(&Value::Int(1))),
        _ => &[],
    };
    members
        .iter()
        .map(|(name, value)| match name {
            Key::Str(name) => Change::new(name, value),
            Key::Int(number) => Err(headers::invalid_name(&Value::Int(*number))),
        })
        .collect()
}

pub fn wrong_type(name: &str, expected: &str) -> PdkError {
    PdkError::thrown(format!("{name} must be {expected}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_1_to_1000() {
        for (value, expected) in [
            (Value::Int(1), Ok(1)),
            (Value::Float(1000.0), Ok(1000)),
            (Value::Int(0), Err("max_args must be >= 1")),
            (Value::Float(f64::NAN), Err("max_args must be >= 1")),
            (Value::Int(1001), Err("max_args must be <= 1000")),
            (Value::from("5"), Err("max_args must be a number")),
        ] {
            assert_eq!(limit(&value, "max_args"), expected.map_err(PdkError::thrown), "of {value:?}");
        }
        assert_eq!(optional(any(&[], 0), "max_args", limit), Ok(None));
    }

    #[test]
    fn fractions_count_for_nothing() {
        for (value, expected) in [
            (Value::Int(200), Ok(200)),
            (Value::Float(404.5), Ok(404)),
            (Value::Float(599.9), Ok(599)),
            (Value::Float(600.0), Err("code must be a number between 100 and 599")),
            (Value::Float(f64::NAN), Err("code must be a number between 100 and 599")),
            (Value::Float(199.9), Err("code 199 does not end a response, use 200 to 599")),
        ] {
            assert_eq!(status(100)(&value, "code"), expected.map_err(PdkError::thrown), "of {value:?}");
        }
        assert_eq!(truncated(0, 9)(&Value::Float(1.5), "depth"), Ok(1));
        assert!(truncated(0, 9)(&Value::Float(10.5), "depth").is_err());
        assert!(truncated(0, 9)(&Value::from("1"), "depth").is_err());
    }

    #[test]
    fn wrong_types_name_the_argument() {
        let one = &Value::Int(1);
        assert_eq!(string(one, "path"), Err(PdkError::thrown("path must be a string")));
        let bytes = Value::Str(Bytes::from_static(b"\xff"));
        assert_eq!(text(&bytes, "path"), Err(PdkError::thrown("path must be UTF-8: given [255]")));
        assert_eq!(bool(one, "on"), Err(PdkError::thrown("on must be a boolean")));
        assert_eq!(table(one, "args"), Err(PdkError::thrown("args must be a table")));
        let port = int(2_u16, 9);
        assert_eq!(
            port(one, "port"),
            Err(PdkError::thrown("port must be an integer between 2 and 9: given 1"))
        );
        assert_eq!(port(&Value::Nil, "port"), Err(PdkError::thrown("port must be an integer")));
        assert_eq!(port(&Value::Float(3.0), "port"), Ok(3));
        assert!(port(&Value::Float(3.5), "port").is_err());
        assert!(port(&Value::Int(65_538), "port").is_err());
    }
}
