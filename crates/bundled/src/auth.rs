//! What plugins that authenticate have in common (bundled-plugins.md, section 2).

use std::borrow::Cow;
use std::sync::Arc;

use polygate_chain::exchange::{Authenticated, AuthenticatedBy};
use polygate_chain::pdk::headers::Change;
use polygate_chain::pdk::{PdkError, client, service_request};
use polygate_chain::{Exchange, Value};
use polygate_model::{Credential, Id};

use crate::plugin::Outcome;
use crate::reply::{maybe_line, refuse, refuse_with};

/// What the upstream is told of the consumer. A client's own words never reach it.
const CONSUMER_ID: &str = "X-Consumer-ID";
const CONSUMER_CUSTOM_ID: &str = "X-Consumer-Custom-ID";
const CONSUMER_USERNAME: &str = "X-Consumer-Username";
const CREDENTIAL: &str = "X-Credential-Identifier";
const ANONYMOUS: &str = "X-Anonymous-Consumer";

/// Groups that a plugin found, as others see them in `kong.ctx.shared`.
const GROUPS: &str = "authenticated_groups";

/// Why nobody was authenticated. The status is 401.
pub struct Refusal {
    pub message: Cow<'static, str>,
    /// The value of `WWW-Authenticate` (RFC 9110, section 11.6.1).
    pub challenge: String,
}

/// What comes of an attempt: the consumer is known, or there is a reason why not.
pub type Attempt<R = Refusal> = Result<Result<(), R>, PdkError>;

/// Whether an earlier plugin's word is enough: with an anonymous consumer one of several plugins has to agree, without it
/// each.
pub fn is_settled(exchange: &Exchange, anonymous: Option<&str>) -> bool {
    anonymous.is_some() && exchange.credential.is_some()
}

/// Goes on with a request that was not authenticated as the consumer `anonymous`, an id or a username, or else has `refuse`
/// answer it.
pub fn conclude<R>(
    exchange: &mut Exchange,
    anonymous: Option<&str>,
    attempt: Attempt<R>,
    refuse: impl FnOnce(&mut Exchange, R) -> Outcome,
) -> Outcome {
    match (attempt?, anonymous) {
        (Ok(()), _) => Ok(()),
        (Err(_), Some(name)) => as_anonymous(exchange, name),
        (Err(refusal), None) => refuse(exchange, refusal),
    }
}

/// The usual answer to a refusal.
pub fn challenge(exchange: &mut Exchange, refusal: Refusal) -> Outcome {
    let headers = vec![Change::line("WWW-Authenticate", refusal.challenge)];
    refuse_with(exchange, 401, &refusal.message, headers)
}

/// A challenge of a scheme, with the realm if there is one.
pub fn scheme(name: &str, realm: Option<&str>) -> String {
    realm.map_or_else(|| name.to_owned(), |realm| format!("{name} realm=\"{realm}\""))
}

/// The consumer whose credential it is goes on with the request; `identifier` is what the upstream is told of the
/// credential.
pub fn admit(exchange: &mut Exchange, credential: Arc<Credential>, identifier: &str) -> Outcome {
    let consumer = exchange.session.environment.consumer(credential.consumer).cloned();
    let consumer = consumer.map(Authenticated::Known);
    client::authenticate(exchange, consumer, Some(AuthenticatedBy::Known(credential)))?;
    tell_upstream(exchange, Some(identifier))
}

/// The groups that an authenticating plugin found.
pub fn groups(exchange: &Exchange) -> Option<Vec<String>> {
    let Value::List(groups) = exchange.session.shared.get(GROUPS)? else { return None };
    Some(groups.iter().filter_map(Value::as_str).map(str::to_owned).collect())
}

pub fn set_groups(exchange: &mut Exchange, groups: &[String]) {
    let groups = groups.iter().map(|group| group.as_str().into()).collect();
    exchange.session.shared.insert(GROUPS.to_owned(), Value::List(groups));
}

fn as_anonymous(exchange: &mut Exchange, name: &str) -> Outcome {
    let environment = &exchange.session.environment;
    let by_id = name.parse::<Id>().ok().and_then(|id| environment.consumer(id));
    let Some(consumer) = by_id.or_else(|| environment.consumer_by_username(name)).cloned() else {
        let message = format!("anonymous consumer {name} is configured but doesn't exist");
        return refuse(exchange, 500, &message);
    };
    client::authenticate(exchange, Some(Authenticated::Known(consumer)), None::<AuthenticatedBy>)?;
    tell_upstream(exchange, None)
}

/// Sets or removes the lines about the consumer; without a credential it is the anonymous one.
pub fn tell_upstream(exchange: &mut Exchange, credential: Option<&str>) -> Outcome {
    let consumer = exchange.known_consumer().cloned();
    let consumer = consumer.as_ref();
    let changes = vec![
        maybe_line(CONSUMER_ID, consumer.map(|it| it.id.to_string())),
        maybe_line(CONSUMER_CUSTOM_ID, consumer.and_then(|it| it.custom_id.as_deref())),
        maybe_line(CONSUMER_USERNAME, consumer.and_then(|it| it.username.as_deref())),
        maybe_line(CREDENTIAL, credential),
        maybe_line(ANONYMOUS, credential.is_none().then_some("true")),
    ];
    service_request::set_headers(exchange, changes)
}
