//! The schema engine: JSON values in, completed values or all their errors out.
//!
//! A schema is a document in the language that Kong plugins are described in: fields with a type,
//! validators, defaults, nested records and rules between fields. Plugins bring theirs from their
//! server ([`Schema::parse`]) or from our own tables ([`Schema::builtin`]); services, routes and the
//! rest are declared in the same language ([`EntitySchema`]). Lua functions have no place in JSON,
//! so attributes that would hold one are refused.

mod address;
mod checks;
mod entity;
mod errors;
mod field;
mod json_schema;
mod named;
mod own_checks;
mod parse;
mod random;
mod references;
mod rules;
mod shorthands;
#[cfg(test)]
mod tests;

use serde_json::{Map, Value};

pub use address::{Address, AddressError, Host};
pub use entity::EntitySchema;
pub use errors::{ENTITY, FieldErrors, Step};
pub use field::{Field, Record};
pub use own_checks::{Checks, ValueCheck};
pub use parse::{SchemaErrors, SchemaProblem};
pub use random::alphanumeric as random_text;

use field::Kind;
use parse::Reader;

/// What a plugin's configurations must look like.
#[derive(Debug, Clone)]
pub struct Schema {
    name: String,
    /// The plugin entity as this plugin has it.
    entity: Record,
    document: Value,
}

/// The members of the plugin entity that a plugin may narrow.
const SCOPES: [&str; 4] = ["consumer", "route", "service", "protocols"];

impl Schema {
    /// Reads the `Schema` member of a plugin server's answer: `{"name": ..., "fields": [...]}`.
    pub fn parse(document: &Value) -> Result<Self, SchemaErrors> {
        Self::read(document, Reader::new(false), document.clone())
    }

    /// Reads a schema of our own, which may use shared definitions (`is`: `tags`, `port`, `path`,
    /// `header_name`, `timeout`, ...) and checks by name (`check`: `ip_or_cidr`, `host`, `url`, ...).
    ///
    /// `check` may also name one of `checks`, on fields of any type. Rules between fields of the whole entity stand in
    /// `entity_checks` beside `fields`; `shorthand_fields` of a record are older names of members, which say in
    /// `deprecation.replaced_with` where their value belongs.
    pub fn builtin(document: &Value, checks: Checks) -> Result<Self, SchemaErrors> {
        Self::read(document, Reader::with_checks(checks), entity::expand(document))
    }

    fn read(document: &Value, mut reader: Reader, expanded: Value) -> Result<Self, SchemaErrors> {
        let entity = reader.plugin(&expanded);
        let entity = reader.into_result(entity)?;
        let name = document.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
        Ok(Self { name, entity, document: expanded })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// The schema as it was read, shared definitions filled in.
    pub fn document(&self) -> &Value {
        &self.document
    }

    /// The whole plugin entity: its scopes, its protocols and its configuration.
    pub fn entity(&self) -> &Record {
        &self.entity
    }

    /// Completes and checks the `config` member alone. Missing members get their default or null;
    /// what was explicitly null stays null. Error paths start below `config`.
    pub fn config(&self, given: Value) -> Result<Map<String, Value>, FieldErrors> {
        let mut value = given;
        match self.entity.fields.get("config") {
            Some(field) => field.check(&mut value)?,
            None => return Err("config: unknown field".into()),
        }
        match value {
            Value::Object(config) => Ok(config),
            _ => Ok(Map::new()),
        }
    }

    /// Puts what `secret` answers in the place of each `{vault://...}` reference in a checked configuration, where its
    /// field is `referenceable`. The references themselves are kept by member in `$refs`, in each record that had some,
    /// as plugins of the reference find them.
    pub fn resolve(&self, config: &mut Map<String, Value>, secret: &mut dyn FnMut(&str) -> String) {
        if let Some(Kind::Record(record)) = self.entity.fields.get("config").map(|field| &field.kind) {
            references::resolve(record, config, secret);
        }
    }
}

impl Reader {
    /// A plugin's document to the plugin entity it makes.
    fn plugin(&mut self, document: &Value) -> Option<Record> {
        if !document.get("name").is_some_and(Value::is_string) {
            self.inside("name", |reader| reader.problem("required field missing"));
            return None;
        }
        let fields: Vec<(&String, &Value)> = match document.get("fields") {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Array(entries)) => entries.iter().filter_map(Value::as_object).flatten().collect(),
            Some(_) => {
                self.inside("fields", |reader| reader.problem("expected an array"));
                return None;
            }
        };
        let known = |name: &str| name == "config" || SCOPES.contains(&name);
        for (name, definition) in &fields {
            if !known(name) {
                self.inside(name, |reader| reader.problem("unknown field"));
            } else {
                let field = self.inside(name, |reader| reader.field(definition));
                let is_record = field.is_none_or(|field| matches!(field.kind, Kind::Record(_)));
                if *name == "config" && !is_record {
                    self.inside(name, |reader| reader.problem("must be of type 'record'"));
                }
            }
        }
        if !self.is_clean() {
            return None;
        }
        let replaced = fields.iter().map(|(name, definition)| (name.as_str(), *definition));
        let entity = entity::plugin_entity(replaced, document.get("entity_checks"));
        self.trusting(|reader| reader.record(entity.as_object()?))
    }
}
