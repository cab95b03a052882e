use http::Version;
use serde_json::json;

use super::*;
use crate::pdk::fixture::{self, thrown};

fn json(value: serde_json::Value) -> Value {
    Value::from(&value)
}

fn answered(context: &Exchange) -> (u16, &[u8], serde_json::Value) {
    let answer = context.session.answer.as_ref().unwrap();
    assert_eq!(answer.source, Source::Exit);
    (context.response.status, &answer.body, headers::all(&context.response.headers, 100).to_json())
}

#[test]
fn exit_makes_body_and_headers() {
    const JSON: &str = "application/json; charset=utf-8";
    for (args, body, expected) in [
        (vec![Value::Int(204)], "", json!({"content-length": "0", "x-old": "1"})),
        (vec![200.0.into(), "abc".into()], "abc", json!({"content-length": "3", "x-old": "1"})),
        (
            vec![Value::Int(200), json(json!({"a": [1, true]}))],
            r#"{"a":[1,true]}"#,
            json!({"content-length": "14", "content-type": JSON, "x-old": "1"}),
        ),
        (
            vec![Value::Int(200), json(json!([])), json(json!({"Content_Type": "x/y", "X-Old": ["2", "3"]}))],
            "[]",
            json!({"content-length": "2", "content-type": "x/y", "x-old": ["2", "3"]}),
        ),
        (
            vec![
                Value::Int(200),
                Value::Nil,
                json(json!({"content-length": 9, "transfer-encoding": "chunked"})),
            ],
            "",
            json!({"content-length": "9", "x-old": "1"}),
        ),
    ] {
        let context = &mut fixture::routed("/");
        context.response.headers = fixture::headers(&[("x-old", "1")]);
        assert_eq!(exit(context, &args), Ok(Value::Nil));
        let (_, got, mut headers) = answered(context);
        headers.sort_all_objects();
        assert_eq!((std::str::from_utf8(got).unwrap(), headers), (body, expected), "of {args:?}");
        assert_eq!(get_source(context, &[]), Ok("exit".into()));
    }
}

#[test]
fn exit_checks_its_arguments() {
    let code = "code must be a number between 100 and 599";
    let no_code = "code must be a number";
    for (args, error) in [
        (vec![], no_code),
        (vec![Value::Int(99)], code),
        (vec![Value::Int(600)], code),
        (vec!["200".into()], no_code),
        (vec![Value::Float(200.5)], code),
        (vec![Value::Int(200), Value::Int(1)], "body must be a nil, string or table"),
        (vec![Value::Int(200), Value::Nil, "x".into()], "headers must be a nil or table"),
        (
            vec![Value::Int(200), Value::Nil, json(json!(["v"]))],
            "invalid header name \"1\": got number, expected string",
        ),
        (
            vec![Value::Int(200), Value::Nil, json(json!({"X": {"a": 1}}))],
            "invalid header value for \"X\": got table, expected array of string, string, number or boolean",
        ),
    ] {
        let context = &mut fixture::routed("/");
        assert_eq!(exit(context, &args), thrown(error), "of {args:?}");
        assert!(context.session.answer.is_none());
    }
}

#[test]
fn after_an_answer_nothing_changes() {
    let context = &mut fixture::routed("/");
    exit(context, &[Value::Int(200)]).unwrap();
    let sent = thrown("headers have already been sent");
    assert_eq!(exit(context, &[Value::Int(500)]), sent);
    assert_eq!(error(context, &[Value::Int(500)]), sent);
    assert_eq!(set_status(context, &[Value::Int(500)]), sent);
    assert_eq!(set_header(context, &["a".into(), "b".into()]), sent);
    assert_eq!(get_status(context, &[]), Ok(Value::Int(200)));
}

#[test]
fn errors_are_pages() {
    for (accept, args, content_type, body) in [
        (
            "*/*",
            vec![Value::Int(403), "no \"way\"".into()],
            "application/json; charset=utf-8",
            r#"no \"way\""#,
        ),
        ("text/plain", vec![Value::Int(429)], "text/plain; charset=utf-8", "Too many requests\n"),
        (
            "text/plain",
            vec![Value::Int(500), "x".into(), json(json!({"Content-Type": "application/xml"}))],
            "application/xml",
            "<message>x</message>",
        ),
        (
            "text/plain",
            vec![Value::Int(500), "x".into(), json(json!({"Content-Type": "text/html"}))],
            "text/html; charset=UTF-8",
            "<p>x.</p>",
        ),
        (
            "text/plain",
            vec![Value::Int(500), "x".into(), json(json!({"Content-Type": "image/png"}))],
            "text/plain; charset=utf-8",
            "x\n",
        ),
    ] {
        let context = &mut fixture::context("GET", "/", &[("accept", accept)]);
        assert_eq!(error(context, &args), Ok(Value::Nil));
        let (status, got, headers) = answered(context);
        let got = std::str::from_utf8(got).unwrap();
        assert_eq!(Value::Int(status.into()), args[0]);
        assert_eq!(headers["content-type"], content_type);
        assert_eq!(headers["content-length"], got.len().to_string());
        assert!(got.contains(body) && got.contains(&context.session.id), "{got}");
    }
    let context = &mut fixture::routed("/");
    assert_eq!(error(context, &[Value::Int(399)]), thrown("code must be a number between 400 and 599"));
}

#[test]
fn several_accept_lines_are_one_list() {
    let accept = [("accept", "text/plain;q=0.3"), ("accept", "text/html;q=0.7")];
    for call in [error, exit] {
        let context = &mut fixture::context("GET", "/", &accept);
        call(context, &[Value::Int(404)]).unwrap();
        assert_eq!(answered(context).2["content-type"], "text/html; charset=utf-8");
    }
}

#[test]
fn an_exit_without_a_body_is_a_page_for_some_statuses() {
    for (status, accept, body) in [
        (400, "*/*", Some("{\n  \"message\":\"Bad request\",\n")),
        (404, "text/plain", Some("Not found\n")),
        (405, "*/*", Some("Method not allowed")),
        (411, "*/*", Some("Length required")),
        (414, "*/*", Some("URI too long")),
        (417, "text/html", Some("<p>Expectation failed.</p>")),
        (494, "*/*", Some("Request header or cookie too large")),
        (500, "*/*", Some("An unexpected error occurred")),
        (503, "application/xml", Some("<message>The upstream server is currently unavailable</message>")),
        (401, "*/*", None),
        (403, "*/*", None),
        (418, "*/*", None),
        (501, "*/*", None),
        (200, "*/*", None),
    ] {
        let context = &mut fixture::context("GET", "/", &[("accept", accept)]);
        context.response.headers = fixture::headers(&[("x-old", "1"), ("content-type", "text/pre")]);
        let headers = json(json!({"X-New": "2", "Content-Length": 7}));
        exit(context, &[Value::Int(status), Value::Nil, headers]).unwrap();
        let (sent, got, headers) = answered(context);
        assert_eq!(i64::from(sent), if status == 494 { 400 } else { status });
        assert_eq!((&headers["x-old"], &headers["x-new"]), (&json!("1"), &json!("2")));
        let Some(body) = body else {
            assert_eq!((got, &headers["content-type"]), (b"".as_slice(), &json!("text/pre")), "{status}");
            continue;
        };
        assert!(str::from_utf8(got).unwrap().contains(body), "{status}: {got:?}");
        assert_eq!(headers["content-length"], got.len().to_string());
        assert_ne!(headers["content-type"], "text/pre");
    }
    let context = &mut fixture::context("GET", "/", &[]);
    exit(context, &[Value::Int(404), "".into()]).unwrap();
    assert_eq!(answered(context), (404, b"".as_slice(), json!({"content-length": "0"})));
}

#[test]
fn what_described_the_upstreams_body_goes_with_it() {
    let upstreams = [
        ("Content-Type", "image/png"),
        ("ETag", "\"e\""),
        ("Last-Modified", "yesterday"),
        ("Content-Encoding", "gzip"),
        ("Accept-Ranges", "bytes"),
        ("Content-Length", "13"),
        ("X-Up", "1"),
    ];
    let left_by = |function: fn(&mut Exchange, &[Value]) -> PdkResult, args: &[Value]| {
        let mut context = fixture::routed("/");
        context.session.phase = Phase::Response;
        context.response.headers = fixture::headers(&upstreams);
        function(&mut context, args).unwrap();
        let names: Vec<_> = context.response.headers.iter().map(|(name, _)| name.to_owned()).collect();
        names.join(" ")
    };
    let left = |args: &[Value]| left_by(exit, args);
    assert_eq!(left(&[Value::Int(204)]), "X-Up Content-Length");
    assert_eq!(left(&[Value::Int(403)]), "X-Up Content-Length");
    assert_eq!(left(&[Value::Int(404)]), "X-Up Content-Length Content-Type");
    // A plugin that gives a body takes over the type of the one before, as in the reference.
    assert_eq!(left(&[Value::Int(200), "x".into()]), "Content-Type ETag Last-Modified Content-Length X-Up");
    assert_eq!(left_by(error, &[Value::Int(400)]), "ETag Last-Modified Content-Length X-Up Content-Type");
}

#[test]
fn grpc_clients_get_headers_only() {
    let context = || {
        let mut context = fixture::context("POST", "/", &[("content-type", "application/grpc")]);
        context.request.version = Version::HTTP_2;
        context
    };
    for (body, message) in [
        (Value::from("busy"), "busy"),
        (json(json!({"message": "in table"})), "in table"),
        (json(json!({"other": 1})), "Unavailable"),
        (Value::Nil, "Unavailable"),
    ] {
        let context = &mut context();
        exit(context, &[Value::Int(503), body.clone()]).unwrap();
        let (status, body, headers) = answered(context);
        assert_eq!((status, body), (503, b"".as_slice()));
        assert_eq!(headers["grpc-status"], "14");
        assert_eq!(headers["grpc-message"], message);
        assert_eq!(
            (&headers["content-length"], &headers["content-type"]),
            (&json!("0"), &json!("application/grpc"))
        );
    }
    let context = &mut context();
    error(context, &[Value::Int(404), "gone".into()]).unwrap();
    assert_eq!(answered(context).2["grpc-message"], "gone");
}

#[test]
fn streams_end_with_few_statuses() {
    let context = &mut fixture::routed("/");
    context.session.phase = Phase::Preread;
    let error = "unacceptable code, only 200, 400, 403, 500, 502 and 503 are accepted";
    assert_eq!(exit(context, &[Value::Int(404)]), thrown(error));
    exit(context, &[Value::Int(200), "bye".into()]).unwrap();
    assert_eq!(answered(context), (200, b"bye".as_slice(), json!({})));
    let context = &mut fixture::routed("/");
    context.session.phase = Phase::Preread;
    exit(context, &[Value::Int(403), "secret".into()]).unwrap();
    assert_eq!(answered(context), (403, b"".as_slice(), json!({})));
}

#[test]
fn setters_change_the_head() {
    let context = &mut fixture::routed("/");
    set_status(context, &[Value::Int(202)]).unwrap();
    set_header(context, &["X_A".into(), "1".into()]).unwrap();
    add_header(context, &["x-a".into(), Value::Int(2)]).unwrap();
    set_headers(context, &[json(json!({"x-b": "3", "x-c": ["4", "5"]}))]).unwrap();
    clear_header(context, &["X_B".into()]).unwrap();
    let headers = get_headers(context, &[]).unwrap().to_json();
    assert_eq!(headers, json!({"x-a": ["1", "2"], "x-c": ["4", "5"]}));
    assert_eq!(get_status(context, &[]), Ok(Value::Int(202)));
    assert_eq!(get_header(context, &["x_a".into()]), Ok("1".into()));
    assert_eq!(set_headers(context, &[json(json!({"x-c": []}))]), Ok(Value::Nil));
    assert_eq!(get_header(context, &["x-c".into()]), Ok(Value::Nil));
    assert_eq!(clear_header(context, &[]), thrown("header name must be a string"));
}
