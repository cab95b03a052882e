//! `kong.client`: the connection's other end, and who it was found to be.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use polygate_model::{Consumer, Id};

use crate::exchange::{Authenticated, AuthenticatedBy};
use crate::pdk::{PdkError, headers};
use crate::session::Transport;
use crate::{Exchange, Session, Value};

/// The TCP peer's address.
pub fn get_ip(session: &Session) -> &str {
    session.connection.peer_ip()
}

/// The client's address after real-ip processing.
pub fn get_forwarded_ip(session: &Session) -> Cow<'_, str> {
    session.client_ip()
}

pub fn get_port(session: &Session) -> u16 {
    session.connection.peer.port()
}

/// `None` when the trusted peer named an address only.
pub fn get_forwarded_port(session: &Session) -> Option<u16> {
    Some(session.client.port()).filter(|&port| port > 0)
}

pub fn get_credential(exchange: &Exchange) -> Option<Value> {
    exchange.credential.as_ref().map(AuthenticatedBy::to_value)
}

/// Streams are not authenticated.
pub fn get_credential_of_session(_: &Session) -> Option<Value> {
    None
}

pub fn get_consumer(exchange: &Exchange) -> Option<Value> {
    exchange.consumer.as_ref().map(Authenticated::to_value)
}

pub fn get_consumer_of_session(_: &Session) -> Option<Value> {
    None
}

/// The consumer with this id, in lower case, or, if `by_username` says so, this username.
pub fn load_consumer<'a>(
    session: &'a Session,
    id: &str,
    by_username: Option<bool>,
) -> Result<Option<&'a Arc<Consumer>>, PdkError> {
    let (name, by_username) = (id, by_username.unwrap_or(false));
    let id: Option<Id> = name.parse().ok();
    if id.is_none() && !by_username {
        return Err(PdkError::thrown("cannot load a consumer with an id that is not a uuid"));
    }
    let environment = &session.environment;
    // Ids are compared as text, in which the letters of a UUID are small.
    Ok(id
        .filter(|id| id.to_string() == name)
        .and_then(|id| environment.consumer(id))
        .or_else(|| by_username.then(|| environment.consumer_by_username(name)).flatten()))
}

/// Sets consumer and credential; `None` clears. What reaches the upstream is the plugin's business.
pub fn authenticate(
    exchange: &mut Exchange,
    consumer: Option<Authenticated>,
    credential: Option<impl Into<AuthenticatedBy>>,
) -> Result<(), PdkError> {
    if consumer.is_none() && credential.is_none() {
        return Err(PdkError::thrown("either credential or consumer must be provided"));
    }
    exchange.consumer = consumer;
    exchange.credential = credential.map(Into::into);
    Ok(())
}

/// The route's protocol if there is only one, else that of the connection.
pub fn get_protocol(exchange: &Exchange, allow_terminated: bool) -> Result<&'static str, PdkError> {
    let session = &exchange.session;
    if let Some(only) = only_protocol(session)? {
        return Ok(only);
    }
    let with_tls = session.connection.tls.is_some();
    if !with_tls && allow_terminated && session.peer_is_trusted {
        let forwarded = headers::first(&exchange.request.headers, b"x-forwarded-proto").unwrap_or_default();
        if forwarded.contains(&b',') {
            return Err(PdkError::returned("Only one X-Forwarded-Proto header allowed"));
        }
        if forwarded.eq_ignore_ascii_case(b"https") {
            return Ok("https");
        }
    }
    Ok(session.scheme())
}

/// [`get_protocol`] of a stream: `tls`, `tcp` or `udp` where the route has several.
pub fn get_protocol_of_session(session: &Session, _allow_terminated: bool) -> Result<&'static str, PdkError> {
    let is_udp = session.stream.as_ref().is_some_and(|stream| stream.transport == Transport::Udp);
    Ok(match only_protocol(session)? {
        Some(only) => only,
        None if is_udp => "udp",
        None if session.connection.tls.is_some() => "tls",
        None => "tcp",
    })
}

fn only_protocol(session: &Session) -> Result<Option<&'static str>, PdkError> {
    let route = session.route().ok_or_else(|| PdkError::returned("No active route found"))?;
    Ok(match route.protocols.as_slice() {
        [protocol] => Some(protocol.as_str()),
        _ => None,
    })
}

/// IPv4 addresses that came in through an IPv6 socket are shown as IPv4.
pub(super) fn address(ip: IpAddr) -> Value {
    ip.to_canonical().to_string().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pdk::fixture::{self, call, thrown};
    use serde_json::json;

    #[test]
    fn addresses() {
        let exchange = &mut fixture::exchange("GET", "/", &[]);
        assert_eq!(call(exchange, "kong.client.get_ip", &[]), Ok("127.0.0.1".into()));
        assert_eq!(call(exchange, "kong.client.get_port", &[]), Ok(Value::Int(40_000)));
        assert_eq!(call(exchange, "kong.client.get_forwarded_ip", &[]), Ok("203.0.113.9".into()));
        assert_eq!(call(exchange, "kong.client.get_forwarded_port", &[]), Ok(Value::Int(50_000)));
        exchange.session.client.set_port(0);
        assert_eq!(call(exchange, "kong.client.get_forwarded_port", &[]), Ok(Value::Nil));
    }

    #[test]
    fn consumers_are_found_by_id_and_name() {
        let exchange = &mut fixture::routed("/");
        let id = fixture::CONSUMER.to_string();
        for (args, expected) in [
            (vec![Value::from(&json!(id))], Ok(json!("alice"))),
            (vec![Value::from(&json!(id.to_uppercase()))], Ok(json!(null))),
            (vec!["alice".into(), true.into()], Ok(json!("alice"))),
            (vec!["bob".into(), true.into()], Ok(json!(null))),
            (vec!["alice".into()], Err("cannot load a consumer with an id that is not a uuid")),
            (vec![Value::Nil], Err("consumer_id must be a string")),
        ] {
            let got = call(exchange, "kong.client.load_consumer", &args)
                .map(|consumer| consumer.get("username").to_json());
            assert_eq!(got, expected.map_err(PdkError::thrown), "of {args:?}");
        }
    }

    #[test]
    fn authenticate_sets_and_clears() {
        let exchange = &mut fixture::routed("/");
        let consumer = Value::from(&json!({"id": fixture::CONSUMER}));
        let credential = Value::from(&json!({"id": "c"}));
        call(exchange, "kong.client.authenticate", &[consumer.clone(), credential.clone()]).unwrap();
        assert_eq!(call(exchange, "kong.client.get_consumer", &[]), Ok(consumer));
        assert_eq!(exchange.known_consumer().unwrap().username.as_deref(), Some("alice"));
        call(exchange, "kong.client.authenticate", &[Value::Nil, credential.clone()]).unwrap();
        assert_eq!(call(exchange, "kong.client.get_consumer", &[]), Ok(Value::Nil));
        assert_eq!(call(exchange, "kong.client.get_credential", &[]), Ok(credential));
        assert!(exchange.known_consumer().is_none());
        assert_eq!(
            call(exchange, "kong.client.authenticate", &[]),
            thrown("either credential or consumer must be provided")
        );
        assert_eq!(
            call(exchange, "kong.client.authenticate", &["x".into()]),
            thrown("consumer must be a table or nil")
        );
    }

    #[test]
    fn protocol_is_the_routes_or_the_connections() {
        let exchange = &mut fixture::exchange("GET", "/", &[("x-forwarded-proto", "https")]);
        assert_eq!(
            call(exchange, "kong.client.get_protocol", &[]),
            Err(PdkError::returned("No active route found"))
        );
        let exchange = &mut fixture::routed("/");
        assert_eq!(call(exchange, "kong.client.get_protocol", &[]), Ok("http".into()));
        exchange.request.headers.insert("x-forwarded-proto", "https");
        for allow_terminated in [true.into(), Value::Int(0), "x".into()] {
            assert_eq!(call(exchange, "kong.client.get_protocol", &[allow_terminated]), Ok("https".into()));
        }
        assert_eq!(call(exchange, "kong.client.get_protocol", &[false.into()]), Ok("http".into()));
        exchange.request.headers.insert("x-forwarded-proto", "http,https");
        let error = Err(PdkError::returned("Only one X-Forwarded-Proto header allowed"));
        assert_eq!(call(exchange, "kong.client.get_protocol", &[true.into()]), error);
    }
}
