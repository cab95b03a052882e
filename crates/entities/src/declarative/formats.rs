//! Older formats, brought up to 3.0.
//!
//! Before 3.0 a route path was a regular expression when it looked like one, and percent triplets
//! in it were decoded; since then a regex path says so with a leading `~`.

use polygate_model::path::{normalize, triplet};
use serde_json::{Map, Value};

/// What is wrong with `_format_version`.
pub(super) fn problem(version: &Value) -> Option<&'static str> {
    match version {
        Value::String(version) if ["1.1", "2.1", "3.0"].contains(&version.as_str()) => None,
        Value::String(_) => Some("expected one of: 1.1, 2.1, 3.0"),
        Value::Null => Some("required field missing"),
        _ => Some("expected a string"),
    }
}

/// Rewrites the paths of routes, at the top level and inside services, of a 1.1 or 2.1 document.
pub(super) fn migrate(document: &mut Map<String, Value>) {
    let version = document.get("_format_version").and_then(Value::as_str);
    if !version.is_some_and(|version| ["1.1", "2.1"].contains(&version)) {
        return;
    }
    migrate_routes(document);
    for service in document.get_mut("services").and_then(Value::as_array_mut).into_iter().flatten() {
        service.as_object_mut().map(migrate_routes);
    }
}

fn migrate_routes(parent: &mut Map<String, Value>) {
    for route in parent.get_mut("routes").and_then(Value::as_array_mut).into_iter().flatten() {
        for path in route.get_mut("paths").and_then(Value::as_array_mut).into_iter().flatten() {
            if let Value::String(text) = path {
                *text = migrate_path(text);
            }
        }
    }
}

fn migrate_path(path: &str) -> String {
    let is_plain = path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_~/%".contains(&byte));
    if is_plain { normalize(path).into_owned() } else { format!("~{}", decoded_into_regex(path)) }
}

/// With the triplets decoded; text that would be no UTF-8 then stays as it is.
fn decoded_into_regex(path: &str) -> String {
    let mut out = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        match triplet(tail).filter(|_| first == b'%') {
            Some(byte) => {
                rest = &tail[2..];
                push_for_regex(&mut out, byte);
            }
            None => out.push(first),
        }
    }
    String::from_utf8(out).unwrap_or_else(|_| path.to_owned())
}

/// Reserved characters stay encoded; what would mean something to a regex is escaped.
fn push_for_regex(out: &mut Vec<u8>, byte: u8) {
    match byte {
        b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b'/' | b':' | b';'
        | b'=' | b'?' | b'@' | b'[' | b']' => out.extend(format!("%{byte:02X}").bytes()),
        b'.' | b'^' | b'-' | b'{' | b'}' | b'\\' | b'|' => out.extend([b'\\', byte]),
        byte => out.push(byte),
    }
}

#[cfg(test)]
mod tests {
    use super::migrate_path;

    #[test]
    fn tells_regex_paths_by_their_characters() {
        let rows = [
            ("/plain", "/plain"),
            ("/a//b/../c", "/a/c"),
            ("/%61%2f", "/a%2F"),
            ("/users/(\\d+)$", "~/users/(\\d+)$"),
            ("/a+b", "~/a+b"),
            ("/[a-z]%2e%2a%7B%20", "~/[a-z]\\.%2A\\{ "),
        ];
        for (path, expected) in rows {
            assert_eq!(migrate_path(path), expected, "{path}");
        }
    }
}
