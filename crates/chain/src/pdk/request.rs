//! `kong.request`: what the client sent, as plugins have changed it since.

use http::Version;

use crate::context::Captures;
use crate::pdk::{PdkError, PdkResult, args, headers, payload, query};
use crate::{Key, RequestContext, Value};

/// What a request without any host is for.
pub(crate) const SERVER_NAME: &str = "kong";

pub fn get_scheme(context: &mut RequestContext, _args: &[Value]) -> PdkResult {
    Ok(context.scheme().into())
}

/// Lower case, without port.
pub fn get_host(context: &mut RequestContext, _args: &[Value]) -> PdkResult {
    Ok(host(context).into())
}

/// The listening port, whatever the `Host` header says.
pub fn get_port(context: &mut RequestContext, _args: &[Value]) -> PdkResult {
    Ok(Value::Int(context.connection.local.port().into()))
}

pub fn get_forwarded_scheme(context: &mut RequestContext, _args: &[Value]) -> PdkResult {
    let scheme = forwarded(context, "x-forwarded-proto").map(str::to_ascii_lowercase);
    Ok(scheme.unwrap_or_else(|| context.scheme().to_owned()).into())
}

pub fn get_forwarded_host(context: &mut RequestContext, _args: &[Value]) -> PdkResult {
    let forwarded =
        forwarded(context, "x-forwarded-host").map(|value| split_host(value).0.to_ascii_lowercase());
    Ok(forwarded.filter(|host| !host.is_empty()).unwrap_or_else(|| host(context)).into())
}

pub fn get_forwarded_port(context: &mut RequestContext, _args: &[Value]) -> PdkResult {
    let valid = |text: &str| text.trim().parse::<u16>().ok().filter(|&port| port > 0);
    let port = forwarded(context, "x-forwarded-port")
        .and_then(valid)
        .or_else(|| split_host(forwarded(context, "x-forwarded-host")?).1.and_then(valid))
        .unwrap_or_else(|| context.environment.outside_port(context.connection.local.port()));
    Ok(Value::Int(port.into()))
}

pub fn get_forwarded_path(context: &mut RequestContext, _args: &[Value]) -> PdkResult {
    Ok(forwarded(context, "x-forwarded-path").unwrap_or(&context.request.path).into())
}

/// A trusted `X-Forwarded-Prefix`, else the part of the path which the route strips, else nil.
pub fn get_forwarded_prefix(context: &mut RequestContext, _args: &[Value]) -> PdkResult {
    let stripped = context.matched.as_ref().map(|matched| matched.prefix.as_str());
    let prefix = forwarded(context, "x-forwarded-prefix").or(stripped.filter(|prefix| !prefix.is_empty()));
    Ok(prefix.into())
}

pub fn get_http_version(context: &mut RequestContext, _args: &[Value]) -> PdkResult {
    Ok(Value::number(match context.request.version {
        Version::HTTP_09 => 0.9,
        Version::HTTP_10 => 1.0,
        Version::HTTP_2 => 2.0,
        Version::HTTP_3 => 3.0,
        _ => 1.1,
    }))
}

pub fn get_method(context: &mut RequestContext, _args: &[Value]) -> PdkResult {
    Ok(context.request.method.as_str().into())
}

/// Normalised, as routes match it.
pub fn get_path(context: &mut RequestContext, _args: &[Value]) -> PdkResult {
    Ok(context.request.path.as_str().into())
}

/// As received.
pub fn get_raw_path(context: &mut RequestContext, _args: &[Value]) -> PdkResult {
    let target = context.request.target.as_str();
    Ok(target.split_once('?').map_or(target, |(path, _)| path).into())
}

/// As received.
pub fn get_path_with_query(context: &mut RequestContext, _args: &[Value]) -> PdkResult {
    Ok(context.request.target.as_str().into())
}

pub fn get_raw_query(context: &mut RequestContext, _args: &[Value]) -> PdkResult {
    Ok(raw_query(context).into())
}

/// The first occurrence; true for a name without `=`.
pub fn get_query_arg(context: &mut RequestContext, args: &[Value]) -> PdkResult {
    let name = args::string(args, 0, "query argument name")?;
    Ok(query::first(raw_query(context).as_bytes(), name, context.environment.limits.uri_args))
}

pub fn get_query(context: &mut RequestContext, args: &[Value]) -> PdkResult {
    let limit = args::limit(args, 0, "max_args", context.environment.limits.uri_args)?;
    Ok(query::to_table(raw_query(context).as_bytes(), limit))
}

pub fn get_header(context: &mut RequestContext, args: &[Value]) -> PdkResult {
    headers::get(&context.request.headers, args)
}

pub fn get_headers(context: &mut RequestContext, args: &[Value]) -> PdkResult {
    headers::get_all(&context.request.headers, args, context.environment.limits.request_headers)
}

/// The whole body, however large, unless the plugin gave a limit.
pub fn get_raw_body(context: &mut RequestContext, args: &[Value]) -> PdkResult {
    body(context, args, 0).map(Value::from)
}

pub fn get_body(context: &mut RequestContext, args: &[Value]) -> PdkResult {
    let content_type = args::optional_text(args, 0, "mimetype")?;
    let max_args = args::limit(args, 1, "max_args", context.environment.limits.post_args)?;
    let header = headers::first(&context.request.headers, b"content-type");
    payload::decode(&body(context, args, 2)?, content_type, header.as_str(), max_args)
}

/// Unix milliseconds.
pub fn get_start_time(context: &mut RequestContext, _args: &[Value]) -> PdkResult {
    Ok(Value::Int(context.timings.unix_ms(context.timings.start)))
}

/// `{unnamed, named}`: the groups of the route's path, the unnamed ones from 0, the whole match.
pub fn get_uri_captures(context: &mut RequestContext, _args: &[Value]) -> PdkResult {
    let none = Captures::default();
    let captures = context.matched.as_ref().map_or(&none, |matched| &matched.captures);
    let named = captures.named.iter().map(|(name, value)| (Key::from(name.as_str()), value.as_str().into()));
    let unnamed = (0..).map(Key::Int).zip(captures.unnamed.iter().map(|value| Value::from(value.as_str())));
    // Without groups Kong's table is empty, and empty tables are packed as lists.
    let unnamed = match captures.unnamed.is_empty() {
        true => Value::List(Vec::new()),
        false => Value::Map(unnamed.collect()),
    };
    Ok(Value::Map(vec![(Key::from("unnamed"), unnamed), (Key::from("named"), Value::Map(named.collect()))]))
}

pub(crate) fn host(context: &RequestContext) -> String {
    let header = context.request.headers.get(http::header::HOST).and_then(|value| value.to_str().ok());
    match header.map(|value| split_host(value).0) {
        Some(host) if !host.is_empty() => host.to_ascii_lowercase(),
        _ => SERVER_NAME.to_owned(),
    }
}

pub(crate) fn raw_query(context: &RequestContext) -> &str {
    context.request.query.as_deref().unwrap_or_default()
}

/// The first value of a forwarding header, if the peer may set it.
fn forwarded<'a>(context: &'a RequestContext, name: &str) -> Option<&'a str> {
    if !context.peer_is_trusted() {
        return None;
    }
    context.request.headers.get(name)?.to_str().ok().filter(|value| !value.is_empty())
}

/// Host and port of `user@host:port`; an IPv6 address keeps its brackets.
fn split_host(authority: &str) -> (&str, Option<&str>) {
    let authority = authority.rsplit_once('@').map_or(authority, |(_, rest)| rest);
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (authority, None),
    }
}

fn body(context: &RequestContext, args: &[Value], limit: usize) -> Result<bytes::Bytes, PdkError> {
    let limit = match args::at(args, limit) {
        Value::Nil => 0,
        _ => args::integer(args, limit, "max_allowed_file_size", 0, i64::MAX)? as usize,
    };
    let body = context
        .request_body
        .bytes()
        .ok_or_else(|| PdkError::returned("the request body is no longer there"))?;
    if limit > 0 && body.len() > limit {
        return Err(PdkError::returned(format!("request body file too big: {} > {limit}", body.len())));
    }
    Ok(body.clone())
}

#[cfg(test)]
mod tests;
