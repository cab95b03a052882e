//! `kong.log`: lines of the error log, and the record that log plugins send away.

use std::fmt::Write;

use bytes::Bytes;
use polygate_telemetry::log::{self, Level};

use crate::pdk::PdkError;
use crate::session::{LogEdit, LogEditMode};
use crate::{Exchange, Session, Value, serialize};

pub fn emerg(session: &Session, values: &[Value]) {
    line(session, Level::Emerg, values);
}

pub fn alert(session: &Session, values: &[Value]) {
    line(session, Level::Alert, values);
}

pub fn crit(session: &Session, values: &[Value]) {
    line(session, Level::Crit, values);
}

pub fn err(session: &Session, values: &[Value]) {
    line(session, Level::Error, values);
}

pub fn warn(session: &Session, values: &[Value]) {
    line(session, Level::Warn, values);
}

pub fn notice(session: &Session, values: &[Value]) {
    line(session, Level::Notice, values);
}

pub fn info(session: &Session, values: &[Value]) {
    line(session, Level::Info, values);
}

pub fn debug(session: &Session, values: &[Value]) {
    line(session, Level::Debug, values);
}

/// The values with blanks between them, strings in quotes.
pub fn inspect(session: &Session, values: &[Value]) {
    let shown: Vec<String> = values.iter().map(inspected).collect();
    line(session, Level::Notice, &[shown.join(" ").into()]);
}

/// A warning; a last table `{after, removal}` says since when and until when.
pub fn deprecation(session: &Session, values: &[Value]) {
    let (values, schedule) = match values {
        [values @ .., schedule @ Value::Map(_)] => (values, schedule),
        _ => (values, &Value::Nil),
    };
    let mut parts = Vec::new();
    for (member, words) in [("after", "deprecated after"), ("removal", "scheduled for removal in")] {
        if !schedule.get(member).is_nil() {
            parts.push(format!("{words} {}", schedule.get(member).shown()));
        }
    }
    let mut message: String = values.iter().map(Value::shown).collect();
    if !parts.is_empty() {
        let _ = write!(message, " ({})", parts.join(", "));
    }
    line(session, Level::Warn, &[message.into()]);
}

/// How many objects of the record one key may walk through. Each of them is a level of nesting, and a
/// record that is nested without end overflows the stack of whoever builds, writes or reads it.
const KEY_DOTS: usize = 100;

/// JSON text: see [`serialize::record`].
pub fn serialize(exchange: &Exchange) -> Bytes {
    serialize::record(exchange)
}

/// [`serialize`] of a stream.
pub fn serialize_of_session(session: &Session) -> Bytes {
    serialize::record_of_session(session)
}

/// Changes the record when it is built. `options` may have a `mode`: `set`, `add` or `replace`.
pub fn set_serialize_value(
    session: &mut Session,
    key: &str,
    value: &Value,
    options: Option<&Value>,
) -> Result<(), PdkError> {
    let dots = key.matches('.').count();
    if dots > KEY_DOTS {
        return Err(PdkError::thrown(format!("key must have at most {KEY_DOTS} dots: given {dots}")));
    }
    let mode = options.map_or(&Value::Nil, |options| options.get("mode"));
    let mode = match mode.as_str() {
        Some("set") => LogEditMode::Set,
        Some("add") => LogEditMode::Add,
        Some("replace") => LogEditMode::Replace,
        None if mode.is_nil() => LogEditMode::Set,
        _ => {
            let given = mode.shown();
            return Err(PdkError::thrown(format!("mode must be 'set', 'add' or 'replace': given {given}")));
        }
    };
    session.log_edits.push(LogEdit { key: key.to_owned(), value: value.clone(), mode });
    Ok(())
}

fn inspected(value: &Value) -> String {
    match value {
        Value::Str(_) => value.to_json().to_string(),
        _ => value.shown(),
    }
}

fn line(session: &Session, level: Level, values: &[Value]) {
    if log::enabled(level) {
        let message: String = values.iter().map(Value::shown).collect();
        log::write(level, format_args!("{}", tagged(session, &message)));
    }
}

/// The text of a line with what tells its plugin and its request.
pub(crate) fn tagged(session: &Session, message: &str) -> String {
    let plugin = session.plugin.as_ref().map(|plugin| format!("[{}] ", plugin.name)).unwrap_or_default();
    let client = session.client.ip().to_canonical();
    format!("[kong] {plugin}{message}, client: {client}, request_id: \"{}\"", session.id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pdk::fixture::{self, call, thrown};
    use serde_json::json;

    #[test]
    fn lines_name_plugin_client_and_request() {
        let exchange = &mut fixture::routed("/");
        let expected =
            format!("[kong] [sample] hello, client: 203.0.113.9, request_id: \"{}\"", exchange.session.id);
        assert_eq!(tagged(&exchange.session, "hello"), expected);
    }

    #[test]
    fn edits_are_kept_in_order() {
        let exchange = &mut fixture::routed("/");
        call(exchange, "kong.log.set_serialize_value", &["a".into(), Value::Int(1)]).unwrap();
        call(
            exchange,
            "kong.log.set_serialize_value",
            &["b".into(), Value::Nil, Value::from(&json!({"mode": "add"}))],
        )
        .unwrap();
        let modes: Vec<_> =
            exchange.session.log_edits.iter().map(|edit| (edit.key.as_str(), edit.mode)).collect();
        assert_eq!(modes, [("a", LogEditMode::Set), ("b", LogEditMode::Add)]);
        let wrong = [Value::from("c"), Value::Nil, Value::from(&json!({"mode": "put"}))];
        let error = "mode must be 'set', 'add' or 'replace': given put";
        assert_eq!(call(exchange, "kong.log.set_serialize_value", &wrong), thrown(error));
        assert_eq!(call(exchange, "kong.log.set_serialize_value", &[]), thrown("key must be a string"));
        let deep = ["a.".repeat(200_000).into(), Value::Int(1)];
        assert_eq!(
            call(exchange, "kong.log.set_serialize_value", &deep),
            thrown("key must have at most 100 dots: given 200000")
        );
    }
}
