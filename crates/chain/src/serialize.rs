//! The log record: what `kong.log.serialize` answers and what log plugins send away.
//!
//! Field names and units are Kong's, so that dashboards and parsers built on them go on working. What plugins change in
//! it is changed in a tree of values; as long as none does, the text is written without one.

mod shape;
#[cfg(test)]
mod tests;

use bytes::Bytes;
use polygate_telemetry::log;
use serde::Serialize;
use serde_json::{Map, Value as Json, json};

use self::shape::Record;
use crate::session::{LogEdit, LogEditMode, Tls};
use crate::{Exchange, Phase, Session};

/// The record of the request as it stands, with the plugins' edits applied: JSON.
pub fn record(exchange: &Exchange) -> String {
    text(&Record::of_request(exchange), &exchange.session.log_edits)
}

/// [`record`] of a stream.
pub fn record_of_session(session: &Session) -> String {
    text(&Record::of_stream(session), &session.log_edits)
}

fn text(record: &impl Serialize, edits: &[LogEdit]) -> String {
    // Its keys are strings, so that there are no errors.
    if edits.is_empty() {
        return serde_json::to_string(record).unwrap_or_default();
    }
    let mut members = match serde_json::to_value(record) {
        Ok(Json::Object(members)) => members,
        _ => Map::new(),
    };
    for edit in edits {
        apply(&mut members, edit);
    }
    Json::Object(members).to_string()
}

/// One status per try, as `502, 200`; empty if nothing was tried.
pub(crate) fn upstream_status(exchange: &Exchange) -> String {
    let failed = exchange.session.tries.iter().filter_map(|attempt| Some(attempt.failure?.1));
    let answered = exchange.service_response.as_ref().map(|response| response.status);
    failed.chain(answered).map(|status| status.to_string()).collect::<Vec<_>>().join(", ")
}

/// Path and query as sent upstream, or as they were to be sent; empty before routing. The query is added when the access
/// phase has ended, as in the reference.
pub(crate) fn upstream_uri(exchange: &Exchange) -> Bytes {
    let query = exchange.request.query.as_ref().filter(|_| exchange.session.phase > Phase::Access);
    match (&exchange.session.upstream.sent, &exchange.session.upstream.path, query) {
        (Some(sent), ..) => sent.uri.clone(),
        (None, Some(path), Some(query)) => [path.as_bytes(), b"?", query].concat().into(),
        (None, Some(path), None) => path.clone().into(),
        (None, None, _) => Bytes::new(),
    }
}

/// What was found about the client's certificate, unless a plugin said otherwise. The gateway asks for one when a plugin
/// wants it, and leaves it to plugins whom to believe; the text is the reference's then.
pub(crate) fn client_verify<'a>(session: &'a Session, tls: &Tls) -> &'a str {
    let found =
        if tls.client_chain.is_some() { "FAILED:unable to verify the first certificate" } else { "NONE" };
    session.client_verify.as_deref().unwrap_or(found)
}

/// The first certificate of a chain in PEM.
pub(crate) fn leaf_certificate(chain: &str) -> Option<&str> {
    const END: &str = "-----END CERTIFICATE-----\n";
    chain.find(END).map(|at| &chain[..at + END.len()])
}

/// An edit whose path leads through something that is no object is left out, with a line in the log.
fn apply(record: &mut Map<String, Json>, edit: &LogEdit) {
    if try_apply(record, edit).is_none() {
        log!(Warn, "[kong] no object on the way to the log value '{}': not set", edit.key);
    }
}

fn try_apply(record: &mut Map<String, Json>, edit: &LogEdit) -> Option<()> {
    let mut names = split_key(&edit.key);
    let last = names.pop()?;
    let creates = !edit.value.is_nil() && edit.mode != LogEditMode::Replace;
    let mut object = record;
    for name in names {
        if !creates && !object.contains_key(&name) {
            return Some(());
        }
        object = object.entry(name).or_insert_with(|| json!({})).as_object_mut()?;
    }
    let is_wanted = match edit.mode {
        LogEditMode::Set => true,
        LogEditMode::Add => !object.contains_key(&last),
        LogEditMode::Replace => object.contains_key(&last),
    };
    if is_wanted && edit.value.is_nil() {
        object.shift_remove(&last);
    } else if is_wanted {
        object.insert(last, edit.value.to_json());
    }
    Some(())
}

/// The names between the dots; `\.` is a dot that belongs to a name.
fn split_key(key: &str) -> Vec<String> {
    let mut names = vec![String::new()];
    let mut letters = key.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '.' => names.push(String::new()),
            '\\' if letters.next_if_eq(&'.').is_some() => names.last_mut().expect("never empty").push('.'),
            _ => names.last_mut().expect("never empty").push(letter),
        }
    }
    names
}
