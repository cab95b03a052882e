//! Nested collections to one flat list of entries, each with its place, id and parent.

use polygate_model::schema::{EntitySchema, FieldErrors, Step};
use serde_json::{Map, Value, json};

use super::formats;
use super::ids::Ids;
use crate::row::Row;

/// Collections of the reference that are not served; a file may hold them empty.
const UNSUPPORTED: [&str; 7] = [
    "keys",
    "key_sets",
    "filter_chains",
    "clustering_data_planes",
    "sessions",
    "acme_storage",
    "oauth2_authorization_codes",
];

pub(super) struct Collected {
    pub(super) entries: Vec<Entry>,
    /// What concerns the file rather than one entry.
    pub(super) errors: FieldErrors,
    /// Whether secrets are given in clear (`_transform`).
    pub(super) secrets_are_clear: bool,
}

pub(super) struct Entry {
    pub(super) schema: &'static EntitySchema,
    pub(super) path: Vec<Step>,
    /// Given, or generated from what identifies the entry.
    pub(super) id: String,
    pub(super) id_is_generated: bool,
    /// As written, without nested collections.
    pub(super) body: Row,
    /// The foreign key that nesting fills in, and what the file gave for it beside that.
    pub(super) nested_key: Option<(String, Value)>,
    pub(super) errors: FieldErrors,
}

pub(super) fn collect(document: Map<String, Value>) -> Collected {
    let secrets_are_clear = document.get("_transform") != Some(&Value::Bool(false));
    let collected = Collected { entries: Vec::new(), errors: FieldErrors::default(), secrets_are_clear };
    let mut collector = Collector { ids: Ids::default(), collected };
    if !document.contains_key("_format_version") {
        collector.collected.errors.set("_format_version", "required field missing");
    }
    for (name, value) in document {
        collector.top_level(&name, value);
    }
    collector.collected
}

struct Collector {
    ids: Ids,
    collected: Collected,
}

impl Collector {
    fn top_level(&mut self, name: &str, value: Value) {
        let problem = match name {
            "_format_version" => formats::problem(&value),
            "_transform" => (!value.is_boolean()).then_some("expected a boolean"),
            "_comment" | "_ignore" => annotation_problem(name, &value),
            "workspaces" => workspaces_problem(&value),
            // Facts about a cluster, of no use to a single node.
            "parameters" => (!value.is_array()).then_some("expected an array"),
            name if UNSUPPORTED.contains(&name) => {
                let empty = value.is_null() || value.as_array().is_some_and(Vec::is_empty);
                (!empty).then_some("not supported by polygate; remove it")
            }
            name => match EntitySchema::get(name) {
                Some(schema) => return self.collection(schema, value, &[], None),
                None => Some("unknown field"),
            },
        };
        if let Some(message) = problem {
            self.collected.errors.set(name, message);
        }
    }

    fn collection(
        &mut self,
        schema: &'static EntitySchema,
        value: Value,
        at: &[Step],
        parent: Option<usize>,
    ) {
        let path = extended(at, Step::Name(schema.name.clone()));
        match value {
            Value::Null => {}
            Value::Array(items) => {
                for (index, item) in items.into_iter().enumerate() {
                    self.entry(schema, item, extended(&path, Step::Index(index)), parent);
                }
            }
            // Encoders that cannot tell an empty list from an empty object exist.
            Value::Object(members) if members.is_empty() => {}
            _ => self.collected.errors.merge_at(&path, "expected an array".into()),
        }
    }

    fn entry(&mut self, schema: &'static EntitySchema, value: Value, path: Vec<Step>, parent: Option<usize>) {
        let mut body = match value {
            Value::Object(body) => body,
            // The names of a certificate may be written as plain texts.
            Value::String(name) if schema.name == "snis" && parent.is_some() => {
                Map::from_iter([("name".to_owned(), Value::String(name))])
            }
            _ => return self.collected.errors.merge_at(&path, "expected a record".into()),
        };
        let mut errors = FieldErrors::default();
        for name in ["_comment", "_ignore"] {
            if let Some(message) = body.shift_remove(name).and_then(|value| annotation_problem(name, &value))
            {
                errors.set(name, message);
            }
        }
        let children = take_children(schema, &mut body);
        let nested_key = parent.map(|parent| nest(schema, &mut body, &self.collected.entries[parent]));
        let given = body.get("id").and_then(Value::as_str).map(str::to_owned);
        let id_is_generated = given.is_none();
        let id = given.unwrap_or_else(|| self.ids.generate(schema, &body));
        if body.get("id").is_none_or(Value::is_null) {
            body.insert("id".to_owned(), Value::String(id.clone()));
        }
        let index = self.collected.entries.len();
        self.collected.entries.push(Entry {
            schema,
            path: path.clone(),
            id,
            id_is_generated,
            body,
            nested_key,
            errors,
        });
        for (child, value) in children {
            self.collection(child, value, &path, Some(index));
        }
    }
}

/// The collections inside an entry: those whose entries refer to it.
fn take_children(
    schema: &EntitySchema,
    body: &mut Map<String, Value>,
) -> Vec<(&'static EntitySchema, Value)> {
    let refers = |child: &&EntitySchema| child.foreign_keys().any(|(_, target)| target == schema.name);
    let children = EntitySchema::all().iter().filter(refers);
    children.filter_map(|child| Some((child, body.shift_remove(&child.name)?))).collect()
}

/// Points the entry at the one around it.
fn nest(schema: &EntitySchema, body: &mut Map<String, Value>, parent: &Entry) -> (String, Value) {
    let key = schema.foreign_keys().find(|(_, target)| *target == parent.schema.name);
    let key = key.map(|(name, _)| name.to_owned()).unwrap_or_default();
    let given = body.insert(key.clone(), json!({ "id": parent.id })).unwrap_or_default();
    (key, given)
}

fn extended(path: &[Step], step: Step) -> Vec<Step> {
    let mut path = path.to_vec();
    path.push(step);
    path
}

fn annotation_problem(name: &str, value: &Value) -> Option<&'static str> {
    match name {
        "_comment" => (!value.is_string()).then_some("expected a string"),
        _ => (!value.is_array()).then_some("expected an array"),
    }
}

/// Exports list the one workspace that the open-source edition has.
fn workspaces_problem(value: &Value) -> Option<&'static str> {
    let Some(list) = value.as_array() else { return Some("expected an array") };
    let only_default =
        list.iter().all(|workspace| workspace.get("name").is_some_and(|name| name == "default"));
    (!only_default).then_some("only the workspace 'default' exists")
}
