//! Which attribute may stand on which type of field, and what value it takes.

use serde_json::{Map, Value};

use super::reader::Reader;
use super::rules::is_given;
use crate::schema::rules;

/// The types a field can be declared with from JSON.
pub(super) const TYPES: [&str; 10] =
    ["string", "number", "integer", "boolean", "array", "set", "map", "record", "json", "foreign"];

const NUMBERS: &[&str] = &["number", "integer"];
const TEXTS: &[&str] = &["string"];
const SCALARS: &[&str] = &["string", "number", "integer"];
const LISTS: &[&str] = &["array", "set"];
const SIZED: &[&str] = &["array", "set", "string", "map"];

/// The types that an attribute is confined to.
fn allowed_types(attribute: &str) -> Option<&'static [&'static str]> {
    Some(match attribute {
        "between" | "gt" | "timestamp" => NUMBERS,
        "len_eq" | "len_min" | "len_max" => SIZED,
        "match" | "not_match" | "match_all" | "match_none" | "match_any" | "starts_with" | "is_regex"
        | "uuid" => TEXTS,
        "one_of" | "not_one_of" => SCALARS,
        "contains" | "mutually_exclusive_subsets" => LISTS,
        "unique" | "unique_across_ws" => &["string", "number", "integer", "foreign"],
        "abstract" => &["string", "number", "integer", "record", "array", "set", "map"],
        "json_schema" => &["json"],
        "transient" => &["string", "number", "integer", "array", "set", "boolean"],
        "elements" => LISTS,
        "keys" | "values" => &["map"],
        "fields" | "entity_checks" | "shorthand_fields" => &["record"],
        _ => return None,
    })
}

enum Shape {
    Any,
    Boolean,
    Text,
    Array,
    Object,
    /// The reference makes functions of what stands there; in documents of ours each names its place.
    Aliases,
    Function,
}

/// Attributes that are not rules. `default` and the nested definitions are judged elsewhere.
fn shape(attribute: &str) -> Option<Shape> {
    Some(match attribute {
        "required" | "auto" | "unique" | "unique_across_ws" | "abstract" | "generate_admin_api"
        | "immutable" | "encrypted" | "referenceable" | "transient" => Shape::Boolean,
        "reference" | "description" | "on_delete" | "err" => Shape::Text,
        "examples" => Shape::Array,
        "deprecation" | "json_schema" => Shape::Object,
        "shorthand_fields" => Shape::Aliases,
        "custom_validator" | "transformations" | "func" => Shape::Function,
        "type" | "default" | "elements" | "keys" | "values" | "fields" | "entity_checks" => Shape::Any,
        _ => return None,
    })
}

impl Reader {
    /// Notes unknown attributes, those that do not go with the type, and those of a wrong shape.
    pub(super) fn check_attributes(&mut self, definition: &Map<String, Value>, kind: &str) {
        for (attribute, value) in definition.iter().filter(|(name, value)| is_given(name, value)) {
            if allowed_types(attribute).is_some_and(|types| !types.contains(&kind)) {
                self.problem(format!("field of type '{kind}' cannot have attribute '{attribute}'"));
            } else if let Some(message) = self.attribute_problem(attribute, value) {
                self.inside(attribute, |reader| reader.problem(message));
            }
        }
    }

    fn attribute_problem(&self, attribute: &str, value: &Value) -> Option<String> {
        let Some(shape) = shape(attribute) else {
            let known = rules::ORDER.contains(&attribute) && (self.trusted || attribute != "check");
            return (!known).then(|| "unknown field".to_owned());
        };
        let expected = match shape {
            Shape::Aliases if self.trusted => return None,
            Shape::Aliases | Shape::Function => return Some("a function cannot come from JSON".to_owned()),
            Shape::Boolean if !value.is_boolean() => "expected a boolean",
            Shape::Text if !value.is_string() => "expected a string",
            Shape::Array if !value.is_array() => "expected an array",
            Shape::Object if !value.is_object() => "expected a record",
            _ => return self.text_problem(attribute, value.as_str()?),
        };
        Some(expected.to_owned())
    }

    /// Kong's limits on a description, which make a plugin fail to load there too.
    fn text_problem(&self, attribute: &str, text: &str) -> Option<String> {
        match attribute {
            "description" if !self.trusted && text.len() < 10 => {
                Some("length must be at least 10".to_owned())
            }
            "description" if text.len() > 500 => Some("length must be at most 500".to_owned()),
            "on_delete" if !["restrict", "cascade", "null"].contains(&text) => {
                Some("expected one of: restrict, cascade, null".to_owned())
            }
            _ => None,
        }
    }
}
