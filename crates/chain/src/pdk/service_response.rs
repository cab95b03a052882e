//! `kong.service.response`: what the upstream answered, before the gateway and plugins changed it.

use bytes::Bytes;
use polygate_http1::Headers;

use crate::pdk::{PdkError, PdkResult, args, headers, payload};
use crate::{Exchange, Value};

/// Nil if nothing was proxied.
pub fn get_status(context: &mut Exchange, _args: &[Value]) -> PdkResult {
    Ok(context.service_response.as_ref().map(|response| i64::from(response.status)).into())
}

pub fn get_header(context: &mut Exchange, args: &[Value]) -> PdkResult {
    with_headers(context, |headers| headers::get(headers, args, "name"))
}

pub fn get_headers(context: &mut Exchange, args: &[Value]) -> PdkResult {
    let limit = context.session.environment.limits.response_headers;
    with_headers(context, |headers| headers::get_all(headers, args, limit))
}

/// As the upstream sent it: not decompressed.
pub fn get_raw_body(context: &mut Exchange, _args: &[Value]) -> PdkResult {
    Ok(body(context)?.clone().into())
}

pub fn get_body(context: &mut Exchange, args: &[Value]) -> PdkResult {
    let content_type = args::optional_text(args, 0, "mimetype")?;
    let max_args = args::limit(args, 1, "max_args", context.session.environment.limits.post_args)?;
    let header = with_headers(context, |headers| Ok(headers::first(headers, b"content-type")))?;
    payload::decode(body(context)?, content_type, header.as_str(), max_args)
}

fn with_headers(context: &Exchange, read: impl FnOnce(&Headers) -> PdkResult) -> PdkResult {
    match &context.service_response {
        Some(response) => read(&response.headers),
        None => read(&Headers::new()),
    }
}

fn body(context: &Exchange) -> Result<&Bytes, PdkError> {
    context.service_response.as_ref().and_then(|response| response.body.as_ref()).ok_or_else(|| {
        PdkError::thrown(
            "service body is only available with buffered proxying \
             (see: kong.service.request.enable_buffering function)",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::ServiceResponse;
    use crate::pdk::fixture::{self, thrown};
    use serde_json::json;

    #[test]
    fn without_proxying_there_is_nothing() {
        let context = &mut fixture::routed("/");
        assert_eq!(get_status(context, &[]), Ok(Value::Nil));
        assert_eq!(get_header(context, &["x".into()]), Ok(Value::Nil));
        assert_eq!(get_header(context, &[]), thrown("name must be a string"));
        assert_eq!(get_headers(context, &[]), Ok(Value::Map(Vec::new())));
        let error = "service body is only available with buffered proxying (see: \
                     kong.service.request.enable_buffering function)";
        assert_eq!(get_raw_body(context, &[]), thrown(error));
        assert_eq!(get_body(context, &[]), thrown(error));
    }

    #[test]
    fn answers_what_the_upstream_sent() {
        let context = &mut fixture::routed("/");
        context.service_response = Some(ServiceResponse {
            status: 201,
            headers: fixture::headers(&[("content-type", "application/json"), ("x-a", "1")]),
            body: Some(Bytes::from_static(b"[1]")),
        });
        assert_eq!(get_status(context, &[]), Ok(Value::Int(201)));
        assert_eq!(get_header(context, &["X_A".into()]), Ok("1".into()));
        assert_eq!(get_headers(context, &[]).unwrap().get("x-a"), &Value::from("1"));
        assert_eq!(get_raw_body(context, &[]), Ok("[1]".into()));
        assert_eq!(get_body(context, &[]).unwrap().to_json(), json!([1]));
    }
}
