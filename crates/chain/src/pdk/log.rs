//! `kong.log`: lines of the error log, and the record that log plugins send away.

use std::fmt::Write;

use polygate_telemetry::log::{self, Level};

use crate::context::{LogEdit, LogEditMode};
use crate::pdk::{PdkError, PdkResult, args};
use crate::{Exchange, Value, serialize};

pub fn emerg(context: &mut Exchange, args: &[Value]) -> PdkResult {
    line(context, Level::Emerg, args)
}

pub fn alert(context: &mut Exchange, args: &[Value]) -> PdkResult {
    line(context, Level::Alert, args)
}

pub fn crit(context: &mut Exchange, args: &[Value]) -> PdkResult {
    line(context, Level::Crit, args)
}

pub fn err(context: &mut Exchange, args: &[Value]) -> PdkResult {
    line(context, Level::Error, args)
}

pub fn warn(context: &mut Exchange, args: &[Value]) -> PdkResult {
    line(context, Level::Warn, args)
}

pub fn notice(context: &mut Exchange, args: &[Value]) -> PdkResult {
    line(context, Level::Notice, args)
}

pub fn info(context: &mut Exchange, args: &[Value]) -> PdkResult {
    line(context, Level::Info, args)
}

pub fn debug(context: &mut Exchange, args: &[Value]) -> PdkResult {
    line(context, Level::Debug, args)
}

/// The values with blanks between them, strings in quotes.
pub fn inspect(context: &mut Exchange, args: &[Value]) -> PdkResult {
    let shown: Vec<String> = args.iter().map(inspected).collect();
    line(context, Level::Notice, &[shown.join(" ").into()])
}

/// A warning; a last table `{after, removal}` says since when and until when.
pub fn deprecation(context: &mut Exchange, args: &[Value]) -> PdkResult {
    let (args, schedule) = match args {
        [args @ .., schedule @ Value::Map(_)] => (args, schedule),
        _ => (args, &Value::Nil),
    };
    let mut parts = Vec::new();
    for (member, words) in [("after", "deprecated after"), ("removal", "scheduled for removal in")] {
        if !schedule.get(member).is_nil() {
            parts.push(format!("{words} {}", text(schedule.get(member))));
        }
    }
    let mut message: String = args.iter().map(text).collect();
    if !parts.is_empty() {
        let _ = write!(message, " ({})", parts.join(", "));
    }
    line(context, Level::Warn, &[message.into()])
}

/// How many objects of the record one key may walk through. Each of them is a level of nesting, and a
/// record that is nested without end overflows the stack of whoever builds, writes or reads it.
const KEY_DOTS: usize = 100;

/// JSON text: see [`serialize::record`].
pub fn serialize(context: &mut Exchange, _args: &[Value]) -> PdkResult {
    let record = serialize::record(context);
    Ok(record.to_string().into())
}

/// Changes the record when it is built: `key`, `value`, `{mode = set, add or replace}`.
pub fn set_serialize_value(context: &mut Exchange, args: &[Value]) -> PdkResult {
    let key = args::text(args, 0, "key")?.to_owned();
    let dots = key.matches('.').count();
    if dots > KEY_DOTS {
        return Err(PdkError::thrown(format!("key must have at most {KEY_DOTS} dots: given {dots}")));
    }
    let options = args::at(args, 2);
    if !options.is_nil() && args::table(options).is_none() {
        return Err(args::wrong_type("options", "a table"));
    }
    let mode = options.get("mode");
    let mode = match mode.as_str() {
        Some("set") => LogEditMode::Set,
        Some("add") => LogEditMode::Add,
        Some("replace") => LogEditMode::Replace,
        None if mode.is_nil() => LogEditMode::Set,
        _ => {
            let given = text(mode);
            return Err(PdkError::thrown(format!("mode must be 'set', 'add' or 'replace': given {given}")));
        }
    };
    context.session.log_edits.push(LogEdit { key, value: args::at(args, 1).clone(), mode });
    Ok(Value::Nil)
}
/// A value as log lines show it; tables as JSON.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::Nil => "nil".to_owned(),
        Value::Bool(flag) => flag.to_string(),
        Value::Int(integer) => integer.to_string(),
        Value::Float(float) => polygate_value::number(*float),
        Value::Str(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Value::List(_) | Value::Map(_) => value.to_json().to_string(),
    }
}

fn inspected(value: &Value) -> String {
    match value {
        Value::Str(_) => value.to_json().to_string(),
        _ => text(value),
    }
}

fn line(context: &Exchange, level: Level, values: &[Value]) -> PdkResult {
    if log::enabled(level) {
        let message: String = values.iter().map(text).collect();
        log::write(level, format_args!("{}", tagged(context, &message)));
    }
    Ok(Value::Nil)
}

/// The text of a line with what tells its plugin and its request.
pub(crate) fn tagged(context: &Exchange, message: &str) -> String {
    let plugin =
        context.session.plugin.as_ref().map(|plugin| format!("[{}] ", plugin.name)).unwrap_or_default();
    let client = context.session.client.ip().to_canonical();
    format!("[kong] {plugin}{message}, client: {client}, request_id: \"{}\"", context.session.id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pdk::fixture::{self, thrown};
    use serde_json::json;

    #[test]
    fn values_are_shown() {
        for (value, expected) in [
            (json!("a\"b"), "a\"b"),
            (json!(null), "nil"),
            (json!(true), "true"),
            (json!(7), "7"),
            (json!({"a": [1, "x"]}), "{\"a\":[1,\"x\"]}"),
        ] {
            assert_eq!(text(&Value::from(&value)), expected);
        }
        assert_eq!(inspected(&Value::from("a")), "\"a\"");
    }

    #[test]
    fn lines_name_plugin_client_and_request() {
        let context = &mut fixture::routed("/");
        let expected =
            format!("[kong] [sample] hello, client: 203.0.113.9, request_id: \"{}\"", context.session.id);
        assert_eq!(tagged(context, "hello"), expected);
    }

    #[test]
    fn edits_are_kept_in_order() {
        let context = &mut fixture::routed("/");
        set_serialize_value(context, &["a".into(), Value::Int(1)]).unwrap();
        set_serialize_value(context, &["b".into(), Value::Nil, Value::from(&json!({"mode": "add"}))])
            .unwrap();
        let modes: Vec<_> =
            context.session.log_edits.iter().map(|edit| (edit.key.as_str(), edit.mode)).collect();
        assert_eq!(modes, [("a", LogEditMode::Set), ("b", LogEditMode::Add)]);
        let wrong = [Value::from("c"), Value::Nil, Value::from(&json!({"mode": "put"}))];
        let error = "mode must be 'set', 'add' or 'replace': given put";
        assert_eq!(set_serialize_value(context, &wrong), thrown(error));
        assert_eq!(set_serialize_value(context, &[]), thrown("key must be a string"));
        let deep = ["a.".repeat(200_000).into(), Value::Int(1)];
        assert_eq!(
            set_serialize_value(context, &deep),
            thrown("key must have at most 100 dots: given 200000")
        );
    }
}
