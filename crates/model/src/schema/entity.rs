//! The schemas of the gateway's own entities, declared in `entities.json`.
//!
//! The file speaks the language of plugin schemas with four additions: `is` takes a shared
//! definition over, `check` names a check that is code, `shorthands` names what runs before the
//! fields are checked, and `variants` overlays fields by the value of one of them.

use std::sync::LazyLock;

use serde_json::{Map, Value};

use super::errors::FieldErrors;
use super::field::Record;
use super::parse::Reader;
use super::shorthands;

static SOURCE: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("entities.json")).expect("entities.json is JSON"));
static ENTITIES: LazyLock<Vec<EntitySchema>> = LazyLock::new(|| {
    let entries = SOURCE["entities"].as_array().expect("entities.json lists entities");
    entries.iter().map(EntitySchema::read).collect()
});

/// One collection: how its entries look and what identifies them.
#[derive(Debug)]
pub struct EntitySchema {
    pub name: String,
    /// The field that names an entry beside its id.
    pub endpoint_key: Option<String>,
    /// The fields that together tell two entries apart.
    pub cache_key: Vec<String>,
    /// The plugin that brings the collection.
    pub plugin: Option<String>,
    record: Record,
    variant_key: Option<String>,
    variants: Vec<(Vec<String>, Record)>,
}

impl EntitySchema {
    /// All collections; what an entry refers to may come before or after it.
    pub fn all() -> &'static [EntitySchema] {
        &ENTITIES
    }

    pub fn get(name: &str) -> Option<&'static EntitySchema> {
        Self::all().iter().find(|schema| schema.name == name)
    }

    pub fn record(&self) -> &Record {
        &self.record
    }

    /// Names of foreign keys and the collections they point into.
    pub fn foreign_keys(&self) -> impl Iterator<Item = (&str, &str)> {
        self.record.fields().filter_map(|(name, field)| Some((name, field.reference()?)))
    }

    pub fn unique_fields(&self) -> impl Iterator<Item = &str> {
        self.record.fields().filter_map(|(name, field)| field.is_unique().then_some(name))
    }

    /// Completes and checks an entry. Plugin entries go through their plugin's
    /// [`Schema`](super::Schema) instead.
    pub fn check(&self, given: Map<String, Value>) -> Result<Map<String, Value>, FieldErrors> {
        let Some(key) = &self.variant_key else { return self.record.check(given) };
        let default = self.record.fields.get(key).and_then(|field| field.default.as_ref());
        let names = match given.get(key).filter(|value| !value.is_null()).or(default) {
            Some(Value::Array(names)) => names.clone(),
            name => name.cloned().into_iter().collect(),
        };
        if let Some(record) = names.iter().find_map(|name| self.variant(name)) {
            return record.check(given);
        }
        let mut result = self.record.check(given);
        if let (Err(errors), Some(Value::String(name))) = (&mut result, names.first()) {
            errors.set(key, format!("unknown type: {name}"));
        }
        result
    }

    /// The record of entries whose variant key has this value, or has it first.
    fn variant(&self, name: &Value) -> Option<&Record> {
        let of = |names: &[String]| names.iter().any(|of| name == of.as_str());
        self.variants.iter().find(|(names, _)| of(names)).map(|(_, record)| record)
    }

    fn read(source: &Value) -> Self {
        let source = expand(source);
        let text = |name: &str| source.get(name).and_then(Value::as_str).map(str::to_owned);
        let texts = |value: Option<&Value>| -> Vec<String> {
            let names = value.and_then(Value::as_array).into_iter().flatten();
            names.filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let variants = source.get("variants").and_then(Value::as_array).into_iter().flatten();
        Self {
            name: text("name").expect("an entity has a name"),
            endpoint_key: text("endpoint_key"),
            cache_key: texts(source.get("cache_key")),
            plugin: text("plugin"),
            record: read_record(&source),
            variant_key: text("variant_key"),
            variants: variants
                .map(|variant| (texts(variant.get("of")), read_record(&overlay(&source, variant))))
                .collect(),
        }
    }
}

fn read_record(source: &Value) -> Record {
    let mut reader = Reader::new(true);
    let record = source.as_object().and_then(|source| reader.record(source));
    let mut record = reader.into_result(record).unwrap_or_else(|errors| panic!("entities.json: {errors}"));
    let names = source.get("shorthands").and_then(Value::as_array).into_iter().flatten();
    record.shorthands = names
        .map(|name| {
            shorthands::find(name.as_str().unwrap_or_default()).expect("entities.json: a known shorthand")
        })
        .collect();
    record
}

/// An entity with the fields and checks of one of its variants.
fn overlay(entity: &Value, variant: &Value) -> Value {
    let mut entity = entity.clone();
    let changes = variant.get("fields").and_then(Value::as_object);
    for (name, change) in changes.into_iter().flatten() {
        replace_field(&mut entity, name, |definition| merge(definition, change));
    }
    let checks = variant.get("entity_checks").and_then(Value::as_array);
    if let Some(list) = entity.get_mut("entity_checks").and_then(Value::as_array_mut) {
        list.extend(checks.into_iter().flatten().cloned());
    }
    entity
}

fn merge(definition: &mut Value, change: &Value) {
    if let (Some(definition), Some(change)) = (definition.as_object_mut(), change.as_object()) {
        definition.extend(change.clone());
    }
}

fn replace_field(entity: &mut Value, name: &str, change: impl FnOnce(&mut Value)) {
    let fields = entity.get_mut("fields").and_then(Value::as_array_mut);
    if let Some(definition) =
        fields.and_then(|fields| fields.iter_mut().find_map(|entry| entry.get_mut(name)))
    {
        change(definition);
    }
}

/// The plugin entity with fields replaced by those that a plugin's schema brings, and with its rules between them.
pub(super) fn plugin_entity<'a>(
    replaced: impl Iterator<Item = (&'a str, &'a Value)>,
    checks: Option<&Value>,
) -> Value {
    let entities = SOURCE["entities"].as_array().into_iter().flatten();
    let plugins =
        entities.into_iter().find(|entity| entity["name"] == "plugins").expect("plugins are an entity");
    let mut entity = expand(plugins);
    for (name, definition) in replaced {
        replace_field(&mut entity, name, |field| *field = definition.clone());
    }
    if let Some(checks) = checks {
        entity["entity_checks"] = checks.clone();
    }
    entity
}

/// Puts shared definitions in the place of `is`.
pub(super) fn expand(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(expand).collect(),
        Value::Object(members) => {
            let shared =
                members.get("is").and_then(Value::as_str).and_then(|name| SOURCE["typedefs"].get(name));
            let mut expanded = match shared.map(expand) {
                Some(Value::Object(shared)) => shared,
                _ => Map::new(),
            };
            let known = expanded.is_empty();
            let own = members.iter().filter(|(name, _)| known || *name != "is");
            expanded.extend(own.map(|(name, value)| (name.clone(), expand(value))));
            Value::Object(expanded)
        }
        other => other.clone(),
    }
}
