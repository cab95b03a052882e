//! What a plugin server prints of itself: its plugins, their schemas, and configurations under them.

use polygate_model::schema::Schema;
use polygate_plugin_proto::dump::{Dump, parse_dump, parse_single_dump, strip_ansi};
use serde_json::Value;

/// The output of a query command; behind a NUL, if there is one, configurations as JSON, one per line.
pub fn dump(data: &[u8]) {
    let mut parts = data.splitn(2, |&byte| byte == 0);
    let output = parts.next().unwrap_or_default();
    let configurations: Vec<Value> = parts
        .next()
        .unwrap_or(b"{}")
        .split(|&byte| byte == b'\n')
        .filter_map(|line| serde_json::from_slice(line).ok())
        .collect();
    let plain = String::from_utf8_lossy(output);
    let plain = strip_ansi(&plain);
    assert!(!plain.contains(['\x1b', '\r']), "control sequences are left: {plain:?}");

    if let Ok(dump) = parse_single_dump(output) {
        check(&dump, &configurations);
    }
    if let Ok(dump) = parse_dump(output) {
        check(&dump, &configurations);
        if !plain.contains('\n') {
            let logged = [b"2026/01/01 00:00:00 starting\n", output].concat();
            assert_eq!(parse_dump(&logged), Ok(dump), "a line of log in front changes nothing");
        }
    }
}

fn check(dump: &Dump, configurations: &[Value]) {
    for plugin in &dump.plugins {
        assert!(!plugin.name.trim().is_empty(), "a plugin has a name: {plugin:?}");
        match Schema::parse(&plugin.schema) {
            Ok(schema) => configurations.iter().for_each(|given| configure(&schema, given)),
            Err(problems) => assert!(!problems.to_string().is_empty(), "a refusal says why"),
        }
    }
    for refused in &dump.refused {
        assert!(!refused.name.is_empty() && !refused.why.is_empty(), "a refusal says why: {refused:?}");
    }
}

/// A completed configuration is complete: the checks take it and change nothing.
fn configure(schema: &Schema, given: &Value) {
    match schema.config(given.clone()) {
        Ok(config) => {
            let again = schema.config(Value::Object(config.clone()));
            assert_eq!(again, Ok(config), "of {given}");
        }
        Err(errors) => assert!(!errors.to_string().is_empty(), "an error says what is wrong"),
    }
}
