mod documents;
mod entities;

use expect_test::expect;
use serde_json::{Value, json};

use super::{FieldErrors, Schema, Step};

fn schema(fields: &Value) -> Schema {
    let document = json!({"name": "test", "fields": [{"config": {"type": "record", "fields": fields}}]});
    Schema::parse(&document).unwrap_or_else(|errors| panic!("{errors}\n{document}"))
}

/// What becomes of one value in one field: the completed value, or its errors.
fn outcome(definition: &Value, given: &Value) -> Result<Value, Value> {
    match schema(&json!([{"f": definition}])).config(json!({"f": given})) {
        Ok(config) => Ok(config["f"].clone()),
        Err(errors) => Err(errors.to_json()["f"].clone()),
    }
}

fn accepts(definition: Value, given: Value, expected: Value) {
    assert_eq!(outcome(&definition, &given), Ok(expected), "{definition} on {given}");
}

fn refuses(definition: Value, given: Value, expected: Value) {
    assert_eq!(outcome(&definition, &given), Err(expected), "{definition} on {given}");
}

#[test]
fn refuses_values_of_another_type() {
    let string = json!({"type": "string"});
    let record = json!({"type": "record", "fields": []});
    let map = json!({"type": "map", "keys": string, "values": string});
    let rows = [
        (string.clone(), json!(5), "expected a string"),
        (json!({"type": "number"}), json!("5"), "expected a number"),
        (json!({"type": "integer"}), json!(5.5), "expected an integer"),
        (json!({"type": "integer"}), json!("5"), "expected an integer"),
        (json!({"type": "boolean"}), json!("true"), "expected a boolean"),
        (json!({"type": "array", "elements": string}), json!("a"), "expected an array"),
        (json!({"type": "array", "elements": string}), json!({"a": 1}), "expected an array"),
        (json!({"type": "set", "elements": string}), json!(5), "expected a set"),
        (map.clone(), json!("a"), "expected a map"),
        (map, json!(["a"]), "expected a map"),
        (record.clone(), json!(true), "expected a record"),
        (record, json!(["a"]), "expected a record"),
        (json!({"type": "foreign", "reference": "services"}), json!("id"), "expected a record"),
    ];
    for (definition, given, expected) in rows {
        refuses(definition, given, json!(expected));
    }
}

#[test]
fn completes_values() {
    let string = json!({"type": "string"});
    let set = json!({"type": "set", "elements": {"type": "integer"}});
    accepts(json!({"type": "integer"}), json!(5.0), json!(5));
    accepts(json!({"type": "number"}), json!(5.5), json!(5.5));
    accepts(set.clone(), json!([3, 1, 3.0, 1]), json!([3, 1]));
    accepts(set, json!({}), json!([]));
    accepts(json!({"type": "map", "keys": string, "values": string}), json!([]), json!({}));
    accepts(json!({"type": "array", "elements": string}), json!(null), json!(null));
    accepts(json!({"type": "string", "default": "x"}), json!(null), json!(null));
    accepts(json!({"type": "string", "len_min": 0}), json!(""), json!(""));
    assert_eq!(outcome(&json!({"type": "integer"}), &json!(5.0)).unwrap().to_string(), "5");
}

#[test]
fn fills_defaults_in_and_expands_records() {
    let schema = schema(&json!([
        {"plain": {"type": "string"}},
        {"with_default": {"type": "integer", "default": 7}},
        {"nested": {"type": "record", "fields": [
            {"inner": {"type": "record", "fields": [{"deep": {"type": "boolean", "default": true}}]}},
        ]}},
        {"optional": {"type": "record", "required": false, "fields": [{"a": {"type": "string", "default": "x"}}]}},
        {"partial": {"type": "record", "default": {"a": 1}, "fields": [
            {"a": {"type": "integer"}}, {"b": {"type": "integer", "default": 2}},
        ]}},
        {"list": {"type": "array", "elements": {"type": "record", "fields": [{"c": {"type": "integer", "default": 3}}]}}},
    ]));
    let config = schema.config(json!({"list": [{}]})).unwrap();
    expect![[r#"{"plain":null,"with_default":7,"nested":{"inner":{"deep":true}},"optional":null,"partial":{"a":1,"b":2},"list":[{"c":3}]}"#]]
        .assert_eq(&Value::Object(config).to_string());
    assert!(schema.config(Value::Null).is_err(), "config is a required record");
}

#[test]
fn draws_automatic_values() {
    let schema = schema(&json!([
        {"id": {"type": "string", "uuid": true, "auto": true}},
        {"key": {"type": "string", "auto": true}},
    ]));
    let (one, other) = (schema.config(json!({})).unwrap(), schema.config(json!({})).unwrap());
    assert_eq!(one["key"].as_str().map(str::len), Some(32));
    assert_eq!(one["id"].as_str().map(str::len), Some(36));
    assert_ne!(one, other);
}

#[test]
fn every_rule_has_its_text() {
    let text = |attribute: &str, value: Value| json!({"type": "string", attribute: value});
    let number = |attribute: &str, value: Value| json!({"type": "number", attribute: value});
    let list = |attribute: &str, value: Value| json!({"type": "array", "elements": {"type": "string"}, attribute: value});
    let map = json!({"type": "map", "keys": {"type": "string"}, "values": {"type": "integer"}, "len_max": 1});
    let rows = [
        (text("required", json!(true)), json!(null), "required field missing"),
        (text("one_of", json!(["a", "b"])), json!("c"), "expected one of: a, b"),
        (number("one_of", json!([1, 2])), json!(3), "expected one of: 1, 2"),
        (text("not_one_of", json!(["a", "b"])), json!("a"), "must not be one of: a, b"),
        (text("eq", json!("x")), json!("y"), "value must be x"),
        (text("eq", json!("x")), json!(null), "value must be x"),
        (text("eq", json!(null)), json!("y"), "value must be null"),
        (json!({"type": "boolean", "eq": true}), json!(false), "value must be true"),
        (text("ne", json!("x")), json!("x"), "value must not be x"),
        (text("ne", json!(null)), json!(null), "value must not be null"),
        (number("between", json!([1, 5])), json!(6), "value should be between 1 and 5"),
        (
            number("between", json!([0.5, 2147483648_u64])),
            json!(0),
            "value should be between 0.5 and 2147483648",
        ),
        (number("gt", json!(3)), json!(3), "value must be greater than 3"),
        (number("timestamp", json!(true)), json!(0), "expected a valid timestamp"),
        (text("required", json!(false)), json!(""), "length must be at least 1"),
        (text("len_eq", json!(3)), json!("ab"), "length must be 3"),
        (text("len_min", json!(3)), json!("\u{e9}"), "length must be at least 3"),
        (text("len_max", json!(3)), json!("abcd"), "length must be at most 3"),
        (list("len_min", json!(1)), json!([]), "length must be at least 1"),
        (list("len_eq", json!(0)), json!(["a"]), "length must be 0"),
        (map, json!({"a": 1, "b": 2}), "length must be at most 1"),
        (text("match", json!("^%d+$")), json!("12a"), "invalid value: 12a"),
        (text("not_match", json!("%s")), json!("a b"), "invalid value: a b"),
        (text("match_all", json!([{"pattern": "^a", "err": "start with a"}])), json!("b"), "start with a"),
        (text("match_all", json!([{"pattern": "^a"}])), json!("b"), "invalid value: b"),
        (
            text("match_none", json!([{"pattern": "//", "err": "no empty segments"}])),
            json!("//"),
            "no empty segments",
        ),
        (text("match_any", json!({"patterns": ["^a", "^b"], "err": "a or b"})), json!("c"), "a or b"),
        (text("match_any", json!({"patterns": ["^a"]})), json!("c"), "invalid value: c"),
        (text("starts_with", json!("/")), json!("a"), "should start with: /"),
        (text("is_regex", json!(true)), json!("[a"), "not a valid regex: [a"),
        (text("uuid", json!(true)), json!("4f3a7c5e00004000800000000000001x"), "expected a valid UUID"),
        (list("contains", json!("x")), json!(["y"]), "expected to contain: x"),
        (
            list("mutually_exclusive_subsets", json!([["a", "b"], ["c"], ["d"]])),
            json!(["x", "c", "a", "b"]),
            "these sets are mutually exclusive: ('c'), ('a', 'b')",
        ),
        (json!({"type": "string", "match": "^a", "err": "my own text"}), json!("b"), "my own text"),
        (json!({"type": "string", "eq": null, "err": "not here"}), json!("b"), "not here"),
    ];
    for (definition, given, expected) in rows {
        refuses(definition, given, json!(expected));
    }
}

#[test]
fn rules_let_good_values_through() {
    let rows = [
        (json!({"type": "number", "between": [1, 5]}), json!(5)),
        (json!({"type": "integer", "one_of": [200, 301]}), json!(301)),
        (json!({"type": "string", "is_regex": true}), json!("^(?=a)a\\d+$")),
        (json!({"type": "string", "is_regex": true}), json!("(a)\\1")),
        (json!({"type": "string", "uuid": true}), json!("4F3A7C5E-0000-4000-8000-000000000001")),
        (json!({"type": "string", "uuid": false}), json!("no uuid")),
        (json!({"type": "string", "match_any": {"patterns": ["^a", "^b"]}}), json!("b")),
        (json!({"type": "array", "elements": {"type": "string"}, "contains": "x"}), json!(["y", "x"])),
        (json!({"type": "string", "eq": null}), json!(null)),
        (json!({"type": "string", "referenceable": true, "one_of": ["a"]}), json!("{vault://env/a}")),
        (
            json!({"type": "json", "json_schema": {"inline": {"type": "object"}}}),
            json!({"any": ["thing", 1]}),
        ),
    ];
    for (definition, given) in rows {
        accepts(definition, given.clone(), given);
    }
}

/// The first of several broken rules speaks, in an order of its own.
#[test]
fn rules_run_in_order() {
    let all = json!({
        "type": "string", "match": "^x", "starts_with": "y", "len_max": 1, "len_min": 5, "one_of": ["q"],
    });
    refuses(all, json!("abc"), json!("expected one of: q"));
    let lengths = json!({"type": "string", "match": "^x", "starts_with": "y", "len_max": 1});
    refuses(lengths.clone(), json!("abc"), json!("length must be at most 1"));
    refuses(lengths.clone(), json!("a"), json!("should start with: y"));
    refuses(lengths, json!(""), json!("length must be at least 1"));
}

#[test]
fn reports_every_field_by_its_place() {
    let schema = schema(&json!([
        {"name": {"type": "string", "required": true}},
        {"ports": {"type": "array", "elements": {"type": "integer"}}},
        {"headers": {"type": "map", "keys": {"type": "string", "match": "^%a+$"}, "values": {"type": "array", "elements": {"type": "string"}}}},
        {"redis": {"type": "record", "fields": [{"tls": {"type": "record", "fields": [{"verify": {"type": "boolean"}}]}}]}},
    ]));
    let errors = schema
        .config(json!({
            "ports": [1, "2", null],
            "headers": {"ok": ["a"], "b4d": ["a"], "worse": [1]},
            "redis": {"tls": {"verify": "no"}},
            "extra": 1,
        }))
        .unwrap_err();
    expect![[r#"{"extra":"unknown field","headers":{"b4d":"invalid value: b4d","worse":["expected a string"]},"name":"required field missing","ports":[null,"expected an integer","required field missing"],"redis":{"tls":{"verify":"expected a boolean"}}}"#]]
        .assert_eq(&errors.to_json().to_string());
    expect![[r#"7 schema violations (extra: unknown field; headers.b4d: invalid value: b4d; headers.worse: {[1]="expected a string"}; name: required field missing; ports.2: expected an integer; ports.3: required field missing; redis.tls: {verify="expected a boolean"})"#]]
        .assert_eq(&errors.to_string());
    expect![[r#"
        in 'extra': unknown field
        in 'headers':
          in 'b4d': invalid value: b4d
          in 'worse':
            - in entry 1 of 'worse': expected a string
        in 'name': required field missing
        in 'ports':
          - in entry 2 of 'ports': expected an integer
          - in entry 3 of 'ports': required field missing
        in 'redis':
          in 'tls':
            in 'verify': expected a boolean"#]]
    .assert_eq(&errors.tree());
    let flat = errors.flatten();
    assert_eq!(flat[2], ("headers.worse[0]".to_owned(), "expected a string"));
    assert_eq!(flat.last(), Some(&("redis.tls.verify".to_owned(), "expected a boolean")));
}

#[test]
fn one_violation_is_counted_as_one() {
    let document = json!({"name": "x", "fields": [{"config": {"type": "record", "fields": [{"minute": {"type": "number"}}]}}]});
    let entity = Schema::parse(&document).unwrap();
    let given = json!({"name": "x", "config": {"minute": "a"}}).as_object().cloned().unwrap();
    let errors = entity.entity().check(given).unwrap_err();
    assert_eq!(errors.to_string(), "schema violation (config.minute: expected a number)");
}

#[test]
fn merges_errors_of_the_same_place() {
    let mut errors = FieldErrors::default();
    let at = [Step::Name("services".to_owned()), Step::Index(1)];
    errors.merge_at(&at, "already declared".into());
    let mut more = FieldErrors::default();
    more.set("host", "required field missing");
    errors.merge_at(&at, more);
    errors.merge_at(&at, "and more".into());
    assert_eq!(
        errors.to_json(),
        json!({"services": [null, {"@entity": ["already declared", "and more"], "host": "required field missing"}]})
    );
    assert_eq!(
        errors.to_string(),
        "schema violation (services.2: {@entity={[1]=\"already declared\",[2]=\"and more\"},host=\"required field missing\"})"
    );
}

#[test]
fn entity_checks_have_their_texts() {
    let fields = json!([{"a": {"type": "string"}}, {"b": {"type": "string"}}, {"c": {"type": "string"}}]);
    let names = json!(["a", "b"]);
    let conditional = json!({"if_field": "a", "if_match": {"eq": "x"}, "then_field": "b", "then_match": {"required": true}});
    let worded = json!({"if_field": "a", "if_match": {"eq": "x"}, "then_field": "b", "then_match": {"eq": null}, "then_err": "no b with that %s"});
    let branches = json!({
        "if_field": "a", "if_match": {"match": "^x"}, "then_at_least_one_of": ["b", "c"],
        "else_match": {"match": "^y"}, "else_then_at_least_one_of": ["c"], "else_then_err": "y needs %s",
    });
    let rows = [
        (
            "at_least_one_of",
            names.clone(),
            json!({}),
            Some("at least one of these fields must be non-empty: 'a', 'b'"),
        ),
        ("at_least_one_of", names.clone(), json!({"b": "x"}), None),
        (
            "only_one_of",
            names.clone(),
            json!({"a": "x", "b": "x"}),
            Some("exactly one of these fields must be non-empty: 'a', 'b'"),
        ),
        (
            "only_one_of",
            names.clone(),
            json!({}),
            Some("exactly one of these fields must be non-empty: 'a', 'b'"),
        ),
        ("only_one_of", names.clone(), json!({"a": "x"}), None),
        (
            "distinct",
            names.clone(),
            json!({"a": "x", "b": "x"}),
            Some("values of these fields must be distinct: 'a', 'b'"),
        ),
        ("distinct", names.clone(), json!({}), None),
        (
            "mutually_required",
            names.clone(),
            json!({"a": "x"}),
            Some("all or none of these fields must be set: 'a', 'b'"),
        ),
        ("mutually_required", names.clone(), json!({"a": "x", "b": "y"}), None),
        (
            "mutually_exclusive",
            names.clone(),
            json!({"a": "x", "b": "y"}),
            Some("only one or none of these fields must be set: 'a', 'b'"),
        ),
        ("mutually_exclusive", names, json!({"a": "x"}), None),
        (
            "mutually_exclusive_sets",
            json!({"set1": ["a", "b"], "set2": ["c"]}),
            json!({"b": "x", "c": "y"}),
            Some("these sets are mutually exclusive: ('b'), ('c')"),
        ),
        (
            "mutually_exclusive_sets",
            json!({"set1": ["a", "b"], "set2": ["c"]}),
            json!({"a": "x", "b": "y"}),
            None,
        ),
        (
            "conditional",
            conditional.clone(),
            json!({"a": "x"}),
            Some("failed conditional validation given value of field 'a'"),
        ),
        ("conditional", conditional.clone(), json!({"a": "x", "b": "y"}), None),
        ("conditional", conditional, json!({"a": "y"}), None),
        ("conditional", worded, json!({"a": "x", "b": "y"}), Some("no b with that a")),
        (
            "conditional_at_least_one_of",
            branches.clone(),
            json!({"a": "x"}),
            Some("at least one of these fields must be non-empty: 'b', 'c'"),
        ),
        ("conditional_at_least_one_of", branches.clone(), json!({"a": "y", "b": "1"}), Some("y needs 'c'")),
        ("conditional_at_least_one_of", branches.clone(), json!({"a": "x", "b": "1"}), None),
        ("conditional_at_least_one_of", branches, json!({"a": "z"}), None),
    ];
    for (name, argument, given, expected) in rows {
        let record = json!({"type": "record", "fields": fields, "entity_checks": [{name: argument}]});
        let result = outcome(&record, &given);
        match expected {
            None => assert!(result.is_ok(), "{name} on {given}: {result:?}"),
            Some(text) => assert_eq!(result.unwrap_err()["@entity"], json!([text]), "{name} on {given}"),
        }
    }
}

#[test]
fn a_failed_condition_marks_its_field() {
    let record = json!({
        "type": "record",
        "fields": [{"policy": {"type": "string"}}, {"redis": {"type": "record", "fields": [{"host": {"type": "string"}}]}}],
        "entity_checks": [{"conditional": {
            "if_field": "policy", "if_match": {"eq": "redis"}, "then_field": "redis.host", "then_match": {"required": true},
        }}],
    });
    refuses(
        record,
        json!({"policy": "redis"}),
        json!({
            "@entity": ["failed conditional validation given value of field 'policy'"],
            "redis": {"host": "required field missing"},
        }),
    );
}

#[test]
fn references_pass_and_are_resolved() {
    let inner = json!({"type": "record", "fields": [{"inner": {"type": "string", "referenceable": true}}]});
    let schema = schema(&json!([
        {"secret": {"type": "string", "referenceable": true, "len_min": 50}},
        {"plain": {"type": "string"}},
        {"list": {"type": "array", "elements": {"type": "string", "referenceable": true}}},
        {"map": {"type": "map", "keys": {"type": "string"}, "values": {"type": "string", "referenceable": true}}},
        {"nested": inner},
        {"items": {"type": "array", "elements": inner}},
    ]));
    let mut config = schema
        .config(json!({
            "secret": "{vault://env/a}", "plain": "{vault://env/a}", "list": ["x", "{vault://env/b}"],
            "map": {"k": "{vault://env/c}", "l": "y"}, "nested": {"inner": "{vault://env/gone}"},
            "items": [{"inner": "{vault://env/d}"}],
        }))
        .unwrap();
    let mut secret = |reference: &str| match reference.contains("gone") {
        true => String::new(),
        false => reference.trim_matches(['{', '}']).replace("vault://env/", "secret "),
    };
    schema.resolve(&mut config, &mut secret);
    assert_eq!(
        Value::Object(config),
        json!({
            "secret": "secret a", "plain": "{vault://env/a}", "list": ["x", "secret b"],
            "map": {"k": "secret c", "l": "y"},
            "nested": {"inner": "", "$refs": {"inner": "{vault://env/gone}"}},
            "items": [{"inner": "secret d", "$refs": {"inner": "{vault://env/d}"}}],
            "$refs": {
                "secret": "{vault://env/a}", "list": [null, "{vault://env/b}"], "map": {"k": "{vault://env/c}"},
            },
        })
    );
    let mut plain = schema.config(json!({"plain": "{vault://env/a}"})).unwrap();
    let before = plain.clone();
    schema.resolve(&mut plain, &mut secret);
    assert_eq!(plain, before);
}

#[test]
fn json_fields_follow_their_json_schema() {
    let inline = json!({
        "type": "object", "required": ["a"], "additionalProperties": false,
        "properties": {
            "a": {"type": "array", "items": {"type": "integer", "minimum": 1}, "maxItems": 2},
            "b": {"enum": ["x", "y"]},
            "c": {"type": ["string", "null"], "pattern": "^z", "maxLength": 2},
        },
    });
    let definition = json!({"type": "json", "json_schema": {"inline": inline}});
    accepts(
        definition.clone(),
        json!({"a": [1, 2], "b": "x", "c": null}),
        json!({"a": [1, 2], "b": "x", "c": null}),
    );
    let rows = [
        (json!([]), "expected object"),
        (json!({}), "property a is required"),
        (json!({"a": [], "d": 1}), "property d is not allowed"),
        (json!({"a": [0]}), "property a: item 1: expected at least 1"),
        (json!({"a": [1, 2, 3]}), "property a: expected at most 2"),
        (json!({"a": [], "b": "z"}), "property b: expected one of [\"x\",\"y\"]"),
        (json!({"a": [], "c": 5}), "property c: expected string or null"),
        (json!({"a": [], "c": "a"}), "property c: 'a' does not match the pattern"),
        (json!({"a": [], "c": "zzz"}), "property c: expected at most 2"),
    ];
    for (given, expected) in rows {
        refuses(definition.clone(), given, json!(format!("value failed JSON-schema validation: {expected}")));
    }
}
