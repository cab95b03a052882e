//! Takes arguments apart, with the error texts of Kong's PDK: plugins' tests match them.
//!
//! An absent argument is nil. A table may arrive as a list when it is empty, since most languages
//! pack both alike.

use std::borrow::Cow;

use bytes::Bytes;

use crate::pdk::PdkError;
use crate::{Key, Value};

/// The argument at `index`, counted from 0.
pub fn at(args: &[Value], index: usize) -> &Value {
    static NIL: Value = Value::Nil;
    args.get(index).unwrap_or(&NIL)
}

/// A string; `name must be a string` otherwise.
pub fn string<'a>(args: &'a [Value], index: usize, name: &str) -> Result<&'a Bytes, PdkError> {
    at(args, index).as_bytes().ok_or_else(|| wrong_type(name, "a string"))
}

/// A string that has to be UTF-8.
pub fn text<'a>(args: &'a [Value], index: usize, name: &str) -> Result<&'a str, PdkError> {
    let bytes = string(args, index, name)?;
    std::str::from_utf8(bytes)
        .map_err(|_| PdkError::thrown(format!("{name} must be UTF-8: given {:?}", bytes.as_ref())))
}

/// As [`text`], or nil.
pub fn optional_text<'a>(args: &'a [Value], index: usize, name: &str) -> Result<Option<&'a str>, PdkError> {
    if at(args, index).is_nil() { Ok(None) } else { text(args, index, name).map(Some) }
}

/// The key of one of the tables that plugins share: a text, or a number as its text.
pub fn key(args: &[Value], index: usize) -> Result<Cow<'_, str>, PdkError> {
    match at(args, index) {
        Value::Int(_) | Value::Float(_) => {
            let text = at(args, index).plain();
            Ok(String::from_utf8_lossy(&text).into_owned().into())
        }
        _ => text(args, index, "key").map(Cow::Borrowed),
    }
}

/// `default` for nil; `name must be a boolean` for what is neither.
pub fn flag(args: &[Value], index: usize, name: &str, default: bool) -> Result<bool, PdkError> {
    match at(args, index) {
        Value::Nil => Ok(default),
        Value::Bool(flag) => Ok(*flag),
        _ => Err(wrong_type(name, "a boolean")),
    }
}

/// An integer within bounds that are part of it.
pub fn integer(args: &[Value], index: usize, name: &str, low: i64, high: i64) -> Result<i64, PdkError> {
    let number = at(args, index).as_int().ok_or_else(|| wrong_type(name, "an integer"))?;
    if (low..=high).contains(&number) {
        return Ok(number);
    }
    Err(PdkError::thrown(format!("{name} must be an integer between {low} and {high}: given {number}")))
}

/// How many headers or arguments are wanted: 1 to 1000, `default` for nil.
pub fn limit(args: &[Value], index: usize, name: &str, default: usize) -> Result<usize, PdkError> {
    let number = match *at(args, index) {
        Value::Nil => return Ok(default),
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

/// A map's members; a list counts as a map with the keys 1, 2, 3.
pub fn table(value: &Value) -> Option<Vec<(Key, &Value)>> {
    match value {
        Value::Map(members) => Some(members.iter().map(|(key, value)| (key.clone(), value)).collect()),
        Value::List(items) => Some((1..).map(Key::Int).zip(items).collect()),
        _ => None,
    }
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
            (Value::Nil, Ok(100)),
            (Value::Int(1), Ok(1)),
            (Value::Float(1000.0), Ok(1000)),
            (Value::Int(0), Err("max_args must be >= 1")),
            (Value::Float(f64::NAN), Err("max_args must be >= 1")),
            (Value::Int(1001), Err("max_args must be <= 1000")),
            (Value::from("5"), Err("max_args must be a number")),
        ] {
            let expected = expected.map_err(PdkError::thrown);
            assert_eq!(limit(std::slice::from_ref(&value), 0, "max_args", 100), expected, "of {value:?}");
        }
        assert_eq!(limit(&[], 0, "max_args", 7), Ok(7));
    }

    #[test]
    fn wrong_types_name_the_argument() {
        let args = [Value::Int(1), Value::Str(Bytes::from_static(b"\xff"))];
        assert_eq!(string(&args, 0, "path"), Err(PdkError::thrown("path must be a string")));
        assert_eq!(text(&args, 1, "path"), Err(PdkError::thrown("path must be UTF-8: given [255]")));
        assert_eq!(flag(&args, 0, "on", false), Err(PdkError::thrown("on must be a boolean")));
        assert_eq!(
            integer(&args, 0, "port", 2, 9),
            Err(PdkError::thrown("port must be an integer between 2 and 9: given 1"))
        );
        assert_eq!(integer(&args, 3, "port", 2, 9), Err(PdkError::thrown("port must be an integer")));
    }
}
