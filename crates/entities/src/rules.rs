//! What makes a row of what was given: completed, checked for itself, and changed into what is kept.

use polygate_model::schema::{EntitySchema, FieldErrors};
use serde_json::Value;

use crate::row::Row;
use crate::schemas::PluginSchemas;
use crate::{reference, stored};

/// What rows are completed and checked with.
pub struct Rules<'a> {
    pub plugins: &'a dyn PluginSchemas,
    /// Seconds since 1970: when entities were made that do not say so.
    pub now: f64,
    /// Whether passwords are given in clear, to be hashed before they are kept.
    pub secrets_are_clear: bool,
}

impl Rules<'_> {
    /// The row that is kept, or the given one with all that is wrong with it.
    pub(crate) fn complete(&self, schema: &EntitySchema, given: Row) -> Result<Row, (Row, FieldErrors)> {
        let mut row = given.clone();
        row.retain(|name, value| name != "id" || !value.is_null());
        for name in ["created_at", "updated_at"] {
            if schema.record().field(name).is_some() && row.get(name).is_none_or(Value::is_null) {
                row.insert(name.to_owned(), stored::timestamp(schema, self.now));
            }
        }
        match self.check(schema, row) {
            Ok(mut row) => {
                stored::apply(schema, &mut row, self.secrets_are_clear);
                Ok(row)
            }
            Err(errors) => Err((given, errors)),
        }
    }

    fn check(&self, schema: &EntitySchema, mut row: Row) -> Result<Row, FieldErrors> {
        if schema.name != "plugins" {
            return schema.check(row);
        }
        let name = row.get("name").and_then(Value::as_str).map(str::to_owned);
        if let Some(schema) = name.as_deref().and_then(|name| self.plugins.schema(name)) {
            return schema.entity().check(row);
        }
        // Nobody can say what its configuration should be; the rest can still be judged.
        row.shift_remove("config");
        let Some(name) = name else { return schema.check(row) };
        let mut errors = schema.check(row).err().unwrap_or_default();
        errors.set("name", missing_plugin(&name));
        Err(errors)
    }
}

fn missing_plugin(name: &str) -> String {
    match reference::missing(name) {
        Some(why) => {
            format!("plugin '{name}' {why}; remove it, or enable one of this name that a plugin server has")
        }
        None => format!("plugin '{name}' not enabled; add it to the 'plugins' configuration property"),
    }
}
