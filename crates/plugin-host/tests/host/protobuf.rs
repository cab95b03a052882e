//! Events over `ProtoBuf:1`.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use bytes::Bytes;
use polygate_chain::{Source, Value};
use polygate_plugin_proto::protobuf::Message;
use polygate_plugin_proto::protobuf::message::{
    ByteString, Dynamic, Empty, ExitArgs, Kv, ListValue, RawBody, RawBodyResult, Text,
};
use polygate_testkit::fake_server::{Ending, FakeServer, ProtoBufEvent};
use serde_json::json;

use crate::harness::{Host, access, failure, pass, request, upload};

const PROTOCOL: &str = "ProtoBuf:1";

async fn host() -> Host {
    Host::new(PROTOCOL, |_| {}).await
}

fn kv(value: &str) -> Kv {
    Kv { k: "key".into(), v: Some(Dynamic(Value::str(value))) }
}

fn set(event: &mut ProtoBufEvent<'_>, value: &str) {
    assert_eq!(event.call("kong.ctx.shared.set", &kv(value)).as_deref(), Some(&b""[..]));
}

#[tokio::test]
async fn a_handler_calls_and_returns() {
    let host = host().await;
    let server = FakeServer::protobuf(host.socket(), |event| {
        set(event, "value");
        let value = event.call("kong.request.get_header", &Text { v: "x-test".into() }).expect("is answered");
        assert_eq!(Text::decode(value).expect("decodes").v, "yes");
        let binary =
            event.call("kong.request.get_header", &Text { v: "x-binary".into() }).expect("is answered");
        assert_eq!(Text::decode(binary).expect("decodes").v, "\u{fffd}");
        Ending::Return
    });
    let handler = host.handler(json!({})).await;
    let before = server.connections();
    for _ in 0..2 {
        assert_eq!(pass(&handler).await.session.shared["key"].as_str(), Some("value"));
    }
    assert_eq!(server.connections(), before, "connections are used again");
    let sequence = &server.params("cmd_start_instance")[0]["__seq__"];
    assert_eq!(server.params("cmd_handle_event")[0]["instance_id"], *sequence);
    assert_eq!(host.status().protocol, Some(PROTOCOL));
}

/// Servers of others may run anywhere and get a copy; those that the gateway starts get the path of the file.
#[tokio::test]
async fn large_bodies_arrive_whole() {
    let body = Bytes::from("body".repeat(5 << 18));
    for is_started in [false, true] {
        let host = Host::new(PROTOCOL, |settings| {
            settings.start_cmd = is_started.then(|| "sleep 1000".to_owned());
        })
        .await;
        // A process finds the socket of its predecessor removed.
        host.until("the start", |status| !is_started || status.starts == 1).await;
        let (send, receive) = mpsc::channel();
        let _server = FakeServer::protobuf(host.socket(), move |event| {
            let answer = event.call("kong.request.get_raw_body", &Empty {}).expect("is answered");
            set(event, "value");
            // What the plugin puts in its place does not take it away.
            event.call("kong.service.request.set_raw_body", &ByteString { v: "new"[..].into() });
            let (is_path, content) = match RawBodyResult::decode(answer).expect("decodes").kind {
                Some(RawBody::BodyFilepath(path)) => (true, std::fs::read(path).expect("can be read").into()),
                Some(RawBody::Content(content)) => (false, content),
                other => panic!("{other:?}"),
            };
            let _ = send.send((is_path, content));
            Ending::Return
        });
        let mut request = upload(body.clone());
        access(&host.handler(json!({})).await, &mut request).await.expect("the event succeeds");
        assert_eq!(request.session.shared["key"].as_str(), Some("value"));
        let (is_path, content) = receive.recv().expect("the script ran");
        assert!(is_path == is_started && content == body, "{is_path}: {} bytes", content.len());
    }
}

#[tokio::test]
async fn exit_is_answered_by_one_frame_and_the_end() {
    let host = host().await;
    let server = FakeServer::protobuf(host.socket(), |event| {
        let exit = ExitArgs { status: 403, body: b"no"[..].into(), headers: None };
        assert_eq!(event.call("kong.response.exit", &exit).as_deref(), Some(&b""[..]));
        assert_eq!(event.read_frame(), None);
        Ending::Close
    });
    let handler = host.handler(json!({})).await;
    for _ in 0..2 {
        let request = pass(&handler).await;
        let answer = request.session.answer.expect("was decided");
        assert_eq!(
            (answer.source, &answer.body[..], request.response.status),
            (Source::Exit, &b"no"[..], 403)
        );
    }
    assert_eq!(server.params("cmd_start_instance").len(), 1);
}

#[tokio::test]
async fn an_end_before_the_first_call_starts_the_instance_again_once() {
    let host = host().await;
    let count = AtomicUsize::new(0);
    let server = FakeServer::protobuf(host.socket(), move |_| {
        if count.fetch_add(1, Ordering::SeqCst) == 0 { Ending::Close } else { Ending::Return }
    });
    let handler = host.handler(json!({})).await;
    pass(&handler).await;
    assert_eq!(server.params("cmd_start_instance").len(), 2);
    server.forget_instances();
    pass(&handler).await;
    let sequences: Vec<_> =
        server.params("cmd_start_instance").iter().map(|it| it["__seq__"].as_i64()).collect();
    assert!(sequences.is_sorted_by(|a, b| a < b), "{sequences:?}");
}

#[tokio::test]
async fn a_plugin_that_always_ends_at_once_fails() {
    let host = host().await;
    let server = FakeServer::protobuf(host.socket(), |_| Ending::Close);
    assert_eq!(failure(&host.handler(json!({})).await).await, (500, "plugin_crashed"));
    assert_eq!(server.params("cmd_handle_event").len(), 2);
}

#[tokio::test]
async fn an_end_after_a_call_is_not_tried_again() {
    let host = host().await;
    let server = FakeServer::protobuf(host.socket(), |event| {
        set(event, "side effect");
        Ending::Close
    });
    assert_eq!(failure(&host.handler(json!({})).await).await, (500, "plugin_crashed"));
    assert_eq!(server.params("cmd_handle_event").len(), 1);
}

#[tokio::test]
async fn a_call_without_its_argument_is_dropped() {
    let host = host().await;
    let _server = FakeServer::protobuf(host.socket(), |event| {
        event.send_frame(b"kong.service.request.set_raw_body");
        set(event, "next");
        Ending::Return
    });
    let request = pass(&host.handler(json!({})).await).await;
    assert_eq!(request.session.shared["key"].as_str(), Some("next"));
    assert_eq!(request.request_body.held().unwrap().bytes().unwrap(), "the body");
}

#[tokio::test]
async fn a_lost_argument_at_the_end_fails_a_setter_only() {
    for (method, outcome) in [("kong.service.request.set_raw_body", false), ("kong.log.info", true)] {
        let host = host().await;
        let _server = FakeServer::protobuf(host.socket(), move |event| {
            event.send_frame(method.as_bytes());
            Ending::Return
        });
        let handler = host.handler(json!({})).await;
        assert_eq!(access(&handler, &mut request()).await.is_ok(), outcome, "{method}");
        assert_eq!(access(&handler, &mut request()).await.is_ok(), outcome, "{method}, again");
    }
}

#[tokio::test]
async fn what_is_not_a_function_fails_the_plugin() {
    for (name, reason) in [
        (&b"kong.no.such_function"[..], "plugin_error"),
        (b"kong.request.get_raw_path", "plugin_error"),
        (b"\xff\xff", "plugin_protocol_error"),
    ] {
        let host = host().await;
        let _server = FakeServer::protobuf(host.socket(), move |event| {
            event.send_frame(name);
            event.send_frame(&Empty {}.encode_to_vec());
            assert_eq!(event.read_frame(), None);
            Ending::Close
        });
        assert_eq!(failure(&host.handler(json!({})).await).await, (500, reason), "{name:?}");
    }
}

#[tokio::test]
async fn a_thrown_error_aborts_the_event() {
    let host = host().await;
    let _server = FakeServer::protobuf(host.socket(), |event| {
        let scheme = Text { v: "gopher".into() };
        assert_eq!(event.call("kong.service.request.set_scheme", &scheme), None);
        Ending::Close
    });
    let handler = host.handler(json!({})).await;
    let failure = access(&handler, &mut request()).await.expect_err("the event fails");
    assert_eq!((failure.status, failure.reason), (500, "plugin_error"));
    assert!(failure.message.contains("invalid scheme: gopher"), "{failure}");
}

#[tokio::test]
async fn an_argument_that_does_not_decode_fails_the_plugin() {
    let host = host().await;
    let _server = FakeServer::protobuf(host.socket(), |event| {
        let binary = ByteString { v: b"\xff\xfe"[..].into() };
        assert_eq!(event.call("kong.request.get_header", &binary), None);
        Ending::Close
    });
    assert_eq!(failure(&host.handler(json!({})).await).await, (500, "plugin_protocol_error"));
}

#[tokio::test]
async fn a_deadline_closes_the_connection() {
    let host =
        Host::new(PROTOCOL, |settings| settings.event_timeout = Some(Duration::from_millis(150))).await;
    let _server = FakeServer::protobuf(host.socket(), |event| {
        set(event, "in time");
        event.send("kong.log.info", &ListValue::default());
        event.read_frame();
        // Ends when the host closes.
        event.read_frame();
        Ending::Close
    });
    assert_eq!(failure(&host.handler(json!({})).await).await, (504, "plugin_deadline"));
}

#[tokio::test]
async fn a_refused_configuration_is_not_tried_for_ever() {
    let host = host().await;
    let server = FakeServer::protobuf(host.socket(), |_| Ending::Return);
    let configuration = std::sync::Arc::new(crate::harness::configuration(1, json!({"refuse": "bad"})));
    let problems = host.servers.prepare(std::slice::from_ref(&configuration)).await;
    assert_eq!(problems.len(), 1);
    let started = server.params("cmd_start_instance").len();
    let handler = polygate_chain::Plugin::configure(&*host.servers.plugins()[0], &configuration);
    assert_eq!(failure(&handler).await, (500, "plugin_instance_refused"));
    assert!(server.params("cmd_start_instance").len() <= started + 2);
}
