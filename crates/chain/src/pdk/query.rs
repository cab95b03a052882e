//! Query strings and form bodies: reading them as nginx does, writing them in a fixed order.

use std::borrow::Cow;

use memchr::memchr;
use polygate_http1::scan;

use crate::pdk::PdkError;
use crate::{Key, Value};

/// The arguments in their order; without `=` there is no value. At most `limit`, empty names left out.
pub fn arguments(text: &[u8], limit: usize) -> impl Iterator<Item = (Cow<'_, [u8]>, Option<Cow<'_, [u8]>>)> {
    pairs(text, limit).map(|(name, value)| (unescape(name, true), value.map(|value| unescape(value, true))))
}

/// The arguments as they are written.
fn pairs(text: &[u8], limit: usize) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> {
    let mut rest = Some(text);
    let pairs = std::iter::from_fn(move || {
        let (pair, behind) = cut(rest?, b'&');
        rest = behind;
        Some(cut(pair, b'='))
    });
    pairs.filter(|(name, _)| !name.is_empty()).take(limit)
}

/// What stands before the first such byte, and what stands behind it if it is there.
fn cut(text: &[u8], byte: u8) -> (&[u8], Option<&[u8]>) {
    memchr(byte, text).map_or((text, None), |at| (&text[..at], Some(&text[at + 1..])))
}

/// Name to string, to true where there is no `=`, or to a list where the name is repeated.
pub fn to_table(text: &[u8], limit: usize) -> Value {
    let mut members: Vec<(Key, Value)> = Vec::new();
    for (name, value) in arguments(text, limit) {
        let value = to_value(value);
        let name = Key::Str(name.into_owned().into());
        match members.iter_mut().find(|(key, _)| *key == name) {
            None => members.push((name, value)),
            Some((_, Value::List(values))) => values.push(value),
            Some((_, first)) => *first = Value::List(vec![std::mem::take(first), value]),
        }
    }
    Value::Map(members)
}

/// What [`to_table`] has under a name: nil if there is no such argument.
pub fn member(text: &[u8], name: &[u8], limit: usize) -> Value {
    let found = pairs(text, limit).filter(|(key, _)| is_named(key, name));
    let mut values = found.map(|(_, value)| to_value(value.map(|value| unescape(value, true))));
    let Some(first) = values.next() else { return Value::Nil };
    match values.next() {
        None => first,
        Some(second) => [first, second].into_iter().chain(values).collect(),
    }
}

/// The first value of the argument `name`: a string, true, or nil if there is none.
pub fn first(text: &[u8], name: &[u8], limit: usize) -> Value {
    let found = pairs(text, limit).find(|(key, _)| is_named(key, name));
    found.map_or(Value::Nil, |(_, value)| to_value(value.map(|value| unescape(value, true))))
}

/// The query string of a map: `k=v`, `k` for true, nothing for false, one piece per value of a table.
/// The pieces are sorted by name, as byte strings, so that the same map gives the same text.
pub fn encode(arguments: &Value) -> Result<String, PdkError> {
    let members = arguments.members();
    let mut pieces = Vec::with_capacity(members.len());
    for (key, value) in members {
        let name = match &key {
            Key::Str(name) => escape_argument(name),
            Key::Int(_) => return Err(PdkError::thrown("arg keys must be strings")),
        };
        let items = match value {
            Value::List(_) | Value::Map(_) => value.members().into_iter().map(|(_, item)| item).collect(),
            scalar => vec![scalar],
        };
        let piece: Vec<String> = items
            .into_iter()
            .filter(|item| !item.is_nil())
            .map(|item| pair(&name, item))
            .collect::<Result<Vec<_>, _>>()?
            .into_iter()
            .flatten()
            .collect();
        if !piece.is_empty() {
            pieces.push(piece.join("&"));
        }
    }
    pieces.sort_unstable();
    Ok(pieces.join("&"))
}

/// `text` without the arguments called `name`; the rest stays as it is.
pub fn without(text: &[u8], name: &[u8]) -> Vec<u8> {
    let is_other = |pair: &&[u8]| pairs(pair, 1).next().is_none_or(|(key, _)| !is_named(key, name));
    text.split(|&byte| byte == b'&').filter(is_other).collect::<Vec<_>>().join(&b'&')
}

fn is_named(key: &[u8], name: &[u8]) -> bool {
    if is_plain(key) { key == name } else { *unescape(key, true) == *name }
}

/// Whether there is nothing to undo.
fn is_plain(text: &[u8]) -> bool {
    scan::all(text, |byte| (byte != b'%') & (byte != b'+'))
}

/// Undoes percent-encoding; what is no valid sequence stays.
pub fn unescape(text: &[u8], plus_is_blank: bool) -> Cow<'_, [u8]> {
    if is_plain(text) {
        return text.into();
    }
    let hex = |at: usize| text.get(at).and_then(|&digit| (digit as char).to_digit(16));
    let mut plain = Vec::with_capacity(text.len());
    let mut i = 0;
    while i < text.len() {
        match (text[i], hex(i + 1), hex(i + 2)) {
            (b'%', Some(high), Some(low)) => {
                plain.push((high * 16 + low) as u8);
                i += 2;
            }
            (b'+', ..) if plus_is_blank => plain.push(b' '),
            (byte, ..) => plain.push(byte),
        }
        i += 1;
    }
    plain.into()
}

/// Letters, digits and `-._~` stay, all else is percent-encoded (RFC 3986, unreserved characters).
pub fn escape(text: &[u8]) -> String {
    percent_encode(text, |byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
}

/// As [`escape`], but the other marks of RFC 2396 stay, as nginx has it.
fn escape_argument(text: &[u8]) -> String {
    percent_encode(text, |byte| byte.is_ascii_alphanumeric() || b"-._~!'()*".contains(&byte))
}

/// Percent-encodes the bytes which `stays` refuses.
pub fn percent_encode(text: &[u8], stays: impl Fn(u8) -> bool) -> String {
    let encoded = percent_encode_bytes(text, |byte| byte.is_ascii() && stays(byte));
    String::from_utf8_lossy(&encoded).into_owned()
}

/// [`percent_encode`] where bytes beyond ASCII may stay.
pub fn percent_encode_bytes(text: &[u8], stays: impl Fn(u8) -> bool) -> Vec<u8> {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let mut encoded = Vec::with_capacity(text.len());
    for &byte in text {
        match stays(byte) {
            true => encoded.push(byte),
            false => {
                encoded.extend([b'%', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
            }
        }
    }
    encoded
}

fn to_value(value: Option<Cow<'_, [u8]>>) -> Value {
    value.map_or(Value::Bool(true), |value| Value::Str(value.into_owned().into()))
}

fn pair(name: &str, value: &Value) -> Result<Option<String>, PdkError> {
    match value {
        Value::Bool(false) => Ok(None),
        Value::Bool(true) => Ok(Some(name.to_owned())),
        Value::Str(_) | Value::Int(_) | Value::Float(_) => {
            Ok(Some(format!("{name}={}", escape_argument(&value.plain()))))
        }
        Value::Nil | Value::List(_) | Value::Map(_) => Err(PdkError::thrown(format!(
            "invalid value for query argument \"{name}\": got {}, expected string, number, boolean or array of these",
            value.type_name()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn encodes_maps() {
        for (map, expected) in [
            (
                json!({"foo": "hello world", "a": true, "aa": ["zzz", true, true, "aaa"]}),
                "a&aa=zzz&aa&aa&aa=aaa&foo=hello%20world",
            ),
            (json!({}), ""),
            (json!({"a": null, "b": [null, "1"]}), "b=1"),
            (json!([]), ""),
            (json!({"a": {"b": 1, "c": true}, "d": {}}), "a=1&a"),
            (json!({"b": "", "n": 1.5, "no": false, "i": 7}), "b=&i=7&n=1.5"),
            (json!({"k&=": "ä-._~*"}), "k%26%3D=%C3%A4-._~*"),
            (json!({"a'": "!*()+/"}), "a'=!*()%2B%2F"),
            (json!({"n": 1_000_000_000_000_000_i64}), "n=1e%2B15"),
        ] {
            assert_eq!(encode(&Value::from(&map)).as_deref(), Ok(expected), "of {map}");
        }
        let keys = PdkError::thrown("arg keys must be strings");
        assert_eq!(encode(&Value::from(&json!(["a", "b"]))), Err(keys));
        let error = encode(&Value::from(&json!({"a": [[]]}))).unwrap_err().to_string();
        assert!(error.starts_with("invalid value for query argument \"a\": got table"), "{error}");
    }

    #[test]
    fn decodes_arguments() {
        for (text, limit, expected) in [
            ("", 100, json!({})),
            ("a=1&b&a=2&a&c=", 100, json!({"a": ["1", "2", true], "b": true, "c": ""})),
            ("x%20y=a+b%2Bc&=none&&bad=%zz%2", 100, json!({"x y": "a b+c", "bad": "%zz%2"})),
            ("a=1&b=2&c=3", 2, json!({"a": "1", "b": "2"})),
        ] {
            assert_eq!(to_table(text.as_bytes(), limit).to_json(), expected, "of {text}");
            for name in ["a", "b", "c", "x y", "bad", "none"] {
                let found = expected.get(name).map(Value::from).unwrap_or_default();
                assert_eq!(member(text.as_bytes(), name.as_bytes(), limit), found, "{name} of {text}");
            }
        }
        assert_eq!(first(b"a&b=2&b=3", b"b", 100), Value::from("2"));
        assert_eq!(first(b"a&b=2", b"a", 100), Value::Bool(true));
        assert_eq!(first(b"a&b=2", b"c", 100), Value::Nil);
        assert_eq!(first(b"%61=1&a%2561=2", b"a%61", 100), Value::from("2"), "names are compared decoded");
    }

    #[test]
    fn removes_arguments_in_place() {
        assert_eq!(without(b"z=1&a%62=2&y&ab", b"ab"), b"z=1&y");
        assert_eq!(without(b"ab=1", b"ab"), b"");
    }
}
