//! `kong.service.response`: what the upstream answered, before the gateway and plugins changed it.

use std::borrow::Cow;

use bytes::Bytes;
use polygate_http1::Headers;

use crate::pdk::{PdkError, headers, payload};
use crate::{Exchange, Value};

/// `None` if nothing was proxied.
pub fn get_status(exchange: &Exchange) -> Option<u16> {
    exchange.service_response.as_ref().map(|response| response.status)
}

pub fn get_header<'e>(exchange: &'e Exchange, name: &[u8]) -> Option<&'e [u8]> {
    headers::first(lines(exchange)?, name)
}

/// Empty if nothing was proxied.
pub fn get_headers(exchange: &Exchange, max_headers: Option<usize>) -> Value {
    let limit = max_headers.unwrap_or(exchange.session.environment.limits.response_headers);
    lines(exchange).map_or_else(|| Value::Map(Vec::new()), |lines| headers::all(lines, limit))
}

/// As the upstream sent it: not decompressed.
pub fn get_raw_body(exchange: &Exchange) -> Result<&Bytes, PdkError> {
    exchange.service_response.as_ref().and_then(|response| response.body.as_ref()).ok_or_else(|| {
        PdkError::thrown(
            "service body is only available with buffered proxying \
             (see: kong.service.request.enable_buffering function)",
        )
    })
}

pub fn get_body(
    exchange: &Exchange,
    mimetype: Option<Cow<'_, str>>,
    max_args: Option<usize>,
) -> Result<Value, PdkError> {
    let max_args = max_args.unwrap_or(exchange.session.environment.limits.post_args);
    let header = get_header(exchange, b"content-type").and_then(|header| str::from_utf8(header).ok());
    payload::decode(get_raw_body(exchange)?, mimetype.as_deref(), header, max_args)
}

fn lines(exchange: &Exchange) -> Option<&Headers> {
    exchange.service_response.as_ref().map(|response| &response.headers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::ServiceResponse;
    use crate::pdk::fixture::{self, call, thrown};
    use serde_json::json;

    #[test]
    fn without_proxying_there_is_nothing() {
        let exchange = &mut fixture::routed("/");
        assert_eq!(call(exchange, "kong.service.response.get_status", &[]), Ok(Value::Nil));
        assert_eq!(call(exchange, "kong.service.response.get_header", &["x".into()]), Ok(Value::Nil));
        assert_eq!(call(exchange, "kong.service.response.get_header", &[]), thrown("name must be a string"));
        assert_eq!(call(exchange, "kong.service.response.get_headers", &[]), Ok(Value::Map(Vec::new())));
        let error = "service body is only available with buffered proxying (see: \
                     kong.service.request.enable_buffering function)";
        assert_eq!(call(exchange, "kong.service.response.get_raw_body", &[]), thrown(error));
        assert_eq!(call(exchange, "kong.service.response.get_body", &[]), thrown(error));
    }

    #[test]
    fn answers_what_the_upstream_sent() {
        let exchange = &mut fixture::routed("/");
        exchange.service_response = Some(ServiceResponse {
            status: 201,
            headers: fixture::headers(&[("content-type", "application/json"), ("x-a", "1")]),
            body: Some(Bytes::from_static(b"[1]")),
        });
        assert_eq!(call(exchange, "kong.service.response.get_status", &[]), Ok(Value::Int(201)));
        assert_eq!(call(exchange, "kong.service.response.get_header", &["X_A".into()]), Ok("1".into()));
        assert_eq!(
            call(exchange, "kong.service.response.get_headers", &[]).unwrap().get("x-a"),
            &Value::from("1")
        );
        assert_eq!(call(exchange, "kong.service.response.get_raw_body", &[]), Ok("[1]".into()));
        assert_eq!(call(exchange, "kong.service.response.get_body", &[]).unwrap().to_json(), json!([1]));
        let error = Err(PdkError::returned("unsupported content type '5'"));
        assert_eq!(call(exchange, "kong.service.response.get_body", &[Value::Int(5)]), error);
    }
}
