//! Bodies as tables: forms, JSON and multipart, for `get_body` and `set_body`.

use bytes::Bytes;
use serde_json::Value as Json;

use crate::pdk::{PdkError, PdkResult, args, headers, query};
use crate::{Key, Value};

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";
const MULTIPART: &str = "multipart/form-data";
const DEFAULT_BOUNDARY: &str = "----polygate-form-boundary";

/// The table in `body`. `content_type` is what the caller gave or the message's header says;
/// `header` is looked at for the boundary. A body that cannot be read is `(nil, message)`.
pub fn decode(body: &[u8], content_type: Option<&str>, header: Option<&str>, max_args: usize) -> PdkResult {
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

/// The body for `table`, and the Content-Type that goes with it.
pub fn encode(table: &Value, content_type: &str) -> Result<(Bytes, String), PdkError> {
    let members = args::table(table).ok_or_else(|| args::wrong_type("args", "a table"))?;
    let kind = content_type.to_ascii_lowercase();
    if kind.contains(FORM) {
        Ok((query::encode(table)?.into(), content_type.to_owned()))
    } else if kind.contains(JSON) {
        Ok((table.to_json().to_string().into(), content_type.to_owned()))
    } else if kind.contains(MULTIPART) {
        let boundary = boundary(content_type).unwrap_or(DEFAULT_BOUNDARY);
        let body = multipart(members, boundary)?;
        Ok((body, format!("{MULTIPART}; boundary={boundary}")))
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

/// Name to content of each part; of several parts with one name the last counts.
fn parts(body: &[u8], boundary: &str) -> Value {
    let delimiter = [b"\r\n--", boundary.as_bytes()].concat();
    // The first delimiter may stand at the very start; with a line break before it all look alike.
    let body = [b"\r\n", body].concat();
    let mut members: Vec<(Key, Value)> = Vec::new();
    let mut rest = body.as_slice();
    let Some(start) = find(rest, &delimiter) else { return Value::Map(members) };
    rest = &rest[start + delimiter.len()..];
    while !rest.starts_with(b"--") {
        let Some(end) = find(rest, &delimiter) else { break };
        if let Some((name, content)) = part(&rest[..end]) {
            members.retain(|(key, _)| *key != name);
            members.push((name, content));
        }
        rest = &rest[end + delimiter.len()..];
    }
    Value::Map(members)
}

fn part(text: &[u8]) -> Option<(Key, Value)> {
    let blank_line = find(text, b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&text[..blank_line]);
    let disposition = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.trim().eq_ignore_ascii_case("content-disposition").then_some(value)
    })?;
    let name = disposition.split(';').find_map(|parameter| {
        let (key, value) = parameter.split_once('=')?;
        key.trim().eq_ignore_ascii_case("name").then(|| value.trim().trim_matches('"'))
    })?;
    Some((Key::from(name), Value::str(&text[blank_line + 4..])))
}

fn multipart(members: Vec<(Key, &Value)>, boundary: &str) -> Result<Bytes, PdkError> {
    let mut body = Vec::new();
    for (key, value) in members {
        let name = key.to_text().replace('"', "%22").replace(['\r', '\n'], " ");
        if matches!(value, Value::Nil | Value::List(_) | Value::Map(_)) {
            return Err(PdkError::thrown(format!(
                "invalid value for part \"{name}\": got {}, expected string, number or boolean",
                value.type_name()
            )));
        }
        let head = format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n");
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(&headers::plain(value));
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    Ok(body.into())
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
        for (body, content_type, expected) in [
            ("a=1&b", "application/x-www-form-urlencoded; charset=utf-8", Ok(json!({"a": "1", "b": true}))),
            ("{\"a\":[1,2.5]}", "Application/JSON", Ok(json!({"a": [1, 2.5]}))),
            ("1", "application/json", Err("invalid json body")),
            ("{", "application/json", Err("invalid json body")),
            (form, "multipart/form-data; boundary=\"b\"", Ok(json!({"a": "1\r\n2", "f": ""}))),
            ("--b", "multipart/form-data; boundary=b", Ok(json!({}))),
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
            let (body, content_type) = encode(&table, content_type).unwrap();
            let mut decoded = decode(&body, None, Some(&content_type), 100).unwrap().to_json();
            decoded.sort_all_objects();
            assert_eq!(decoded, json!({"a": "2", "b": "x y"}), "of {content_type}");
        }
        assert_eq!(encode(&table, "x/y"), Err(PdkError::thrown("unsupported content type x/y")));
        assert_eq!(encode(&Value::Nil, JSON), Err(PdkError::thrown("args must be a table")));
    }
}
