//! Checked entries to the typed entities.

use std::collections::BTreeMap;
use std::sync::Arc;

use polygate_model::entities::DEFAULT_WORKSPACE;
use polygate_model::schema::FieldErrors;
use polygate_model::{Certificate, Credential, CredentialKind, Entities, Id, Reference};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::collect::{Collected, Entry};
use super::report::{EntryErrors, Report};

/// Schemas promise more than these types ask for, so that failing here means a gap between the two;
/// it is reported like any other error.
pub(super) fn build(collected: Collected) -> Result<Entities, Report> {
    let mut builder = Builder::default();
    let mut report = Report { errors: FieldErrors::default(), entries: Vec::new() };
    for mut entry in collected.entries {
        if let Err(error) = builder.add(&entry) {
            entry.errors.add_entity(error.to_string());
            report.errors.merge_at(&entry.path, entry.errors.clone());
            report.entries.push(EntryErrors::new(&entry));
        }
    }
    if report.errors.is_empty() { Ok(builder.finish()) } else { Err(report) }
}

#[derive(Default)]
struct Builder {
    entities: Entities,
    certificates: BTreeMap<Id, Certificate>,
    /// Certificate and name.
    snis: Vec<(Id, String)>,
}

impl Builder {
    fn add(&mut self, entry: &Entry) -> Result<(), serde_json::Error> {
        let id = from(Value::String(entry.id.clone()))?;
        let entities = &mut self.entities;
        match entry.schema.name.as_str() {
            "services" => insert(&mut entities.services, id, with_workspace(entry))?,
            "routes" => insert(&mut entities.routes, id, with_workspace(entry))?,
            "consumers" => entities.insert_consumer(Arc::new(from(Value::Object(members(entry)))?)),
            // A plugin's own nulls stay: they are part of its configuration.
            "plugins" => insert(&mut entities.plugins, id, entry.body.clone())?,
            "upstreams" => insert(&mut entities.upstreams, id, members(entry))?,
            "targets" => insert(&mut entities.targets, id, members(entry))?,
            "ca_certificates" => insert(&mut entities.ca_certificates, id, members(entry))?,
            "vaults" => insert(&mut entities.vaults, id, members(entry))?,
            "certificates" => {
                self.certificates.insert(id, from(Value::Object(members(entry)))?);
            }
            "snis" => {
                let certificate: Reference = from(entry.body["certificate"].clone())?;
                self.snis.push((certificate.id, from(entry.body["name"].clone())?));
            }
            collection => {
                if let Some(kind) = credential_kind(collection) {
                    entities.credentials.insert(id, Arc::new(credential(kind, id, entry)?));
                }
            }
        }
        Ok(())
    }

    fn finish(mut self) -> Entities {
        self.snis.sort();
        for (certificate, name) in self.snis {
            if let Some(certificate) = self.certificates.get_mut(&certificate) {
                certificate.snis.push(name);
            }
        }
        let certificates = self.certificates.into_iter();
        self.entities.certificates =
            certificates.map(|(id, certificate)| (id, Arc::new(certificate))).collect();
        self.entities
    }
}

fn from<T: DeserializeOwned>(value: Value) -> Result<T, serde_json::Error> {
    serde_json::from_value(value)
}

fn insert<T: DeserializeOwned>(
    table: &mut BTreeMap<Id, Arc<T>>,
    id: Id,
    members: Map<String, Value>,
) -> Result<(), serde_json::Error> {
    table.insert(id, Arc::new(from(Value::Object(members))?));
    Ok(())
}

/// The members with a value for each field that has a default, even where the file says null.
fn members(entry: &Entry) -> Map<String, Value> {
    let mut members = entry.body.clone();
    entry.schema.record().fill_nulls(&mut members);
    members
}

fn with_workspace(entry: &Entry) -> Map<String, Value> {
    let mut members = members(entry);
    members.insert("ws_id".to_owned(), DEFAULT_WORKSPACE.to_string().into());
    members
}

fn credential_kind(collection: &str) -> Option<CredentialKind> {
    Some(match collection {
        "keyauth_credentials" => CredentialKind::KeyAuth,
        "basicauth_credentials" => CredentialKind::BasicAuth,
        "hmacauth_credentials" => CredentialKind::HmacAuth,
        "jwt_secrets" => CredentialKind::Jwt,
        "acls" => CredentialKind::Acl,
        "oauth2_credentials" => CredentialKind::OAuth2,
        _ => return None,
    })
}

fn credential(kind: CredentialKind, id: Id, entry: &Entry) -> Result<Credential, serde_json::Error> {
    let mut fields = entry.body.clone();
    let consumer: Reference = from(fields.shift_remove("consumer").unwrap_or_default())?;
    fields.shift_remove("id");
    fields.retain(|_, value| !value.is_null());
    Ok(Credential { kind, id, consumer: consumer.id, fields })
}
