//! Headers, and what spans say; that they arrive is tried with a whole gateway.

use polygate_chain::pdk::fixture;
use polygate_chain::session::Try;
use serde_json::{Value, json};

use super::*;
use crate::tests::{access, handler, header, run};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

fn trace() -> Trace {
    let id = TraceId::from_hex(TRACE, 16).unwrap();
    Trace {
        id,
        id_text: TRACE.to_owned(),
        span_id: 0xb7ad,
        parent_id: None,
        proxy_id: 0xcafe,
        is_sampled: true,
        tags: vec![("own".to_owned(), "tag".to_owned())],
    }
}

fn spans(more: Value, exchange: &Exchange) -> Vec<Value> {
    parsed(configured(more).of(exchange, &trace()))
}

fn parsed(spans: Vec<String>) -> Vec<Value> {
    spans.iter().map(|span| serde_json::from_str(span).unwrap()).collect()
}

fn configured(more: Value) -> Spans {
    let mut config = json!({
        "local_service_name": "gw", "include_credential": true, "http_span_name": "method",
        "phase_duration_flavor": "annotations",
    });
    config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    serde_json::from_value(config).unwrap()
}

fn attempt(failure: Option<(&'static str, u16)>) -> Try {
    let address = ([192, 0, 2, 1], 8080).into();
    Try { address, balancer_start_ns: 5_000_000, balancer_latency_ns: 7_000, failure }
}

#[test]
fn tries_that_failed_are_marked_but_the_last() {
    let exchange = &mut fixture::routed("/api/x");
    exchange.session.tries.push(attempt(Some(("failed", 502))));
    exchange.session.tries.push(attempt(Some(("next", 504))));
    let spans = spans(json!({}), exchange);
    let names: Vec<_> = spans.iter().map(|span| span["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["GET (balancer try 1)", "GET (balancer try 2)", "GET (proxy)", "GET"]);
    let tag = |at: usize, name: &str| spans[at]["tags"][name].clone();
    assert_eq!((tag(0, "error"), tag(0, "kong.balancer.state")), (json!("true"), json!("failed")));
    assert_eq!((tag(0, "http.status_code"), tag(1, "error")), (json!("502"), Value::Null));
    assert_eq!((&spans[0]["timestamp"], &spans[0]["duration"]), (&json!(5000), &json!(7)));
    assert_eq!(spans[2]["remoteEndpoint"], json!({ "ipv4": "192.0.2.1", "port": 8080 }));
    assert_eq!(tag(2, "peer.hostname"), json!("service.test"));
    assert!(spans.iter().all(|span| span["traceId"] == TRACE));
    assert!(spans[..3].iter().all(|span| span["parentId"] == "000000000000b7ad"));
}

#[test]
fn a_request_that_went_nowhere() {
    let exchange = &mut fixture::routed("/api/x");
    exchange.session.client = ("2001:db8::1".parse::<std::net::IpAddr>().unwrap(), 7).into();
    let [proxy, request] = &spans(json!({ "default_service_name": "d" }), exchange)[..] else { panic!() };
    assert_eq!(proxy["remoteEndpoint"], json!({ "serviceName": "d", "port": 80 }));
    assert_eq!(request["remoteEndpoint"], json!({ "serviceName": "d", "ipv6": "2001:db8::1", "port": 7 }));
    assert_eq!((&request["parentId"], &request["kind"]), (&Value::Null, &json!("SERVER")));
    let exchange = fixture::exchange("GET", "/", &[]);
    assert_eq!(spans(json!({}), &exchange)[0]["remoteEndpoint"], Value::Null);
}

#[test]
fn a_stream_has_preread_in_the_place_of_http() {
    let (mut session, spans) =
        (fixture::stream(), configured(json!({ "static_tags": [{ "name": "env", "value": "t" }] })));
    session.tries.push(attempt(None));
    let spans = spans.of_stream(&session, &trace());
    let [attempt, proxy, stream] = &parsed(spans)[..] else { panic!() };
    assert_eq!(attempt["name"], "stream (balancer try 1)");
    let values =
        |span: &Value| span["annotations"].as_array().unwrap().iter().map(|it| it["value"].clone()).collect();
    assert_eq!((&proxy["name"], values(proxy)), (&json!("stream (proxy)"), vec![json!("kps"), json!("kpf")]));
    assert_eq!(proxy["tags"]["peer.hostname"], "service.test");
    assert_eq!((&stream["name"], &stream["kind"]), (&json!("stream"), &json!("SERVER")));
    assert_eq!((&stream["remoteEndpoint"]["port"], &stream["annotations"]), (&json!(50_000), &Value::Null));
    let node = session.environment.node.id.to_string();
    assert_eq!(stream["tags"], json!({ "lc": "kong", "env": "t", "own": "tag", "kong.node.id": node }));
}

#[test]
fn names_tags_and_times_are_as_configured() {
    let exchange = &mut fixture::exchange("POST", "/a?b=c", &[("host", "h.test:1")]);
    let config = json!({
        "http_span_name": "method_path", "phase_duration_flavor": "tags",
        "static_tags": [{ "name": "env", "value": "t" }, { "name": "own", "value": "lost" }, { "name": "none", "value": "" }],
    });
    let request = &spans(config, exchange)[1];
    assert_eq!(request["name"], "POST /a");
    let tags = &request["tags"];
    assert_eq!((&tags["env"], &tags["own"], &tags["none"]), (&json!("t"), &json!("tag"), &Value::Null));
    assert_eq!((&tags["http.host"], &tags["http.protocol"]), (&json!("h.test"), &json!("HTTP/1.1")));
    assert_eq!((&tags["kong.rewrite.duration_ms"], &request["annotations"]), (&json!("0"), &Value::Null));
}

#[test]
fn the_caller_decides_and_else_the_share() {
    for (ratio, lines, expected) in [
        (0, &[][..], "0"),
        (1, &[], "1"),
        (0, &[("x-b3-sampled", "1")], "1"),
        (1, &[("x-b3-sampled", "0")], "0"),
    ] {
        let handler = handler("zipkin", json!({ "sample_ratio": ratio }));
        let mut exchange = fixture::exchange("GET", "/", lines);
        access(&*handler, &mut exchange);
        assert_eq!(exchange.request.headers.text("x-b3-sampled"), Some(expected), "{ratio}, {lines:?}");
    }
}

#[test]
fn one_trace_for_all_hooks() {
    let config =
        json!({ "sample_ratio": 0, "traceid_byte_count": 8, "http_response_header_for_traceid": "X-Trace" });
    let handler = handler("zipkin", config);
    let mut exchange = fixture::exchange("GET", "/", &[]);
    run(&*handler, Phase::Rewrite, &mut exchange).unwrap();
    let sent = exchange.request.headers.text("x-b3-traceid").unwrap().to_owned();
    access(&*handler, &mut exchange);
    header(&*handler, &mut exchange);
    assert_eq!(exchange.request.headers.text("x-b3-traceid"), Some(&*sent));
    assert_eq!(exchange.response.headers.text("X-Trace"), sent.strip_prefix("0000000000000000"));
    run(&*handler, Phase::Log, &mut exchange).unwrap();
}
