//! The entities to serve: from the declarative file or its text in the settings.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use polygate_config::Settings;
use polygate_entities::EntitySet;
use polygate_entities::declarative::{DeclarativeError, EMPTY_HASH, Syntax, hash, load_document, parse};
use polygate_model::schema::Schema;
use polygate_telemetry::clock::unix_now;
use serde_json::{Map, Value, json};

use crate::LoadError;
use crate::plugins::Enabled;

/// What was read.
pub struct Loaded {
    pub entities: EntitySet,
    /// By which the configuration is told from another one.
    pub hash: String,
}

/// Reads and checks the entities; none when the settings name no source.
pub fn load(settings: &Settings, enabled: &Enabled) -> Result<Loaded, LoadError> {
    let (text, syntax, origin) = match (&settings.declarative_config, &settings.declarative_config_string) {
        (Some(path), _) => (read(path)?, Syntax::of_path(path), format!("file {}", path.display())),
        (None, Some(text)) => (text.clone(), Syntax::Guess, "string".to_owned()),
        (None, None) => return Ok(Loaded { entities: EntitySet::default(), hash: EMPTY_HASH.to_owned() }),
    };
    let entities = entities(&text, syntax, enabled)
        .map_err(|error| LoadError::Declarative { origin, why: error.to_string() })?;
    Ok(Loaded { hash: hash(&text, &entities), entities })
}

fn read(path: &Path) -> Result<String, LoadError> {
    fs::read_to_string(path).map_err(|cause| LoadError::Unreadable {
        property: "declarative_config",
        path: path.to_owned(),
        cause,
    })
}

fn entities(text: &str, syntax: Syntax, enabled: &Enabled) -> Result<EntitySet, DeclarativeError> {
    let document = parse(text, syntax)?;
    let mut schemas = enabled.schemas.clone();
    for name in &enabled.unknown {
        schemas.extend(lenient(name, &document).map(|schema| (name.clone(), schema)));
    }
    load_document(document, &schemas, unix_now().as_secs_f64())
}

#[cfg(test)]
pub fn from_text(text: &str, enabled: &Enabled) -> Result<EntitySet, DeclarativeError> {
    entities(text, Syntax::Yaml, enabled)
}

/// A schema that takes the configurations of a plugin as they stand in the document: until its server
/// answers nobody knows what they must look like, and the other entities are to be served.
fn lenient(name: &str, document: &Map<String, Value>) -> Option<Schema> {
    let mut members = BTreeSet::new();
    document.values().for_each(|value| collect(name, value, &mut members));
    let any = json!({"type": "json", "json_schema": {"inline": {}}});
    let fields: Vec<_> = members.into_iter().map(|member| json!({ member: any })).collect();
    Schema::parse(&json!({
        "name": name,
        "fields": [{"config": {"type": "record", "fields": fields}}],
    }))
    .ok()
}

/// The names of all members of configurations of a plugin, wherever in the document they are nested.
fn collect<'a>(plugin: &str, value: &'a Value, members: &mut BTreeSet<&'a str>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect(plugin, item, members)),
        Value::Object(object) => {
            if let (true, Some(Value::Object(config))) =
                (object.get("name").is_some_and(|name| name == plugin), object.get("config"))
            {
                members.extend(config.keys().map(String::as_str));
            }
            object.values().for_each(|inner| collect(plugin, inner, members));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NESTED: &str = "
        _format_version: '3.0'
        services:
        - name: a
          url: http://127.0.0.1:1
          plugins:
          - name: missing
            config: {list: [1, {x: y}], text: t}
        plugins:
        - name: missing
          config: {number: 1}
    ";

    fn enabled(unknown: &[&str]) -> Enabled {
        Enabled { unknown: unknown.iter().map(|name| name.to_string()).collect(), ..Enabled::default() }
    }

    #[test]
    fn configurations_without_a_schema_are_taken_as_they_are() {
        let set = entities(NESTED, Syntax::Yaml, &enabled(&["missing"])).unwrap();
        let plugins = &set.entities().plugins;
        let mut texts: Vec<_> =
            plugins.values().map(|it| it.config.get("list").cloned().unwrap_or_default()).collect();
        texts.sort_by_key(Value::is_null);
        assert_eq!(texts, [json!([1, {"x": "y"}]), Value::Null]);
    }

    #[test]
    fn a_plugin_that_is_not_enabled_is_refused() {
        let error = entities(NESTED, Syntax::Yaml, &enabled(&[])).unwrap_err().to_string();
        assert!(error.contains("plugin 'missing' not enabled"), "{error}");
    }
}
