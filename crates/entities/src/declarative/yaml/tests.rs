use serde_json::{Value, json};

use super::parse;

fn check(text: &str, expected: &Value) {
    assert_eq!(parse(text).as_ref(), Ok(expected), "{text}");
}

#[test]
fn reads_documents() {
    check("", &Value::Null);
    check("---\na: 1\n...\n", &json!({"a": 1}));
    check("{\"a\": [1, \"b\", null, {}]}", &json!({"a": [1, "b", null, {}]}));
    check("a: 'yes'\nb: \"0777\"\nc: |\n  on\n", &json!({"a": "yes", "b": "0777", "c": "on\n"}));
    check("on: 1\n200: ok\n~: null\n", &json!({"on": 1, "200": "ok", "~": null}));
    check("a: !!str 5\nb: ! 5\nc: !!int 5\n", &json!({"a": "5", "b": "5", "c": 5}));
}

#[test]
fn follows_anchors_and_merge_keys() {
    check("a: &x [1, 2]\nb: *x\n", &json!({"a": [1, 2], "b": [1, 2]}));
    check(
        "base: &base {a: 1, b: 2}\nmore: &more {b: 3, c: 4}\nall:\n  b: 5\n  <<: [*base, *more]\n",
        &json!({"base": {"a": 1, "b": 2}, "more": {"b": 3, "c": 4}, "all": {"b": 5, "a": 1, "c": 4}}),
    );
    check("'<<': 1\n", &json!({"<<": 1}));
}

#[test]
fn says_where_the_text_is_broken() {
    let rows = [
        ("a: 1\nb: 2\na: 3\n", "duplicate key 'a' at line 3, column 1"),
        ("a: {b: 1, b: 2}", "duplicate key 'b' at line 1, column 11"),
        ("a: &x [*x]", "an alias cannot stand inside the value it refers to at line 1, column 8"),
        ("? [a]\n: b\n", "a key must be a scalar at line 1, column 3"),
        ("a: 1\n---\nb: 2\n", "only one document is allowed at line 2, column 1"),
        ("<<: 5\n", "a merge key takes a mapping or a list of mappings at line 1, column 5"),
        ("a: .inf", "a number without a finite value is not allowed: .inf at line 1, column 4"),
        ("a: !secret b", "unknown tag '!secret' at line 1, column 4"),
    ];
    for (text, expected) in rows {
        assert_eq!(parse(text).unwrap_err().to_string(), expected, "{text}");
    }
    for (text, line) in [("a: [1\n", 2), ("a:\n\t- b\n", 2), ("a: 'b\n", 1), ("a: *x\n", 1), ("a: b: c\n", 1)]
    {
        assert_eq!(parse(text).unwrap_err().line, line, "{text}");
    }
}

#[test]
fn bounds_depth_and_aliases() {
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    assert_eq!(parse(&deep).unwrap_err().message, "nested too deeply");

    let mut laughs = "a0: &a0 [1,1,1,1,1,1,1,1,1,1]\n".to_owned();
    for level in 1..10 {
        let below = format!("*a{},", level - 1).repeat(10);
        laughs.push_str(&format!("a{level}: &a{level} [{below}]\n"));
    }
    assert_eq!(parse(&laughs).unwrap_err().message, "aliases add too many values");

    let long = format!("a: &a {}\nb: [{}]\n", "x".repeat(200_000), "*a,".repeat(400));
    assert_eq!(parse(&long).unwrap_err().message, "aliases add too many values");
}
