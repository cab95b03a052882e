//! Checks that the owner of a schema brings.

use serde_json::Value;

/// Checks that are code, by the name that a document of ours gives them. They see values that have the field's type.
pub type Checks = &'static [(&'static str, ValueCheck)];

/// Says what is wrong with a value.
pub type ValueCheck = fn(&Value) -> Result<(), String>;
