//! What lies between entries: references, uniqueness, and protocols that must have something in
//! common.

use std::collections::{HashMap, HashSet};

use polygate_model::schema::EntitySchema;
use serde_json::{Map, Value, json};

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

/// Ids and unique fields within a collection; the later entry is the one in error.
pub(super) fn check_uniqueness(entries: &mut [Entry]) {
    let mut seen: HashSet<(&str, &str, String)> = HashSet::new();
    for entry in entries {
        let schema = entry.schema;
        let values =
            schema.unique_fields().map(|field| (field, field, entry.body.get(field).and_then(Value::as_str)));
        let id = [("id", "primary key", Some(entry.id.as_str()))];
        let violation = values.chain(id).find_map(|(field, label, value)| {
            let value = value?;
            let repeated = !seen.insert((&schema.name, field, value.to_owned()));
            repeated.then(|| uniqueness_violation(&schema.name, label, value))
        });
        if let Some(message) = violation {
            entry.errors.merge_at(&[], message.into());
        }
    }
}

fn uniqueness_violation(collection: &str, label: &str, value: &str) -> String {
    format!("uniqueness violation: '{collection}' entity with {label} set to '{value}' already declared")
}

/// Fields that are unique together, in entries that gave different ids.
pub(super) fn check_composite_keys(entries: &mut [Entry]) {
    let mut seen: HashSet<(&str, Vec<String>)> = HashSet::new();
    for entry in
        entries.iter_mut().filter(|entry| entry.errors.is_empty() && entry.schema.cache_key.len() > 1)
    {
        let schema = entry.schema;
        let part = |name: &String| match entry.body.get(name) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Object(reference)) => text_of(reference, "id"),
            _ => String::new(),
        };
        let parts: Vec<String> = schema.cache_key.iter().map(part).collect();
        if !seen.insert((&schema.name, parts.clone())) {
            let given = schema.cache_key.iter().zip(&parts).filter(|(_, part)| !part.is_empty());
            let (names, values): (Vec<_>, Vec<_>) =
                given.map(|(name, part)| (name.as_str(), part.as_str())).unzip();
            let message = uniqueness_violation(&schema.name, &names.join(", "), &values.join(", "));
            entry.errors.merge_at(&[], message.into());
        }
    }
}

/// A plugin on a route or service whose protocols it does not share would never run.
pub(super) fn check_protocols(entries: &mut [Entry]) {
    let mut by_route: HashMap<String, Vec<Value>> = HashMap::new();
    let mut by_service: HashMap<String, Vec<Value>> = HashMap::new();
    for route in entries.iter().filter(|entry| entry.schema.name == "routes" && entry.errors.is_empty()) {
        let protocols = list(&route.body, "protocols");
        if let Some(service) = reference(&route.body, "service") {
            by_service.entry(service).or_default().extend(protocols.iter().cloned());
        }
        by_route.insert(route.id.clone(), protocols.to_vec());
    }
    for plugin in entries.iter_mut().filter(|entry| entry.schema.name == "plugins" && entry.errors.is_empty())
    {
        let shared = |protocols: Option<&Vec<Value>>| {
            let own = list(&plugin.body, "protocols");
            protocols.is_none_or(|protocols| protocols.iter().any(|protocol| own.contains(protocol)))
        };
        if let Some(route) = reference(&plugin.body, "route") {
            if !shared(by_route.get(&route)) {
                plugin.errors.set("protocols", "must match the associated route's protocols");
            }
        } else if let Some(service) = reference(&plugin.body, "service")
            && !shared(by_service.get(&service))
        {
            let message = "must match the protocols of at least one route pointing to this Plugin's service";
            plugin.errors.set("protocols", message);
        }
    }
}

fn list<'a>(body: &'a Map<String, Value>, name: &str) -> &'a [Value] {
    body.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn reference(body: &Map<String, Value>, name: &str) -> Option<String> {
    body.get(name)?.as_object().map(|reference| text_of(reference, "id"))
}

fn text_of(members: &Map<String, Value>, name: &str) -> String {
    members.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}
