//! Ids of entries that give none.
//!
//! They are derived from what identifies the entry (UUIDv5), so that the same file gives the same
//! ids everywhere. Where nothing does, an entry of the core is identified by its content, and a
//! credential gets a random id, since one derived from its secret would give the secret away.

use std::collections::HashMap;

use polygate_model::schema::EntitySchema;
use serde_json::{Map, Value};
use uuid::Uuid;

/// The root of all derived ids, fixed so that they agree with those of other gateways.
const NAMESPACE: Uuid = uuid::uuid!("fd02801f-0957-4a15-a55a-c8d9606f30b5");

#[derive(Default)]
pub(super) struct Ids {
    /// How often each content was seen: entries without a key may repeat.
    seen: HashMap<String, usize>,
}

impl Ids {
    /// For an entry whose body already points at the entry around it.
    pub(super) fn generate(&mut self, schema: &EntitySchema, body: &Map<String, Value>) -> String {
        let key = match natural_key(schema, body) {
            Some(key) => key,
            None if schema.plugin.is_some() => return Uuid::new_v4().to_string(),
            None => self.content_key(schema, body),
        };
        let namespace = Uuid::new_v5(&NAMESPACE, schema.name.as_bytes());
        Uuid::new_v5(&namespace, key.as_bytes()).to_string()
    }

    fn content_key(&mut self, schema: &EntitySchema, body: &Map<String, Value>) -> String {
        let content = format!("{}:{}", schema.name, Value::Object(body.clone()));
        let count = self.seen.entry(content.clone()).or_insert(0);
        *count += 1;
        format!("{content}#{count}")
    }
}

/// `plugins:*:<name>:<route>:<service>:<consumer>` and its like, where `*` is the workspace; or the
/// name alone where a name is unique.
fn natural_key(schema: &EntitySchema, body: &Map<String, Value>) -> Option<String> {
    if schema.cache_key.is_empty() {
        return body.get(schema.endpoint_key.as_deref()?)?.as_str().map(str::to_owned);
    }
    let mut key = format!("{}:*", schema.name);
    for name in &schema.cache_key {
        let field = schema.record().field(name)?;
        let part = match body.get(name) {
            _ if field.is_auto() => return None,
            Some(Value::String(text)) => text.as_str(),
            Some(Value::Object(reference)) => reference.values().next()?.as_str()?,
            None | Some(Value::Null) if !field.is_required() => "",
            _ => return None,
        };
        key.push(':');
        key.push_str(part);
    }
    Some(key)
}
