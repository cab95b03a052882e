//! Bodies as tables: forms, JSON and multipart, for `get_body` and `set_body`.

use bytes::Bytes;
use indexmap::IndexMap;
use polygate_http1::is_name;
use serde_json::Value as Json;

use crate::pdk::{PdkError, query};
use crate::{Key, Value};

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";
const MULTIPART: &str = "multipart/form-data";

/// The table in `body`. `content_type` is what the caller gave or the message's header says;
/// `header` is looked at for the boundary. A body that cannot be read is `(nil, message)`.
pub fn decode(
    body: &[u8],
    content_type: Option<&str>,
    header: Option<&str>,
    max_args: usize,
) -> Result<Value, PdkError> {
    let content_type = content_type.or(header).ok_or_else(|| PdkError::returned("missing content type"))?;
    let kind = content_type.to_ascii_lowercase();
    if kind.contains(FORM) {
        Ok(query::to_table(body, max_args))
    } else if kind.contains(JSON) {
        match serde_json::from_slice::<Json>(body) {
            Ok(json @ (Json::Object(_) | Json::Array(_))) => Ok(Value::from(&json)),
            _ => Err(PdkError::returned("invalid json body")),
        }
    } else if kind.contains(MULTIPART) {
        let boundary = boundary(content_type)
            .or_else(|| boundary(header?))
            .ok_or_else(|| PdkError::returned(format!("no boundary in content type '{content_type}'")))?;
        Ok(parts(body, boundary))
    } else {
        Err(PdkError::returned(format!("unsupported content type '{content_type}'")))
    }
}

/// The body for `table`, and the Content-Type that goes with it. `seed` is a text that nobody could foresee.
pub fn encode(table: &Value, content_type: &str, seed: &str) -> Result<(Bytes, String), PdkError> {
    let kind = content_type.to_ascii_lowercase();
    if kind.contains(FORM) {
        Ok((query::encode(table)?.into(), content_type.to_owned()))
    } else if kind.contains(JSON) {
        Ok((table.to_json().to_string().into(), content_type.to_owned()))
    } else if kind.contains(MULTIPART) {
        let parts = table
            .members()
            .iter()
            .map(|(name, value)| part_of(name, value))
            .collect::<Result<Vec<_>, _>>()?;
        let boundary = free_boundary(&parts, boundary(content_type), seed);
        let quote = if is_name(boundary.as_bytes()) { "" } else { "\"" };
        Ok((multipart(&parts, &boundary), format!("{MULTIPART}; boundary={quote}{boundary}{quote}")))
    } else {
        Err(PdkError::thrown(format!("unsupported content type {content_type}")))
    }
}

/// The `boundary` parameter (RFC 2046 5.1.1), with or without quotes.
fn boundary(content_type: &str) -> Option<&str> {
    content_type.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let value = value.trim().trim_matches('"');
        (name.trim().eq_ignore_ascii_case("boundary") && !value.is_empty()).then_some(value)
    })
}

/// The parts of a multipart body as they are: names, and headers with content. `None` without a boundary.
pub fn raw_parts<'b>(body: &'b [u8], content_type: &str) -> Option<Vec<(Option<Key>, &'b [u8])>> {
    let mut delimiters = Delimiters { body, boundary: boundary(content_type)?.as_bytes(), at: 0 };
    let mut begin = delimiters.next().filter(|it| !it.is_last)?.end;
    let mut parts = Vec::new();
    for delimiter in delimiters {
        let raw = &body[begin..delimiter.start.max(begin)];
        parts.push((part(raw).map(|(name, _)| name), raw));
        if delimiter.is_last {
            break;
        }
        begin = delimiter.end;
    }
    Some(parts)
}

/// The body of parts as [`raw_parts`] has them.
pub fn from_raw_parts(parts: &[&[u8]], content_type: &str) -> Vec<u8> {
    let boundary = boundary(content_type).unwrap_or_default().as_bytes();
    let mut body = Vec::new();
    for part in parts {
        body.extend([b"--", boundary, b"\r\n", part, b"\r\n"].concat());
    }
    body.extend([b"--", boundary, b"--\r\n"].concat());
    body
}

/// The content of a raw part.
pub fn content_of_part(raw: &[u8]) -> Bytes {
    part(raw).and_then(|(_, content)| content.as_bytes().cloned()).unwrap_or_default()
}

/// A raw part with nothing but a name and a content.
pub fn simple_part(name: &str, content: &[u8]) -> Vec<u8> {
    let name = name.replace('"', "%22").replace(['\r', '\n'], " ");
    let head = format!("Content-Disposition: form-data; name=\"{name}\"\r\n\r\n");
    [head.as_bytes(), content].concat()
}

/// Name to content of each part, or to a list where the name is repeated. Lines may end without a carriage return.
fn parts(body: &[u8], boundary: &str) -> Value {
    let mut members: IndexMap<Key, Value> = IndexMap::new();
    let mut delimiters = Delimiters { body, boundary: boundary.as_bytes(), at: 0 };
    let Some(mut begin) = delimiters.next().filter(|it| !it.is_last).map(|it| it.end) else {
        return Value::Map(Vec::new());
    };
    for delimiter in delimiters {
        if let Some((name, content)) = part(&body[begin..delimiter.start]) {
            match members.entry(name).or_default() {
                none @ Value::Nil => *none = content,
                Value::List(values) => values.push(content),
                first => *first = Value::List(vec![std::mem::take(first), content]),
            }
        }
        if delimiter.is_last {
            break;
        }
        begin = delimiter.end;
    }
    Value::Map(members.into_iter().collect())
}

/// The lines `--boundary` and `--boundary--` of a body, with the line end in front.
struct Delimiters<'b> {
    body: &'b [u8],
    boundary: &'b [u8],
    at: usize,
}

struct Delimiter {
    start: usize,
    /// Where the next part begins.
    end: usize,
    is_last: bool,
}

impl Iterator for Delimiters<'_> {
    type Item = Delimiter;

    fn next(&mut self) -> Option<Delimiter> {
        let dashed = [b"--", self.boundary].concat();
        loop {
            let found = self.at + find(&self.body[self.at..], &dashed)?;
            self.at = found + dashed.len();
            let (before, after) = (&self.body[..found], &self.body[self.at..]);
            let start = match before {
                [.., b'\r', b'\n'] => found - 2,
                [.., b'\n'] => found - 1,
                [] => 0,
                _ => continue,
            };
            let is_last = after.starts_with(b"--");
            // Blanks may follow (RFC 2046, section 5.1.1); a longer word is another boundary.
            let line = after.split(|&byte| byte == b'\n').next().unwrap_or_default();
            if is_last || line.trim_ascii().is_empty() {
                let end = (self.at + line.len() + 1).min(self.body.len());
                return Some(Delimiter { start, end, is_last });
            }
        }
    }
}

fn part(text: &[u8]) -> Option<(Key, Value)> {
    let mut rest = text;
    let mut name = None;
    loop {
        let end = find(rest, b"\n")?;
        let line = rest[..end].trim_ascii();
        rest = &rest[end + 1..];
        if line.is_empty() {
            return Some((name?, Value::str(rest)));
        }
        name = name.or_else(|| name_in(&String::from_utf8_lossy(line)));
    }
}

/// The name that a line `Content-Disposition` gives to its part.
fn name_in(line: &str) -> Option<Key> {
    let (field, value) = line.split_once(':')?;
    if !field.trim().eq_ignore_ascii_case("content-disposition") {
        return None;
    }
    value.split(';').find_map(|parameter| {
        let (key, value) = parameter.split_once('=')?;
        let is_name = key.trim().eq_ignore_ascii_case("name");
        is_name.then(|| Key::from(value.trim().trim_matches('"')))
    })
}

/// Name and content of one part to be written.
fn part_of(key: &Key, value: &Value) -> Result<(String, Bytes), PdkError> {
    let name = key.to_text().replace('"', "%22").replace(['\r', '\n'], " ");
    if matches!(value, Value::Nil | Value::List(_) | Value::Map(_)) {
        return Err(PdkError::thrown(format!(
            "invalid value for part \"{name}\": got {}, expected string, number or boolean",
            value.type_name()
        )));
    }
    Ok((name, value.plain()))
}

/// A boundary that stands in no part, so that none becomes two: the one that is `wanted`, else one of our own.
fn free_boundary(parts: &[(String, Bytes)], wanted: Option<&str>, seed: &str) -> String {
    let is_free = |boundary: &String| {
        let boundary = boundary.as_bytes();
        parts.iter().all(|(name, content)| {
            find(name.as_bytes(), boundary).is_none() && find(content, boundary).is_none()
        })
    };
    let own = (0_u32..).map(|number| format!("----{seed}{number}"));
    wanted.map(str::to_owned).into_iter().chain(own).find(is_free).unwrap_or_default()
}

fn multipart(parts: &[(String, Bytes)], boundary: &str) -> Bytes {
    let mut body = Vec::new();
    for (name, content) in parts {
        let head = format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n");
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(content);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    body.into()
}

fn find(text: &[u8], needle: &[u8]) -> Option<usize> {
    text.windows(needle.len()).position(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn decodes_by_type() {
        let form = "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n2\r\n--b\r\n\
                    content-disposition: form-data; name=f; filename=x\r\nContent-Type: text/plain\r\n\r\n\r\n--b--";
        let twice = "--b\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--b \r\n\
                     Content-Disposition: form-data; name=a\r\n\r\n2\r\n--b\r\n\
                     Content-Disposition: form-data; name=a\r\n\r\n3\r\n--b--\r\nepilogue\r\n--b\r\n";
        let bare = "pre\n--b\nContent-Disposition: form-data; name=\"a\"\n\n1\n--bc\n x--b\n--b\n\
                    content-disposition: form-data; name=\"\"\n\ne\n--b\n\nno name\n--b--\n";
        for (body, content_type, expected) in [
            ("a=1&b", "application/x-www-form-urlencoded; charset=utf-8", Ok(json!({"a": "1", "b": true}))),
            ("{\"a\":[1,2.5]}", "Application/JSON", Ok(json!({"a": [1, 2.5]}))),
            ("1", "application/json", Err("invalid json body")),
            ("{", "application/json", Err("invalid json body")),
            (form, "multipart/form-data; boundary=\"b\"", Ok(json!({"a": "1\r\n2", "f": ""}))),
            ("--b", "multipart/form-data; boundary=b", Ok(json!({}))),
            ("pre\r\n--b--\r\n", "multipart/form-data; boundary=b", Ok(json!({}))),
            (twice, "multipart/form-data; boundary=b", Ok(json!({"a": ["1", "2", "3"]}))),
            (bare, "multipart/form-data; boundary=b", Ok(json!({"a": "1\n--bc\n x--b", "": "e"}))),
            ("", "multipart/form-data", Err("no boundary in content type 'multipart/form-data'")),
            ("", "text/plain", Err("unsupported content type 'text/plain'")),
        ] {
            let got = decode(body.as_bytes(), None, Some(content_type), 100).map(|value| value.to_json());
            assert_eq!(got, expected.map_err(PdkError::returned), "of {content_type} {body}");
        }
        assert_eq!(decode(b"", None, None, 100), Err(PdkError::returned("missing content type")));
    }

    #[test]
    fn what_was_encoded_can_be_decoded() {
        let table = Value::from(&json!({"b": "x y", "a": "2"}));
        for content_type in [FORM, JSON, MULTIPART] {
            let (body, content_type) = encode(&table, content_type, "seed").unwrap();
            let mut decoded = decode(&body, None, Some(&content_type), 100).unwrap().to_json();
            decoded.sort_all_objects();
            assert_eq!(decoded, json!({"a": "2", "b": "x y"}), "of {content_type}");
        }
        assert_eq!(encode(&table, "x/y", ""), Err(PdkError::thrown("unsupported content type x/y")));
    }

    #[test]
    fn no_value_becomes_a_second_part() {
        let evil = |boundary: &str| {
            format!("x\r\n--{boundary}\r\nContent-Disposition: form-data; name=\"admin\"\r\n\r\n1")
        };
        for (given, found) in [
            (MULTIPART.to_owned(), "----seed1"),
            (format!("{MULTIPART}; boundary=client"), "----seed1"),
            (format!("{MULTIPART}; boundary=free"), "free"),
            (format!("{MULTIPART}; boundary=\"a b\""), "\"a b\""),
        ] {
            let values = json!({"a": evil("client"), "b": evil("----seed0"), "c": 1});
            let (body, content_type) = encode(&Value::from(&values), &given, "seed").unwrap();
            assert_eq!(content_type, format!("multipart/form-data; boundary={found}"));
            let decoded = decode(&body, None, Some(&content_type), 100).unwrap().to_json();
            assert_eq!(decoded, json!({"a": evil("client"), "b": evil("----seed0"), "c": "1"}));
        }
    }
}
