//! What plugins that authenticate have in common (bundled-plugins.md, section 2).

use polygate_chain::Exchange;
use polygate_chain::Value;
use polygate_chain::exchange::{Authenticated, entity};
use polygate_chain::pdk::headers::Change;
use polygate_chain::pdk::{Content, PdkError, client, response, service_request};
use polygate_model::{Credential, Id};

/// What the upstream is told of the consumer. A client's own words never reach it.
const CONSUMER_ID: &str = "X-Consumer-ID";
const CONSUMER_CUSTOM_ID: &str = "X-Consumer-Custom-ID";
const CONSUMER_USERNAME: &str = "X-Consumer-Username";
const CREDENTIAL: &str = "X-Credential-Identifier";
const ANONYMOUS: &str = "X-Anonymous-Consumer";

/// Why nobody was authenticated.
pub struct Refusal {
    pub status: u16,
    pub message: &'static str,
    /// The value of `WWW-Authenticate` (RFC 9110, section 11.6.1).
    pub challenge: Option<String>,
}

/// Authenticates with `attempt`, or as `anonymous` where that is configured: an id or a username. With it an earlier
/// plugin's word is enough; without it this one must agree too.
pub fn authenticate(
    exchange: &mut Exchange,
    anonymous: Option<&str>,
    attempt: impl FnOnce(&mut Exchange) -> Result<Result<(), Refusal>, PdkError>,
) -> Result<(), PdkError> {
    if anonymous.is_some() && exchange.credential.is_some() {
        return Ok(());
    }
    match (attempt(exchange)?, anonymous) {
        (Ok(()), _) => Ok(()),
        (Err(_), Some(name)) => as_anonymous(exchange, name),
        (Err(refusal), None) => refuse(exchange, refusal),
    }
}

/// The consumer whose credential it is goes on with the request; `identifier` is what the upstream is told of the
/// credential.
pub fn admit(exchange: &mut Exchange, credential: &Credential, identifier: &str) -> Result<(), PdkError> {
    let consumer = exchange.session.environment.consumer(credential.consumer).cloned();
    let consumer = consumer.map(Authenticated::Known);
    client::authenticate(exchange, consumer, Some(shown(credential)))?;
    tell_upstream(exchange, Some(identifier))
}

/// A credential as plugins see it.
fn shown(credential: &Credential) -> Value {
    let mut fields = credential.fields.clone();
    fields.insert("id".into(), credential.id.to_string().into());
    fields.insert("consumer".into(), serde_json::json!({ "id": credential.consumer }));
    entity(&fields)
}

fn as_anonymous(exchange: &mut Exchange, name: &str) -> Result<(), PdkError> {
    let environment = &exchange.session.environment;
    let by_id = name.parse::<Id>().ok().and_then(|id| environment.consumer(id));
    let Some(consumer) = by_id.or_else(|| environment.consumer_by_username(name)).cloned() else {
        let message = format!("anonymous consumer {name} is configured but doesn't exist");
        return response::error(exchange, 500, Content::Text(message.into()), Vec::new());
    };
    client::authenticate(exchange, Some(Authenticated::Known(consumer)), None)?;
    tell_upstream(exchange, None)
}

fn refuse(exchange: &mut Exchange, refusal: Refusal) -> Result<(), PdkError> {
    let challenge = refusal.challenge.map(|value| change("WWW-Authenticate", Some(value)));
    let message = Content::Text(refusal.message.into());
    response::error(exchange, refusal.status, message, challenge.into_iter().collect())
}

/// Sets or removes the lines about the consumer; without a credential it is the anonymous one.
fn tell_upstream(exchange: &mut Exchange, credential: Option<&str>) -> Result<(), PdkError> {
    let consumer = exchange.known_consumer().cloned();
    let consumer = consumer.as_ref();
    let changes = [
        (CONSUMER_ID, consumer.map(|it| it.id.to_string())),
        (CONSUMER_CUSTOM_ID, consumer.and_then(|it| it.custom_id.clone())),
        (CONSUMER_USERNAME, consumer.and_then(|it| it.username.clone())),
        (CREDENTIAL, credential.map(str::to_owned)),
        (ANONYMOUS, credential.is_none().then(|| "true".to_owned())),
    ];
    let changes = changes.into_iter().map(|(name, value)| change(name, value)).collect();
    service_request::set_headers(exchange, changes)
}

/// One header with its new value; without one it is to be removed.
pub fn change(name: &str, value: Option<String>) -> Change {
    Change { name: name.to_owned(), values: value.map(Into::into).into_iter().collect() }
}
