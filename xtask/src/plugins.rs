//! The plugins that come with the gateway, as their schemas describe them.

use std::fs;
use std::path::Path;

use serde::Deserialize;
use serde_json::{Map, Value};

pub const FOLDER: &str = "crates/bundled/src";

#[derive(Deserialize)]
pub struct Plugin {
    pub name: String,
    pub doc: String,
    /// A configuration.
    pub example: Map<String, Value>,
    fields: Vec<Map<String, Value>>,
}

/// One row of a plugin's table.
pub struct Field<'p> {
    /// Names of nested members, with dots between them.
    pub path: String,
    pub definition: &'p Map<String, Value>,
}

/// All of them, by name.
pub fn read(root: &Path) -> Result<Vec<Plugin>, String> {
    let folder = root.join(FOLDER);
    let entries =
        fs::read_dir(&folder).map_err(|error| format!("cannot read {}: {error}", folder.display()))?;
    let mut plugins = Vec::new();
    for entry in entries.flatten() {
        let file = entry.path().join("schema.json");
        if file.exists() {
            let plugin: Plugin = serde_json::from_str(&crate::read(&file)?)
                .map_err(|error| format!("{}: {error}", file.display()))?;
            plugins.push(plugin);
        }
    }
    plugins.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(plugins)
}

impl Plugin {
    /// Those of `config`, each behind the record that it is in.
    pub fn fields(&self) -> Vec<Field<'_>> {
        let mut found = Vec::new();
        let config = self.fields.iter().find_map(|field| field.get("config")?.as_object());
        if let Some(config) = config {
            nested(config, "", &mut found);
        }
        found
    }
}

fn nested<'p>(record: &'p Map<String, Value>, path: &str, found: &mut Vec<Field<'p>>) {
    let fields = record.get("fields").and_then(Value::as_array).into_iter().flatten();
    for (name, definition) in fields.filter_map(Value::as_object).flatten() {
        let Some(definition) = definition.as_object() else { continue };
        let path = format!("{path}{name}");
        found.push(Field { path: path.clone(), definition });
        nested(definition, &format!("{path}."), found);
        for (member, suffix) in [("elements", "[]."), ("values", ".*.")] {
            if let Some(inner) = definition.get(member).and_then(Value::as_object) {
                nested(inner, &format!("{path}{suffix}"), found);
            }
        }
    }
}
