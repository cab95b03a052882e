//! What the formats have in common: lines, decisions and baggage.

use bytes::Bytes;
use polygate_chain::pdk::query;
use polygate_http1::Headers;

use super::context::Outgoing;

/// The one line of that name; `None` as well where it is no text or one of several.
pub fn only_line<'a>(headers: &'a Headers, name: &str) -> Option<&'a str> {
    let mut lines = headers.get_all(name);
    match (lines.next(), lines.next()) {
        (Some(line), None) => str::from_utf8(line).ok(),
        _ => None,
    }
}

/// `1` or `true`, `0` or `false`.
pub fn decision(text: &str) -> Option<bool> {
    match text {
        "1" | "true" => Some(true),
        "0" | "false" => Some(false),
        _ => None,
    }
}

/// Headers whose names begin with `prefix`, in lower case.
pub fn baggage(headers: &Headers, prefix: &str) -> Vec<(String, Bytes)> {
    let items = headers.iter().filter_map(|(name, value)| {
        let name = name.to_ascii_lowercase();
        Some((name.strip_prefix(prefix)?.to_owned(), query::unescape(value, true).into_owned().into()))
    });
    items.collect()
}

pub fn inject_baggage(trace: &Outgoing, prefix: &str, headers: &mut Headers) {
    for (name, value) in &trace.baggage {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        headers.insert(format!("{prefix}{name}"), query::percent_encode_bytes(value, is_plain));
    }
}
