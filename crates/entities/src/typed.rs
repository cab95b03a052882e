//! Checked rows to the typed entities, one by one.

use std::collections::BTreeMap;
use std::sync::Arc;

use polygate_model::entities::DEFAULT_WORKSPACE;
use polygate_model::schema::EntitySchema;
use polygate_model::{Credential, CredentialKind, Entities, Id, Reference};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::row::Row;

/// Puts the row's typed form in its table, in the place of an earlier one with the same id.
///
/// Schemas promise more than these types ask for, so that failing here means a gap between the two.
pub(crate) fn put(
    entities: &mut Entities,
    schema: &EntitySchema,
    id: Id,
    row: &Row,
) -> Result<(), serde_json::Error> {
    match schema.name.as_str() {
        "services" => insert(&mut entities.services, id, with_workspace(schema, row))?,
        "routes" => insert(&mut entities.routes, id, with_workspace(schema, row))?,
        "consumers" => entities.consumers.insert(Arc::new(from(without_nulls(schema, row))?)),
        // A plugin's own nulls stay: they are part of its configuration.
        "plugins" => insert(&mut entities.plugins, id, row.clone())?,
        "upstreams" => insert(&mut entities.upstreams, id, without_nulls(schema, row))?,
        "targets" => insert(&mut entities.targets, id, without_nulls(schema, row))?,
        "certificates" => insert(&mut entities.certificates, id, without_nulls(schema, row))?,
        "snis" => insert(&mut entities.snis, id, without_nulls(schema, row))?,
        "ca_certificates" => insert(&mut entities.ca_certificates, id, without_nulls(schema, row))?,
        "vaults" => insert(&mut entities.vaults, id, without_nulls(schema, row))?,
        collection => {
            if let Some(kind) = CredentialKind::of_collection(collection) {
                let credential = credential(entities, schema, kind, id, row)?;
                entities.credentials.insert(Arc::new(credential));
            }
        }
    }
    Ok(())
}

pub(crate) fn remove(entities: &mut Entities, schema: &EntitySchema, id: Id) {
    match schema.name.as_str() {
        "services" => drop(entities.services.remove(&id)),
        "routes" => drop(entities.routes.remove(&id)),
        "consumers" => entities.consumers.remove(id),
        "plugins" => drop(entities.plugins.remove(&id)),
        "upstreams" => drop(entities.upstreams.remove(&id)),
        "targets" => drop(entities.targets.remove(&id)),
        "certificates" => drop(entities.certificates.remove(&id)),
        "snis" => drop(entities.snis.remove(&id)),
        "ca_certificates" => drop(entities.ca_certificates.remove(&id)),
        "vaults" => drop(entities.vaults.remove(&id)),
        _ => entities.credentials.remove(id),
    }
}

fn from<T: DeserializeOwned>(row: Row) -> Result<T, serde_json::Error> {
    serde_json::from_value(Value::Object(row))
}

fn insert<T: DeserializeOwned>(
    table: &mut BTreeMap<Id, Arc<T>>,
    id: Id,
    row: Row,
) -> Result<(), serde_json::Error> {
    table.insert(id, Arc::new(from(row)?));
    Ok(())
}

/// The row with a value for each field that has a default, even where null was given.
fn without_nulls(schema: &EntitySchema, row: &Row) -> Row {
    let mut row = row.clone();
    schema.record().fill_nulls(&mut row);
    row
}

fn with_workspace(schema: &EntitySchema, row: &Row) -> Row {
    let mut row = without_nulls(schema, row);
    row.insert("ws_id".to_owned(), DEFAULT_WORKSPACE.to_string().into());
    row
}

fn credential(
    entities: &Entities,
    schema: &EntitySchema,
    kind: CredentialKind,
    id: Id,
    row: &Row,
) -> Result<Credential, serde_json::Error> {
    let mut fields = row.clone();
    let reference = |value: Option<Value>| -> Result<Id, serde_json::Error> {
        let reference: Reference = serde_json::from_value(value.unwrap_or_default())?;
        Ok(reference.id)
    };
    let consumer = match kind {
        // A token is its credential's, which stays a field.
        CredentialKind::OAuth2Token => {
            let credential = reference(row.get("credential").cloned())?;
            entities.credentials.get(credential).map(|it| it.consumer).unwrap_or_default()
        }
        _ => reference(fields.shift_remove("consumer"))?,
    };
    let key = schema.endpoint_key.as_ref().and_then(|name| row.get(name)?.as_str());
    fields.shift_remove("id");
    fields.retain(|_, value| !value.is_null());
    Ok(Credential { kind, id, consumer, key: key.map(str::to_owned), fields })
}
