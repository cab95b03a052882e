use serde_json::json;

use super::*;

const GO: &str = r#"{"Protocol":"ProtoBuf:1","SocketPath":"/usr/local/kong/go-hello.socket","Plugins":[{"Name":"go-hello","Phases":["access"],"Version":"0.2","Priority":1,"Schema":{"name":"go-hello","fields":[{"config":{"fields":[{"message":{"type":"string"}}],"type":"record"}}]}}]}
"#;
const JS: &str = r#"[{"Name":"js-hello","Version":"0.1.0","Phases":["access"],"Priority":0,"Schema":{"name":"js-hello","fields":[{"config":{"type":"record","fields":[{"message":{"type":"string"}}]}}]}}]
"#;
const PYTHON: &str = r#"[{"Name": "py-hello", "Phases": ["access"], "Priority": 0, "Version": "0.1.0", "Schema": {"name": "py-hello", "fields": [{"config": {"type": "record", "fields": [{"message": {"type": "string"}}]}}]}}]"#;

fn parse(text: &str) -> Dump {
    parse_dump(text.as_bytes()).expect("is a dump")
}

#[test]
fn the_published_servers_dumps() {
    let go = parse(GO);
    assert_eq!((go.protocol, go.plugins[0].priority), (Protocol::ProtoBuf, 1));
    assert_eq!(go.plugins[0].version.as_deref(), Some("0.2"));
    for (text, name) in [(JS, "js-hello"), (PYTHON, "py-hello")] {
        let dump = parse(text);
        assert_eq!(dump.protocol, Protocol::MsgPack);
        assert_eq!(
            (dump.plugins[0].name.as_str(), dump.plugins[0].phases.as_slice()),
            (name, &["access".to_owned()][..])
        );
        assert_eq!(dump.warnings, Vec::<String>::new());
    }
}

#[test]
fn the_dump_is_found_behind_log_lines() {
    let python = format!("WARN - [11:30:17] cannot load x: [errno 2]\n{PYTHON}");
    let js = format!(
        "\x1b[2K\x1b[1G\x1b[33mwarn\x1b[39m [x.js] failed\r\n[1, 2]\n{{\"a\": 1}}\n\x1b[1G{JS}\nbye\n"
    );
    let pretty =
        format!("[starting]\n{}\n", serde_json::to_string_pretty(&json!([{"Name": "p"}])).expect("prints"));
    for (text, name) in [(python, "py-hello"), (js, "js-hello"), (pretty, "p")] {
        assert_eq!(parse(&text).plugins[0].name, name, "in {text}");
    }
}

#[test]
fn an_output_without_a_dump_is_quoted() {
    let error = parse_dump(b"Traceback (most recent call last)\n").expect_err("is no dump");
    assert_eq!(error.to_string(), "no plugin information in the output: Traceback (most recent call last)");
    assert_eq!(parse_dump(b" \n"), Err(DumpError::NotFound("(nothing)".into())));
    let error = parse_dump(br#"{"Protocol":"Smoke:2","Plugins":[]}"#).expect_err("is unknown");
    assert_eq!(error.to_string(), "unknown protocol implementation: Smoke:2");
}

#[test]
fn blank_entries_are_skipped() {
    let text = json!([
        {"Name": "", "Phases": null, "Version": "", "Priority": 0, "Schema": null},
        {"Name": "good", "Phases": ["log"], "Version": "1.0.0", "Priority": 7, "Schema": null},
    ]);
    let dump = parse(&text.to_string());
    let names: Vec<_> = dump.plugins.iter().map(|plugin| plugin.name.as_str()).collect();
    assert_eq!((names, dump.refused.len()), (vec!["good"], 0));
    assert_eq!(dump.plugins[0].schema, json!({"name": "good", "fields": []}));
}

#[test]
fn versions_and_priorities_are_checked() {
    let entry = |version: Json, priority: Json| {
        let text = json!([{"Name": "x", "Phases": ["access"], "Version": version, "Priority": priority}]);
        parse(&text.to_string())
    };
    for version in ["0.1", "1.0.0", "v2.3.4-beta.1", "7"] {
        let dump = entry(json!(version), json!(5.0));
        assert_eq!(dump.plugins[0].version.as_deref(), Some(version));
        assert_eq!((dump.plugins[0].priority, dump.warnings.len()), (5, 0));
    }
    for missing in [json!(null), json!(""), json!(" ")] {
        assert_eq!(entry(missing, json!(1)).warnings, ["plugin \"x\" has no version"]);
    }
    let dump = entry(json!("1.2.3.4"), json!(1));
    assert!(dump.plugins.is_empty());
    assert_eq!(
        dump.refused[0].why,
        "Plugin \"x\" cannot be loaded because its VERSION field does not follow the \"x.y.z\" format, got: \"1.2.3.4\""
    );
    let dump = entry(json!("1.0"), json!(1.5));
    assert_eq!(
        dump.refused[0].why,
        "Plugin \"x\" cannot be loaded because its PRIORITY field is not a valid integer number, got: \"1.5\""
    );
}

#[test]
fn a_single_plugin_comes_as_messagepack() {
    let entry = |name: &str| {
        let entry = json!({"Name": name, "Phases": ["access"], "Priority": 3, "Version": "0.1"});
        let mut out = BytesMut::new();
        msgpack::write::value(&mut out, &Value::from(&entry));
        out
    };
    let dump = parse_single_dump(&entry("legacy")).expect("is a dump");
    assert_eq!((dump.plugins[0].name.as_str(), dump.plugins[0].priority), ("legacy", 3));
    assert_eq!(parse_single_dump(&entry("")), Err(DumpError::NoSuchPlugin));
    assert!(matches!(parse_single_dump(b"Usage: ..."), Err(DumpError::NotFound(_))));
}

#[test]
fn tag_options_are_cut_off_field_names() {
    let fields = json!([
        {"path,omitempty": {"type": "string"}},
        {"-": {"type": "string"}},
        {"list": {"type": "array", "elements": {"type": "record", "fields": [{"a,string": {"type": "integer"}}]}}},
    ]);
    let schema = json!({"name": "x", "fields": [{"config": {"type": "record", "fields": fields}}]});
    let dump =
        parse(&json!([{"Name": "x", "Phases": ["log"], "Version": "1", "Schema": schema}]).to_string());
    let cleaned = json!([
        {"path": {"type": "string"}},
        {"list": {"type": "array", "elements": {"type": "record", "fields": [{"a": {"type": "integer"}}]}}},
    ]);
    assert_eq!(dump.plugins[0].schema["fields"][0]["config"]["fields"], cleaned);
}
