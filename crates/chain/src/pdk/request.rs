//! `kong.request`: what the client sent, as plugins have changed it since.

use bytes::Bytes;
use http::Version;

use crate::context::Captures;
use crate::forwarded;
use crate::pdk::{PdkError, PdkResult, args, headers, payload, query};
use crate::{Exchange, HeldBody, Key, Value};

pub fn get_scheme(context: &mut Exchange, _args: &[Value]) -> PdkResult {
    Ok(context.session.scheme().into())
}

/// Lower case, without port.
pub fn get_host(context: &mut Exchange, _args: &[Value]) -> PdkResult {
    Ok(forwarded::host_name(context).as_ref().into())
}

/// The listening port, whatever the `Host` header says.
pub fn get_port(context: &mut Exchange, _args: &[Value]) -> PdkResult {
    Ok(Value::Int(context.session.connection.local.port().into()))
}

pub fn get_forwarded_scheme(context: &mut Exchange, _args: &[Value]) -> PdkResult {
    Ok(forwarded::scheme(context).to_ascii_lowercase().into())
}

pub fn get_forwarded_host(context: &mut Exchange, _args: &[Value]) -> PdkResult {
    Ok(forwarded::host(context).into())
}

pub fn get_forwarded_port(context: &mut Exchange, _args: &[Value]) -> PdkResult {
    Ok(Value::Int(forwarded::port(context).into()))
}

/// A trusted `X-Forwarded-Path`, else the path in the form that routes match.
pub fn get_forwarded_path(context: &mut Exchange, _args: &[Value]) -> PdkResult {
    Ok(forwarded::path(context).map_or_else(|| context.request.path.as_str().into(), Value::str))
}

/// A trusted `X-Forwarded-Prefix`, else the part of the path which the route strips, else nil. Before routing it is the
/// empty text, as in the reference.
pub fn get_forwarded_prefix(context: &mut Exchange, _args: &[Value]) -> PdkResult {
    Ok(match forwarded::prefix(context) {
        Some(prefix) => Value::str(prefix),
        None if context.forwarded.is_none() => "".into(),
        None => Value::Nil,
    })
}

pub fn get_http_version(context: &mut Exchange, _args: &[Value]) -> PdkResult {
    Ok(Value::number(match context.request.version {
        Version::HTTP_09 => 0.9,
        Version::HTTP_10 => 1.0,
        Version::HTTP_2 => 2.0,
        Version::HTTP_3 => 3.0,
        _ => 1.1,
    }))
}

pub fn get_method(context: &mut Exchange, _args: &[Value]) -> PdkResult {
    Ok(context.request.method.as_str().into())
}

/// Normalised, as routes match it.
pub fn get_path(context: &mut Exchange, _args: &[Value]) -> PdkResult {
    Ok(context.request.path.as_str().into())
}

/// As received.
pub fn get_raw_path(context: &mut Exchange, _args: &[Value]) -> PdkResult {
    Ok(Value::str(forwarded::path_of(&context.request.target)))
}

/// As received.
pub fn get_path_with_query(context: &mut Exchange, _args: &[Value]) -> PdkResult {
    Ok(context.request.target.clone().into())
}

pub fn get_raw_query(context: &mut Exchange, _args: &[Value]) -> PdkResult {
    Ok(raw_query(context).clone().into())
}

/// The first occurrence; true for a name without `=`.
pub fn get_query_arg(context: &mut Exchange, args: &[Value]) -> PdkResult {
    let name = args::string(args, 0, "query argument name")?;
    Ok(query::first(raw_query(context), name, context.session.environment.limits.uri_args))
}

pub fn get_query(context: &mut Exchange, args: &[Value]) -> PdkResult {
    let limit = args::limit(args, 0, "max_args", context.session.environment.limits.uri_args)?;
    Ok(query::to_table(raw_query(context), limit))
}

pub fn get_header(context: &mut Exchange, args: &[Value]) -> PdkResult {
    headers::get(&context.request.headers, args, "header name")
}

pub fn get_headers(context: &mut Exchange, args: &[Value]) -> PdkResult {
    headers::get_all(&context.request.headers, args, context.session.environment.limits.request_headers)
}

/// The whole body, however large, unless the plugin gave a limit.
pub fn get_raw_body(context: &mut Exchange, args: &[Value]) -> PdkResult {
    body(context, args, 0).map(Value::from)
}

pub fn get_body(context: &mut Exchange, args: &[Value]) -> PdkResult {
    let content_type = match args::at(args, 0) {
        number @ (Value::Int(_) | Value::Float(_)) => &Value::Str(number.plain()),
        other => other,
    };
    let content_type = args::optional_text(std::slice::from_ref(content_type), 0, "mimetype")?;
    let max_args = args::limit(args, 1, "max_args", context.session.environment.limits.post_args)?;
    let header = headers::first(&context.request.headers, b"content-type");
    payload::decode(&body(context, args, 2)?, content_type, header.as_str(), max_args)
}

/// Unix milliseconds.
pub fn get_start_time(context: &mut Exchange, _args: &[Value]) -> PdkResult {
    Ok(Value::Int(context.session.timings.unix_ms(context.session.timings.start)))
}

/// `{unnamed, named}`: the groups of the route's path, the unnamed ones from 0, the whole match.
pub fn get_uri_captures(context: &mut Exchange, _args: &[Value]) -> PdkResult {
    let none = Captures::default();
    let captures = context.session.matched.as_ref().map_or(&none, |matched| &matched.captures);
    let named = captures.named.iter().map(|(name, value)| (Key::from(name.as_str()), value.as_str().into()));
    let unnamed = (0..).map(Key::Int).zip(captures.unnamed.iter().map(|value| Value::from(value.as_str())));
    // Without groups Kong's table is empty, and empty tables are packed as lists.
    let unnamed = match captures.unnamed.is_empty() {
        true => Value::List(Vec::new()),
        false => Value::Map(unnamed.collect()),
    };
    Ok(Value::Map(vec![(Key::from("unnamed"), unnamed), (Key::from("named"), Value::Map(named.collect()))]))
}

/// Empty if there is none.
pub(crate) fn raw_query(context: &Exchange) -> &Bytes {
    static NONE: Bytes = Bytes::new();
    context.request.query.as_ref().unwrap_or(&NONE)
}

fn body(context: &Exchange, args: &[Value], limit: usize) -> Result<Bytes, PdkError> {
    let body = held_body(context, args, limit)?;
    body.bytes().map_err(|error| PdkError::returned(format!("cannot read the request body: {error}")))
}

/// The body, unless it is a file that is larger than the argument at `limit` allows.
pub(super) fn held_body<'c>(
    context: &'c Exchange,
    args: &[Value],
    limit: usize,
) -> Result<&'c HeldBody, PdkError> {
    // What is no size is no limit.
    let limit = args::at(args, limit).as_int().and_then(|size| u64::try_from(size).ok()).unwrap_or(0);
    let body = context
        .request_body
        .held()
        .ok_or_else(|| PdkError::returned("the request body is no longer there"))?;
    if limit > 0 && matches!(body, HeldBody::File(_)) && body.len() > limit {
        return Err(PdkError::returned(format!("request body file too big: {} > {limit}", body.len())));
    }
    Ok(body)
}

#[cfg(test)]
mod tests;
