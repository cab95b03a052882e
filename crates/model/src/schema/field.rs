//! One field of a schema: its type, its rules, and how a given value is completed and checked.

use std::collections::HashSet;

use indexmap::IndexMap;
use serde_json::{Map, Number, Value};
use uuid::Uuid;

use super::checks::EntityCheck;
use super::errors::FieldErrors;
use super::json_schema::JsonSchema;
use super::random;
use super::rules::{Rule, plain, same};
use crate::vault::is_reference;

pub(crate) const REQUIRED: &str = "required field missing";
pub(crate) const UNKNOWN: &str = "unknown field";

/// Completes an entity's members before its fields are looked at.
pub(crate) type Shorthand = fn(&mut Map<String, Value>);

#[derive(Debug, Clone)]
pub struct Field {
    pub(crate) kind: Kind,
    pub(crate) required: bool,
    pub(crate) default: Option<Value>,
    /// A missing value is drawn at random.
    pub(crate) auto: bool,
    pub(crate) unique: bool,
    pub(crate) secret: bool,
    /// A `{vault://...}` text is let through as it is.
    pub(crate) referenceable: bool,
    /// Used in place of the rules' own texts.
    pub(crate) error: Option<String>,
    /// In the order they run in; the first that fails speaks for the field.
    pub(crate) rules: Vec<Rule>,
}

#[derive(Debug, Clone)]
pub(crate) enum Kind {
    String,
    Number,
    Integer,
    Boolean,
    Array(Box<Field>),
    Set(Box<Field>),
    Map {
        keys: Box<Field>,
        values: Box<Field>,
    },
    Record(Record),
    Json(JsonSchema),
    /// The collection that is referred to.
    Foreign {
        collection: String,
        /// The entry goes with the one that it refers to, which is not deleted otherwise.
        cascades: bool,
    },
}

/// Named fields in order, and the rules between them.
#[derive(Debug, Clone, Default)]
pub struct Record {
    pub(crate) fields: IndexMap<String, Field>,
    pub(crate) checks: Vec<EntityCheck>,
    pub(crate) shorthands: Vec<Shorthand>,
    pub(crate) aliases: Vec<Alias>,
}

/// An older name of a member.
#[derive(Debug, Clone)]
pub(crate) struct Alias {
    pub(crate) name: String,
    pub(crate) field: Field,
    /// Where the value belongs: names of nested members.
    pub(crate) path: Vec<String>,
}

impl Record {
    pub fn fields(&self) -> impl Iterator<Item = (&str, &Field)> {
        self.fields.iter().map(|(name, field)| (name.as_str(), field))
    }

    /// Looks a field up by its name, or by a dotted path through nested records.
    pub fn field(&self, path: &str) -> Option<&Field> {
        match path.split_once('.') {
            None => self.fields.get(path),
            Some((head, tail)) => match &self.fields.get(head)?.kind {
                Kind::Record(record) => record.field(tail),
                _ => None,
            },
        }
    }

    /// The members in schema order, with defaults filled in and every field present (unset ones as
    /// null); or everything that is wrong with them.
    pub fn check(&self, given: Map<String, Value>) -> Result<Map<String, Value>, FieldErrors> {
        let (complete, errors) = self.complete(given);
        errors.into_result(complete)
    }

    /// The completed members, wrong ones too, for the rules between fields of whoever has this record in it.
    fn complete(&self, mut given: Map<String, Value>) -> (Map<String, Value>, FieldErrors) {
        self.shorthands.iter().for_each(|apply| apply(&mut given));
        let mut errors = FieldErrors::default();
        for alias in &self.aliases {
            if let Err(problem) = alias.apply(&mut given) {
                errors.set(&alias.name, problem);
            }
        }
        let mut complete = Map::new();
        for (name, field) in &self.fields {
            let mut value = given.shift_remove(name).unwrap_or_else(|| field.missing());
            if let Err(problem) = field.check(&mut value) {
                errors.set(name, problem);
            }
            complete.insert(name.clone(), value);
        }
        for name in given.keys() {
            errors.set(name, UNKNOWN);
        }
        for check in &self.checks {
            check.run(self, &complete, &mut errors);
        }
        (complete, errors)
    }

    /// Gives members that are explicitly null their default: for readers that need a value where the
    /// schema lets the user clear one.
    pub fn fill_nulls(&self, members: &mut Map<String, Value>) {
        for (name, field) in &self.fields {
            match members.get_mut(name) {
                Some(value @ Value::Null) => *value = field.default.clone().unwrap_or_default(),
                Some(Value::Object(nested)) => {
                    if let Kind::Record(record) = &field.kind {
                        record.fill_nulls(nested);
                    }
                }
                _ => {}
            }
        }
    }
}

impl Alias {
    /// Moves a value that stands under the older name to its place.
    fn apply(&self, given: &mut Map<String, Value>) -> Result<(), FieldErrors> {
        let Some(mut value) = given.shift_remove(&self.name).filter(|value| !value.is_null()) else {
            return Ok(());
        };
        self.field.check(&mut value)?;
        let Some((last, nests)) = self.path.split_last() else { return Ok(()) };
        let mut members = given;
        for name in nests {
            let nest = members.entry(name.as_str()).or_insert(Value::Null);
            if nest.is_null() {
                *nest = Value::Object(Map::new());
            }
            // Anything else is refused at its own place.
            let Some(inner) = object(nest) else { return Ok(()) };
            members = inner;
        }
        match members.get(last).filter(|present| !present.is_null()) {
            Some(present) if !same(present, &value) => {
                let path = self.path.join(".");
                let (name, old, new) = (&self.name, plain(&value), plain(present));
                Err(format!(
                    "both deprecated and new field are used but their values mismatch: {name} = {old} vs {path} = {new}"
                )
                .into())
            }
            _ => {
                members.insert(last.clone(), value);
                Ok(())
            }
        }
    }
}

impl Field {
    pub fn is_unique(&self) -> bool {
        self.unique
    }

    pub fn is_auto(&self) -> bool {
        self.auto
    }

    pub fn is_required(&self) -> bool {
        self.required
    }

    /// The collection a foreign key points into.
    pub fn reference(&self) -> Option<&str> {
        match &self.kind {
            Kind::Foreign { collection, .. } => Some(collection),
            _ => None,
        }
    }

    /// Whether an entry with this foreign key is deleted together with the one that it refers to.
    pub fn cascades(&self) -> bool {
        matches!(self.kind, Kind::Foreign { cascades: true, .. })
    }

    /// Whether its values are not to be shown.
    pub fn is_secret(&self) -> bool {
        self.secret
    }

    /// The value of a member that was not given.
    fn missing(&self) -> Value {
        if let Some(default) = &self.default {
            return default.clone();
        }
        match &self.kind {
            Kind::Record(_) if self.required => Value::Object(Map::new()),
            Kind::String if self.auto && self.rules.iter().any(|rule| matches!(rule, Rule::Uuid)) => {
                Value::String(Uuid::new_v4().to_string())
            }
            Kind::String if self.auto => Value::String(random::alphanumeric()),
            _ => Value::Null,
        }
    }

    /// Completes the value and checks it.
    pub(crate) fn check(&self, value: &mut Value) -> Result<(), FieldErrors> {
        if value.is_null() {
            return self.check_null();
        }
        if self.rules.iter().any(Rule::forbids_values) {
            return Err(self.error.as_deref().unwrap_or("value must be null").into());
        }
        self.check_type(value)?;
        if self.referenceable && value.as_str().is_some_and(is_reference) {
            return Ok(());
        }
        match self.rules.iter().find_map(|rule| rule.run(value).err()) {
            None => Ok(()),
            Some(message) => Err(self.error.clone().unwrap_or(message).into()),
        }
    }

    fn check_null(&self) -> Result<(), FieldErrors> {
        for rule in &self.rules {
            match rule {
                Rule::Ne(Value::Null) => {
                    return Err(self.error.as_deref().unwrap_or("value must not be null").into());
                }
                Rule::Eq(wanted) if !wanted.is_null() => {
                    return Err(format!("value must be {}", plain(wanted)).into());
                }
                _ => {}
            }
        }
        if self.required { Err(REQUIRED.into()) } else { Ok(()) }
    }

    fn check_type(&self, value: &mut Value) -> Result<(), FieldErrors> {
        match &self.kind {
            Kind::String => expect(value.is_string(), "expected a string"),
            Kind::Number => expect(value.is_number(), "expected a number"),
            Kind::Boolean => expect(value.is_boolean(), "expected a boolean"),
            Kind::Integer => {
                *value = whole(value).ok_or("expected an integer")?;
                Ok(())
            }
            Kind::Array(elements) => check_items(elements, value, "expected an array"),
            Kind::Set(elements) => {
                check_items(elements, value, "expected a set")?;
                drop_duplicates(value);
                Ok(())
            }
            Kind::Map { keys, values } => check_map(keys, values, value),
            Kind::Record(record) => {
                let members = object(value).ok_or("expected a record")?;
                let (complete, errors) = record.complete(std::mem::take(members));
                *members = complete;
                errors.into_result(())
            }
            Kind::Json(schema) => schema.check(value).map_err(|message| {
                FieldErrors::Message(format!("value failed JSON-schema validation: {message}"))
            }),
            Kind::Foreign { .. } => check_foreign(value),
        }
    }
}

fn expect(holds: bool, message: &str) -> Result<(), FieldErrors> {
    if holds { Ok(()) } else { Err(message.into()) }
}

/// 5.0 becomes 5, so that it prints without a fraction everywhere.
fn whole(value: &Value) -> Option<Value> {
    let number = value.as_number()?;
    if number.is_i64() || number.is_u64() {
        return Some(value.clone());
    }
    let float = number.as_f64().filter(|float| float.fract() == 0.0)?;
    // Beyond 2^63 an f64 has no neighbours that an integer could name.
    if float.abs() < 9.2e18 { Some(Value::Number(Number::from(float as i64))) } else { Some(value.clone()) }
}

/// The items of an array; an empty object counts as one, since the reference cannot tell them apart
/// and files in use rely on it.
fn array(value: &mut Value) -> Option<&mut Vec<Value>> {
    if value.as_object().is_some_and(Map::is_empty) {
        *value = Value::Array(Vec::new());
    }
    value.as_array_mut()
}

/// The members of an object; an empty array counts as one, see [`array`].
fn object(value: &mut Value) -> Option<&mut Map<String, Value>> {
    if value.as_array().is_some_and(Vec::is_empty) {
        *value = Value::Object(Map::new());
    }
    value.as_object_mut()
}

fn check_items(elements: &Field, value: &mut Value, message: &str) -> Result<(), FieldErrors> {
    let items = array(value).ok_or(message)?;
    let failed =
        items.iter_mut().enumerate().filter_map(|(index, item)| Some((index, elements.check(item).err()?)));
    FieldErrors::Items(failed.collect()).into_result(())
}

fn check_map(keys: &Field, values: &Field, value: &mut Value) -> Result<(), FieldErrors> {
    let members = object(value).ok_or("expected a map")?;
    let mut errors = FieldErrors::default();
    for (name, member) in members.iter_mut() {
        let checked = keys.check(&mut Value::String(name.clone())).and_then(|()| values.check(member));
        if let Err(problem) = checked {
            errors.set(name, problem);
        }
    }
    errors.into_result(())
}

fn drop_duplicates(value: &mut Value) {
    if let Value::Array(items) = value {
        let mut seen = HashSet::new();
        items.retain(|item| seen.insert(item.to_string()));
    }
}

fn check_foreign(value: &Value) -> Result<(), FieldErrors> {
    let members = value.as_object().ok_or("expected a record")?;
    let mut errors = FieldErrors::default();
    match members.get("id") {
        None => errors.set("id", "missing primary key"),
        Some(Value::String(id)) if super::rules::is_uuid(id) => {}
        Some(Value::String(_)) => errors.set("id", "expected a valid UUID"),
        Some(_) => errors.set("id", "expected a string"),
    }
    errors.into_result(())
}
