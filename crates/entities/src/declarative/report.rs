//! What is wrong with a declarative file, for people and for machines.

use polygate_model::schema::{FieldErrors, Step};
use serde_json::{Value, json};
use thiserror::Error;

use super::collect::Entry;

#[derive(Debug, Clone, PartialEq, Error)]
pub enum DeclarativeError {
    #[error("failed parsing declarative configuration: {0}")]
    Syntax(#[from] SyntaxError),
    /// Reads as an indented tree over several lines.
    #[error("{}", .0.errors.tree())]
    Invalid(Report),
}

impl DeclarativeError {
    /// The errors nested by collection and index, as `POST /config` answers them.
    pub fn fields(&self) -> Value {
        match self {
            Self::Syntax(_) => json!({ "error": self.to_string() }),
            Self::Invalid(report) => report.errors.to_json(),
        }
    }
}

/// Lines and columns count from 1.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message} at line {line}, column {column}")]
pub struct SyntaxError {
    pub message: String,
    pub line: usize,
    pub column: usize,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// Everything, in the shape of the document.
    pub errors: FieldErrors,
    /// The part of it that concerns entries, one by one.
    pub entries: Vec<EntryErrors>,
}

/// The errors of one entry and what it is known by.
#[derive(Debug, Clone, PartialEq)]
pub struct EntryErrors {
    pub collection: String,
    /// `services[0].routes[2]`, counting from 0.
    pub path: String,
    /// As given in the file.
    pub id: Option<String>,
    /// The name, user name or other key that is no secret.
    pub name: Option<String>,
    pub tags: Vec<String>,
    pub errors: FieldErrors,
}

impl EntryErrors {
    pub(super) fn new(entry: &Entry) -> Self {
        let text = |name: &str| entry.body.get(name).and_then(Value::as_str).map(str::to_owned);
        let tags = entry.body.get("tags").and_then(Value::as_array).into_iter().flatten();
        // A plugin is known by its plugin's name when nobody named the instance.
        let is_secret = |key: &&str| entry.schema.record().field(key).is_some_and(|field| field.is_secret());
        let key = entry.schema.endpoint_key.as_deref().filter(|key| !is_secret(key));
        let name = key.and_then(text).or_else(|| text("name"));
        Self {
            collection: entry.schema.name.clone(),
            path: dotted(&entry.path),
            id: text("id").filter(|_| !entry.id_is_generated),
            name,
            tags: tags.filter_map(Value::as_str).map(str::to_owned).collect(),
            errors: entry.errors.clone(),
        }
    }
}

fn dotted(path: &[Step]) -> String {
    let mut text = String::new();
    for step in path {
        match step {
            Step::Index(index) => text.push_str(&format!("[{index}]")),
            Step::Name(name) if text.is_empty() => text.push_str(name),
            Step::Name(name) => text.push_str(&format!(".{name}")),
        }
    }
    text
}
