//! The schemas beside what is known of the reference's: `schemas/<plugin>.json` holds fields, types, defaults and rules.
//! What differs on purpose stands in `schemas/_differences.json` with its reason; a reason that nothing needs fails.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use polygate_bundled::PLUGINS;
use serde_json::{Map, Value};

/// What of a field is compared. Patterns are not: each side has an engine of its own, and the recorded cases try them.
const ATTRIBUTES: [&str; 16] = [
    "type",
    "required",
    "default",
    "one_of",
    "not_one_of",
    "between",
    "gt",
    "len_min",
    "len_max",
    "auto",
    "unique",
    "referenceable",
    "encrypted",
    "reference",
    "eq",
    "starts_with",
];

#[test]
fn schemas_are_those_of_the_reference() {
    let mut reasons: BTreeMap<String, String> =
        serde_json::from_value(read("_differences")).expect("differences have reasons");
    let mut unexplained = Vec::new();
    for plugin in PLUGINS {
        let schema = plugin.schema().unwrap_or_else(|error| panic!("{}: {error}", plugin.name));
        let mut found = Vec::new();
        fields(plugin.name, &read(plugin.name)["fields"], &schema.document()["fields"], &mut found);
        unexplained
            .extend(found.into_iter().filter(|difference| reasons.remove(&difference.place).is_none()));
    }
    let lines: Vec<_> = unexplained.iter().map(|it| format!("{}: {}", it.place, it.what)).collect();
    assert!(lines.is_empty(), "{}", lines.join("\n"));
    assert!(reasons.is_empty(), "reasons that nothing needs: {reasons:#?}");
}

struct Difference {
    /// `key-auth.config.key_names.default`.
    place: String,
    what: String,
}

fn read(name: &str) -> Value {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/schemas").join(format!("{name}.json"));
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Lists of fields, each an object with one member.
fn fields(place: &str, reference: &Value, ours: &Value, found: &mut Vec<Difference>) {
    let (reference, ours) = (by_name(reference), by_name(ours));
    for (name, field) in &reference {
        let place = format!("{place}.{name}");
        match ours.get(name) {
            Some(own) => attributes(&place, field, own, found),
            None => found.push(Difference { place, what: "missing".to_owned() }),
        }
    }
    for name in ours.keys().filter(|name| !reference.contains_key(*name)) {
        found.push(Difference { place: format!("{place}.{name}"), what: "ours alone".to_owned() });
    }
}

fn by_name(fields: &Value) -> Map<String, Value> {
    let entries = fields.as_array().into_iter().flatten().filter_map(Value::as_object);
    entries.flatten().map(|(name, field)| (name.clone(), field.clone())).collect()
}

fn attributes(place: &str, reference: &Value, ours: &Value, found: &mut Vec<Difference>) {
    for name in ATTRIBUTES {
        let (wanted, own) = (attribute(reference, name), attribute(ours, name));
        if wanted != own {
            let what = format!("{} in the reference, here {}", shown(wanted), shown(own));
            found.push(Difference { place: format!("{place}.{name}"), what });
        }
    }
    for name in ["elements", "keys", "values"] {
        if let (Some(reference), Some(ours)) = (reference.get(name), ours.get(name)) {
            attributes(&format!("{place}.{name}"), reference, ours, found);
        }
    }
    for name in ["fields", "shorthand_fields"] {
        let none = Value::Null;
        fields(place, reference.get(name).unwrap_or(&none), ours.get(name).unwrap_or(&none), found);
    }
}

/// Whatever says nothing is as if it were not there.
fn attribute<'a>(field: &'a Value, name: &str) -> Option<&'a Value> {
    let says_nothing = |value: &Value| match name {
        "required" | "auto" | "unique" | "referenceable" | "encrypted" => *value == Value::Bool(false),
        "eq" => false,
        _ => value.is_null(),
    };
    field.get(name).filter(|value| !says_nothing(value))
}

fn shown(value: Option<&Value>) -> String {
    value.map_or_else(|| "nothing".to_owned(), Value::to_string)
}

/// Whoever asks for another one is told which there are.
#[test]
fn those_that_are_there_are_known_as_such() {
    let names: Vec<_> = PLUGINS.iter().map(|plugin| plugin.name).collect();
    assert_eq!(names, polygate_entities::reference::BUILT);
}
