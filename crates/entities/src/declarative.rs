//! The declarative file (`kong.yml`): text to the set of entities it describes.
//!
//! Parse, bring old formats up to date, flatten nested entries, give ids, resolve references, and write
//! every entry into an [`EntitySet`]. All errors of a file are collected and nothing is kept when there
//! is one. The same text always gives the same ids, on every node and after every reload, but for
//! credentials, whose ids must say nothing about their secrets.

mod collect;
mod formats;
mod ids;
mod references;
mod report;
mod yaml;

#[cfg(test)]
mod tests;

use std::path::Path;

use md5::{Digest, Md5};
use polygate_model::schema::{EntitySchema, FieldErrors};
use serde_json::{Map, Value};

use crate::rules::Rules;
use crate::schemas::PluginSchemas;
use crate::set::EntitySet;
use crate::violation::Violation;

use collect::{Collected, Entry};

pub use report::{DeclarativeError, EntryErrors, Report, SyntaxError};

/// The hash of a configuration without entities.
pub const EMPTY_HASH: &str = "00000000000000000000000000000000";

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

/// Reads a whole configuration. `now` (seconds since 1970) becomes the time of creation of entries
/// that do not give one.
pub fn load(
    text: &str,
    syntax: Syntax,
    plugins: &dyn PluginSchemas,
    now: f64,
) -> Result<EntitySet, DeclarativeError> {
    load_document(parse(text, syntax)?, plugins, now)
}

/// [`load`] for a document that is already parsed, such as the body of a `POST /config`.
pub fn load_document(
    document: Map<String, Value>,
    plugins: &dyn PluginSchemas,
    now: f64,
) -> Result<EntitySet, DeclarativeError> {
    let mut document = document;
    formats::migrate(&mut document);
    let mut collected = collect::collect(document);
    references::resolve(&mut collected.entries);
    let set = write(&mut collected, plugins, now);
    match report(&collected) {
        None => Ok(set),
        Some(report) => Err(DeclarativeError::Invalid(report)),
    }
}

/// By which a configuration is told from another one: the MD5 of its text in hex, which guards nothing.
pub fn hash(text: &str, set: &EntitySet) -> String {
    if set.is_empty() {
        return EMPTY_HASH.to_owned();
    }
    Md5::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
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

/// Writes all entries, in the order of their references, and notes what speaks against each.
fn write(collected: &mut Collected, plugins: &dyn PluginSchemas, now: f64) -> EntitySet {
    let rules = Rules { plugins, now, secrets_are_clear: collected.secrets_are_clear };
    let mut set = EntitySet::default();
    let mut orphans = Vec::new();
    let mut collections: Vec<_> = EntitySchema::all().iter().collect();
    collections.sort_by_key(|schema| depth(schema));
    for schema in collections {
        let of_collection = |(_, entry): &(usize, &mut Entry)| entry.schema.name == schema.name;
        for (index, entry) in collected.entries.iter_mut().enumerate().filter(of_collection) {
            // References that led nowhere have been reported; a missing one would be reported again.
            let earlier = std::mem::take(&mut entry.errors);
            for violation in set.insert(schema, entry.body.clone(), &rules).err().into_iter().flatten() {
                match violation {
                    Violation::Schema(errors) => entry.errors.merge_at(&[], errors),
                    // References are resolved: what it refers to was refused, which is said there.
                    Violation::ForeignKey { .. } => orphans.push((index, violation)),
                    violation => entry.errors.merge_at(&[], violation.to_string().into()),
                }
            }
            if let FieldErrors::Fields(fields) = earlier {
                fields.into_iter().for_each(|(name, errors)| entry.errors.set(&name, errors));
            }
        }
    }
    if report(collected).is_none() {
        for (index, violation) in orphans {
            collected.entries[index].errors.add_entity(violation.to_string());
        }
    }
    set
}

/// How many references lie below a collection at the most.
fn depth(schema: &EntitySchema) -> usize {
    let targets = schema.foreign_keys().filter_map(|(_, target)| EntitySchema::get(target));
    targets.map(|target| 1 + depth(target)).max().unwrap_or(0)
}

/// All errors as one tree, or None when there are none.
fn report(collected: &Collected) -> Option<Report> {
    let mut errors = collected.errors.clone();
    let mut entries = Vec::new();
    for entry in collected.entries.iter().filter(|entry| !entry.errors.is_empty()) {
        errors.merge_at(&entry.path, entry.errors.clone());
        entries.push(EntryErrors::new(entry));
    }
    (!errors.is_empty()).then_some(Report { errors, entries })
}
