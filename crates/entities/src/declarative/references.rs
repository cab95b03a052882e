//! References between the entries of a file: by name, by id, and by nesting.

use std::collections::{HashMap, HashSet};

use polygate_model::schema::EntitySchema;
use serde_json::{Value, json};

use super::collect::Entry;

/// The ids of entries, by collection and by id or unique key.
struct Index<'a> {
    by_id: HashSet<(&'a str, &'a str)>,
    by_key: HashMap<(&'a str, &'a str), &'a str>,
}

impl<'a> Index<'a> {
    fn new(entries: &'a [Entry]) -> Self {
        let mut index = Self { by_id: HashSet::new(), by_key: HashMap::new() };
        for entry in entries {
            let collection = entry.schema.name.as_str();
            index.by_id.insert((collection, &entry.id));
            if let Some(key) = unique_key(entry.schema).and_then(|key| entry.body.get(key)?.as_str()) {
                index.by_key.entry((collection, key)).or_insert(&entry.id);
            }
        }
        index
    }

    /// A text is a key or an id; an object says which.
    fn find(&self, collection: &'a str, reference: &'a Value) -> Option<&'a str> {
        let by_id = |id: &'a str| self.by_id.get(&(collection, id)).map(|(_, id)| *id);
        let by_key = |key: &'a str| self.by_key.get(&(collection, key)).copied();
        match reference {
            Value::String(text) => by_key(text).or_else(|| by_id(text)),
            Value::Object(members) => match members.get("id").and_then(Value::as_str) {
                Some(id) => by_id(id),
                None => by_key(members.get(unique_key(EntitySchema::get(collection)?)?)?.as_str()?),
            },
            _ => None,
        }
    }
}

/// The endpoint key of a collection where no two entries may share it.
fn unique_key(schema: &EntitySchema) -> Option<&str> {
    let key = schema.endpoint_key.as_deref()?;
    schema.record().field(key)?.is_unique().then_some(key)
}

/// Turns every foreign key into `{"id": ...}`, and notes those that lead nowhere.
pub(super) fn resolve(entries: &mut [Entry]) {
    let resolved: Vec<_> = {
        let index = Index::new(entries);
        entries.iter().map(|entry| resolve_entry(entry, &index)).collect()
    };
    for (entry, keys) in entries.iter_mut().zip(resolved) {
        for (key, outcome) in keys {
            match outcome {
                Ok(id) => {
                    entry.body.insert(key, json!({ "id": id }));
                }
                Err(message) => {
                    entry.body.insert(key.clone(), Value::Null);
                    entry.errors.set(&key, message);
                }
            }
        }
    }
}

/// The foreign keys of an entry with the id or the error of each.
fn resolve_entry(entry: &Entry, index: &Index<'_>) -> Vec<(String, Result<String, String>)> {
    let mut resolved = Vec::new();
    for (key, collection) in entry.schema.foreign_keys() {
        let nested = entry.nested_key.as_ref().filter(|(nested, _)| nested == key);
        let given = match nested {
            Some((_, given)) => Some(given),
            None => entry.body.get(key),
        };
        // A value of another type is left for the schema to refuse.
        let Some(given) = given.filter(|given| given.is_string() || given.is_object()) else { continue };
        let outcome = match index.find(collection, given) {
            None => Err(invalid_reference(key, given, collection)),
            Some(id) if nested.is_some() && entry.body[key]["id"] != id => {
                Err(format!("must be left out: the entry is inside another entry of '{collection}'"))
            }
            Some(id) => Ok(id.to_owned()),
        };
        resolved.push((key.to_owned(), outcome));
    }
    resolved
}

fn invalid_reference(key: &str, given: &Value, collection: &str) -> String {
    let given = given.as_str().map_or_else(|| given.to_string(), str::to_owned);
    format!("invalid reference '{key}: {given}' (no such entry in '{collection}')")
}
