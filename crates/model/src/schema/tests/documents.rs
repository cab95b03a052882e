//! Schema documents themselves.

use serde_json::{Value, json};

use crate::schema::{EntitySchema, Schema, ValueCheck};

fn problems(document: &Value) -> String {
    Schema::parse(document).map(|_| ()).expect_err(&document.to_string()).to_string()
}

fn with_field(definition: &Value) -> Value {
    json!({"name": "test", "fields": [{"config": {"type": "record", "fields": [{"f": definition}]}}]})
}

#[test]
fn reads_what_plugin_servers_print() {
    let go = json!({"name": "go-hello", "fields": [{"config": {"fields": [
        {"message": {"type": "string"}},
        {"count,omitempty": {"type": "integer", "between": [0, 2147483648_u64]}},
        {"-": {"type": "string"}},
        {"nested": {"type": "record", "fields": [{"list": {"type": "array", "elements": {"type": "number"}}}]}},
        {"tags": {"type": "map", "keys": {"type": "string"}, "values": {"type": "boolean"}}},
    ], "type": "record"}}]});
    let schema = Schema::parse(&go).unwrap();
    assert_eq!(schema.name(), "go-hello");
    assert_eq!(
        Value::Object(schema.config(json!({"count": 5.0})).unwrap()),
        json!({"message": null, "count": 5, "nested": {"list": null}, "tags": null})
    );

    let python = json!({"name": "py-hello", "fields": [{"config": {"type": "record", "fields": [
        {"message": {"type": "string", "required": false, "default": "hi", "len_max": null}},
    ]}}]});
    let config = Schema::parse(&python).unwrap().config(json!({})).unwrap();
    assert_eq!(Value::Object(config), json!({"message": "hi"}));

    for empty in [json!([]), json!({})] {
        let document = json!({"name": "empty", "fields": [{"config": {"type": "record", "fields": empty}}]});
        assert!(Schema::parse(&document).unwrap().config(json!({})).unwrap().is_empty());
    }
}

#[test]
fn plugins_may_narrow_their_scopes() {
    let document = json!({"name": "narrow", "fields": [
        {"consumer": {"type": "foreign", "reference": "consumers", "eq": null}},
        {"protocols": {"type": "set", "required": true, "default": ["tcp"], "elements": {"type": "string", "one_of": ["tcp", "tls"]}}},
        {"config": {"type": "record", "fields": []}},
    ]});
    let schema = Schema::parse(&document).unwrap();
    let check = |given: Value| schema.entity().check(given.as_object().cloned().unwrap());
    let complete = check(json!({"name": "narrow"})).unwrap();
    assert_eq!((&complete["protocols"], &complete["enabled"]), (&json!(["tcp"]), &json!(true)));
    let errors = check(json!({
        "name": "narrow", "protocols": ["http"], "consumer": {"id": "4f3a7c5e-0000-4000-8000-000000000001"},
    }));
    assert_eq!(
        errors.unwrap_err().to_json(),
        json!({"consumer": "value must be null", "protocols": ["expected one of: tcp, tls"]})
    );
}

#[test]
fn names_what_is_wrong_in_a_document() {
    let rows = [
        (
            json!({"type": "boolean", "one_of": [true]}),
            "config.f: field of type 'boolean' cannot have attribute 'one_of'",
        ),
        (
            json!({"type": "string", "between": [1, 2]}),
            "config.f: field of type 'string' cannot have attribute 'between'",
        ),
        (
            json!({"type": "integer", "len_min": 1}),
            "config.f: field of type 'integer' cannot have attribute 'len_min'",
        ),
        (json!({"type": "array"}), "config.f: field of type 'array' must declare 'elements'"),
        (json!({"type": "set"}), "config.f: field of type 'set' must declare 'elements'"),
        (
            json!({"type": "map", "keys": {"type": "string"}}),
            "config.f: field of type 'map' must declare 'values'",
        ),
        (json!({"type": "record"}), "config.f: field of type 'record' must declare 'fields'"),
        (json!({"type": "json"}), "config.f: field of type 'json' must declare 'json_schema'"),
        (json!({"type": "foreign"}), "config.f: field of type 'foreign' must declare 'reference'"),
        (json!({"type": "text"}), "config.f: invalid type: text"),
        (json!({"type": "function"}), "config.f: a field of type 'function' cannot be configured from JSON"),
        (json!({"type": 5}), "config.f.type: expected a string"),
        (json!({}), "config.f: missing type declaration"),
        (json!("string"), "config.f: expected a definition table"),
        (json!({"type": "string", "requird": true}), "config.f.requird: unknown field"),
        (json!({"type": "string", "check": "host"}), "config.f.check: unknown field"),
        (json!({"type": "string", "required": "yes"}), "config.f.required: expected a boolean"),
        (json!({"type": "string", "err": 5}), "config.f.err: expected a string"),
        (json!({"type": "integer", "default": "1"}), "config.f.default: expected an integer"),
        (json!({"type": "string", "one_of": ["a"], "default": "b"}), "config.f.default: expected one of: a"),
        (json!({"type": "string", "examples": 5}), "config.f.examples: expected an array"),
        (json!({"type": "string", "deprecation": 5}), "config.f.deprecation: expected a record"),
        (
            json!({"type": "string", "custom_validator": "f"}),
            "config.f.custom_validator: a function cannot come from JSON",
        ),
        (
            json!({"type": "string", "description": "short"}),
            "config.f.description: length must be at least 10",
        ),
        (
            json!({"type": "string", "description": "x".repeat(501)}),
            "config.f.description: length must be at most 500",
        ),
        (
            json!({"type": "foreign", "reference": "x", "on_delete": "y"}),
            "config.f.on_delete: expected one of: restrict, cascade, null",
        ),
        (json!({"type": "string", "match": "[a"}), "config.f.match: malformed pattern (missing ']'): [a"),
        (
            json!({"type": "string", "match_none": [{"err": "x"}]}),
            "config.f.match_none: pattern: required field missing",
        ),
        (json!({"type": "number", "between": [1]}), "config.f.between: length must be 2"),
        (json!({"type": "number", "gt": "1"}), "config.f.gt: expected a number"),
        (json!({"type": "string", "len_min": 1.5}), "config.f.len_min: expected an integer"),
        (
            json!({"type": "array", "elements": {"type": "array"}}),
            "config.f.elements: field of type 'array' must declare 'elements'",
        ),
        (
            json!({"type": "record", "fields": [{"a": {"type": "string"}, "b": {"type": "string"}}]}),
            "config.f.fields: each entry must be an object of one member: entry 1",
        ),
        (
            json!({"type": "record", "fields": [{"a": {"type": "string"}}, {"a": {"type": "string"}}]}),
            "config.f.fields: field declared twice: a",
        ),
        (json!({"type": "record", "fields": "a"}), "config.f.fields: expected an array"),
        (
            json!({"type": "record", "fields": [], "entity_checks": [{"distinct": ["a"]}]}),
            "config.f.entity_checks.distinct: invalid field name: a",
        ),
        (
            json!({"type": "record", "fields": [], "entity_checks": [{"custom_entity_check": {}}]}),
            "config.f.entity_checks.custom_entity_check: a function cannot come from JSON",
        ),
        (
            json!({"type": "record", "fields": [], "entity_checks": [{"nonsense": []}]}),
            "config.f.entity_checks.nonsense: unknown field",
        ),
        (
            json!({"type": "json", "json_schema": {"inline": {"oneOf": []}}}),
            "config.f: json_schema.inline: oneOf: this keyword is not supported",
        ),
    ];
    for (definition, expected) in rows {
        assert_eq!(problems(&with_field(&definition)), expected, "{definition}");
    }
}

#[test]
fn names_what_is_wrong_around_the_fields() {
    let rows = [
        (json!({"fields": []}), "name: required field missing"),
        (json!({"name": "x", "fields": "y"}), "fields: expected an array"),
        (json!({"name": "x", "fields": [{"other": {"type": "string"}}]}), "other: unknown field"),
        (
            json!({"name": "x", "fields": [{"config": {"type": "string"}}]}),
            "config: must be of type 'record'",
        ),
    ];
    for (document, expected) in rows {
        assert_eq!(problems(&document), expected);
    }
}

#[test]
fn lists_all_problems() {
    let document = json!({"name": "x", "fields": [{"config": {"type": "record", "fields": [
        {"a": {"type": "strin"}}, {"b": {"type": "array"}},
    ]}}]});
    assert_eq!(
        problems(&document),
        "config.a: invalid type: strin; config.b: field of type 'array' must declare 'elements'"
    );
}

#[test]
fn our_own_schemas_may_share_definitions_and_checks() {
    let document = json!({"name": "own", "fields": [{"config": {"type": "record", "fields": [
        {"allow": {"type": "array", "elements": {"type": "string", "check": "ip_or_cidr"}}},
        {"port": {"is": "port", "default": 80}},
    ]}}]});
    let schema = Schema::builtin(&document, &[]).unwrap();
    assert_eq!(schema.config(json!({})).unwrap()["port"], json!(80));
    let errors = schema.config(json!({"allow": ["10.0.0.0/8", "nowhere"], "port": 70000})).unwrap_err();
    assert_eq!(
        errors.to_json(),
        json!({"allow": [null, "invalid ip or cidr range: 'nowhere'"], "port": "value should be between 0 and 65535"})
    );
    assert_eq!(schema.document()["fields"][0]["config"]["fields"][1]["port"]["type"], json!("integer"));
}

#[test]
fn our_own_schemas_may_bring_checks() {
    let document = json!({
        "name": "own",
        "fields": [{"config": {"type": "record", "check": "no_twins", "fields": [
            {"a": {"type": "string"}}, {"b": {"type": "string"}},
        ]}}],
        "entity_checks": [{"at_least_one_of": ["config.a", "config.b"]}],
    });
    let no_twins: ValueCheck = |value| match value["a"] == value["b"] && !value["a"].is_null() {
        true => Err("a and b are the same".to_owned()),
        false => Ok(()),
    };
    let error = Schema::builtin(&document, &[]).unwrap_err().to_string();
    assert_eq!(error, "config.check: no such check: no_twins");
    let checks = Box::leak(Box::new([("no_twins", no_twins)]));
    let schema = Schema::builtin(&document, checks).unwrap();
    let errors = |config: Value| {
        let entity = json!({"name": "own", "config": config}).as_object().unwrap().clone();
        schema.entity().check(entity).map(drop).map_err(|errors| errors.to_json())
    };
    assert_eq!(errors(json!({"a": "x", "b": "y"})), Ok(()));
    assert_eq!(errors(json!({"a": "x", "b": "x"})), Err(json!({"config": "a and b are the same"})));
    let none = "at least one of these fields must be non-empty: 'config.a', 'config.b'";
    assert_eq!(errors(json!({})), Err(json!({"@entity": [none]})));
}

#[test]
fn older_names_stand_for_nested_members() {
    let older =
        |kind: &str, path: Value| json!({"type": kind, "deprecation": {"replaced_with": [{"path": path}]}});
    let document = json!({"name": "own", "fields": [{"config": {
        "type": "record",
        "shorthand_fields": [
            {"redis_host": older("string", json!(["redis", "host"]))},
            {"redis_port": older("integer", json!(["redis", "port"]))},
        ],
        "fields": [{"redis": {"type": "record", "fields": [
            {"host": {"type": "string"}}, {"port": {"is": "port", "default": 6379}},
        ]}}],
    }}]});
    let refused = problems(&document);
    assert!(refused.starts_with("config.shorthand_fields: a function cannot come from JSON"), "{refused}");
    let schema = Schema::builtin(&document, &[]).unwrap();
    for (given, expected) in [
        (json!({}), json!({"redis": {"host": null, "port": 6379}})),
        (json!({"redis_host": "h"}), json!({"redis": {"host": "h", "port": 6379}})),
        (json!({"redis_port": 1, "redis": {"host": "h"}}), json!({"redis": {"host": "h", "port": 1}})),
        (json!({"redis_host": "h", "redis": {"host": "h"}}), json!({"redis": {"host": "h", "port": 6379}})),
        (json!({"redis_host": null, "redis": null}), json!({"redis": null})),
    ] {
        let shown = given.to_string();
        assert_eq!(
            schema.config(given).map(Value::Object).ok(),
            Some(expected).filter(|it| !it["redis"].is_null()),
            "of {shown}"
        );
    }
    for (given, error) in [
        (json!({"redis_port": "x"}), json!({"redis_port": "expected an integer"})),
        (json!({"redis_port": 70000}), json!({"redis": {"port": "value should be between 0 and 65535"}})),
        (
            json!({"redis_host": "a", "redis": {"host": "b"}}),
            json!({"redis_host": "both deprecated and new field are used but their values mismatch: redis_host = a vs redis.host = b"}),
        ),
        (json!({"redis_host": "a", "redis": 7}), json!({"redis": "expected a record"})),
    ] {
        let shown = given.to_string();
        assert_eq!(schema.config(given).unwrap_err().to_json(), error, "of {shown}");
    }
}

#[test]
fn all_entities_are_readable() {
    let names: Vec<_> = EntitySchema::all().iter().map(|schema| schema.name.as_str()).collect();
    assert_eq!(names.len(), 17);
    for schema in EntitySchema::all() {
        for (_, collection) in schema.foreign_keys() {
            assert!(names.contains(&collection), "{} refers to {collection}", schema.name);
        }
        let named = schema.endpoint_key.iter().chain(&schema.cache_key);
        for name in named {
            assert!(schema.record().field(name).is_some(), "{}.{name}", schema.name);
        }
    }
}
