//! One row: an entity as JSON.

use serde_json::{Map, Value};

/// The members of an entity by name. A row of a set has every field of its schema, with null for what is not set.
pub type Row = Map<String, Value>;

/// The id that a row's foreign key holds.
pub(crate) fn foreign_key<'a>(row: &'a Row, key: &str) -> Option<&'a str> {
    row.get(key).and_then(Value::as_object)?.get("id")?.as_str()
}
