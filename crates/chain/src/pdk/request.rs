//! `kong.request`: what the client sent, as plugins have changed it since.

use std::borrow::Cow;

use bytes::Bytes;
use http::Version;

use crate::forwarded;
use crate::pdk::{PdkError, headers, payload, query};
use crate::session::Captures;
use crate::{Exchange, HeldBody, Key, Session, Value};

pub fn get_scheme(exchange: &Exchange) -> &'static str {
    exchange.session.scheme()
}

/// Lower case, without port.
pub fn get_host(exchange: &Exchange) -> Cow<'_, str> {
    forwarded::host_name(exchange)
}

/// The listening port, whatever the `Host` header says.
pub fn get_port(session: &Session) -> u16 {
    session.connection.local.port()
}

pub fn get_forwarded_scheme(exchange: &Exchange) -> String {
    forwarded::scheme(exchange).to_ascii_lowercase()
}

pub fn get_forwarded_host(exchange: &Exchange) -> String {
    forwarded::host(exchange)
}

pub fn get_forwarded_port(exchange: &Exchange) -> u16 {
    forwarded::port(exchange)
}

/// A trusted `X-Forwarded-Path`, else the path in the form that routes match.
pub fn get_forwarded_path(exchange: &Exchange) -> &[u8] {
    forwarded::path(exchange).unwrap_or(exchange.request.path.as_bytes())
}

/// A trusted `X-Forwarded-Prefix`, else the part of the path which the route strips. Before routing it is the
/// empty text, as in the reference.
pub fn get_forwarded_prefix(exchange: &Exchange) -> Option<&[u8]> {
    let before_routing = || exchange.forwarded.is_none().then_some(b"".as_slice());
    forwarded::prefix(exchange).or_else(before_routing)
}

pub fn get_http_version(exchange: &Exchange) -> f64 {
    match exchange.request.version {
        Version::HTTP_09 => 0.9,
        Version::HTTP_10 => 1.0,
        Version::HTTP_2 => 2.0,
        Version::HTTP_3 => 3.0,
        _ => 1.1,
    }
}

pub fn get_method(exchange: &Exchange) -> &str {
    exchange.request.method.as_str()
}

/// Normalised, as routes match it.
pub fn get_path(exchange: &Exchange) -> &str {
    &exchange.request.path
}

/// As received.
pub fn get_raw_path(exchange: &Exchange) -> &[u8] {
    forwarded::path_of(&exchange.request.target)
}

/// As received.
pub fn get_path_with_query(exchange: &Exchange) -> &Bytes {
    &exchange.request.target
}

/// Empty if there is none.
pub fn get_raw_query(exchange: &Exchange) -> &Bytes {
    static NONE: Bytes = Bytes::new();
    exchange.request.query.as_ref().unwrap_or(&NONE)
}

/// The first occurrence; true for a name without `=`.
pub fn get_query_arg(exchange: &Exchange, name: &[u8]) -> Value {
    query::first(get_raw_query(exchange), name, exchange.session.environment.limits.uri_args)
}

pub fn get_query(exchange: &Exchange, max_args: Option<usize>) -> Value {
    let limit = max_args.unwrap_or(exchange.session.environment.limits.uri_args);
    query::to_table(get_raw_query(exchange), limit)
}

/// What [`get_query`] has under a name: a string, true, a list of these where it is repeated, or nil.
pub fn query_member(exchange: &Exchange, name: &[u8]) -> Value {
    query::member(get_raw_query(exchange), name, exchange.session.environment.limits.uri_args)
}

pub fn get_header<'e>(exchange: &'e Exchange, name: &[u8]) -> Option<&'e [u8]> {
    headers::first(&exchange.request.headers, name)
}

pub fn get_headers(exchange: &Exchange, max_headers: Option<usize>) -> Value {
    let limit = exchange.session.environment.limits.request_headers;
    headers::all(&exchange.request.headers, headers::limit(exchange, max_headers).unwrap_or(limit))
}

/// The whole body, which must have been read; an error if it is a file of more than `max_size` bytes.
pub fn get_raw_body(exchange: &Exchange, max_size: Option<u64>) -> Result<&HeldBody, PdkError> {
    let body = exchange
        .request_body
        .held()
        .ok_or_else(|| PdkError::returned("the request body is no longer there"))?;
    match max_size {
        Some(limit) if matches!(body, HeldBody::File(_)) && body.len() > limit => {
            Err(PdkError::returned(format!("request body file too big: {} > {limit}", body.len())))
        }
        _ => Ok(body),
    }
}

pub fn get_body(
    exchange: &Exchange,
    mimetype: Option<Cow<'_, str>>,
    max_args: Option<usize>,
    max_size: Option<u64>,
) -> Result<Value, PdkError> {
    let max_args = max_args.unwrap_or(exchange.session.environment.limits.post_args);
    let header = get_header(exchange, b"content-type").and_then(|header| str::from_utf8(header).ok());
    let body = get_raw_body(exchange, max_size)?.bytes();
    let body = body.map_err(|error| PdkError::returned(format!("cannot read the request body: {error}")))?;
    payload::decode(&body, mimetype.as_deref(), header, max_args)
}

/// Unix milliseconds.
pub fn get_start_time(exchange: &Exchange) -> i64 {
    exchange.session.timings.unix_ms(exchange.session.timings.start)
}

/// `{unnamed, named}`: the groups of the route's path, the unnamed ones from 0, the whole match; those that took part.
pub fn get_uri_captures(exchange: &Exchange) -> Value {
    let none = Captures::default();
    let captures = exchange.session.matched.as_ref().map_or(&none, |matched| &matched.captures);
    let named = captures.named.iter().map(|(name, value)| (Key::from(name.as_str()), value.as_str().into()));
    let unnamed = (0..).zip(&captures.unnamed);
    let unnamed = unnamed.filter_map(|(number, value)| Some((Key::Int(number), value.as_deref()?.into())));
    // Without groups Kong's table is empty, and empty tables are packed as lists.
    let unnamed = match captures.unnamed.is_empty() {
        true => Value::List(Vec::new()),
        false => Value::Map(unnamed.collect()),
    };
    Value::Map(vec![(Key::from("unnamed"), unnamed), (Key::from("named"), Value::Map(named.collect()))])
}

#[cfg(test)]
mod tests;
