//! The rules for headers that `kong.request`, `kong.response` and both halves of `kong.service` share.
//!
//! Getters take `_` for `-` and answer lower-case names; setters take strings, numbers, booleans and
//! lists of strings.
//!
//! What a plugin gives becomes header lines only: a name is a token, a value holds no control character, a
//! length is a number, and there is a limit to how many lines a head has. Everything else is an error that
//! shows the value.

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::pdk::{PdkError, PdkResult, args};
use crate::{Key, Value};

/// As many lines as a getter can answer. The gateway's own come on top.
const MOST_LINES: usize = 1000;

/// Response headers that concern one connection, and so the gateway alone (RFC 9110, section 7.6.1).
const OF_ONE_CONNECTION: [&str; 5] =
    ["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"];

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
        let change = Self { name: parse_name(name)?, values };
        change.check_length(&shown)?;
        Ok(change)
    }

    /// A `Content-Length` is one number (RFC 9110, section 8.6). The gateway sends that of the body; what is
    /// given here only counts where there is none, in the answer to a HEAD request. Responses, and many an
    /// upstream, take `_` in its name for `-`.
    fn check_length(&self, shown: &str) -> Result<(), PdkError> {
        let is_number = |value: &HeaderValue| {
            let text = value.as_bytes();
            (1..=19).contains(&text.len()) && text.iter().all(u8::is_ascii_digit)
        };
        match self.values.as_slice() {
            _ if !is_same(&CONTENT_LENGTH, self.name.as_str().as_bytes()) => Ok(()),
            [] => Ok(()),
            [value] if is_number(value) => Ok(()),
            values => Err(PdkError::thrown(format!(
                "invalid header value for \"{shown}\": {values:?} is no length, give one number"
            ))),
        }
    }

    /// Whether a response header is the gateway's business.
    pub fn is_of_one_connection(&self) -> bool {
        OF_ONE_CONNECTION.contains(&self.name.as_str())
    }

    /// Response header names never carry `_`.
    pub fn with_dashes(mut self) -> Self {
        self.name = dashed(self.name);
        self
    }

    pub fn replace_in(self, headers: &mut HeaderMap) -> Result<(), PdkError> {
        let before = headers.get_all(&self.name).iter().count();
        self.check_room(headers.len() - before)?;
        headers.remove(&self.name);
        self.append_to(headers);
        Ok(())
    }

    /// A head has one `Content-Length` only, so that one is replaced.
    pub fn add_to(self, headers: &mut HeaderMap) -> Result<(), PdkError> {
        if self.name == CONTENT_LENGTH {
            return self.replace_in(headers);
        }
        self.check_room(headers.len())?;
        self.append_to(headers);
        Ok(())
    }

    fn append_to(self, headers: &mut HeaderMap) {
        for value in self.values {
            headers.append(self.name.clone(), value);
        }
    }

    fn check_room(&self, used: usize) -> Result<(), PdkError> {
        if used + self.values.len() <= MOST_LINES {
            return Ok(());
        }
        Err(PdkError::thrown(format!(
            "no room for {} lines of header \"{}\": a head has {MOST_LINES} lines at the most",
            self.values.len(),
            self.name
        )))
    }
}

/// Takes `name` off the lists of `Connection`. A client may list there what is to be removed before the request
/// goes upstream; what a plugin has set is not the client's to remove.
pub fn keep_end_to_end(headers: &mut HeaderMap, name: &HeaderName) {
    let is_it = |item: &&[u8]| item.trim_ascii().eq_ignore_ascii_case(name.as_str().as_bytes());
    let items = |line: &HeaderValue| line.as_bytes().split(|&byte| byte == b',').any(|item| is_it(&item));
    if !headers.get_all(CONNECTION).iter().any(items) {
        return;
    }
    let lines = headers.get_all(CONNECTION).iter();
    let left: Vec<Vec<u8>> = lines
        .map(|line| {
            line.as_bytes().split(|&byte| byte == b',').filter(|item| !is_it(item)).collect::<Vec<_>>()
        })
        .map(|items| items.join(&b','))
        .collect();
    headers.remove(CONNECTION);
    for line in left {
        headers.extend(HeaderValue::try_from(line).map(|line| (CONNECTION, line)));
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
        let value = String::from_utf8_lossy(value);
        PdkError::thrown(format!("invalid header value for \"{name}\": {value:?} holds a control character"))
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
            (
                Value::from("a\r\nb: c"),
                Err("invalid header value for \"X-A\": \"a\\r\\nb: c\" holds a control character"),
            ),
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
    fn no_line_ends_in_values_and_names() {
        for byte in 0..=u8::MAX {
            let value = Value::str([b'a', byte, b'b'].as_slice());
            let legal = byte == b'\t' || (byte >= b' ' && byte != 0x7f);
            assert_eq!(
                Change::from_args(&[Value::from("x"), value.clone()]).is_ok(),
                legal,
                "value {byte:#x}"
            );
            let token = byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
            assert_eq!(Change::from_args(&[value, Value::from("x")]).is_ok(), token, "name {byte:#x}");
        }
    }

    #[test]
    fn a_length_is_one_number() {
        let change = |value: Value| Change::from_args(&[Value::from("Content-Length"), value]);
        for value in [Value::Int(0), Value::from("42"), Value::from_iter(["7"])] {
            assert!(change(value.clone()).is_ok(), "{value:?}");
        }
        let texts = ["", "+5", "-1", "5, 5", " 5", "0x5", "5 ", "99999999999999999999"].map(Value::from);
        for value in texts.into_iter().chain([Value::Float(0.5), Value::from_iter(["5", "5"])]) {
            let error = change(value.clone()).unwrap_err().to_string();
            assert!(error.contains("is no length, give one number"), "{value:?}: {error}");
        }
        assert!(Change::from_args(&["content_length".into(), "x".into()]).is_err());

        let mut headers = HeaderMap::new();
        for length in 1..3 {
            change(Value::Int(length)).unwrap().add_to(&mut headers).unwrap();
        }
        assert_eq!(headers.get_all(CONTENT_LENGTH).iter().collect::<Vec<_>>(), ["2"]);
    }

    #[test]
    fn heads_have_a_limit() {
        let mut headers = HeaderMap::new();
        let change = |name: &str, lines: usize| {
            Change::from_args(&[Value::from(name), Value::from_iter(vec!["v"; lines])]).unwrap()
        };
        change("a", MOST_LINES).add_to(&mut headers).unwrap();
        change("a", MOST_LINES).replace_in(&mut headers).unwrap();
        let error = "no room for 1 lines of header \"b\": a head has 1000 lines at the most";
        assert_eq!(change("b", 1).add_to(&mut headers), Err(PdkError::thrown(error)));
        assert_eq!(change("b", 1).replace_in(&mut headers), Err(PdkError::thrown(error)));
        assert_eq!(headers.len(), MOST_LINES);
    }

    #[test]
    fn what_is_kept_is_not_listed() {
        for (before, after) in [
            (vec!["close, X-Gate"], vec!["close"]),
            (vec!["x-gate"], vec![""]),
            (vec!["a,X-GATE ,b", "x-gate", "c"], vec!["a,b", "", "c"]),
            (vec!["x-gates, gate"], vec!["x-gates, gate"]),
        ] {
            let mut headers = HeaderMap::new();
            for line in &before {
                headers.append(CONNECTION, HeaderValue::from_static(line));
            }
            keep_end_to_end(&mut headers, &HeaderName::from_static("x-gate"));
            let lines: Vec<_> = headers.get_all(CONNECTION).iter().map(|it| it.to_str().unwrap()).collect();
            assert_eq!(lines, after, "of {before:?}");
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
