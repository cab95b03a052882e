//! The checked rows of all kinds, and the one way in for everybody who writes.
//!
//! A row enters when it agrees with its schema and with the rows that are there: what it refers to exists, and what is
//! unique is. So rows come in the order of their references. The typed entities are kept beside the rows.

#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::fmt;

use polygate_model::schema::{EntitySchema, FieldErrors};
use polygate_model::{CredentialKind, Entities, Id};
use serde_json::Value;

use crate::row::{Row, foreign_key};
use crate::rules::Rules;
use crate::typed;
use crate::violation::Violation;

/// Rows that agree with their schemas and with each other.
#[derive(Default)]
pub struct EntitySet {
    rows: HashMap<Place, Row>,
    /// Who has the values that no other row may have.
    owners: HashMap<Unique, Id>,
    /// Who refers to a row.
    referrers: HashMap<Place, HashSet<Place>>,
    entities: Entities,
}

/// A collection and the id of a row in it.
type Place = (&'static str, Id);

/// Values of fields that are unique, alone or together.
#[derive(PartialEq, Eq, Hash)]
struct Unique {
    collection: &'static str,
    fields: Vec<&'static str>,
    /// An empty text for each field that is not set.
    values: Vec<String>,
}

impl EntitySet {
    /// What there is, for those who serve traffic.
    pub fn entities(&self) -> &Entities {
        &self.entities
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub fn get(&self, schema: &'static EntitySchema, id: Id) -> Option<&Row> {
        self.rows.get(&(&schema.name, id))
    }

    /// Adds a row, with an id of its own if it gives none; or says all that speaks against it.
    pub fn insert(
        &mut self,
        schema: &'static EntitySchema,
        given: Row,
        rules: &Rules<'_>,
    ) -> Result<Id, Vec<Violation>> {
        self.write(schema, given, rules, None)
    }

    /// Puts a row under an id, in the place of the one that is there: fields left out return to their defaults.
    pub fn upsert(
        &mut self,
        schema: &'static EntitySchema,
        id: Id,
        given: Row,
        rules: &Rules<'_>,
    ) -> Result<(), Vec<Violation>> {
        let mut given = given;
        given.insert("id".to_owned(), id.to_string().into());
        if let Some(created) = self.get(schema, id).and_then(|earlier| earlier.get("created_at")) {
            given.entry("created_at").or_insert_with(|| created.clone());
        }
        self.write(schema, given, rules, Some(id)).map(drop)
    }

    /// Takes a row away, with the rows that cascade with it; or says why it must stay. False when there is none.
    pub fn delete(&mut self, schema: &'static EntitySchema, id: Id) -> Result<bool, Violation> {
        if self.get(schema, id).is_none() {
            return Ok(false);
        }
        let leaving = self.leaving(schema, id)?;
        for (schema, id) in leaving {
            self.forget(schema, id);
            typed::remove(&mut self.entities, schema, id);
        }
        Ok(true)
    }
}

/// Without the rows: some hold secrets.
impl fmt::Debug for EntitySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EntitySet of {} rows", self.rows.len())
    }
}

// Deleting.

impl EntitySet {
    /// A row and all that cascades with it.
    fn leaving(
        &self,
        schema: &'static EntitySchema,
        id: Id,
    ) -> Result<Vec<(&'static EntitySchema, Id)>, Violation> {
        let mut leaving = vec![(schema, id)];
        let mut seen = HashSet::new();
        let mut next = 0;
        while let Some(&(parent, id)) = leaving.get(next) {
            next += 1;
            for (child, child_id) in self.referrers_of(parent, id) {
                if !self.cascades((child, child_id), (parent, id)) {
                    return Err(Violation::Referenced { child: &child.name, parent: &parent.name });
                }
                if seen.insert((&child.name, child_id)) {
                    leaving.push((child, child_id));
                }
            }
        }
        Ok(leaving)
    }

    /// Whether a row goes when one that it refers to does.
    fn cascades(
        &self,
        (child, child_id): (&'static EntitySchema, Id),
        (parent, id): (&'static EntitySchema, Id),
    ) -> bool {
        let row = self.get(child, child_id);
        let points_there =
            |key| row.and_then(|row| foreign_key(row, key)).is_some_and(|it| it.parse() == Ok(id));
        let mut keys = child.foreign_keys().filter(|(key, to)| *to == parent.name && points_there(key));
        keys.all(|(key, _)| child.record().field(key).is_some_and(|field| field.cascades()))
    }
}

// Writing.

impl EntitySet {
    /// `replaced` is the row that may be there already.
    fn write(
        &mut self,
        schema: &'static EntitySchema,
        given: Row,
        rules: &Rules<'_>,
        replaced: Option<Id>,
    ) -> Result<Id, Vec<Violation>> {
        let (row, mut violations) = match rules.complete(schema, given) {
            Ok(row) => (row, Vec::new()),
            Err((row, errors)) => (row, vec![Violation::Schema(errors)]),
        };
        let is_complete = violations.is_empty();
        violations.extend(self.missing_references(schema, &row));
        if violations.is_empty() {
            violations.extend(self.unshared_protocols(schema, &row));
        }
        violations.extend(self.repetition(schema, &row, is_complete, replaced));
        if !violations.is_empty() {
            return Err(violations);
        }
        let gap = |error: String| {
            let mut errors = FieldErrors::default();
            errors.add_entity(error);
            vec![Violation::Schema(errors)]
        };
        let id = id_of(&row).ok_or_else(|| gap("an entity needs an id".to_owned()))?;
        typed::put(&mut self.entities, schema, id, &row).map_err(|error| gap(error.to_string()))?;
        self.forget(schema, id);
        self.remember(schema, id, row);
        self.retype_tokens(schema, id);
        Ok(id)
    }

    fn missing_references(&self, schema: &'static EntitySchema, row: &Row) -> Vec<Violation> {
        let keys = schema.foreign_keys().filter_map(|(field, collection)| {
            let id = foreign_key(row, field)?.parse().ok()?;
            let is_missing = !self.rows.contains_key(&(collection, id));
            is_missing.then_some(Violation::ForeignKey { field, id, collection })
        });
        keys.collect()
    }

    /// The first repetition of an id or of something unique. Fields that are unique together can be judged in complete
    /// rows only.
    fn repetition(
        &self,
        schema: &'static EntitySchema,
        row: &Row,
        is_complete: bool,
        replaced: Option<Id>,
    ) -> Option<Violation> {
        let collection = schema.name.as_str();
        let taken = |unique: Unique| -> Option<Violation> {
            let owner = self.owners.get(&unique)?;
            (Some(*owner) != replaced).then(|| unique.violation(schema))
        };
        let id = id_of(row).filter(|id| replaced.is_none() && self.rows.contains_key(&(collection, *id)));
        single(schema, row)
            .find_map(taken)
            .or_else(|| id.map(|id| Violation::PrimaryKey { collection, id }))
            .or_else(|| composite(schema, row).filter(|_| is_complete).and_then(taken))
    }

    /// A plugin on a route or service whose protocols it does not share would never run.
    fn unshared_protocols(&self, schema: &'static EntitySchema, row: &Row) -> Option<Violation> {
        if schema.name != "plugins" {
            return None;
        }
        let own = protocols(row);
        let shares = |route: &Row| protocols(route).iter().any(|protocol| own.contains(protocol));
        let id = |key| foreign_key(row, key).and_then(|id| id.parse().ok());
        let message = if let Some(route) = id("route") {
            let is_shared = self.rows.get(&("routes", route)).is_none_or(shares);
            (!is_shared).then_some("must match the associated route's protocols")
        } else {
            let service = ("services", id("service")?);
            let referrers = self.referrers.get(&service).into_iter().flatten();
            let mut routes =
                referrers.filter(|(of, _)| *of == "routes").filter_map(|it| self.rows.get(it)).peekable();
            let is_shared = routes.peek().is_none() || routes.any(shares);
            (!is_shared)
                .then_some("must match the protocols of at least one route pointing to this Plugin's service")
        };
        let mut errors = FieldErrors::default();
        errors.set("protocols", message?);
        Some(Violation::Schema(errors))
    }

    fn remember(&mut self, schema: &'static EntitySchema, id: Id, row: Row) {
        let place = (schema.name.as_str(), id);
        for unique in single(schema, &row).chain(composite(schema, &row)) {
            self.owners.insert(unique, id);
        }
        for parent in parents(schema, &row) {
            self.referrers.entry(parent).or_default().insert(place);
        }
        self.rows.insert(place, row);
    }

    fn forget(&mut self, schema: &'static EntitySchema, id: Id) {
        let place = (schema.name.as_str(), id);
        let Some(row) = self.rows.remove(&place) else { return };
        for unique in single(schema, &row).chain(composite(schema, &row)) {
            self.owners.remove(&unique);
        }
        for parent in parents(schema, &row) {
            if let Some(children) = self.referrers.get_mut(&parent) {
                children.remove(&place);
            }
        }
    }

    /// Tokens have the consumer of their credential, which may be another one now.
    fn retype_tokens(&mut self, schema: &'static EntitySchema, id: Id) {
        for (child, child_id) in self.referrers_of(schema, id) {
            if CredentialKind::of_collection(&child.name) == Some(CredentialKind::OAuth2Token)
                && let Some(row) = self.rows.get(&(&child.name, child_id))
            {
                // It was typed before.
                let _ = typed::put(&mut self.entities, child, child_id, row);
            }
        }
    }

    fn referrers_of(&self, schema: &'static EntitySchema, id: Id) -> Vec<(&'static EntitySchema, Id)> {
        let places = self.referrers.get(&(schema.name.as_str(), id)).into_iter().flatten();
        places.filter_map(|(collection, id)| Some((EntitySchema::get(collection)?, *id))).collect()
    }
}

impl Unique {
    fn violation(self, schema: &'static EntitySchema) -> Violation {
        let is_secret = |field: &str| schema.record().field(field).is_some_and(|field| field.is_secret());
        let given = self.fields.into_iter().zip(self.values).filter(|(_, value)| !value.is_empty());
        let shown =
            given.map(|(field, value)| (field, if is_secret(field) { "***".to_owned() } else { value }));
        let (fields, values) = shown.unzip();
        Violation::Unique { collection: self.collection, fields, values }
    }
}

/// The fields that are unique alone.
fn single(schema: &'static EntitySchema, row: &Row) -> impl Iterator<Item = Unique> {
    schema.unique_fields().filter_map(|field| {
        let value = row.get(field)?.as_str()?.to_owned();
        Some(Unique { collection: &schema.name, fields: vec![field], values: vec![value] })
    })
}

/// The fields that are unique together.
fn composite(schema: &'static EntitySchema, row: &Row) -> Option<Unique> {
    if schema.cache_key.len() < 2 {
        return None;
    }
    let value = |name: &String| match row.get(name) {
        Some(Value::String(text)) => text.clone(),
        _ => foreign_key(row, name).unwrap_or_default().to_owned(),
    };
    Some(Unique {
        collection: &schema.name,
        fields: schema.cache_key.iter().map(String::as_str).collect(),
        values: schema.cache_key.iter().map(value).collect(),
    })
}

/// What a row refers to.
fn parents(schema: &'static EntitySchema, row: &Row) -> impl Iterator<Item = Place> {
    schema
        .foreign_keys()
        .filter_map(|(key, collection)| Some((collection, foreign_key(row, key)?.parse().ok()?)))
}

fn id_of(row: &Row) -> Option<Id> {
    row.get("id")?.as_str()?.parse().ok()
}

fn protocols(row: &Row) -> &[Value] {
    row.get("protocols").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}
