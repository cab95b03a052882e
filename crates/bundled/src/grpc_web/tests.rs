use polygate_chain::exchange::ServiceResponse;
use polygate_chain::pdk::fixture;
use polygate_chain::{Handler, RequestBody};
use serde_json::{Value, json};
use std::sync::Arc;

use super::*;
use crate::tests::{access, handler, header};

fn plugin(config: Value) -> Arc<dyn Handler> {
    handler("grpc-web", config)
}

fn asked(kind: &str, body: &str) -> Exchange {
    let mut exchange = fixture::exchange("POST", "/api/pkg.Echo/Say", &[("content-type", kind)]);
    exchange.request_body = RequestBody::new(body.as_bytes().to_vec());
    access(&*plugin(json!({})), &mut exchange);
    exchange
}

/// What becomes of an answer of gRPC.
fn answered(
    kind: &str,
    head: &[(&str, &str)],
    pieces: &[&str],
    trailers: &[(&str, &str)],
) -> (Exchange, Vec<u8>) {
    let plugin = plugin(json!({}));
    let mut exchange = fixture::exchange("POST", "/pkg.Echo/Say", &[("content-type", kind)]);
    access(&*plugin, &mut exchange);
    let headers = fixture::headers(head);
    exchange.response.headers = headers.clone();
    exchange.service_response = Some(ServiceResponse { status: 200, headers, body: None });
    header(&*plugin, &mut exchange);
    let mut out = Vec::new();
    let Some(mut filter) = plugin.body(&mut exchange) else { return (exchange, out) };
    pieces.iter().for_each(|piece| filter.piece(&mut exchange, piece.as_bytes(), &mut out));
    let mut trailers = fixture::headers(trailers);
    filter.trailers(&mut trailers);
    assert!(trailers.is_empty(), "they are not sent a second time");
    filter.end(&mut exchange, &mut out);
    (exchange, out)
}

const GRPC: (&str, &str) = ("content-type", "application/grpc+proto");

#[test]
fn calls_go_upstream_as_those_of_grpc() {
    for kind in ["application/grpc-web", "Application/gRPC-Web+proto; charset=x"] {
        let exchange = asked(kind, "\0\0\0\0\x02hi");
        assert_eq!(exchange.request.headers.text("content-type"), Some("application/grpc"));
        assert_eq!(exchange.session.upstream.path.as_deref(), Some("/api/pkg.Echo/Say"));
        assert_eq!(exchange.request_body.held().unwrap().bytes().unwrap(), "\0\0\0\0\x02hi");
    }
    for kind in ["application/grpc-web-text", "application/grpc-web-text+proto"] {
        // Two messages, each padded.
        let exchange = asked(kind, "AAAAAAJoaQ==AAAAAAFh");
        assert_eq!(exchange.request_body.held().unwrap().bytes().unwrap(), "\0\0\0\0\x02hi\0\0\0\0\x01a");
        assert_eq!(exchange.request.headers.text("content-length"), Some("13"));
    }
}

#[test]
fn what_is_no_call_is_refused() {
    for (kind, body) in [
        ("application/json", "{}"),
        ("application/grpc-web+json", "{}"),
        ("application/grpc", ""),
        ("text/plain", ""),
        ("application/grpc-web-text", "AAA"),
        ("application/grpc-web-text", "A==="),
        ("application/grpc-web-text", "====="),
        ("application/grpc-web-text", "AAAA\n"),
    ] {
        let exchange = asked(kind, body);
        assert_eq!(exchange.response.status, 400, "{kind} {body}");
        // Pages of JavaScript are to learn why.
        assert_eq!(exchange.response.headers.text("access-control-allow-origin"), Some("*"));
    }
    let large = "A".repeat(LARGEST as usize + 4);
    assert_eq!(
        asked("application/grpc-web-text", &large).response.status,
        0,
        "memory has a bound of its own"
    );
}

#[test]
fn trailers_become_the_last_message() {
    let trailers = [("grpc-status", "5"), ("Grpc-Message", "no%20such"), ("x-more", "1")];
    let (exchange, out) = answered("application/grpc-web+proto", &[GRPC], &["one", "two"], &trailers);
    assert_eq!(out, b"onetwo\x80\0\0\0\x31grpc-status:5\r\ngrpc-message:no%20such\r\nx-more:1\r\n");
    assert_eq!(exchange.response.headers.text("content-type"), Some("application/grpc-web+proto"));
}

#[test]
fn text_is_padded_wherever_it_has_to_be_sent() {
    let (_, out) = answered("application/grpc-web-text", &[GRPC], &["one", "four"], &[("grpc-status", "0")]);
    assert!(out.starts_with(b"b25lZm91cg=="));
    assert_eq!(encoding::from_text(&out).unwrap(), b"onefour\x80\0\0\0\x0fgrpc-status:0\r\n");
}

#[test]
fn a_call_that_failed_at_once_says_so_in_its_head() {
    let head = [GRPC, ("grpc-status", "12"), ("grpc-message", "unknown")];
    let (exchange, out) = answered("application/grpc-web", &head, &[], &[]);
    assert_eq!(out, b"\x80\0\0\0\x26grpc-status:12\r\ngrpc-message:unknown\r\n");
    assert_eq!(exchange.response.headers.text("grpc-status"), None);
    let (_, out) = answered("application/grpc-web", &[GRPC], &["one"], &[]);
    assert!(out.starts_with(b"one\x80\0\0\0\x49grpc-status:2\r\n"), "{out:?}");
}

#[test]
fn what_is_no_answer_of_grpc_stays_as_it_is() {
    let html = [("content-type", "text/html"), ("grpc-status", "0")];
    let (exchange, out) = answered("application/grpc-web", &html, &["<html>"], &[]);
    assert_eq!(out, b"", "there is no filter");
    assert_eq!(exchange.response.headers.text("content-type"), Some("text/html"));
    assert_eq!(exchange.response.headers.text("grpc-status"), Some("0"));
}

#[test]
fn browsers_may_ask_first() {
    let mut exchange = fixture::exchange("OPTIONS", "/pkg.Echo/Say", &[]);
    access(&*plugin(json!({"allow_origin_header": "https://app.test"})), &mut exchange);
    let told = |name: &str| exchange.response.headers.text(name);
    assert_eq!(exchange.response.status, 200);
    assert_eq!(told("access-control-allow-origin"), Some("https://app.test"));
    assert_eq!(told("access-control-allow-methods"), Some("POST"));
    assert_eq!(told("access-control-allow-headers"), Some("content-type,x-grpc-web,x-user-agent"));
}

#[test]
fn a_method_is_called_by_its_whole_path_or_not() {
    for (pass_stripped_path, path) in [(false, "/api/pkg.Echo/Say"), (true, "/pkg.Echo/Say")] {
        let mut exchange =
            fixture::exchange("POST", "/api/pkg.Echo/Say", &[("content-type", "application/grpc-web")]);
        exchange.session.upstream.path = Some("/pkg.Echo/Say".into());
        access(&*plugin(json!({"pass_stripped_path": pass_stripped_path})), &mut exchange);
        assert_eq!(exchange.session.upstream.path.as_deref(), Some(path));
    }
}

#[test]
fn a_proto_is_refused() {
    let schema = PLUGIN.schema().unwrap();
    let refused = schema.config(json!({"proto": "/echo.proto"})).unwrap_err().to_string();
    assert!(refused.contains("messages in JSON are not in polygate yet"), "{refused}");
}
