//! gRPC-Web: what a browser sends over HTTP/1.1, to a real server of gRPC.

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use polygate_testkit::{Connection, Gateway, Request, Response};
use serde_json::{Value, json};

use crate::child::Server;
use crate::declarative::plugin;
use crate::grpc::start_server;

const PATIENCE: Duration = Duration::from_secs(20);

const PROTO: &str = r#"
    syntax = "proto3";
    package polygate.test;
    import "google/protobuf/wrappers.proto";
    service Echo {
        rpc Unary (google.protobuf.StringValue) returns (google.protobuf.StringValue);
        rpc Server (google.protobuf.StringValue) returns (stream google.protobuf.StringValue);
    }
"#;

fn gateway(server: &Server) -> Gateway {
    gateway_with(server, json!({}))
}

fn gateway_with(server: &Server, further: Value) -> Gateway {
    let mut config = json!({ "allow_origin_header": "https://app.test" });
    config.as_object_mut().expect("an object").extend(further.as_object().expect("an object").clone());
    let file = json!({
        "_format_version": "3.0",
        "services": [{
            "name": "s", "protocol": "grpc", "host": "127.0.0.1", "port": server.address.port(),
            "routes": [{ "name": "r", "paths": ["/polygate.test.Echo"] }],
            "plugins": [plugin("grpc-web", config)],
        }],
    });
    Gateway::builder().conf("plugins = bundled").declarative(&file.to_string()).start()
}

/// A message with one text, field 1, within the frame of gRPC.
fn message(text: &str) -> Vec<u8> {
    let length = u8::try_from(text.len()).ok().filter(|length| *length < 128).expect("a short text");
    [&[0, 0, 0, 0, length + 2, 0x0a, length][..], text.as_bytes()].concat()
}

/// Kind and content of each frame.
fn frames(mut bytes: &[u8]) -> Vec<(u8, &[u8])> {
    let mut frames = Vec::new();
    while let [kind, a, b, c, d, rest @ ..] = bytes {
        let (content, rest) = rest.split_at(u32::from_be_bytes([*a, *b, *c, *d]) as usize);
        frames.push((*kind, content));
        bytes = rest;
    }
    assert_eq!(bytes, b"", "a broken frame");
    frames
}

/// What a frame with one text says.
fn text(frame: &(u8, &[u8])) -> String {
    let (0, [0x0a, _, text @ ..]) = frame else { panic!("no message: {frame:?}") };
    String::from_utf8_lossy(text).into_owned()
}

/// The lines of the last frame.
fn trailers<'a>(frames: &[(u8, &'a [u8])]) -> Vec<&'a str> {
    let Some((0x80, lines)) = frames.last() else { panic!("no trailers: {frames:?}") };
    let mut lines: Vec<_> = str::from_utf8(lines).expect("text").lines().collect();
    lines.sort_unstable();
    lines
}

fn call(gateway: &Gateway, method: &str, kind: &str, body: impl Into<Vec<u8>>) -> Response {
    let request = Request::post(&format!("/polygate.test.Echo/{method}"), body);
    let answer = request
        .header("Content-Type", kind)
        .header("Origin", "https://app.test")
        .header("x-bytes-bin", "AP8")
        .send(gateway.proxy())
        .expect(200);
    assert_eq!(answer.header("Content-Type"), Some(kind));
    assert_eq!(answer.header("Access-Control-Allow-Origin"), Some("https://app.test"));
    answer
}

/// Each part of Base64 has its own padding.
fn decoded(text: &[u8]) -> Vec<u8> {
    let groups = text.chunks(4).map(|group| BASE64_STANDARD.decode(group).expect("Base64"));
    groups.collect::<Vec<_>>().concat()
}

#[test]
fn calls_of_browsers_reach_a_server_of_grpc() {
    let server = start_server(&[]);
    let gateway = gateway(&server);
    let hello = message("hello");
    for (kind, body) in [
        ("application/grpc-web+proto", hello.clone()),
        ("application/grpc-web-text", BASE64_STANDARD.encode(&hello).into_bytes()),
    ] {
        let answer = call(&gateway, "Unary", kind, body);
        assert_eq!(answer.header("x-head"), Some("first"));
        let body = if kind.ends_with("text") { decoded(&answer.body) } else { answer.body };
        let frames = frames(&body);
        assert_eq!(text(&frames[0]), "hello of 5 through ");
        let expected = ["grpc-message:", "grpc-status:0", "x-bytes-bin:AP8", "x-trailer:last"];
        assert_eq!(trailers(&frames), expected, "{kind}");
    }
    let failed = call(&gateway, "Unary", "application/grpc-web", message("fail"));
    let expected = ["grpc-message:50%25 of %C3%BC", "grpc-status:9", "x-bytes-bin:AP8", "x-trailer:last"];
    assert_eq!(trailers(&frames(&failed.body)), expected);
    // It has no such method, and says so in its head.
    let unknown = call(&gateway, "Unknown", "application/grpc-web", message("hello"));
    assert!(trailers(&frames(&unknown.body)).contains(&"grpc-status:12"));
    let many = call(&gateway, "Server", "application/grpc-web", message("n"));
    let frames = frames(&many.body);
    assert_eq!((frames.len(), text(&frames[9_999])), (10_001, "n9999".to_owned()));
}

#[test]
fn messages_of_a_stream_are_not_held_back() {
    let server = start_server(&[]);
    let gateway = gateway(&server);
    let mut connection = Connection::open(gateway.proxy()).expect("the gateway listens");
    connection.patience(PATIENCE).expect("a socket");
    let chunk = |message: &[u8]| [format!("{:x}\r\n", message.len()).as_bytes(), message, b"\r\n"].concat();
    let head = "POST /polygate.test.Echo/Both HTTP/1.1\r\nHost: a\r\nContent-Type: application/grpc-web\r\n\
                Transfer-Encoding: chunked\r\n\r\n";
    connection.write(head.as_bytes()).expect("the gateway reads");
    let mut came = Vec::new();
    // The server says each again, and the next one is not sent before.
    for text in ["first", "second", "third"] {
        connection.write(&chunk(&message(text))).expect("the gateway reads");
        let mut buffer = [0; 4096];
        while !came.windows(text.len()).any(|window| window == text.as_bytes()) {
            let length = connection.read_some(&mut buffer).expect("the message comes");
            assert_ne!(length, 0, "the end came first: {:?}", String::from_utf8_lossy(&came));
            came.extend_from_slice(&buffer[..length]);
        }
    }
    connection.write(b"0\r\n\r\n").expect("the gateway reads");
    while !came.ends_with(b"0\r\n\r\n") {
        let mut buffer = [0; 4096];
        let length = connection.read_some(&mut buffer).expect("the end comes");
        came.extend_from_slice(&buffer[..length]);
    }
    assert!(String::from_utf8_lossy(&came).contains("grpc-status:0\r\n"));
}

#[test]
fn a_service_that_is_away_is_told_in_a_page() {
    let server = start_server(&[]);
    let gateway = gateway(&server);
    drop(server);
    let request = Request::post("/polygate.test.Echo/Unary", message("hello"));
    let answer = request.header("Content-Type", "application/grpc-web").send(gateway.proxy()).expect(502);
    assert_eq!(answer.header("Content-Type"), Some("application/json; charset=utf-8"));
    let preflight = Request::new("OPTIONS", "/polygate.test.Echo/Unary").send(gateway.proxy()).expect(200);
    assert_eq!(preflight.header("Access-Control-Allow-Methods"), Some("POST"));
}

#[test]
fn messages_may_be_in_json() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let proto = folder.path().join("echo.proto");
    std::fs::write(&proto, PROTO).expect("the folder is writable");
    let server = start_server(&[]);
    let gateway = gateway_with(&server, json!({ "proto": proto }));
    let said = call(&gateway, "Unary", "application/json", r#""hello""#);
    assert_eq!(said.text(), r#""hello of 5 through ""#);
    let frame = [&[0, 0, 0, 0, 3][..], br#""n""#].concat();
    let many = call(&gateway, "Server", "application/grpc-web+json", frame);
    let frames = frames(&many.body);
    assert_eq!((frames.len(), frames[9_999]), (10_001, (0, &br#""n9999""#[..])));
    assert!(trailers(&frames).contains(&"grpc-status:0"));
    let unknown = Request::post("/polygate.test.Echo/Sing", "{}").header("Content-Type", "application/json");
    unknown.send(gateway.proxy()).expect(400);
}

#[test]
fn a_request_that_is_read_whole_has_a_bound() {
    let server = start_server(&[]);
    let gateway = gateway(&server);
    let large = vec![b'A'; (16 << 20) + 4];
    let request = Request::post("/polygate.test.Echo/Unary", large);
    request.header("Content-Type", "application/grpc-web-text").send(gateway.proxy()).expect(413);
}
