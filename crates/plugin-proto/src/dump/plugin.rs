//! One entry of a dump, and the checks on it.

use serde_json::{Map, Value as Json, json};

/// An announced plugin.
#[derive(Debug, Clone, PartialEq)]
pub struct PluginInfo {
    pub name: String,
    /// As announced, lower case.
    pub phases: Vec<String>,
    pub version: Option<String>,
    /// Higher runs earlier.
    pub priority: i64,
    /// `{"name": ..., "fields": [...]}`; an empty list of fields when the server gives none.
    pub schema: Json,
}

/// A plugin that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    pub name: String,
    pub why: String,
}

/// `None` for a blank entry.
pub(super) fn read(entry: &Json, warnings: &mut Vec<String>) -> Result<Option<PluginInfo>, Refused> {
    let name = entry["Name"].as_str().unwrap_or_default().trim();
    if name.is_empty() {
        return Ok(None);
    }
    let refused = |why| Refused { name: name.to_owned(), why };
    let phases = match &entry["Phases"] {
        Json::Array(phases) => phases.iter().filter_map(Json::as_str).map(str::to_ascii_lowercase).collect(),
        _ => Vec::new(),
    };
    if phases.is_empty() {
        warnings.push(format!("plugin \"{name}\" has no phase handler and will never run"));
    }
    let version = version(name, &entry["Version"]).map_err(refused)?;
    if version.is_none() {
        warnings.push(format!("plugin \"{name}\" has no version"));
    }
    let priority = priority(name, &entry["Priority"]).map_err(refused)?;
    Ok(Some(PluginInfo {
        name: name.to_owned(),
        phases,
        version,
        priority,
        schema: schema(name, &entry["Schema"]),
    }))
}

/// Missing is fine; what is there must start with at most three numeric parts.
fn version(name: &str, version: &Json) -> Result<Option<String>, String> {
    let text = match version {
        Json::Null => return Ok(None),
        Json::String(text) if text.trim().is_empty() => return Ok(None),
        Json::String(text) => text.clone(),
        other => other.to_string(),
    };
    let digits = text.trim_start_matches(|c: char| !c.is_ascii_digit());
    let run = digits.split(|c: char| !c.is_ascii_digit() && c != '.').next().unwrap_or_default();
    let parts = run.split('.').filter(|part| !part.is_empty()).count();
    if version.is_string() && (1..=3).contains(&parts) {
        return Ok(Some(text));
    }
    Err(format!(
        "Plugin \"{name}\" cannot be loaded because its VERSION field does not follow the \"x.y.z\" format, \
         got: \"{text}\""
    ))
}

fn priority(name: &str, priority: &Json) -> Result<i64, String> {
    let integral = |n: f64| (n.fract() == 0.0 && n.abs() < 9.0e15).then_some(n as i64);
    match priority {
        Json::Null => Ok(0),
        other => other.as_i64().or_else(|| other.as_f64().and_then(integral)).ok_or_else(|| {
            format!(
                "Plugin \"{name}\" cannot be loaded because its PRIORITY field is not a valid integer number, \
                 got: \"{}\"",
                other.as_str().map_or_else(|| other.to_string(), str::to_owned)
            )
        }),
    }
}

fn schema(name: &str, schema: &Json) -> Json {
    match schema {
        Json::Object(members) => {
            let mut schema = Json::Object(members.clone());
            clean_field_names(&mut schema);
            schema
        }
        _ => json!({"name": name, "fields": []}),
    }
}

/// go-pdk takes a struct tag as a whole for the field's name: `"path,omitempty"` is `path` with an
/// option, and a field called `-` is one that its author wanted left out.
fn clean_field_names(definition: &mut Json) {
    if let Some(fields) = definition.get_mut("fields").and_then(Json::as_array_mut) {
        for field in fields.iter_mut().filter_map(Json::as_object_mut) {
            let members = std::mem::take(field).into_iter();
            let cleaned = members.map(|(name, definition)| match name.split_once(',') {
                Some((name, _options)) => (name.to_owned(), definition),
                None => (name, definition),
            });
            *field = cleaned.filter(|(name, _)| name != "-").collect::<Map<_, _>>();
            field.values_mut().for_each(clean_field_names);
        }
        fields.retain(|field| field.as_object().is_none_or(|members| !members.is_empty()));
    }
    for nested in ["elements", "keys", "values"] {
        if let Some(nested) = definition.get_mut(nested) {
            clean_field_names(nested);
        }
    }
}
