//! Vault references inside a plugin's configuration.

use serde_json::{Map, Value};

use super::field::{Field, Kind, Record};
use crate::vault::is_reference;

/// See [`Schema::resolve`](super::Schema::resolve).
pub(super) fn resolve(
    record: &Record,
    members: &mut Map<String, Value>,
    vault: &mut dyn FnMut(&str) -> Option<String>,
) -> Map<String, Value> {
    let mut found = Map::new();
    for (name, value) in members.iter_mut() {
        if let Some(references) = record.fields.get(name).and_then(|field| resolve_value(field, value, vault))
        {
            found.insert(name.clone(), references);
        }
    }
    found
}

fn resolve_value(
    field: &Field,
    value: &mut Value,
    vault: &mut dyn FnMut(&str) -> Option<String>,
) -> Option<Value> {
    match (&field.kind, value) {
        (Kind::String, Value::String(text)) if field.referenceable && is_reference(text) => {
            let secret = vault(text).unwrap_or_default();
            Some(Value::String(std::mem::replace(text, secret)))
        }
        (Kind::Array(elements) | Kind::Set(elements), Value::Array(items)) => {
            let found: Vec<Value> = items
                .iter_mut()
                .map(|item| resolve_value(elements, item, vault).unwrap_or_default())
                .collect();
            found.iter().any(|reference| !reference.is_null()).then_some(Value::Array(found))
        }
        (Kind::Map { values, .. }, Value::Object(members)) => {
            let mut found = Map::new();
            for (name, member) in members {
                found.extend(resolve_value(values, member, vault).map(|reference| (name.clone(), reference)));
            }
            (!found.is_empty()).then_some(Value::Object(found))
        }
        (Kind::Record(record), Value::Object(members)) => {
            let found = resolve(record, members, vault);
            (!found.is_empty()).then_some(Value::Object(found))
        }
        _ => None,
    }
}
