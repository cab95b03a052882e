//! `kong.client`: the connection's other end, and who it was found to be.

use std::net::IpAddr;

use crate::pdk::{PdkError, PdkResult, args, headers};
use crate::{Phase, RequestContext, Value};

/// The TCP peer's address.
pub fn get_ip(context: &mut RequestContext, _args: &[Value]) -> PdkResult {
    Ok(address(context.connection.peer.ip()))
}

/// The client's address after real-ip processing.
pub fn get_forwarded_ip(context: &mut RequestContext, _args: &[Value]) -> PdkResult {
    Ok(address(context.client.ip()))
}

pub fn get_port(context: &mut RequestContext, _args: &[Value]) -> PdkResult {
    Ok(Value::Int(context.connection.peer.port().into()))
}

/// Nil when the trusted peer named an address only.
pub fn get_forwarded_port(context: &mut RequestContext, _args: &[Value]) -> PdkResult {
    Ok(Some(i64::from(context.client.port())).filter(|&port| port > 0).into())
}

pub fn get_credential(context: &mut RequestContext, _args: &[Value]) -> PdkResult {
    Ok(context.consumer.credential.clone().into())
}

pub fn get_consumer(context: &mut RequestContext, _args: &[Value]) -> PdkResult {
    Ok(context.consumer.consumer.clone().into())
}

/// The consumer with this id or, if the second argument says so, this username.
pub fn load_consumer(context: &mut RequestContext, args: &[Value]) -> PdkResult {
    let name = args::text(args, 0, "consumer_id")?;
    let by_username = args::flag(args, 1, "search_by_username", false)?;
    let id = name.parse().ok();
    if id.is_none() && !by_username {
        return Err(PdkError::thrown("cannot load a consumer with an id that is not a uuid"));
    }
    let environment = &context.environment;
    let consumer = id
        .and_then(|id| environment.consumer(id))
        .or_else(|| by_username.then(|| environment.consumer_by_username(name)).flatten());
    Ok(consumer.map(super::entity).into())
}

/// Sets consumer and credential; a nil clears. What reaches the upstream is the plugin's business.
pub fn authenticate(context: &mut RequestContext, args: &[Value]) -> PdkResult {
    let consumer = optional_table(args, 0, "consumer")?;
    let credential = optional_table(args, 1, "credential")?;
    if consumer.is_none() && credential.is_none() {
        return Err(PdkError::thrown("either credential or consumer must be provided"));
    }
    context.consumer.set_consumer(consumer);
    context.consumer.credential = credential;
    Ok(Value::Nil)
}

/// The route's protocol if there is only one, else that of the connection.
pub fn get_protocol(context: &mut RequestContext, args: &[Value]) -> PdkResult {
    let allow_terminated = args::truth(args::at(args, 0));
    let route = context.route().ok_or_else(|| PdkError::returned("No active route found"))?;
    if let [protocol] = route.protocols.as_slice() {
        return Ok(protocol.as_str().into());
    }
    let with_tls = context.connection.tls.is_some();
    if context.phase == Phase::Preread || !route.protocols.iter().any(|protocol| protocol.is_http()) {
        return Ok(if with_tls { "tls" } else { "tcp" }.into());
    }
    if !with_tls && allow_terminated && context.peer_is_trusted {
        let forwarded = headers::first(&context.request.headers, b"x-forwarded-proto");
        let forwarded = forwarded.as_str().unwrap_or_default();
        if forwarded.contains(',') {
            return Err(PdkError::returned("Only one X-Forwarded-Proto header allowed"));
        }
        if forwarded.eq_ignore_ascii_case("https") {
            return Ok("https".into());
        }
    }
    Ok(context.scheme().into())
}

/// IPv4 addresses that came in through an IPv6 socket are shown as IPv4.
pub(super) fn address(ip: IpAddr) -> Value {
    ip.to_canonical().to_string().into()
}

fn optional_table(args: &[Value], index: usize, name: &str) -> Result<Option<Value>, PdkError> {
    match args::at(args, index) {
        Value::Nil => Ok(None),
        // An empty table, packed as a list.
        Value::List(items) if items.is_empty() => Ok(Some(Value::Map(Vec::new()))),
        table @ Value::Map(_) => Ok(Some(table.clone())),
        _ => Err(args::wrong_type(name, "a table or nil")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pdk::fixture::{self, thrown};
    use serde_json::json;

    #[test]
    fn addresses() {
        let context = &mut fixture::context("GET", "/", &[]);
        assert_eq!(get_ip(context, &[]), Ok("127.0.0.1".into()));
        assert_eq!(get_port(context, &[]), Ok(Value::Int(40_000)));
        assert_eq!(get_forwarded_ip(context, &[]), Ok("203.0.113.9".into()));
        assert_eq!(get_forwarded_port(context, &[]), Ok(Value::Int(50_000)));
        context.client.set_port(0);
        assert_eq!(get_forwarded_port(context, &[]), Ok(Value::Nil));
    }

    #[test]
    fn consumers_are_found_by_id_and_name() {
        let context = &mut fixture::routed("/");
        let id = fixture::CONSUMER.to_string();
        for (args, expected) in [
            (vec![Value::from(&json!(id))], Ok(json!("alice"))),
            (vec!["alice".into(), true.into()], Ok(json!("alice"))),
            (vec!["bob".into(), true.into()], Ok(json!(null))),
            (vec!["alice".into()], Err("cannot load a consumer with an id that is not a uuid")),
            (vec![Value::Nil], Err("consumer_id must be a string")),
        ] {
            let got = load_consumer(context, &args).map(|consumer| consumer.get("username").to_json());
            assert_eq!(got, expected.map_err(PdkError::thrown), "of {args:?}");
        }
    }

    #[test]
    fn authenticate_sets_and_clears() {
        let context = &mut fixture::routed("/");
        let consumer = Value::from(&json!({"id": fixture::CONSUMER}));
        let credential = Value::from(&json!({"id": "c"}));
        authenticate(context, &[consumer.clone(), credential.clone()]).unwrap();
        assert_eq!(get_consumer(context, &[]), Ok(consumer));
        assert_eq!(context.known_consumer().unwrap().username.as_deref(), Some("alice"));
        authenticate(context, &[Value::Nil, credential.clone()]).unwrap();
        assert_eq!(get_consumer(context, &[]), Ok(Value::Nil));
        assert_eq!(get_credential(context, &[]), Ok(credential));
        assert!(context.known_consumer().is_none());
        assert_eq!(authenticate(context, &[]), thrown("either credential or consumer must be provided"));
        assert_eq!(authenticate(context, &["x".into()]), thrown("consumer must be a table or nil"));
    }

    #[test]
    fn protocol_is_the_routes_or_the_connections() {
        let context = &mut fixture::context("GET", "/", &[("x-forwarded-proto", "https")]);
        assert_eq!(get_protocol(context, &[]), Err(PdkError::returned("No active route found")));
        let context = &mut fixture::routed("/");
        assert_eq!(get_protocol(context, &[]), Ok("http".into()));
        context.request.headers.insert("x-forwarded-proto", "https");
        for allow_terminated in [true.into(), Value::Int(0), "x".into()] {
            assert_eq!(get_protocol(context, &[allow_terminated]), Ok("https".into()));
        }
        assert_eq!(get_protocol(context, &[false.into()]), Ok("http".into()));
        context.request.headers.insert("x-forwarded-proto", "http,https");
        let error = Err(PdkError::returned("Only one X-Forwarded-Proto header allowed"));
        assert_eq!(get_protocol(context, &[true.into()]), error);
    }
}
