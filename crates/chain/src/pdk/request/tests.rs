use std::sync::Arc;

use serde_json::json;

use super::*;
use crate::pdk::fixture::{self, thrown};
use crate::{BodyError, Phase, RequestBody};

#[test]
fn hosts() {
    for (header, expected) in
        [("Example.COM:8000", "example.com"), ("[::1]:80", "[::1]"), ("[::1]", "[::1]"), ("", "kong")]
    {
        let context = &mut fixture::context("GET", "/", &[("host", header)]);
        assert_eq!(get_host(context, &[]), Ok(expected.into()), "of {header}");
    }
}

#[test]
fn forwarding_headers_of_a_trusted_peer() {
    type Getter = fn(&mut Exchange, &[Value]) -> PdkResult;
    for (getter, name, value, expected) in [
        (get_forwarded_scheme as Getter, "x-forwarded-proto", "HTTPS", Value::from("https")),
        (get_forwarded_host, "x-forwarded-host", "u@Out.test:81", "out.test".into()),
        (get_forwarded_port, "x-forwarded-host", "out.test:81", Value::Int(81)),
        (get_forwarded_port, "x-forwarded-port", "82", Value::Int(82)),
        (get_forwarded_port, "x-forwarded-port", "0", Value::Int(8000)),
        (get_forwarded_path, "x-forwarded-path", "/out", "/out".into()),
        (get_forwarded_prefix, "x-forwarded-prefix", "/pre", "/pre".into()),
    ] {
        let context = &mut fixture::context("GET", "/", &[(name, value)]);
        assert_eq!(getter(context, &[]), Ok(expected), "of {name}: {value}");
        fixture::distrust(context);
        for (getter, own) in [
            (get_forwarded_scheme as Getter, Value::from("http")),
            (get_forwarded_host, "kong".into()),
            (get_forwarded_port, Value::Int(8000)),
            (get_forwarded_path, "/".into()),
            (get_forwarded_prefix, "".into()),
        ] {
            assert_eq!(getter(context, &[]), Ok(own), "without trust, with {name}");
        }
    }
}

#[test]
fn stripped_prefix_is_forwarded() {
    let context = &mut fixture::routed("/api/x");
    assert_eq!(get_forwarded_prefix(context, &[]), Ok("/api".into()));
    Arc::make_mut(&mut context.session.matched.as_mut().unwrap().route).strip_path = false;
    assert_eq!(get_forwarded_prefix(context, &[]), Ok(Value::Nil));
}

#[test]
fn parts_of_the_target() {
    let context = &mut fixture::context("POST", "/a%20b?x=1&y&x=2", &[]);
    assert_eq!(get_method(context, &[]), Ok("POST".into()));
    assert_eq!(get_raw_path(context, &[]), Ok("/a%20b".into()));
    assert_eq!(get_path_with_query(context, &[]), Ok("/a%20b?x=1&y&x=2".into()));
    assert_eq!(get_raw_query(context, &[]), Ok("x=1&y&x=2".into()));
    assert_eq!(get_query(context, &[]).unwrap().to_json(), json!({"x": ["1", "2"], "y": true}));
    assert_eq!(get_query(context, &[Value::Int(1)]).unwrap().to_json(), json!({"x": "1"}));
    assert_eq!(get_query_arg(context, &["y".into()]), Ok(true.into()));
    assert_eq!(get_query_arg(context, &["z".into()]), Ok(Value::Nil));
    assert_eq!(get_query_arg(context, &[]), thrown("query argument name must be a string"));
    assert_eq!(get_http_version(context, &[]), Ok(Value::Float(1.1)));
}

#[test]
fn headers_are_limited() {
    let context = &mut fixture::context("GET", "/", &[("x-a", "1"), ("x-b", "2")]);
    assert_eq!(get_header(context, &["X_A".into()]), Ok("1".into()));
    assert_eq!(get_header(context, &[]), thrown("header name must be a string"));
    assert_eq!(get_headers(context, &[Value::Int(1)]).unwrap().to_json(), json!({"x-a": "1"}));
    assert_eq!(get_headers(context, &[Value::Int(0)]), thrown("max_headers must be >= 1"));
}

#[test]
fn bodies() {
    let context = &mut fixture::context("POST", "/", &[("content-type", "application/json")]);
    context.request_body = RequestBody::new("{\"a\":1}");
    assert_eq!(get_raw_body(context, &[]), Ok("{\"a\":1}".into()));
    assert_eq!(get_raw_body(context, &[Value::Int(0)]), Ok("{\"a\":1}".into()));
    assert_eq!(get_raw_body(context, &[Value::Int(6)]), Ok("{\"a\":1}".into()), "the limit is one of files");
    assert_eq!(get_body(context, &[]).unwrap().to_json(), json!({"a": 1}));
    let error = PdkError::returned("unsupported content type '5'");
    assert_eq!(get_body(context, &[Value::Int(5)]), Err(error));
    let form = get_body(context, &["application/x-www-form-urlencoded".into()]).unwrap();
    assert_eq!(form.to_json(), json!({"{\"a\":1}": true}));
}

#[test]
fn bodies_in_files_have_a_limit() {
    let context =
        &mut fixture::context("POST", "/", &[("content-type", "application/x-www-form-urlencoded")]);
    context.request_body = fixture::upload("a=1&b=2", Ok(()));
    let raw = |context: &mut Exchange, args: &[Value]| {
        fixture::call(context, "kong.request.get_raw_body", args).map(|body| body.to_json())
    };
    assert_eq!(raw(context, &[]), Ok(json!("a=1&b=2")));
    for limit in [Value::Int(7), Value::Int(0), Value::Int(-1), Value::Float(1.5), "x".into()] {
        assert_eq!(raw(context, &[limit]), Ok(json!("a=1&b=2")));
    }
    let too_big = PdkError::returned("request body file too big: 7 > 6");
    assert_eq!(raw(context, &[Value::Int(6)]), Err(too_big.clone()));
    let body = |context: &mut Exchange, limit| {
        fixture::call(context, "kong.request.get_body", &[Value::Nil, Value::Nil, Value::Int(limit)])
    };
    assert_eq!(body(context, 7).unwrap().to_json(), json!({"a": "1", "b": "2"}));
    assert_eq!(body(context, 3), Err(PdkError::returned("request body file too big: 7 > 3")));
}

#[test]
fn bodies_that_cannot_be_had() {
    let context = &mut fixture::context("POST", "/", &[]);
    context.request_body = fixture::upload("abc", Ok(()));
    context.request_body.take_stream().unwrap();
    let gone = Err(PdkError::returned("the request body is no longer there"));
    assert_eq!(fixture::call(context, "kong.request.get_raw_body", &[]), gone);
    context.request_body = fixture::upload("abc", Err(BodyError::TooLarge));
    let error = Err(PdkError::returned("the request body is larger than client_max_body_size"));
    for function in ["kong.request.get_raw_body", "kong.request.get_body"] {
        assert_eq!(fixture::call(context, function, &[]), error);
        assert_eq!(context.request_body.failure().unwrap().status(), 413, "it is left for the gateway");
    }
}

#[test]
fn captures_count_from_the_whole_match() {
    let empty = json!({"unnamed": [], "named": {}});
    let context = &mut fixture::context("GET", "/", &[]);
    context.session.phase = Phase::Rewrite;
    let captures = fixture::call(context, "kong.request.get_uri_captures", &[]);
    assert_eq!(captures.unwrap().to_json(), empty, "before routing");
    let context = &mut fixture::routed("/api/x");
    assert_eq!(get_uri_captures(context, &[]).unwrap().to_json(), empty);
    context.session.matched.as_mut().unwrap().captures =
        Captures { unnamed: vec!["/api/x".into(), "x".into()], named: vec![("id".into(), "x".into())] };
    let captures = get_uri_captures(context, &[]).unwrap();
    let unnamed = vec![(Key::Int(0), "/api/x".into()), (Key::Int(1), "x".into())];
    assert_eq!(captures.get("unnamed"), &Value::Map(unnamed));
    assert_eq!(captures.get("named").get("id"), &Value::from("x"));
}
