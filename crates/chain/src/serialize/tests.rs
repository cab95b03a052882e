use std::net::SocketAddr;

use smallvec::smallvec;

use super::*;
use crate::exchange::Authenticated;
use crate::exchange::ServiceResponse;
use crate::pdk::{client, fixture};
use crate::session::SentRequest;
use crate::session::{Stream, Transport, Try};
use crate::{Phase, Value};

/// As its readers see it.
fn record(exchange: &Exchange) -> Json {
    serde_json::from_slice(&super::record(exchange)).unwrap()
}

#[test]
fn record_of_a_short_circuit() {
    let mut exchange =
        fixture::exchange("GET", "/x?a=1&b", &[("Host", "c.test"), ("Authorization", "secret")]);
    exchange.response.status = 401;
    exchange.bytes_sent = 321;
    let record = record(&exchange);
    assert_eq!(
        record["request"],
        json!({
            "id": exchange.session.id, "method": "GET", "uri": "/x?a=1&b", "url": "http://c.test:8000/x?a=1&b",
            "querystring": {"a": "1", "b": true}, "headers": {"host": "c.test", "authorization": "REDACTED"},
            "size": 100,
        })
    );
    assert_eq!(record["response"], json!({"status": 401, "headers": {}, "size": 321}));
    assert_eq!((&record["upstream_uri"], &record["upstream_status"]), (&json!(""), &json!("")));
    assert_eq!(record["source"], "kong");
    assert_eq!((&record["client_ip"], &record["workspace_name"]), (&json!("203.0.113.9"), &json!("default")));
    assert_eq!(record["latencies"]["proxy"], -1);
    assert_eq!(
        record["latencies"]["kong"].as_i64().unwrap() >= 0,
        record["started_at"].as_i64().unwrap() > 0
    );
    for absent in ["tries", "route", "service", "consumer", "authenticated_entity", "session"] {
        assert!(record.get(absent).is_none(), "{absent}: {record}");
    }
}

#[test]
fn record_of_a_proxied_request() {
    let mut exchange = fixture::routed("/api/x");
    let consumer = Value::from(&json!({"id": fixture::CONSUMER, "username": "alice"}));
    let credential = Value::from(&json!({"id": "cred", "key": "secret"}));
    client::authenticate(&mut exchange, Some(Authenticated::Given(consumer)), Some(credential)).unwrap();
    let attempt = |failure| Try {
        address: SocketAddr::from(([10, 0, 0, 1], 80)),
        balancer_start_ns: 5_000_001,
        balancer_latency_ns: 2_000_000,
        failure,
    };
    exchange.session.tries = smallvec![attempt(Some(("next", 502))), attempt(None)];
    exchange.session.upstream.path = Some("/x".into());
    exchange.request.query = Some("y=1".into());
    exchange.session.phase = Phase::Log;
    assert_eq!(record(&exchange)["upstream_uri"], "/x?y=1", "as planned, if a plugin answers");
    exchange.proxied = true;
    exchange.session.upstream.sent = Some(SentRequest { host: "service.test".into(), uri: "/x?y=1".into() });
    exchange.service_response =
        Some(ServiceResponse { status: 200, headers: fixture::headers(&[]), body: None });
    let before = record(&exchange);
    assert_eq!((&before["source"], &before["upstream_uri"]), (&json!("upstream"), &json!("/x?y=1")));
    assert_eq!(before["upstream_status"], "502, 200");
    assert_eq!(
        before["tries"][0],
        json!({
            "balancer_start": 5, "balancer_start_ns": 5_000_001, "balancer_latency": 2,
            "balancer_latency_ns": 2_000_000, "ip": "10.0.0.1", "port": 80, "state": "next", "code": 502,
        })
    );
    assert!(before["tries"][1].get("state").is_none());
    assert_eq!(before["authenticated_entity"], json!({"id": "cred"}));
    assert_eq!(before["consumer"]["username"], "alice");
    assert_eq!(before["service"]["host"], "service.test");
    assert_eq!(before["route"]["paths"], json!(["/api"]));
    exchange.service_response.as_mut().unwrap().body = Some("".into());
    assert_eq!(record(&exchange)["upstream_status"], 200);
}

#[test]
fn headers_are_a_table() {
    let lines =
        [("X-A", "1"), ("Authorization", "s"), ("x-a", "2"), ("X-B", "\u{e4}"), ("authorization", "t")];
    let mut exchange = fixture::exchange("GET", "/", &lines);
    exchange.response.headers = fixture::headers(&lines);
    let headers = json!({"x-a": ["1", "2"], "authorization": "REDACTED", "x-b": "\u{e4}"});
    assert_eq!(record(&exchange)["request"]["headers"], headers);
    assert_eq!(record(&exchange)["response"]["headers"]["authorization"], json!(["s", "t"]));
}

/// An edit that changes nothing has it read and written again.
#[test]
fn the_text_is_the_same_with_and_without_a_tree() {
    let mut exchange = fixture::routed("/a?b=1&b=2&c");
    exchange.session.phase = Phase::Log;
    exchange.session.timings.log = Some(exchange.session.timings.latest);
    let written = super::record(&exchange);
    let none = LogEdit { key: "none".to_owned(), value: Value::Int(1), mode: LogEditMode::Replace };
    exchange.session.log_edits.push(none);
    assert_eq!(super::record(&exchange), written);
}

#[test]
fn sessions_of_streams_have_their_own_form() {
    let mut session = fixture::routed("/").session;
    let counts = Stream {
        received: 100,
        sent: 7,
        upstream_received: 6,
        upstream_sent: 99,
        ..Stream::new(Transport::Tcp)
    };
    session.stream = Some(counts);
    session.log_edits.push(LogEdit { key: "a".to_owned(), value: Value::Int(1), mode: LogEditMode::Set });
    let record: Json = serde_json::from_slice(&record_of_session(&session)).unwrap();
    assert_eq!(record["session"], json!({"received": 100, "sent": 7, "status": 0, "server_port": 8000}));
    assert_eq!(record["upstream"], json!({"received": 6, "sent": 99}));
    assert_eq!((&record["latencies"]["kong"], &record["a"]), (&record["latencies"]["session"], &json!(1)));
    assert!(record.get("request").is_none() && record.get("route").is_some());
}

#[test]
fn edits() {
    use LogEditMode::{Add, Replace, Set};
    for (key, value, mode, expected) in [
        ("a", json!(2), Set, json!({"a": 2, "o": {"x": 1}})),
        ("a", json!(2), Add, json!({"a": 1, "o": {"x": 1}})),
        ("n", json!(2), Add, json!({"a": 1, "o": {"x": 1}, "n": 2})),
        ("n", json!(2), Replace, json!({"a": 1, "o": {"x": 1}})),
        ("o.x", json!([2]), Replace, json!({"a": 1, "o": {"x": [2]}})),
        ("o.p.q", json!(2), Set, json!({"a": 1, "o": {"x": 1, "p": {"q": 2}}})),
        ("n.p", json!(2), Replace, json!({"a": 1, "o": {"x": 1}})),
        ("o\\.x", json!(2), Set, json!({"a": 1, "o": {"x": 1}, "o.x": 2})),
        ("o.x", json!(null), Set, json!({"a": 1, "o": {}})),
        ("n.p", json!(null), Set, json!({"a": 1, "o": {"x": 1}})),
        ("a.b", json!(2), Set, json!({"a": 1, "o": {"x": 1}})),
    ] {
        let edit = LogEdit { key: key.to_owned(), value: Value::from(&value), mode };
        let record = edited(&[edit], 0, |record| {
            record.number("a", 1);
            record.object("o").number("x", 1);
        });
        assert_eq!(record, expected.to_string(), "of {key} = {value} {mode:?}");
    }
}
