//! The log record: what `kong.log.serialize` answers and what log plugins send away.
//!
//! Field names and units are Kong's, so that dashboards and parsers built on them go on working. What plugins change in
//! it is changed in a tree of values; as long as none does, the text is written without one.

mod json;
mod shape;
#[cfg(test)]
mod tests;

use bytes::Bytes;
use polygate_telemetry::log;
use serde_json::{Map, Value as Json, json};

use self::json::Object;
use crate::session::{LogEdit, LogEditMode};
use crate::{Exchange, Session};

/// The record of the request as it stands, with the plugins' edits applied: JSON.
pub fn record(exchange: &Exchange) -> Bytes {
    let session = &exchange.session;
    // Each header has its quotes; the target is there in several forms.
    let heads = [&exchange.request.headers, &exchange.response.headers];
    let foreign: usize = heads.map(|head| head.wire_length() + 4 * head.len()).iter().sum();
    let length = usual_length(session) + foreign + 4 * exchange.request.target.len();
    edited(&session.log_edits, length, |record| shape::of_request(record, exchange))
}

/// [`record`] of a stream.
pub fn record_of_session(session: &Session) -> Bytes {
    edited(&session.log_edits, usual_length(session), |record| shape::of_stream(record, session))
}

/// Bytes that hardly any record without headers is longer than: records wait to be sent, and should not hold more memory
/// than they need.
fn usual_length(session: &Session) -> usize {
    let route = session.route().map_or(0, |route| route.json().len());
    1024 + route + session.service().map_or(0, |service| service.json().len())
}

fn edited(edits: &[LogEdit], usual_length: usize, write: impl FnOnce(&mut Object<'_>)) -> Bytes {
    let mut out = Vec::with_capacity(usual_length);
    write(&mut Object::new(&mut out));
    // It cannot be read where a plugin nested something deeper than the parser goes: then it stays as it is.
    if !edits.is_empty()
        && let Ok(mut members) = serde_json::from_slice::<Map<String, Json>>(&out)
    {
        edits.iter().for_each(|edit| apply(&mut members, edit));
        return Json::Object(members).to_string().into();
    }
    out.into()
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
