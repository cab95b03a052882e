//! Consumers known by a key in a header, an argument of the query, or a member of the body.

use http::Method;
use polygate_chain::pdk::{PdkError, request, service_request};
use polygate_chain::{Exchange, Key, Phase, Value};
use polygate_model::CredentialKind;
use serde::Deserialize;

use crate::auth::{self, Refusal};
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

impl Hooks for KeyAuth {
    async fn access(&self, exchange: &mut Exchange) -> Outcome {
        if !self.run_on_preflight && exchange.request.method == Method::OPTIONS {
            return Ok(());
        }
        if self.key_in_body {
            // One that breaks off holds no key; whoever waits for the rest says so.
            let _ = exchange.request_body.read().await;
        }
        auth::authenticate(exchange, self.anonymous.as_deref(), |exchange| self.attempt(exchange))
    }
}

impl KeyAuth {
    fn attempt(&self, exchange: &mut Exchange) -> Result<Result<(), Refusal>, PdkError> {
        let key = match self.find(exchange)? {
            Value::Str(key) if !key.is_empty() => key,
            Value::List(_) => return Ok(Err(self.refusal("Duplicate API key found"))),
            _ => return Ok(Err(self.refusal("No API key found in request"))),
        };
        let credentials = &exchange.session.environment.entities.credentials;
        let known =
            str::from_utf8(&key).ok().and_then(|key| credentials.by_key(CredentialKind::KeyAuth, key));
        let Some(credential) = known.cloned() else { return Ok(Err(self.refusal("Unauthorized"))) };
        auth::admit(exchange, &credential, &credential.id.to_string())?;
        Ok(Ok(()))
    }

    /// The first key under any of the names, which then is hidden.
    fn find(&self, exchange: &mut Exchange) -> Result<Value, PdkError> {
        let mut body = if self.key_in_body { body(exchange) } else { Value::Nil };
        for name in &self.key_names {
            let found = match self.look(exchange, &body, name) {
                Value::Nil | Value::Bool(_) => continue,
                found => found,
            };
            if self.hide_credentials {
                service_request::clear_query_arg(exchange, name.as_bytes())?;
                service_request::clear_header(exchange, name);
                if let Value::Map(members) = &mut body {
                    members.retain(|(key, _)| *key != Key::from(name.as_str()));
                    service_request::set_body(exchange, &body, None)?;
                }
            }
            return Ok(found);
        }
        Ok(Value::Nil)
    }

    fn look(&self, exchange: &Exchange, body: &Value, name: &str) -> Value {
        let mut found = Value::Nil;
        if self.key_in_header {
            found = request::get_headers(exchange, None).get(&name.to_ascii_lowercase()).clone();
        }
        if found.is_nil() && self.key_in_query {
            found = request::get_query(exchange, None).get(name).clone();
        }
        if found.is_nil() { body.get(name).clone() } else { found }
    }

    fn refusal(&self, message: &'static str) -> Refusal {
        let challenge = match &self.realm {
            Some(realm) => format!("Key realm=\"{realm}\""),
            None => "Key".to_owned(),
        };
        Refusal { status: 401, message, challenge: Some(challenge) }
    }
}

/// The members of the body, if it is of a kind that has any.
fn body(exchange: &Exchange) -> Value {
    request::get_body(exchange, None, None, None).unwrap_or(Value::Nil)
}
