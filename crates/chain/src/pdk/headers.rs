//! The rules for headers that `kong.request`, `kong.response` and both halves of `kong.service` share.
//!
//! Getters take `_` for `-` and answer lower-case names; setters take strings, numbers, booleans and
//! lists of strings.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::pdk::{PdkError, PdkResult, args};
use crate::{Key, Value};

/// The first value of `name`, nil if there is none.
pub fn first(headers: &HeaderMap, name: &[u8]) -> Value {
    headers.iter().find(|(key, _)| is_same(key, name)).map_or(Value::Nil, |(_, value)| to_value(value))
}

/// Lower-case name to string, or to a list where the header is repeated; at most `limit` lines.
pub fn all(headers: &HeaderMap, limit: usize) -> Value {
    let mut left = limit;
    let mut members = Vec::with_capacity(headers.keys_len().min(limit));
    for name in headers.keys() {
        let mut values: Vec<Value> = headers.get_all(name).iter().take(left).map(to_value).collect();
        left -= values.len();
        let value = match values.len() {
            0 => break,
            1 => values.remove(0),
            _ => Value::List(values),
        };
        members.push((Key::from(name.as_str()), value));
    }
    Value::Map(members)
}

/// The body of every `get_header`: one argument, the name.
pub fn get(headers: &HeaderMap, args: &[Value]) -> PdkResult {
    Ok(first(headers, args::string(args, 0, "header name")?))
}

/// The body of every `get_headers`: one argument, the limit.
pub fn get_all(headers: &HeaderMap, args: &[Value], default: usize) -> PdkResult {
    Ok(all(headers, args::limit(args, 0, "max_headers", default)?))
}

/// One header with its new values, as a setter was given it; without values it is to be removed.
#[derive(Debug)]
pub struct Change {
    pub name: HeaderName,
    pub values: Vec<HeaderValue>,
}

impl Change {
    /// From the two arguments of `set_header` and `add_header`.
    pub fn from_args(args: &[Value]) -> Result<Self, PdkError> {
        let Some(name) = args::at(args, 0).as_bytes() else {
            return Err(invalid_name(args::at(args, 0)));
        };
        Self::new(name, args::at(args, 1))
    }

    /// From the map that `set_headers` and `exit` take.
    pub fn all(headers: &Value) -> Result<Vec<Self>, PdkError> {
        let members = args::table(headers).ok_or_else(|| args::wrong_type("headers", "a table"))?;
        members
            .iter()
            .map(|(name, value)| match name {
                Key::Str(name) => Self::new(name, value),
                Key::Int(number) => Err(invalid_name(&Value::Int(*number))),
            })
            .collect()
    }

    fn new(name: &Bytes, value: &Value) -> Result<Self, PdkError> {
        let shown = String::from_utf8_lossy(name);
        let values = match value {
            Value::List(items) => items
                .iter()
                .map(|item| {
                    let bytes = item.as_bytes().ok_or_else(|| {
                        PdkError::thrown(format!(
                            "invalid header value in array \"{shown}\": got {}, expected string",
                            item.type_name()
                        ))
                    })?;
                    header_value(&shown, bytes)
                })
                .collect::<Result<_, _>>()?,
            Value::Str(bytes) => vec![header_value(&shown, bytes)?],
            Value::Bool(_) | Value::Int(_) | Value::Float(_) => vec![header_value(&shown, &plain(value))?],
            Value::Nil | Value::Map(_) => {
                return Err(PdkError::thrown(format!(
                    "invalid header value for \"{shown}\": got {}, expected array of string, string, number \
                     or boolean",
                    value.type_name()
                )));
            }
        };
        Ok(Self { name: parse_name(name)?, values })
    }

    /// Response header names never carry `_`.
    pub fn with_dashes(mut self) -> Self {
        self.name = dashed(self.name);
        self
    }

    pub fn replace_in(self, headers: &mut HeaderMap) {
        headers.remove(&self.name);
        self.add_to(headers);
    }

    pub fn add_to(self, headers: &mut HeaderMap) {
        for value in self.values {
            headers.append(self.name.clone(), value);
        }
    }
}

/// The name that a `clear_header` was given.
pub fn name_argument(args: &[Value]) -> Result<HeaderName, PdkError> {
    parse_name(args::string(args, 0, "header")?)
}

/// `name` with each `_` as `-`.
pub fn dashed(name: HeaderName) -> HeaderName {
    HeaderName::try_from(name.as_str().replace('_', "-")).unwrap_or(name)
}

/// The text of a scalar as headers and query strings have it: numbers as Lua prints them.
pub fn plain(value: &Value) -> Bytes {
    match value {
        Value::Str(bytes) => bytes.clone(),
        Value::Int(number) => number.to_string().into(),
        Value::Float(number) => crate::pdk::log::number(*number).into(),
        Value::Bool(flag) => flag.to_string().into(),
        Value::Nil | Value::List(_) | Value::Map(_) => Bytes::new(),
    }
}

fn is_same(key: &HeaderName, name: &[u8]) -> bool {
    let fold = |byte: u8| if byte == b'_' { b'-' } else { byte.to_ascii_lowercase() };
    key.as_str().len() == name.len() && key.as_str().bytes().zip(name).all(|(a, &b)| fold(a) == fold(b))
}

fn to_value(value: &HeaderValue) -> Value {
    Value::str(value.as_bytes())
}

fn parse_name(name: &[u8]) -> Result<HeaderName, PdkError> {
    HeaderName::from_bytes(name).map_err(|_| {
        PdkError::thrown(format!(
            "invalid header name {:?}: use letters, digits and !#$%&'*+-.^_`|~",
            String::from_utf8_lossy(name)
        ))
    })
}

fn invalid_name(given: &Value) -> PdkError {
    let shown = String::from_utf8_lossy(&plain(given)).into_owned();
    PdkError::thrown(format!("invalid header name \"{shown}\": got {}, expected string", given.type_name()))
}

fn header_value(name: &str, value: &Bytes) -> Result<HeaderValue, PdkError> {
    HeaderValue::from_maybe_shared(value.clone()).map_err(|_| {
        PdkError::thrown(format!("invalid header value for \"{name}\": contains a control character"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in [("x-one", "1"), ("x-two", "a"), ("x-two", "b"), ("x_under", "u")] {
            headers.append(name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn getters_fold_case_and_underscores() {
        for (name, expected) in [
            ("X-ONE", Value::from("1")),
            ("x_one", Value::from("1")),
            ("x-two", Value::from("a")),
            ("X-Under", Value::from("u")),
            ("x-none", Value::Nil),
        ] {
            assert_eq!(first(&sample(), name.as_bytes()), expected, "of {name}");
        }
    }

    #[test]
    fn limit_counts_lines() {
        let two = all(&sample(), 2).to_json();
        assert_eq!(two, serde_json::json!({"x-one": "1", "x-two": "a"}));
        let four = all(&sample(), 4).to_json();
        assert_eq!(four, serde_json::json!({"x-one": "1", "x-two": ["a", "b"], "x_under": "u"}));
    }

    #[test]
    fn values_become_lines() {
        for (value, expected) in [
            (Value::from("v"), Ok(vec!["v"])),
            (Value::from(""), Ok(vec![""])),
            (Value::Int(3), Ok(vec!["3"])),
            (Value::Float(0.5), Ok(vec!["0.5"])),
            (Value::Bool(true), Ok(vec!["true"])),
            (Value::from_iter(["a", "b"]), Ok(vec!["a", "b"])),
            (
                Value::from_iter([1]),
                Err("invalid header value in array \"X-A\": got number, expected string"),
            ),
            (
                Value::Nil,
                Err(
                    "invalid header value for \"X-A\": got nil, expected array of string, string, number or boolean",
                ),
            ),
            (Value::from("a\r\nb: c"), Err("invalid header value for \"X-A\": contains a control character")),
        ] {
            let change = Change::from_args(&[Value::from("X-A"), value.clone()]);
            let got = change.map(|change| {
                assert_eq!(change.name, "x-a");
                change.values.iter().map(|value| value.to_str().unwrap().to_owned()).collect::<Vec<_>>()
            });
            let expected = expected.map(|lines| lines.into_iter().map(str::to_owned).collect());
            assert_eq!(got, expected.map_err(PdkError::thrown), "of {value:?}");
        }
    }

    #[test]
    fn names_are_checked() {
        for (name, expected) in [
            (Value::Int(1), "invalid header name \"1\": got number, expected string"),
            (Value::from("a b"), "invalid header name \"a b\": use letters, digits and !#$%&'*+-.^_`|~"),
        ] {
            let error = Change::from_args(&[name, Value::from("v")]).unwrap_err();
            assert_eq!(error, PdkError::thrown(expected));
        }
        assert_eq!(Change::all(&Value::Int(1)).unwrap_err(), PdkError::thrown("headers must be a table"));
    }
}
