//! Consumers known by a key in a header, an argument of the query, or a member of the body (bundled-plugins.md, section 3).

#[cfg(test)]
mod tests;

use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::Method;
use polygate_chain::pdk::{headers, request, service_request};
use polygate_chain::{Exchange, Key, Phase, Value};
use polygate_model::{Credential, CredentialKind};
use serde::Deserialize;

use crate::auth::{self, Attempt, Refusal};
use crate::plugin::{Bundled, Hooks, Outcome, configure};

pub const PLUGIN: Bundled = Bundled {
    name: "key-auth",
    priority: 1250,
    phases: &[Phase::Access],
    schema: include_str!("key_auth/schema.json"),
    checks: &[],
    configure: configure::<KeyAuth>,
};

#[derive(Deserialize)]
struct KeyAuth {
    key_names: Vec<String>,
    key_in_header: bool,
    key_in_query: bool,
    key_in_body: bool,
    hide_credentials: bool,
    anonymous: Option<String>,
    run_on_preflight: bool,
    realm: Option<String>,
}

/// What a request shows under one name.
enum Shown {
    Nothing,
    Key(Bytes),
    Several,
}

impl Hooks for KeyAuth {
    async fn access(&self, exchange: &mut Exchange) -> Outcome {
        let anonymous = self.anonymous.as_deref();
        let is_preflight = !self.run_on_preflight && exchange.request.method == Method::OPTIONS;
        if is_preflight || auth::is_settled(exchange, anonymous) {
            return Ok(());
        }
        if self.key_in_body {
            // One that breaks off holds no key; whoever waits for the rest says so.
            let _ = exchange.request_body.read().await;
        }
        let attempt = self.attempt(exchange);
        auth::conclude(exchange, anonymous, attempt, auth::challenge)
    }
}

impl KeyAuth {
    fn attempt(&self, exchange: &mut Exchange) -> Attempt {
        let body = if self.key_in_body { body(exchange) } else { Value::Nil };
        let mut shown = self.key_names.iter().map(|name| (name, self.look(exchange, &body, name)));
        let (name, key) = match shown.find(|(_, shown)| !matches!(shown, Shown::Nothing)) {
            Some((name, Shown::Key(key))) if !key.is_empty() => (name, key),
            Some((_, Shown::Several)) => return self.refuse("Duplicate API key found"),
            _ => return self.refuse("No API key found in request"),
        };
        if self.hide_credentials {
            hide(exchange, body, name)?;
        }
        let credentials = &exchange.session.environment.entities.credentials;
        let known =
            str::from_utf8(&key).ok().and_then(|key| credentials.by_key(CredentialKind::KeyAuth, key));
        match known.filter(|credential| !is_expired(credential)).cloned() {
            Some(credential) => {
                let id = credential.id.to_string();
                auth::admit(exchange, credential, &id).map(Ok)
            }
            None => self.refuse("Unauthorized"),
        }
    }

    fn look(&self, exchange: &Exchange, body: &Value, name: &str) -> Shown {
        if self.key_in_header {
            let mut lines = headers::lines(&exchange.request.headers, name.as_bytes());
            match (lines.next(), lines.next()) {
                (Some(key), None) => return Shown::Key(Bytes::copy_from_slice(key)),
                (Some(_), Some(_)) => return Shown::Several,
                (None, _) => {}
            }
        }
        if self.key_in_query {
            match Shown::of(&request::query_member(exchange, name.as_bytes())) {
                Shown::Nothing => {}
                shown => return shown,
            }
        }
        Shown::of(body.get(name))
    }

    fn refuse(&self, message: &'static str) -> Attempt {
        let challenge = auth::scheme("Key", self.realm.as_deref());
        Ok(Err(Refusal { message: message.into(), challenge }))
    }
}

impl Shown {
    fn of(value: &Value) -> Self {
        match value {
            Value::Str(key) => Self::Key(key.clone()),
            Value::List(_) => Self::Several,
            _ => Self::Nothing,
        }
    }
}

/// Takes the key out of the request.
fn hide(exchange: &mut Exchange, mut body: Value, name: &str) -> Outcome {
    let had_query = exchange.request.query.is_some();
    service_request::clear_query_arg(exchange, name.as_bytes())?;
    if had_query && exchange.request.query.is_none() {
        // An empty query stays one, as in the reference.
        exchange.request.query = Some(Bytes::new());
    }
    service_request::clear_header(exchange, name);
    if let Value::Map(members) = &mut body {
        members.retain(|(key, _)| *key != Key::from(name));
        service_request::set_body(exchange, &body, None)?;
    }
    Ok(())
}

/// The members of the body, if it is of a kind that has any.
fn body(exchange: &Exchange) -> Value {
    request::get_body(exchange, None, None, None).unwrap_or(Value::Nil)
}

/// Whether its time to live, in seconds since it was made, has passed.
fn is_expired(credential: &Credential) -> bool {
    let seconds = |name: &str| credential.fields.get(name).and_then(serde_json::Value::as_f64);
    let Some(ttl) = seconds("ttl").filter(|ttl| *ttl > 0.0) else { return false };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    seconds("created_at").unwrap_or_default() + ttl <= now.as_secs_f64()
}
