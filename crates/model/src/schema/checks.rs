//! The rules between the fields of a record (`entity_checks`).

use serde_json::{Map, Value};

use super::errors::FieldErrors;
use super::field::{Field, Kind, REQUIRED, Record};
use super::named::RecordCheck;
use super::rules::quoted;
use crate::vault::is_reference;

#[derive(Debug, Clone)]
pub(crate) enum EntityCheck {
    AtLeastOneOf(Vec<String>),
    OnlyOneOf(Vec<String>),
    Distinct(Vec<String>),
    MutuallyRequired(Vec<String>),
    MutuallyExclusive(Vec<String>),
    MutuallyExclusiveSets(Vec<String>, Vec<String>),
    Conditional(Box<Conditional>),
    ConditionalAtLeastOneOf(Box<ConditionalAtLeastOneOf>),
    Named { fields: Vec<String>, check: RecordCheck },
}

/// When `if_field` passes `if_match`, `then_field` must pass `then_match`. Both matches are the
/// field's own definition overlaid with the match's attributes.
#[derive(Debug, Clone)]
pub(crate) struct Conditional {
    pub(crate) if_field: String,
    pub(crate) if_match: Field,
    pub(crate) then_field: String,
    pub(crate) then_match: Field,
    pub(crate) then_error: Option<String>,
}

#[derive(Debug, Clone)]
pub(crate) struct ConditionalAtLeastOneOf {
    pub(crate) if_field: String,
    pub(crate) branches: Vec<Branch>,
}

/// The first branch whose match passes decides.
#[derive(Debug, Clone)]
pub(crate) struct Branch {
    pub(crate) matches: Field,
    pub(crate) fields: Vec<String>,
    /// `%s` stands for the quoted names.
    pub(crate) error: Option<String>,
}

impl EntityCheck {
    /// Checks a completed record. `errors` holds what its single fields failed at.
    pub(crate) fn run(&self, record: &Record, entity: &Map<String, Value>, errors: &mut FieldErrors) {
        if self.fields().any(|path| holds_reference(record, entity, path)) {
            return;
        }
        match self.failure(entity, errors) {
            Ok(()) => {}
            Err(message) => errors.add_entity(message),
        }
    }

    fn fields(&self) -> impl Iterator<Item = &str> {
        let (first, second): (&[String], &[String]) = match self {
            Self::AtLeastOneOf(names)
            | Self::OnlyOneOf(names)
            | Self::Distinct(names)
            | Self::MutuallyRequired(names)
            | Self::MutuallyExclusive(names)
            | Self::Named { fields: names, .. } => (names, &[]),
            Self::MutuallyExclusiveSets(one, other) => (one, other),
            Self::Conditional(check) => {
                (std::slice::from_ref(&check.if_field), std::slice::from_ref(&check.then_field))
            }
            Self::ConditionalAtLeastOneOf(check) => (std::slice::from_ref(&check.if_field), &[]),
        };
        first.iter().chain(second).map(String::as_str)
    }

    fn failure(&self, entity: &Map<String, Value>, errors: &mut FieldErrors) -> Result<(), String> {
        let set = |names: &[String]| names.iter().filter(|name| is_set(entity, name)).count();
        // These three say nothing about fields that are wrong in themselves.
        let any_wrong =
            |names: &[String], errors: &FieldErrors| names.iter().any(|name| errors.get(name).is_some());
        match self {
            Self::AtLeastOneOf(names) => require(set(names) > 0, || at_least_one_of(names)),
            Self::OnlyOneOf(names) => require(set(names) == 1, || {
                format!("exactly one of these fields must be non-empty: {}", quoted(names))
            }),
            Self::Distinct(names) => require(are_distinct(entity, names), || {
                format!("values of these fields must be distinct: {}", quoted(names))
            }),
            Self::MutuallyRequired(names) if !any_wrong(names, errors) => {
                require([0, names.len()].contains(&set(names)), || {
                    format!("all or none of these fields must be set: {}", quoted(names))
                })
            }
            Self::MutuallyExclusive(names) if !any_wrong(names, errors) => require(set(names) <= 1, || {
                format!("only one or none of these fields must be set: {}", quoted(names))
            }),
            Self::MutuallyExclusiveSets(one, other)
                if !any_wrong(one, errors) && !any_wrong(other, errors) =>
            {
                exclusive_sets(entity, one, other)
            }
            Self::Named { fields, check } if !any_wrong(fields, errors) => check(entity),
            Self::Conditional(check) => check.failure(entity, errors),
            Self::ConditionalAtLeastOneOf(check) => check.failure(entity),
            _ => Ok(()),
        }
    }
}

impl Conditional {
    fn failure(&self, entity: &Map<String, Value>, errors: &mut FieldErrors) -> Result<(), String> {
        let value = |path: &str| look_up(entity, path).cloned().unwrap_or_default();
        if self.if_match.check(&mut value(&self.if_field)).is_err() {
            return Ok(());
        }
        let mut then = value(&self.then_field);
        let problem = match self.then_match.check(&mut then) {
            Ok(()) => return Ok(()),
            Err(_) if then.is_null() && self.then_match.required => REQUIRED.into(),
            Err(problem) => problem,
        };
        set_at(errors, &self.then_field, problem);
        Err(self.then_error.as_ref().map_or_else(
            || format!("failed conditional validation given value of field '{}'", self.if_field),
            |text| text.replacen("%s", &self.if_field, 1),
        ))
    }
}

impl ConditionalAtLeastOneOf {
    fn failure(&self, entity: &Map<String, Value>) -> Result<(), String> {
        let Some(value) = look_up(entity, &self.if_field) else { return Ok(()) };
        let Some(branch) =
            self.branches.iter().find(|branch| branch.matches.check(&mut value.clone()).is_ok())
        else {
            return Ok(());
        };
        require(branch.fields.iter().any(|name| is_set(entity, name)), || match &branch.error {
            Some(text) => text.replacen("%s", &quoted(&branch.fields), 1),
            None => at_least_one_of(&branch.fields),
        })
    }
}

fn require(holds: bool, message: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(message()) }
}

fn at_least_one_of(names: &[String]) -> String {
    format!("at least one of these fields must be non-empty: {}", quoted(names))
}

fn look_up<'a>(entity: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    match path.split_once('.') {
        None => entity.get(path),
        Some((head, tail)) => look_up(entity.get(head)?.as_object()?, tail),
    }
}

/// Neither missing nor null nor empty.
fn is_set(entity: &Map<String, Value>, path: &str) -> bool {
    match look_up(entity, path) {
        None | Some(Value::Null) => false,
        Some(Value::String(text)) => !text.is_empty(),
        Some(Value::Array(items)) => !items.is_empty(),
        Some(Value::Object(members)) => !members.is_empty(),
        Some(_) => true,
    }
}

/// A rule cannot judge a text that is only resolved later.
fn holds_reference(record: &Record, entity: &Map<String, Value>, path: &str) -> bool {
    let referenceable =
        record.field(path).is_some_and(|field| field.referenceable && matches!(field.kind, Kind::String));
    referenceable && look_up(entity, path).and_then(Value::as_str).is_some_and(is_reference)
}

fn are_distinct(entity: &Map<String, Value>, names: &[String]) -> bool {
    let mut seen = Vec::new();
    names.iter().filter(|name| is_set(entity, name)).all(|name| {
        let value = look_up(entity, name);
        let new = !seen.contains(&value);
        seen.push(value);
        new
    })
}

fn exclusive_sets(entity: &Map<String, Value>, one: &[String], other: &[String]) -> Result<(), String> {
    let set = |names: &[String]| -> Vec<String> {
        names.iter().filter(|name| is_set(entity, name)).cloned().collect()
    };
    let (one, other) = (set(one), set(other));
    require(one.is_empty() || other.is_empty(), || {
        format!("these sets are mutually exclusive: ({}), ({})", quoted(one), quoted(other))
    })
}

fn set_at(errors: &mut FieldErrors, path: &str, problem: FieldErrors) {
    match path.split_once('.') {
        None => errors.set(path, problem),
        Some((head, tail)) => {
            let mut nested = errors.get(head).cloned().unwrap_or_default();
            set_at(&mut nested, tail, problem);
            errors.set(head, nested);
        }
    }
}
