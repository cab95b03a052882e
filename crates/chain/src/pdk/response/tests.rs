use http::Version;
use serde_json::json;

use super::*;
use crate::pdk::fixture::{self, call, thrown};

fn json(value: serde_json::Value) -> Value {
    Value::from(&value)
}

fn answered(exchange: &Exchange) -> (u16, &[u8], serde_json::Value) {
    let answer = exchange.session.answer.as_ref().unwrap();
    assert_eq!(answer.source, Source::Exit);
    (exchange.response.status, &answer.body, headers::all(&exchange.response.headers, 100).to_json())
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
        let exchange = &mut fixture::routed("/");
        exchange.response.headers = fixture::headers(&[("x-old", "1")]);
        assert_eq!(call(exchange, "kong.response.exit", &args), Ok(Value::Nil));
        let (_, got, mut headers) = answered(exchange);
        headers.sort_all_objects();
        assert_eq!((std::str::from_utf8(got).unwrap(), headers), (body, expected), "of {args:?}");
        assert_eq!(call(exchange, "kong.response.get_source", &[]), Ok("exit".into()));
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
        (vec![Value::Float(600.5)], code),
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
        let exchange = &mut fixture::routed("/");
        assert_eq!(call(exchange, "kong.response.exit", &args), thrown(error), "of {args:?}");
        assert!(exchange.session.answer.is_none());
    }
}

#[test]
fn after_an_answer_nothing_changes() {
    let exchange = &mut fixture::routed("/");
    call(exchange, "kong.response.exit", &[Value::Int(200)]).unwrap();
    let sent = thrown("headers have already been sent");
    assert_eq!(call(exchange, "kong.response.exit", &[Value::Int(500)]), sent);
    assert_eq!(call(exchange, "kong.response.error", &[Value::Int(500)]), sent);
    assert_eq!(call(exchange, "kong.response.set_status", &[Value::Int(500)]), sent);
    assert_eq!(call(exchange, "kong.response.set_header", &["a".into(), "b".into()]), sent);
    assert_eq!(call(exchange, "kong.response.get_status", &[]), Ok(Value::Int(200)));
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
        let exchange = &mut fixture::exchange("GET", "/", &[("accept", accept)]);
        assert_eq!(call(exchange, "kong.response.error", &args), Ok(Value::Nil));
        let (status, got, headers) = answered(exchange);
        let got = std::str::from_utf8(got).unwrap();
        assert_eq!(Value::Int(status.into()), args[0]);
        assert_eq!(headers["content-type"], content_type);
        assert_eq!(headers["content-length"], got.len().to_string());
        assert!(got.contains(body) && got.contains(&exchange.session.id), "{got}");
    }
    let exchange = &mut fixture::routed("/");
    assert_eq!(
        call(exchange, "kong.response.error", &[Value::Int(399)]),
        thrown("code must be a number between 400 and 599")
    );
}

#[test]
fn several_accept_lines_are_one_list() {
    let accept = [("accept", "text/plain;q=0.3"), ("accept", "text/html;q=0.7")];
    for function in ["kong.response.error", "kong.response.exit"] {
        let exchange = &mut fixture::exchange("GET", "/", &accept);
        call(exchange, function, &[Value::Int(404)]).unwrap();
        assert_eq!(answered(exchange).2["content-type"], "text/html; charset=utf-8");
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
        (401, "*/*", Some("<h1>401 Authorization Required</h1>")),
        (403, "application/json", Some("<h1>403 Forbidden</h1>")),
        (418, "*/*", None),
        (501, "*/*", Some("<h1>501 Not Implemented</h1>")),
        (200, "*/*", None),
    ] {
        let exchange = &mut fixture::exchange("GET", "/", &[("accept", accept)]);
        exchange.response.headers = fixture::headers(&[("x-old", "1"), ("content-type", "text/pre")]);
        let headers = json(json!({"X-New": "2", "Content-Length": 7}));
        call(exchange, "kong.response.exit", &[Value::Int(status), Value::Nil, headers]).unwrap();
        let (sent, got, headers) = answered(exchange);
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
    let exchange = &mut fixture::exchange("GET", "/", &[]);
    call(exchange, "kong.response.exit", &[Value::Int(404), "".into()]).unwrap();
    assert_eq!(answered(exchange), (404, b"".as_slice(), json!({"content-length": "0"})));
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
    let left_by = |function: &str, args: &[Value]| {
        let mut exchange = fixture::routed("/");
        exchange.session.phase = Phase::Response;
        exchange.response.headers = fixture::headers(&upstreams);
        call(&mut exchange, function, args).unwrap();
        let names: Vec<_> = exchange.response.headers.iter().map(|(name, _)| name.to_owned()).collect();
        names.join(" ")
    };
    let left = |args: &[Value]| left_by("kong.response.exit", args);
    assert_eq!(left(&[Value::Int(204)]), "X-Up Content-Length");
    assert_eq!(left(&[Value::Int(418)]), "X-Up Content-Length");
    assert_eq!(left(&[Value::Int(403)]), "X-Up Content-Length Content-Type");
    assert_eq!(left(&[Value::Int(404)]), "X-Up Content-Length Content-Type");
    // A plugin that gives a body takes over the type of the one before, as in the reference.
    assert_eq!(left(&[Value::Int(200), "x".into()]), "Content-Type ETag Last-Modified Content-Length X-Up");
    assert_eq!(
        left_by("kong.response.error", &[Value::Int(400)]),
        "ETag Last-Modified Content-Length X-Up Content-Type"
    );
}

#[test]
fn grpc_clients_get_headers_only() {
    let exchange = || {
        let mut exchange = fixture::exchange("POST", "/", &[("content-type", "application/grpc")]);
        exchange.request.version = Version::HTTP_2;
        exchange
    };
    for (body, message) in [
        (Value::from("busy"), "busy"),
        (json(json!({"message": "in table"})), "in table"),
        (json(json!({"other": 1})), "Unavailable"),
        (Value::Nil, "Unavailable"),
    ] {
        let exchange = &mut exchange();
        call(exchange, "kong.response.exit", &[Value::Int(503), body.clone()]).unwrap();
        let (status, body, headers) = answered(exchange);
        assert_eq!((status, body), (503, b"".as_slice()));
        assert_eq!(headers["grpc-status"], "14");
        assert_eq!(headers["grpc-message"], message);
        assert_eq!(
            (&headers["content-length"], &headers["content-type"]),
            (&json!("0"), &json!("application/grpc"))
        );
    }
    let exchange = &mut exchange();
    call(exchange, "kong.response.error", &[Value::Int(404), "gone".into()]).unwrap();
    assert_eq!(answered(exchange).2["grpc-message"], "gone");
}

#[test]
fn streams_end_with_few_statuses() {
    let exit = |status: i64, body: &str| {
        let mut session = fixture::session(Phase::Preread);
        let args = [Value::Int(status), body.into()];
        fixture::dispatched(&mut session, "kong.response.exit", &args)?;
        assert_eq!(
            fixture::dispatched(&mut session, "kong.response.exit", &args),
            thrown("headers have already been sent")
        );
        let answer = session.answer.unwrap();
        Ok((answer.status, String::from_utf8(answer.body.to_vec()).unwrap()))
    };
    let error = PdkError::thrown("unacceptable code, only 200, 400, 403, 500, 502 and 503 are accepted");
    assert_eq!(exit(404, ""), Err(error));
    assert_eq!(exit(200, "bye"), Ok((200, "bye".to_owned())));
    assert_eq!(exit(403, "secret"), Ok((403, String::new())));
}

#[test]
fn setters_change_the_head() {
    let exchange = &mut fixture::routed("/");
    call(exchange, "kong.response.set_status", &[Value::Int(202)]).unwrap();
    call(exchange, "kong.response.set_header", &["X_A".into(), "1".into()]).unwrap();
    call(exchange, "kong.response.add_header", &["x-a".into(), Value::Int(2)]).unwrap();
    call(exchange, "kong.response.set_headers", &[json(json!({"x-b": "3", "x-c": ["4", "5"]}))]).unwrap();
    call(exchange, "kong.response.clear_header", &["X_B".into()]).unwrap();
    let headers = call(exchange, "kong.response.get_headers", &[]).unwrap().to_json();
    assert_eq!(headers, json!({"x-a": ["1", "2"], "x-c": ["4", "5"]}));
    assert_eq!(call(exchange, "kong.response.get_status", &[]), Ok(Value::Int(202)));
    assert_eq!(call(exchange, "kong.response.get_header", &["x_a".into()]), Ok("1".into()));
    assert_eq!(call(exchange, "kong.response.set_headers", &[json(json!({"x-c": []}))]), Ok(Value::Nil));
    assert_eq!(call(exchange, "kong.response.get_header", &["x-c".into()]), Ok(Value::Nil));
    assert_eq!(call(exchange, "kong.response.clear_header", &[]), thrown("header name must be a string"));
}
