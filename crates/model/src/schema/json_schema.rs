//! The part of JSON Schema that fields of type `json` may use.
//!
//! Types, enumerations, sizes, patterns and nested members and items. A schema with any other
//! keyword is refused when it is loaded, so that nothing is ever left unchecked in silence.

use indexmap::IndexMap;
use regex::Regex;
use serde_json::{Map, Value};

use super::rules::same;

#[derive(Debug, Clone, Default)]
pub(crate) struct JsonSchema {
    types: Vec<String>,
    options: Option<Vec<Value>>,
    properties: IndexMap<String, JsonSchema>,
    required: Vec<String>,
    /// None: any; `Some(None)`: none.
    additional: Option<Option<Box<JsonSchema>>>,
    items: Option<Box<JsonSchema>>,
    bounds: Vec<(Bound, f64)>,
    pattern: Option<Regex>,
}

#[derive(Debug, Clone, Copy)]
enum Bound {
    Minimum,
    Maximum,
    MinLength,
    MaxLength,
    MinItems,
    MaxItems,
}

impl JsonSchema {
    pub(crate) fn parse(source: &Value) -> Result<Self, String> {
        let members = match source {
            Value::Bool(true) => return Ok(Self::default()),
            Value::Object(members) => members,
            _ => return Err("expected an object".to_owned()),
        };
        let mut schema = Self::default();
        for (keyword, value) in members {
            schema.keyword(keyword, value).map_err(|reason| format!("{keyword}: {reason}"))?;
        }
        Ok(schema)
    }

    fn keyword(&mut self, keyword: &str, value: &Value) -> Result<(), String> {
        match keyword {
            "$schema" | "$id" | "title" | "description" | "default" | "examples" => {}
            "type" => self.types = types(value)?,
            "enum" => self.options = Some(value.as_array().ok_or("expected an array")?.clone()),
            "const" => self.options = Some(vec![value.clone()]),
            "properties" => {
                for (name, source) in value.as_object().ok_or("expected an object")? {
                    let nested = Self::parse(source).map_err(|reason| format!("{name}: {reason}"))?;
                    self.properties.insert(name.clone(), nested);
                }
            }
            "required" => self.required = texts(value)?,
            "additionalProperties" if *value == Value::Bool(false) => self.additional = Some(None),
            "additionalProperties" => self.additional = Some(Some(Box::new(Self::parse(value)?))),
            "items" => self.items = Some(Box::new(Self::parse(value)?)),
            "pattern" => {
                let text = value.as_str().ok_or("expected a string")?;
                self.pattern = Some(Regex::new(text).map_err(|error| error.to_string())?);
            }
            "minimum" => self.bound(Bound::Minimum, value)?,
            "maximum" => self.bound(Bound::Maximum, value)?,
            "minLength" => self.bound(Bound::MinLength, value)?,
            "maxLength" => self.bound(Bound::MaxLength, value)?,
            "minItems" => self.bound(Bound::MinItems, value)?,
            "maxItems" => self.bound(Bound::MaxItems, value)?,
            _ => return Err("this keyword is not supported".to_owned()),
        }
        Ok(())
    }

    fn bound(&mut self, bound: Bound, value: &Value) -> Result<(), String> {
        self.bounds.push((bound, value.as_f64().ok_or("expected a number")?));
        Ok(())
    }

    pub(crate) fn check(&self, value: &Value) -> Result<(), String> {
        if !self.types.is_empty() && !self.types.iter().any(|name| is_of_type(value, name)) {
            return Err(format!("expected {}", self.types.join(" or ")));
        }
        if let Some(options) =
            self.options.as_ref().filter(|options| !options.iter().any(|option| same(option, value)))
        {
            return Err(format!("expected one of {}", Value::from(options.clone())));
        }
        for (bound, limit) in &self.bounds {
            bound.check(*limit, value)?;
        }
        match value {
            Value::String(text) if self.pattern.as_ref().is_some_and(|pattern| !pattern.is_match(text)) => {
                Err(format!("'{text}' does not match the pattern"))
            }
            Value::Array(items) => self.check_items(items),
            Value::Object(members) => self.check_members(members),
            _ => Ok(()),
        }
    }

    fn check_items(&self, items: &[Value]) -> Result<(), String> {
        let Some(schema) = &self.items else { return Ok(()) };
        items.iter().enumerate().try_for_each(|(index, item)| {
            schema.check(item).map_err(|reason| format!("item {}: {reason}", index + 1))
        })
    }

    fn check_members(&self, members: &Map<String, Value>) -> Result<(), String> {
        if let Some(name) = self.required.iter().find(|name| !members.contains_key(*name)) {
            return Err(format!("property {name} is required"));
        }
        members.iter().try_for_each(|(name, member)| {
            let schema = match (self.properties.get(name), &self.additional) {
                (Some(schema), _) => schema,
                (None, None) => return Ok(()),
                (None, Some(None)) => return Err(format!("property {name} is not allowed")),
                (None, Some(Some(schema))) => schema,
            };
            schema.check(member).map_err(|reason| format!("property {name}: {reason}"))
        })
    }
}

impl Bound {
    fn check(self, limit: f64, value: &Value) -> Result<(), String> {
        let (measured, least) = match self {
            Self::Minimum => (value.as_f64(), true),
            Self::Maximum => (value.as_f64(), false),
            Self::MinLength => (value.as_str().map(|text| text.chars().count() as f64), true),
            Self::MaxLength => (value.as_str().map(|text| text.chars().count() as f64), false),
            Self::MinItems => (value.as_array().map(|items| items.len() as f64), true),
            Self::MaxItems => (value.as_array().map(|items| items.len() as f64), false),
        };
        match measured {
            Some(measured) if least && measured < limit => Err(format!("expected at least {limit}")),
            Some(measured) if !least && measured > limit => Err(format!("expected at most {limit}")),
            _ => Ok(()),
        }
    }
}

fn types(value: &Value) -> Result<Vec<String>, String> {
    let names = match value {
        Value::String(name) => vec![name.clone()],
        list => texts(list)?,
    };
    let known = ["null", "boolean", "integer", "number", "string", "array", "object"];
    match names.iter().find(|name| !known.contains(&name.as_str())) {
        Some(name) => Err(format!("unknown type '{name}'")),
        None => Ok(names),
    }
}

fn texts(value: &Value) -> Result<Vec<String>, String> {
    let items = value.as_array().ok_or("expected an array")?;
    items
        .iter()
        .map(|item| item.as_str().map(str::to_owned).ok_or_else(|| "expected strings".to_owned()))
        .collect()
}

fn is_of_type(value: &Value, name: &str) -> bool {
    match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.as_f64().is_some_and(|number| number.fract() == 0.0),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        _ => value.is_object(),
    }
}
