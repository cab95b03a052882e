//! Vault references inside a plugin's configuration.

use serde_json::{Map, Value};

use super::field::{Field, Kind, Record};
use crate::vault::is_reference;

/// The member of a record that holds the references of its others.
const REFERENCES: &str = "$refs";

/// See [`Schema::resolve`](super::Schema::resolve).
pub(super) fn resolve(
    record: &Record,
    members: &mut Map<String, Value>,
    secret: &mut dyn FnMut(&str) -> String,
) {
    let mut found = Map::new();
    for (name, value) in members.iter_mut() {
        let Some(field) = record.fields.get(name) else { continue };
        found.extend(resolve_value(field, value, secret).map(|references| (name.clone(), references)));
    }
    if !found.is_empty() {
        members.insert(REFERENCES.to_owned(), Value::Object(found));
    }
}

/// Answers the references that stood in the value; those in records stay there.
fn resolve_value(field: &Field, value: &mut Value, secret: &mut dyn FnMut(&str) -> String) -> Option<Value> {
    match (&field.kind, value) {
        (Kind::String, Value::String(text)) if field.referenceable && is_reference(text) => {
            let secret = secret(text);
            Some(Value::String(std::mem::replace(text, secret)))
        }
        (Kind::Array(elements) | Kind::Set(elements), Value::Array(items)) => {
            let found: Vec<Value> = items
                .iter_mut()
                .map(|item| resolve_value(elements, item, secret).unwrap_or_default())
                .collect();
            found.iter().any(|reference| !reference.is_null()).then_some(Value::Array(found))
        }
        (Kind::Map { values, .. }, Value::Object(members)) => {
            let mut found = Map::new();
            for (name, member) in members {
                found
                    .extend(resolve_value(values, member, secret).map(|reference| (name.clone(), reference)));
            }
            (!found.is_empty()).then_some(Value::Object(found))
        }
        (Kind::Record(record), Value::Object(members)) => {
            resolve(record, members, secret);
            None
        }
        _ => None,
    }
}
