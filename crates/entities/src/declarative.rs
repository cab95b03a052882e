//! The declarative file (`kong.yml`): text to the set of entities it describes.
//!
//! Parse, bring old formats up to date, flatten nested entries, give ids, resolve references, check
//! every entry against its schema, and build the typed entities. All errors of a file are collected
//! and nothing is kept when there is one. The same text always gives the same ids, on every node and
//! after every reload, but for credentials, whose ids must say nothing about their secrets.

mod collect;
mod formats;
mod ids;
mod references;
mod report;
mod transform;
mod typed;
mod yaml;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use md5::{Digest, Md5};
use polygate_model::Entities;
use polygate_model::schema::{FieldErrors, Schema};
use serde_json::{Map, Value};

pub use report::{DeclarativeError, EntryErrors, Report, SyntaxError};

/// The commented file that `config init` writes.
pub const SAMPLE: &str = include_str!("declarative/sample.yml");

/// The hash of a configuration without entities.
const EMPTY_HASH: &str = "00000000000000000000000000000000";

/// How to read a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Syntax {
    Yaml,
    Json,
    /// As JSON, and as YAML when that fails.
    Guess,
}

impl Syntax {
    /// By the extension of a file's name.
    pub fn of_path(path: &Path) -> Self {
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("json") => Self::Json,
            Some("yml" | "yaml") => Self::Yaml,
            _ => Self::Guess,
        }
    }
}

/// The plugins that configurations may name.
pub trait PluginSchemas {
    /// The schema of an enabled plugin; None for one that is unknown or not enabled.
    fn schema(&self, name: &str) -> Option<&Schema>;
}

impl PluginSchemas for HashMap<String, Schema> {
    fn schema(&self, name: &str) -> Option<&Schema> {
        self.get(name)
    }
}

/// A whole configuration.
#[derive(Debug)]
pub struct Loaded {
    pub entities: Entities,
    /// Collections of plugins that are not enabled, and how many entries they had: nothing of them is kept.
    pub ignored: BTreeMap<&'static str, usize>,
}

/// Reads a whole configuration. `now` (seconds since 1970) becomes the time of creation of entries
/// that do not give one.
pub fn load(
    text: &str,
    syntax: Syntax,
    plugins: &dyn PluginSchemas,
    now: f64,
) -> Result<Entities, DeclarativeError> {
    let document = parse(text, syntax)?;
    Ok(load_document(document, md5_hex(text), plugins, now)?.entities)
}

/// [`load`] for a document that is already parsed, such as the body of a `POST /config`. `hash` is
/// the MD5 of the text that it came from, in hex.
pub fn load_document(
    document: Map<String, Value>,
    hash: String,
    plugins: &dyn PluginSchemas,
    now: f64,
) -> Result<Loaded, DeclarativeError> {
    let mut document = document;
    formats::migrate(&mut document);
    let mut collected = collect::collect(document, plugins);
    references::resolve(&mut collected.entries);
    collected.check(plugins, now);
    if let Some(report) = collected.report() {
        return Err(DeclarativeError::Invalid(report));
    }
    let is_empty = collected.entries.is_empty();
    let ignored = std::mem::take(&mut collected.ignored);
    let mut entities = typed::build(collected).map_err(DeclarativeError::Invalid)?;
    entities.hash = if is_empty { EMPTY_HASH.to_owned() } else { hash };
    Ok(Loaded { entities, ignored })
}

/// The members of the document, or where its syntax is broken.
pub fn parse(text: &str, syntax: Syntax) -> Result<Map<String, Value>, DeclarativeError> {
    // Some editors put a byte order mark in front.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let json = || {
        serde_json::from_str(text).map_err(|error| SyntaxError {
            // The position is shown apart from the message.
            message: error.to_string().split(" at line ").next().unwrap_or_default().to_owned(),
            line: error.line(),
            column: error.column(),
        })
    };
    let document = match syntax {
        Syntax::Json => json(),
        Syntax::Yaml => yaml::parse(text),
        Syntax::Guess => json().or_else(|_| yaml::parse(text)),
    };
    match document? {
        Value::Object(members) => Ok(members),
        _ => Err(SyntaxError { message: "expected an object".to_owned(), line: 1, column: 1 }.into()),
    }
}

/// The MD5 of a text in hex: it tells configurations apart and guards nothing.
pub fn md5_hex(text: &str) -> String {
    Md5::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

impl collect::Collected {
    /// All errors as one tree, or None when there are none.
    fn report(&self) -> Option<Report> {
        let mut errors: FieldErrors = self.errors.clone();
        let mut entries = Vec::new();
        for entry in self.entries.iter().filter(|entry| !entry.errors.is_empty()) {
            errors.merge_at(&entry.path, entry.errors.clone());
            entries.push(EntryErrors::new(entry));
        }
        (!errors.is_empty()).then_some(Report { errors, entries })
    }
}
