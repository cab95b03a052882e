//! Members that stand for others: `url` of a service, and what `algorithm` and `hash_on` of an
//! upstream do to each other.

use serde_json::{Map, Value};

use super::field::Shorthand;

pub(crate) fn find(name: &str) -> Option<Shorthand> {
    match name {
        "service_url" => Some(service_url),
        "upstream_algorithm" => Some(upstream_algorithm),
        _ => None,
    }
}

/// `url` becomes protocol, host, port and path, and wins over any of them given beside it. What it
/// lacks or spells wrongly shows when those fields are checked.
fn service_url(members: &mut Map<String, Value>) {
    let Some(Value::String(url)) = members.get("url") else {
        // Anything but text is left for the "unknown field" error, null for nothing at all.
        if members.get("url").is_some_and(Value::is_null) {
            members.shift_remove("url");
        }
        return;
    };
    let url = url.clone();
    members.shift_remove("url");
    let (scheme, rest) = match url.split_once("://") {
        Some((scheme, rest)) => (Some(scheme), rest),
        None => (None, url.strip_prefix("//").unwrap_or("")),
    };
    let (authority, path) = split_before(rest, ['/', '?', '#']);
    let (path, _) = split_before(path, ['?', '#', ';']);
    let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let (host, port) = split_port(authority);

    let protocol = scheme.unwrap_or(match port {
        Some("443") => "https",
        _ => "http",
    });
    let default_port = if protocol == "https" { 443 } else { 80 };
    let port = port.map_or(Value::from(default_port), |text| {
        text.parse::<u64>().map_or_else(|_| Value::from(text), Value::from)
    });
    members.insert("protocol".to_owned(), protocol.into());
    members.insert("host".to_owned(), non_empty(host));
    members.insert("port".to_owned(), port);
    members.insert("path".to_owned(), non_empty(path));
}

fn split_before<const N: usize>(text: &str, stops: [char; N]) -> (&str, &str) {
    text.split_at(text.find(stops).unwrap_or(text.len()))
}

/// An IPv6 host loses its brackets.
fn split_port(authority: &str) -> (&str, Option<&str>) {
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port).filter(|port| !port.is_empty())),
        _ => (authority, None),
    };
    (host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host), port)
}

fn non_empty(text: &str) -> Value {
    if text.is_empty() { Value::Null } else { text.into() }
}

fn upstream_algorithm(members: &mut Map<String, Value>) {
    let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
    if ["least-connections", "latency"]
        .contains(&text(members.get("algorithm")).as_deref().unwrap_or_default())
    {
        members.insert("hash_on".to_owned(), Value::Null);
    }
    match members.get("hash_on") {
        Some(Value::Null) => {
            members.insert("hash_on".to_owned(), "none".into());
        }
        Some(Value::String(on)) => {
            let algorithm = if on == "none" { "round-robin" } else { "consistent-hashing" };
            members.insert("algorithm".to_owned(), algorithm.into());
        }
        _ => {}
    }
}
