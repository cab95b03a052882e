//! A schema document to [`Field`]s, with everything wrong in the document collected.
//!
//! Documents come from plugin servers and from our own tables. Only the latter may use `check`, the
//! name of a check that is code, and `is`, the name of a shared definition.

use indexmap::IndexMap;
use serde_json::{Map, Value};

use super::errors::FieldErrors;
use super::field::{Alias, Field, Kind, Record};
use super::json_schema::JsonSchema;

mod attributes;
mod entity_checks;
mod reader;
mod rules;

pub(crate) use reader::Reader;
pub use reader::{SchemaErrors, SchemaProblem};

impl Reader {
    /// A field's definition. None when it is wrong, which has then been noted.
    pub(crate) fn field(&mut self, definition: &Value) -> Option<Field> {
        let Some(definition) = definition.as_object() else {
            self.problem("expected a definition table");
            return None;
        };
        let problems = self.problems.len();
        let name = self.type_name(definition)?;
        self.check_attributes(definition, name);
        let kind = self.kind(definition, name);
        let rules = self.rules(definition, name);
        let flag = |attribute: &str| definition.get(attribute) == Some(&Value::Bool(true));
        let kind = kind.filter(|_| self.problems.len() == problems)?;
        let is_record = matches!(kind, Kind::Record(_));
        let field = Field {
            required: flag("required") || (is_record && !definition.contains_key("required")),
            default: definition.get("default").filter(|default| !default.is_null()).cloned(),
            auto: flag("auto"),
            unique: flag("unique"),
            secret: flag("encrypted"),
            referenceable: flag("referenceable"),
            error: definition.get("err").and_then(Value::as_str).map(str::to_owned),
            kind,
            rules,
        };
        self.check_default(&field);
        Some(field)
    }

    /// A default that its own field refuses would show only when somebody leaves the field out.
    fn check_default(&mut self, field: &Field) {
        let Some(Err(errors)) = field.default.as_ref().map(|default| field.check(&mut default.clone()))
        else {
            return;
        };
        let message = match errors {
            FieldErrors::Message(message) => message,
            nested => nested.to_string(),
        };
        self.inside("default", |reader| reader.problem(message));
    }

    fn type_name<'a>(&mut self, definition: &'a Map<String, Value>) -> Option<&'a str> {
        match definition.get("type") {
            Some(Value::String(name)) if attributes::TYPES.contains(&name.as_str()) => return Some(name),
            Some(Value::String(name)) if name == "function" => {
                self.problem("a field of type 'function' cannot be configured from JSON");
            }
            Some(Value::String(name)) => self.problem(format!("invalid type: {name}")),
            Some(_) => self.inside("type", |reader| reader.problem("expected a string")),
            None => self.problem("missing type declaration"),
        }
        None
    }

    fn kind(&mut self, definition: &Map<String, Value>, name: &str) -> Option<Kind> {
        Some(match name {
            "string" => Kind::String,
            "number" => Kind::Number,
            "integer" => Kind::Integer,
            "boolean" => Kind::Boolean,
            "array" => Kind::Array(self.nested(definition, name, "elements")?),
            "set" => Kind::Set(self.nested(definition, name, "elements")?),
            "map" => {
                let keys = self.nested(definition, name, "keys");
                let values = self.nested(definition, name, "values");
                Kind::Map { keys: keys?, values: values? }
            }
            "record" => Kind::Record(self.record(definition)?),
            "json" => Kind::Json(self.json(definition)?),
            _ => Kind::Foreign {
                collection: self.text(definition, name, "reference")?,
                cascades: definition.get("on_delete").is_some_and(|on_delete| on_delete == "cascade"),
            },
        })
    }

    /// Elements, keys and values: present, and never null inside.
    fn nested(&mut self, definition: &Map<String, Value>, kind: &str, attribute: &str) -> Option<Box<Field>> {
        let nested = self.needed(definition, kind, attribute)?;
        let mut field = self.inside(attribute, |reader| reader.field(nested))?;
        field.required = true;
        Some(Box::new(field))
    }

    fn needed<'a>(
        &mut self,
        definition: &'a Map<String, Value>,
        kind: &str,
        attribute: &str,
    ) -> Option<&'a Value> {
        let value = definition.get(attribute).filter(|value| !value.is_null());
        if value.is_none() {
            self.problem(format!("field of type '{kind}' must declare '{attribute}'"));
        }
        value
    }

    fn text(&mut self, definition: &Map<String, Value>, kind: &str, attribute: &str) -> Option<String> {
        self.needed(definition, kind, attribute)?.as_str().map(str::to_owned)
    }

    fn json(&mut self, definition: &Map<String, Value>) -> Option<JsonSchema> {
        let source = self.needed(definition, "json", "json_schema")?;
        let Some(inline) = source.get("inline") else {
            self.problem("json_schema: required field missing: inline");
            return None;
        };
        match JsonSchema::parse(inline) {
            Ok(schema) => Some(schema),
            Err(reason) => {
                self.problem(format!("json_schema.inline: {reason}"));
                None
            }
        }
    }

    pub(crate) fn record(&mut self, definition: &Map<String, Value>) -> Option<Record> {
        let source = self.needed(definition, "record", "fields")?;
        let definitions = self.inside("fields", |reader| reader.definitions(source))?;
        let mut record = Record::default();
        for (name, definition) in &definitions {
            if let Some(field) = self.inside(name, |reader| reader.field(definition)) {
                record.fields.insert(name.clone(), field);
            }
        }
        if let Some(source) = definition.get("shorthand_fields") {
            record.aliases = self.inside("shorthand_fields", |reader| reader.aliases(source))?;
        }
        if let Some(checks) = definition.get("entity_checks") {
            record.checks = self.inside("entity_checks", |reader| reader.entity_checks(checks, &definitions));
        }
        Some(record)
    }

    /// Older names, and where their values belong.
    fn aliases(&mut self, source: &Value) -> Option<Vec<Alias>> {
        let definitions = self.definitions(source)?;
        let alias = |(name, definition): (&String, &Value)| {
            self.inside(name, |reader| {
                let field = reader.field(definition)?;
                let path = definition.pointer("/deprecation/replaced_with/0/path").and_then(Value::as_array);
                let path: Option<Vec<_>> =
                    path.map(|names| names.iter().filter_map(Value::as_str).map(str::to_owned).collect());
                if path.is_none() {
                    reader.problem("deprecation.replaced_with must say where the value belongs");
                }
                Some(Alias { name: name.clone(), field, path: path? })
            })
        };
        definitions.iter().map(alias).collect()
    }

    /// The entries of a `fields` list: objects of one member each. Names may carry the options of a
    /// Go struct tag, which is cut off; a field named `-` is one that Go leaves out.
    fn definitions(&mut self, source: &Value) -> Option<IndexMap<String, Value>> {
        let entries = match source {
            Value::Array(entries) => entries.as_slice(),
            // An empty list is an empty object to some encoders.
            Value::Object(members) if members.is_empty() => &[],
            _ => {
                self.problem("expected an array");
                return None;
            }
        };
        let mut definitions = IndexMap::new();
        for (index, entry) in entries.iter().enumerate() {
            let Some(members) = entry.as_object().filter(|members| members.len() == 1) else {
                self.problem(format!("each entry must be an object of one member: entry {}", index + 1));
                continue;
            };
            for (name, definition) in members {
                let name = name.split(',').next().unwrap_or_default();
                if name == "-" {
                    continue;
                }
                if definitions.insert(name.to_owned(), definition.clone()).is_some() {
                    self.problem(format!("field declared twice: {name}"));
                }
            }
        }
        Some(definitions)
    }
}
