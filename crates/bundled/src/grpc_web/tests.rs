use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use polygate_chain::exchange::ServiceResponse;
use polygate_chain::pdk::fixture;
use polygate_chain::{Handler, RequestBody};
use serde_json::{Value, json};

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
    let pieces: Vec<_> = pieces.iter().map(|piece| piece.as_bytes()).collect();
    answered_by(&plugin(json!({})), kind, head, &pieces, trailers)
}

fn answered_by(
    plugin: &Arc<dyn Handler>,
    kind: &str,
    head: &[(&str, &str)],
    pieces: &[&[u8]],
    trailers: &[(&str, &str)],
) -> (Exchange, Vec<u8>) {
    let mut exchange = fixture::exchange("POST", "/pkg.Echo/Say", &[("content-type", kind)]);
    if kind.ends_with("json") {
        exchange.request_body = RequestBody::new(if kind.ends_with("/json") { "{}" } else { "" });
    }
    access(&**plugin, &mut exchange);
    let headers = fixture::headers(head);
    exchange.response.headers = headers.clone();
    exchange.service_response = Some(ServiceResponse { status: 200, headers, body: None });
    header(&**plugin, &mut exchange);
    let mut out = Vec::new();
    let Some(mut filter) = plugin.body(&mut exchange) else { return (exchange, out) };
    pieces.iter().for_each(|piece| filter.piece(&mut exchange, piece, &mut out));
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

const PROTO: &str = r#"
    syntax = "proto3";
    package pkg;
    import "other.proto";
    message Said { string some_text = 1; int64 count = 2; other.Kind kind = 3; bytes raw = 4; }
    service Echo { rpc Say (Said) returns (stream Said); }
"#;

const OTHER: &str = r#"syntax = "proto3"; package other; enum Kind { NONE = 0; LOUD = 1; }"#;

/// One that knows the service; the folder has to live on.
fn speaking() -> (Arc<dyn Handler>, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("echo.proto"), PROTO).unwrap();
    std::fs::write(folder.path().join("other.proto"), OTHER).unwrap();
    let proto = folder.path().join("echo.proto").display().to_string();
    (plugin(json!({ "proto": proto })), folder)
}

/// `some_text: "hi", count: 2^53 + 1, kind: LOUD`.
const SAID: &[u8] = b"\x0a\x02hi\x10\x81\x80\x80\x80\x80\x80\x80\x10\x18\x01";
const IN_JSON: &str = r#"{"some_text":"hi","count":9007199254740993,"kind":"LOUD"}"#;

fn framed(kind: u8, content: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    frames::write(kind, content, &mut out);
    out
}

#[test]
fn messages_may_be_in_json() {
    let (speaking, _folder) = speaking();
    let ask = |kind: &str, path: &str, body: Vec<u8>| {
        let fields = [("content-type", kind), ("grpc-accept-encoding", "gzip")];
        let mut exchange = fixture::exchange("POST", path, &fields);
        exchange.request_body = RequestBody::new(body);
        access(&*speaking, &mut exchange);
        exchange
    };
    let camel = IN_JSON.replace("some_text", "someText").replace('}', ",\"unknown\":1}");
    for (kind, body, expected) in [
        ("application/json", IN_JSON.as_bytes().to_vec(), framed(0, SAID)),
        ("application/json", camel.into_bytes(), framed(0, SAID)),
        ("application/json", b"{}".to_vec(), framed(0, b"")),
        ("application/grpc-web+json", framed(0, IN_JSON.as_bytes()).repeat(2), framed(0, SAID).repeat(2)),
        ("application/grpc-web-text+json", BASE64_STANDARD.encode(framed(0, b"{}")).into(), framed(0, b"")),
    ] {
        let exchange = ask(kind, "/pkg.Echo/Say", body);
        assert_eq!(exchange.response.status, 0, "{kind}");
        assert_eq!(exchange.request_body.held().unwrap().bytes().unwrap(), expected, "{kind}");
        assert!(!exchange.request.headers.contains("grpc-accept-encoding"), "answers are read");
    }
    for (kind, path, body) in [
        ("application/json", "/pkg.Echo/Say", &b"{"[..]),
        ("application/json", "/pkg.Echo/Say", b"{} {}"),
        ("application/json", "/pkg.Echo/Say", b"{\"count\":\"x\"}"),
        ("application/json", "/pkg.Echo/Say", b""),
        ("application/json", "/pkg.Echo/Sing", b"{}"),
        ("application/json", "/pkg.Echo", b"{}"),
        ("application/json", "/Echo/Say", b"{}"),
        ("application/grpc-web+json", "/pkg.Echo/Say", b"\0\0\0\0\x03{}"),
        ("application/grpc-web+json", "/pkg.Echo/Say", b"\0\xff\0\0\0{}"),
    ] {
        assert_eq!(ask(kind, path, body.to_vec()).response.status, 400, "{path} {body:?}");
    }
}

#[test]
fn answers_become_json_message_by_message() {
    let (speaking, _folder) = speaking();
    let two = framed(0, SAID).repeat(2);
    let answered = |kind: &str, pieces: &[&[u8]]| {
        answered_by(&speaking, kind, &[GRPC], pieces, &[("grpc-status", "0")]).1
    };
    let bare = IN_JSON.repeat(2).into_bytes();
    let with_trailers =
        [framed(0, IN_JSON.as_bytes()).repeat(2), framed(0x80, b"grpc-status:0\r\n")].concat();
    for at in [0, 3, 5, 7, two.len() - 1] {
        let pieces = [&two[..at], &two[at..]];
        assert_eq!(answered("application/json", &pieces), bare);
        assert_eq!(answered("application/grpc-web+json", &pieces), with_trailers);
    }
    let text = answered("application/grpc-web-text+json", &[&two]);
    assert_eq!(encoding::from_text(&text).unwrap(), with_trailers);
    for broken in [framed(1, SAID), framed(0, b"\xff"), b"\0\0\0\0\x09x".to_vec(), b"\0\xff\0\0\0".to_vec()] {
        let out = answered("application/grpc-web+json", &[&framed(0, SAID), &broken]);
        let rest = out.strip_prefix(&*framed(0, IN_JSON.as_bytes())).unwrap();
        let told = b"grpc-status:13\r\ngrpc-message:the gateway could not read an answer\r\n";
        assert_eq!(rest, framed(0x80, told), "{broken:?}");
    }
}

#[test]
fn json_alone_has_the_outcome_in_its_head() {
    let (speaking, _folder) = speaking();
    let head = [GRPC, ("grpc-status", "5")];
    let (exchange, out) = answered_by(&speaking, "application/json", &head, &[], &[]);
    assert_eq!(out, b"");
    assert_eq!(exchange.response.headers.text("grpc-status"), Some("5"));
}

#[test]
fn a_proto_that_cannot_be_read_is_told_with_its_place() {
    for (text, why) in
        [("syntax = \"proto3\"; message {", "expected"), ("import \"none.proto\";", "none.proto")]
    {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("broken.proto");
        std::fs::write(&file, text).unwrap();
        let told = Services::read(&file).err().unwrap();
        assert!(told.contains("broken.proto") && told.contains(why), "{told}");
    }
    let told = Services::read(Path::new("/nowhere/a.proto")).err().unwrap();
    assert!(told.contains("/nowhere/a.proto"), "{told}");
}
