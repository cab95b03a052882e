use serde_json::json;

use super::*;
use crate::pdk::fixture::{self, call, thrown};
use crate::{BodyError, Phase, RequestBody};

#[test]
fn hosts() {
    for (header, expected) in
        [("Example.COM:8000", "example.com"), ("[::1]:80", "[::1]"), ("[::1]", "[::1]"), ("", "kong")]
    {
        let exchange = &mut fixture::exchange("GET", "/", &[("host", header)]);
        assert_eq!(call(exchange, "kong.request.get_host", &[]), Ok(expected.into()), "of {header}");
    }
}

#[test]
fn forwarding_headers_of_a_trusted_peer() {
    for (getter, name, value, expected) in [
        ("kong.request.get_forwarded_scheme", "x-forwarded-proto", "HTTPS", Value::from("https")),
        ("kong.request.get_forwarded_host", "x-forwarded-host", "u@Out.test:81", "out.test".into()),
        ("kong.request.get_forwarded_port", "x-forwarded-host", "out.test:81", Value::Int(81)),
        ("kong.request.get_forwarded_port", "x-forwarded-port", "82", Value::Int(82)),
        ("kong.request.get_forwarded_port", "x-forwarded-port", "0", Value::Int(8000)),
        ("kong.request.get_forwarded_path", "x-forwarded-path", "/out", "/out".into()),
        ("kong.request.get_forwarded_prefix", "x-forwarded-prefix", "/pre", "/pre".into()),
    ] {
        let exchange = &mut fixture::exchange("GET", "/", &[(name, value)]);
        assert_eq!(call(exchange, getter, &[]), Ok(expected), "of {name}: {value}");
        fixture::distrust(exchange);
        for (getter, own) in [
            ("kong.request.get_forwarded_scheme", Value::from("http")),
            ("kong.request.get_forwarded_host", "kong".into()),
            ("kong.request.get_forwarded_port", Value::Int(8000)),
            ("kong.request.get_forwarded_path", "/".into()),
            ("kong.request.get_forwarded_prefix", "".into()),
        ] {
            assert_eq!(call(exchange, getter, &[]), Ok(own), "without trust, with {name}");
        }
    }
}

#[test]
fn stripped_prefix_is_forwarded() {
    let exchange = &mut fixture::routed("/api/x");
    assert_eq!(call(exchange, "kong.request.get_forwarded_prefix", &[]), Ok("/api".into()));
    fixture::change_route(exchange, |route| route.strip_path = false);
    assert_eq!(call(exchange, "kong.request.get_forwarded_prefix", &[]), Ok(Value::Nil));
}

#[test]
fn parts_of_the_target() {
    let exchange = &mut fixture::exchange("POST", "/a%20b?x=1&y&x=2", &[]);
    assert_eq!(call(exchange, "kong.request.get_method", &[]), Ok("POST".into()));
    assert_eq!(call(exchange, "kong.request.get_raw_path", &[]), Ok("/a%20b".into()));
    assert_eq!(call(exchange, "kong.request.get_path_with_query", &[]), Ok("/a%20b?x=1&y&x=2".into()));
    assert_eq!(call(exchange, "kong.request.get_raw_query", &[]), Ok("x=1&y&x=2".into()));
    assert_eq!(
        call(exchange, "kong.request.get_query", &[]).unwrap().to_json(),
        json!({"x": ["1", "2"], "y": true})
    );
    assert_eq!(
        call(exchange, "kong.request.get_query", &[Value::Int(1)]).unwrap().to_json(),
        json!({"x": "1"})
    );
    assert_eq!(call(exchange, "kong.request.get_query_arg", &["y".into()]), Ok(true.into()));
    assert_eq!(call(exchange, "kong.request.get_query_arg", &["z".into()]), Ok(Value::Nil));
    assert_eq!(
        call(exchange, "kong.request.get_query_arg", &[]),
        thrown("query argument name must be a string")
    );
    assert_eq!(call(exchange, "kong.request.get_http_version", &[]), Ok(Value::Float(1.1)));
}

#[test]
fn headers_are_limited() {
    let exchange = &mut fixture::exchange("GET", "/", &[("x-a", "1"), ("x-b", "2")]);
    assert_eq!(call(exchange, "kong.request.get_header", &["X_A".into()]), Ok("1".into()));
    assert_eq!(call(exchange, "kong.request.get_header", &[]), thrown("header name must be a string"));
    assert_eq!(
        call(exchange, "kong.request.get_headers", &[Value::Int(1)]).unwrap().to_json(),
        json!({"x-a": "1"})
    );
    assert_eq!(
        call(exchange, "kong.request.get_headers", &[Value::Int(0)]),
        thrown("max_headers must be >= 1")
    );
    exchange.session.phase = Phase::Log;
    let all = call(exchange, "kong.request.get_headers", &[]);
    assert_eq!(call(exchange, "kong.request.get_headers", &[Value::Int(1)]), all, "in the log phase");
}

#[test]
fn bodies() {
    let exchange = &mut fixture::exchange("POST", "/", &[("content-type", "application/json")]);
    exchange.request_body = RequestBody::new("{\"a\":1}");
    assert_eq!(call(exchange, "kong.request.get_raw_body", &[]), Ok("{\"a\":1}".into()));
    assert_eq!(call(exchange, "kong.request.get_raw_body", &[Value::Int(0)]), Ok("{\"a\":1}".into()));
    assert_eq!(
        call(exchange, "kong.request.get_raw_body", &[Value::Int(6)]),
        Ok("{\"a\":1}".into()),
        "the limit is one of files"
    );
    assert_eq!(call(exchange, "kong.request.get_body", &[]).unwrap().to_json(), json!({"a": 1}));
    let error = PdkError::returned("unsupported content type '5'");
    assert_eq!(call(exchange, "kong.request.get_body", &[Value::Int(5)]), Err(error));
    let form =
        call(exchange, "kong.request.get_body", &["application/x-www-form-urlencoded".into()]).unwrap();
    assert_eq!(form.to_json(), json!({"{\"a\":1}": true}));
}

#[test]
fn bodies_in_files_have_a_limit() {
    let exchange =
        &mut fixture::exchange("POST", "/", &[("content-type", "application/x-www-form-urlencoded")]);
    exchange.request_body = fixture::upload("a=1&b=2", Ok(()));
    let raw = |exchange: &mut Exchange, args: &[Value]| {
        fixture::dispatched(&mut *exchange, "kong.request.get_raw_body", args).map(|body| body.to_json())
    };
    assert_eq!(raw(exchange, &[]), Ok(json!("a file of 7 bytes")));
    for limit in [Value::Int(7), Value::Int(0), Value::Int(-1), Value::Float(1.5), "x".into()] {
        assert_eq!(raw(exchange, &[limit]), Ok(json!("a file of 7 bytes")));
    }
    let too_big = PdkError::returned("request body file too big: 7 > 6");
    assert_eq!(raw(exchange, &[Value::Int(6)]), Err(too_big.clone()));
    let body = |exchange: &mut Exchange, limit| {
        fixture::dispatched(
            &mut *exchange,
            "kong.request.get_body",
            &[Value::Nil, Value::Nil, Value::Int(limit)],
        )
    };
    assert_eq!(body(exchange, 7).unwrap().to_json(), json!({"a": "1", "b": "2"}));
    assert_eq!(body(exchange, 3), Err(PdkError::returned("request body file too big: 7 > 3")));
}

#[test]
fn bodies_that_cannot_be_had() {
    let exchange = &mut fixture::exchange("POST", "/", &[]);
    exchange.request_body = fixture::upload("abc", Ok(()));
    exchange.request_body.take_stream().unwrap();
    let gone = Err(PdkError::returned("the request body is no longer there"));
    assert_eq!(fixture::dispatched(&mut *exchange, "kong.request.get_raw_body", &[]), gone);
    exchange.request_body = fixture::upload("abc", Err(BodyError::TooLarge));
    let error = Err(PdkError::returned("the request body is larger than client_max_body_size"));
    for function in ["kong.request.get_raw_body", "kong.request.get_body"] {
        assert_eq!(fixture::dispatched(&mut *exchange, function, &[]), error);
        assert_eq!(exchange.request_body.failure().unwrap().status(), 413, "it is left for the gateway");
    }
}

#[test]
fn captures_count_from_the_whole_match() {
    let empty = json!({"unnamed": [], "named": {}});
    let exchange = &mut fixture::exchange("GET", "/", &[]);
    exchange.session.phase = Phase::Rewrite;
    let captures = fixture::dispatched(&mut *exchange, "kong.request.get_uri_captures", &[]);
    assert_eq!(captures.unwrap().to_json(), empty, "before routing");
    let exchange = &mut fixture::routed("/api/x");
    assert_eq!(call(exchange, "kong.request.get_uri_captures", &[]).unwrap().to_json(), empty);
    exchange.session.matched.as_mut().unwrap().captures = Captures {
        unnamed: vec![Some("/api/x".into()), None, Some("x".into())],
        named: vec![("id".into(), "x".into())],
    };
    let captures = call(exchange, "kong.request.get_uri_captures", &[]).unwrap();
    let unnamed = vec![(Key::Int(0), "/api/x".into()), (Key::Int(2), "x".into())];
    assert_eq!(captures.get("unnamed"), &Value::Map(unnamed));
    assert_eq!(captures.get("named").get("id"), &Value::from("x"));
}
