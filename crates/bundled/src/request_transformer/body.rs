//! Changes of a request's body: JSON, a form, or one of several parts.

use polygate_chain::Exchange;
use polygate_chain::Value;
use polygate_chain::pdk::payload::{content_of_part, from_raw_parts, raw_parts, simple_part};
use polygate_chain::pdk::{query, service_request};
use serde_json::{Map, Value as Json};

use crate::plugin::Outcome;
use crate::transform::{Changes, Pair};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Json,
    Form,
    Parts,
}

impl Kind {
    pub fn of(exchange: &Exchange) -> Option<Self> {
        let kind = exchange.request.headers.text("Content-Type")?.to_ascii_lowercase();
        [
            ("application/json", Self::Json),
            ("application/x-www-form-urlencoded", Self::Form),
            ("multipart/form-data", Self::Parts),
        ]
        .into_iter()
        .find_map(|(name, found)| kind.contains(name).then_some(found))
    }
}

/// Arguments as members: text, true, or a list.
pub fn members(arguments: &Value) -> Map<String, Json> {
    match arguments.to_json() {
        Json::Object(members) => members,
        _ => Map::new(),
    }
}

/// The members of a form.
pub fn form(exchange: &Exchange) -> Option<Map<String, Json>> {
    let body = exchange.request_body.held()?.bytes().ok()?;
    Some(members(&query::to_table(&body, exchange.session.environment.limits.post_args)))
}

/// What is of no kind that has members, or is not what it says, stays as it is.
pub fn change(exchange: &mut Exchange, changes: Changes<'_>) -> Outcome {
    let Some(body) = exchange.request_body.held().and_then(|body| body.bytes().ok()) else { return Ok(()) };
    let changed = match Kind::of(exchange) {
        Some(Kind::Json) => json(&body, changes),
        Some(Kind::Form) => match form(exchange) {
            Some(mut members) => {
                changes.apply(&mut members);
                Some(query::encode(&Value::from(&Json::Object(members)))?.into_bytes())
            }
            None => None,
        },
        Some(Kind::Parts) => {
            let kind = exchange.request.headers.text("Content-Type").unwrap_or_default();
            parts(&body, kind, &changes)
        }
        None => None,
    };
    if let Some(changed) = changed {
        service_request::set_raw_body(exchange, &changed.into());
    }
    Ok(())
}

fn json(body: &[u8], changes: Changes<'_>) -> Option<Vec<u8>> {
    let mut members = match body {
        b"" => Map::new(),
        body => match serde_json::from_slice(body).ok()? {
            Json::Object(members) => members,
            _ => return None,
        },
    };
    changes.apply(&mut members);
    Some(Json::Object(members).to_string().into_bytes())
}

/// Parts that are not changed keep what they say of themselves. There is no appending to a part, as in the reference.
fn parts(body: &[u8], content_type: &str, changes: &Changes<'_>) -> Option<Vec<u8>> {
    let parts = raw_parts(body, content_type)?;
    let mut parts: Vec<(String, Vec<u8>)> = parts
        .into_iter()
        .map(|(name, raw)| (name.map(|name| name.to_text()).unwrap_or_default(), raw.to_vec()))
        .collect();
    parts.retain(|(name, _)| !changes.remove.contains(name));
    for Pair { name, value: new } in changes.rename {
        if let Some(raw) = take(&mut parts, name) {
            take(&mut parts, new);
            parts.push((new.clone(), simple_part(new, &content_of_part(&raw))));
        }
    }
    let text = |value: &Json| value.as_str().unwrap_or_default().as_bytes().to_vec();
    for (name, value) in &changes.replace {
        if take(&mut parts, name).is_some() {
            parts.push(((*name).to_owned(), simple_part(name, &text(value))));
        }
    }
    for (name, value) in &changes.add {
        if !parts.iter().any(|(other, _)| other == name) {
            parts.push(((*name).to_owned(), simple_part(name, &text(value))));
        }
    }
    let raw: Vec<_> = parts.iter().map(|(_, raw)| raw.as_slice()).collect();
    Some(from_raw_parts(&raw, content_type))
}

/// All parts of this name; the last one is the answer.
fn take(parts: &mut Vec<(String, Vec<u8>)>, name: &str) -> Option<Vec<u8>> {
    let mut taken = None;
    while let Some(at) = parts.iter().position(|(other, _)| other == name) {
        taken = Some(parts.remove(at).1);
    }
    taken
}
