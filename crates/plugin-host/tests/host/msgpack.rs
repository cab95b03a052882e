//! Events over MessagePack-RPC.

use std::sync::{Arc, mpsc};
use std::time::Duration;

use bytes::Bytes;
use polygate_chain::{Plugin as _, Source, Value};
use polygate_plugin_host::{BodyMode, OnError};
use polygate_testkit::fake_server::{Answer, Ending, FakeServer, MsgPackEvent, Sdk};
use serde_json::json;

use crate::harness::{Host, access, configuration, failure, pass, request, upload};

const PROTOCOL: &str = "MsgPack:1";

async fn host() -> Host {
    Host::new(PROTOCOL, |_| {}).await
}

fn set(event: &mut MsgPackEvent<'_>, value: &str) -> Answer {
    event.call("kong.ctx.shared.set", [Value::str("key"), Value::str(value)])
}

fn step(data: Option<Value>) -> Answer {
    Answer { step: "plugin.Step".into(), data, is_binary: false }
}

#[tokio::test]
async fn a_handler_calls_and_returns() {
    let host = host().await;
    let server = FakeServer::msgpack(host.socket(), Sdk::Python, |event| {
        assert_eq!(event.phase, "access");
        assert_eq!(event.config["message"], "hi");
        // Nil is told by leaving the key out.
        assert_eq!(set(event, "value"), step(None));
        let value = event.call("kong.ctx.shared.get", [Value::str("key")]);
        assert_eq!(value, step(Some(Value::str("value"))));
        Ending::Return
    });
    let handler = host.handler(json!({"message": "hi", "absent": null})).await;
    let request = pass(&handler).await;
    assert_eq!(request.session.shared["key"].as_str(), Some("value"));
    let config = &server.params("plugin.StartInstance")[0]["Config"];
    let config: serde_json::Value = serde_json::from_str(config.as_str().expect("is text")).expect("is JSON");
    assert!(config["__seq__"].as_i64().is_some_and(|seq| seq > 0), "{config}");
    assert_eq!(config.get("absent"), None);
    let status = host.status();
    assert_eq!((status.state, status.sdk, status.instances), ("ready", Some("python"), 1));
    assert_eq!(status.pid, Some(std::process::id()));
}

#[tokio::test]
async fn each_sdk_gets_what_it_can_read() {
    for (sdk, name) in [(Sdk::Go, "go"), (Sdk::JavaScript, "javascript"), (Sdk::Python, "python")] {
        let host = host().await;
        let (send, receive) = mpsc::channel();
        let _server = FakeServer::msgpack(host.socket(), sdk, move |event| {
            let body = event.call("kong.request.get_raw_body", []);
            let binary = event.call("kong.request.get_header", [Value::str("x-binary")]);
            let headers = event.call("kong.request.get_headers", []);
            let _ = send.send((body, binary, headers));
            Ending::Return
        });
        pass(&host.handler(json!({})).await).await;
        let (body, binary, headers) = receive.recv().expect("the script ran");
        assert_eq!((body.is_binary, binary.is_binary), (true, sdk != Sdk::Go), "{name}");
        assert_eq!(headers.step, "plugin.StepMultiMap");
        let yes = Value::List(vec![Value::str("yes")]);
        assert_eq!(headers.data.expect("is there").get("x-test"), &yes);
        assert_eq!(host.status().sdk, Some(name));
    }
}

#[tokio::test]
async fn bodies_are_text_when_the_user_says_so() {
    let host = Host::new(PROTOCOL, |settings| settings.body = BodyMode::Text).await;
    let _server = FakeServer::msgpack(host.socket(), Sdk::JavaScript, |event| {
        let body = event.call("kong.request.get_raw_body", []);
        assert_eq!(body, step(Some("the body".into())));
        Ending::Return
    });
    pass(&host.handler(json!({})).await).await;
}

#[tokio::test]
async fn large_bodies_arrive_whole() {
    let large = |unit: &str| Bytes::from(unit.repeat((5 << 20) / unit.len() + 1));
    let broken = Bytes::from([large("ä").as_ref(), b"\xff"].concat());
    for (mode, body, as_text) in [
        (BodyMode::Bytes, large("text"), false),
        // Three bytes each, so that some lie across the pieces in which the file is looked at.
        (BodyMode::Text, large("€"), true),
        (BodyMode::Text, broken, false),
    ] {
        let host = Host::new(PROTOCOL, |settings| settings.body = mode).await;
        let expected = body.clone();
        let (send, receive) = mpsc::channel();
        let _server = FakeServer::msgpack(host.socket(), Sdk::JavaScript, move |event| {
            for _ in 0..2 {
                let _ = send.send(event.call("kong.request.get_raw_body", []));
            }
            assert_eq!(set(event, "value"), step(None), "the connection goes on");
            let limited = event.call("kong.request.get_raw_body", [Value::Int(9)]);
            assert_eq!(limited.step, "plugin.StepError");
            Ending::Return
        });
        let handler = host.handler(json!({})).await;
        access(&handler, &mut upload(body)).await.expect("the event succeeds");
        for _ in 0..2 {
            let answer = receive.recv().expect("the script ran");
            let whole = expected.clone();
            let expected = Answer { is_binary: !as_text, ..step(Some(whole.into())) };
            assert!(answer == expected, "{mode:?}: {:.100}", format!("{answer:?}"));
        }
    }
}

#[tokio::test]
async fn a_thrown_error_goes_to_the_plugin_and_fails_the_request() {
    let host = host().await;
    let _server = FakeServer::msgpack(host.socket(), Sdk::JavaScript, |event| {
        let answer = event.call("kong.request.get_header", [Value::Int(5)]);
        assert_eq!(answer.step, "plugin.StepError");
        assert_eq!(answer.data, Some(Value::str("header name must be a string")));
        assert_eq!(set(event, "still answered"), step(None));
        Ending::Return
    });
    let handler = host.handler(json!({})).await;
    assert_eq!(failure(&handler).await, (500, "plugin_error"));
    assert_eq!(host.failures("plugin_error"), 1);
}

#[tokio::test]
async fn a_decided_request_is_not_failed_by_an_earlier_error() {
    let host = host().await;
    let _server = FakeServer::msgpack(host.socket(), Sdk::Python, |event| {
        assert_eq!(event.call("kong.request.get_header", [Value::Int(5)]).step, "plugin.StepError");
        event.send("kong.response.exit", [Value::Int(401)]);
        Ending::Silence
    });
    let request = pass(&host.handler(json!({})).await).await;
    assert_eq!(request.response.status, 401);
}

#[tokio::test]
async fn an_unknown_function_answers_nil() {
    let host = host().await;
    let _server = FakeServer::msgpack(host.socket(), Sdk::JavaScript, |event| {
        assert_eq!(event.call("kong.no.such_function", []), step(None));
        Ending::Return
    });
    pass(&host.handler(json!({})).await).await;
}

#[tokio::test]
async fn nothing_is_sent_after_exit_and_the_connection_serves_on() {
    let host = host().await;
    let server = FakeServer::msgpack(host.socket(), Sdk::Python, |event| {
        event.send("kong.response.exit", [Value::Int(403), Value::str("no")]);
        Ending::Silence
    });
    let handler = host.handler(json!({})).await;
    let before = server.connections();
    for _ in 0..2 {
        let request = pass(&handler).await;
        let answer = request.session.answer.expect("was decided");
        assert_eq!(
            (answer.source, &answer.body[..], request.response.status),
            (Source::Exit, &b"no"[..], 403)
        );
    }
    // StartInstance and both events took one connection.
    assert_eq!(server.connections(), before);
    assert_eq!(server.received().iter().filter(|it| it.method.starts_with("plugin.Step")).count(), 0);
}

#[tokio::test]
async fn a_wrong_exit_fails_the_request() {
    let host = host().await;
    let _server = FakeServer::msgpack(host.socket(), Sdk::JavaScript, |event| {
        event.send("kong.response.exit", [Value::Int(7)]);
        Ending::Silence
    });
    assert_eq!(failure(&host.handler(json!({})).await).await, (500, "plugin_error"));
}

#[tokio::test]
async fn a_forgotten_instance_is_started_again() {
    for sdk in [Sdk::Go, Sdk::Python] {
        let host = host().await;
        let server = FakeServer::msgpack(host.socket(), sdk, |_| Ending::Return);
        let handler = host.handler(json!({})).await;
        pass(&handler).await;
        server.forget_instances();
        pass(&handler).await;
        assert_eq!(server.params("plugin.StartInstance").len(), 2);
    }
}

#[tokio::test]
async fn a_server_that_never_knows_the_instance_is_asked_twice() {
    let host = host().await;
    let server =
        FakeServer::msgpack(host.socket(), Sdk::Python, |_| Ending::Error("no plugin instance #0".into()));
    let handler = host.handler(json!({})).await;
    assert_eq!(failure(&handler).await, (500, "plugin_error"));
    assert_eq!(server.params("plugin.HandleEvent").len(), 2);
}

#[tokio::test]
async fn an_event_that_nobody_read_is_sent_again() {
    let host = host().await;
    let server = FakeServer::msgpack(host.socket(), Sdk::Python, |_| Ending::Return);
    let handler = host.handler(json!({})).await;
    pass(&handler).await;
    server.stop_reading();
    pass(&handler).await;
    assert_eq!(server.params("plugin.HandleEvent").len(), 2);
}

#[tokio::test]
async fn an_event_that_ended_a_process_is_given_to_no_other() {
    let host = host().await;
    let server = FakeServer::msgpack(host.socket(), Sdk::Go, |_| Ending::Close);
    let handler = host.handler(json!({})).await;
    assert_eq!(failure(&handler).await, (500, "plugin_crashed"));
    assert_eq!(server.params("plugin.HandleEvent").len(), 1);
}

#[tokio::test]
async fn a_crash_after_a_call_is_not_tried_again() {
    let host = host().await;
    let server = FakeServer::msgpack(host.socket(), Sdk::Go, |event| {
        set(event, "side effect");
        Ending::Close
    });
    let handler = host.handler(json!({})).await;
    assert_eq!(failure(&handler).await, (500, "plugin_crashed"));
    assert_eq!(server.params("plugin.HandleEvent").len(), 1);
    assert_eq!(host.failures("plugin_crashed"), 1);
}

#[tokio::test]
async fn an_error_in_place_of_a_call_ends_the_event() {
    let host = host().await;
    let server = FakeServer::msgpack(host.socket(), Sdk::Python, |event| {
        set(event, "before");
        Ending::Error("can not serialize 'X' object".into())
    });
    let handler = host.handler(json!({})).await;
    let failure = access(&handler, &mut request()).await.expect_err("the event fails");
    assert_eq!((failure.status, failure.reason), (500, "plugin_error"));
    assert!(failure.message.contains("can not serialize 'X' object"), "{failure}");
    assert_eq!(server.params("plugin.StepError").len(), 0);
}

#[tokio::test]
async fn nonsense_is_an_error_of_the_protocol() {
    for bytes in [&b"\x94\x01\x63\xc0\xc0"[..], b"\xc1", b"\x00", b"\x94\x00\x01\xa1x\x90"] {
        let host = host().await;
        let _server = FakeServer::msgpack(host.socket(), Sdk::Python, move |_| Ending::Bytes(bytes.to_vec()));
        let handler = host.handler(json!({})).await;
        assert_eq!(failure(&handler).await, (500, "plugin_protocol_error"), "{bytes:?}");
    }
}

#[tokio::test]
async fn a_late_handler_gets_errors_until_it_ends() {
    let host =
        Host::new(PROTOCOL, |settings| settings.event_timeout = Some(Duration::from_millis(150))).await;
    let (go_on, wait) = mpsc::channel::<()>();
    let (send, receive) = mpsc::channel();
    let wait = std::sync::Mutex::new(wait);
    let server = FakeServer::msgpack(host.socket(), Sdk::JavaScript, move |event| {
        set(event, "in time");
        let _ = wait.lock().expect("one event at a time").recv();
        let late = [set(event, "late").step, set(event, "later").step];
        let _ = send.send(late);
        Ending::Return
    });
    let handler = host.handler(json!({})).await;
    assert_eq!(failure(&handler).await, (504, "plugin_deadline"));
    go_on.send(()).expect("the script waits");
    let late = tokio::task::spawn_blocking(move || receive.recv_timeout(Duration::from_secs(10)));
    let late = late.await.expect("runs").expect("the event is driven to its end");
    assert_eq!(late, ["plugin.StepError", "plugin.StepError"]);
    assert_eq!(server.params("plugin.HandleEvent").iter().filter(|it| it["InstanceId"] == 0).count(), 1);
}

#[tokio::test]
async fn an_event_that_is_dropped_is_still_finished() {
    let host = host().await;
    let (go_on, wait) = mpsc::channel::<()>();
    let (send, receive) = mpsc::channel();
    let wait = std::sync::Mutex::new(wait);
    let _server = FakeServer::msgpack(host.socket(), Sdk::JavaScript, move |event| {
        let _ = send.send(String::new());
        let _ = wait.lock().expect("one event at a time").recv();
        let _ = send.send(set(event, "x").step);
        Ending::Return
    });
    let handler = host.handler(json!({})).await;
    let receive = Arc::new(std::sync::Mutex::new(receive));
    let next = || {
        let receive = receive.clone();
        let next = move || receive.lock().expect("free").recv_timeout(Duration::from_secs(10));
        async { tokio::task::spawn_blocking(next).await.expect("runs").expect("the script runs") }
    };
    let mut request = request();
    tokio::select! {
        _ = access(&handler, &mut request) => panic!("the handler does not end"),
        started = next() => assert_eq!(started, ""),
    }
    go_on.send(()).expect("the script waits");
    assert_eq!(next().await, "plugin.StepError");
}

#[tokio::test]
async fn an_event_that_never_ends_does_not_keep_its_place() {
    let host = Host::new(PROTOCOL, |settings| {
        settings.max_concurrency = Some(1);
        settings.event_timeout = Some(Duration::from_millis(200));
    })
    .await;
    let _server = FakeServer::msgpack(host.socket(), Sdk::JavaScript, |event| {
        if event.config["hangs"] == true { Ending::Hang } else { Ending::Return }
    });
    let hangs = host.handler(json!({"hangs": true})).await;
    assert_eq!(failure(&hangs).await, (504, "plugin_deadline"));
    pass(&host.handler(json!({"hangs": false})).await).await;
}

#[tokio::test]
async fn a_configuration_may_be_open_in_a_server_that_is_closed() {
    let host = host().await;
    let _server = FakeServer::msgpack(host.socket(), Sdk::Go, |_| Ending::Error("oops".into()));
    let mut configuration = configuration(1, json!({}));
    assert_eq!(failure(&host.servers.plugins()[0].configure(&Arc::new(configuration.clone()))).await.0, 500);
    configuration.on_error = Some(OnError::Open);
    pass(&host.servers.plugins()[0].configure(&Arc::new(configuration))).await;
}

#[tokio::test]
async fn a_plugin_that_keeps_failing_is_left_alone() {
    let host = Host::new(PROTOCOL, |settings| settings.breaker_failures = 2).await;
    let server = FakeServer::msgpack(host.socket(), Sdk::Go, |_| Ending::Bytes(b"\xc1".into()));
    let handler = host.handler(json!({})).await;
    for _ in 0..2 {
        assert_eq!(failure(&handler).await, (500, "plugin_protocol_error"));
    }
    assert_eq!(failure(&handler).await, (503, "plugin_circuit_open"));
    assert_eq!(server.params("plugin.HandleEvent").len(), 2);
}

#[tokio::test]
async fn open_lets_the_request_go_on() {
    let host = Host::new(PROTOCOL, |settings| settings.on_error = OnError::Open).await;
    let _server = FakeServer::msgpack(host.socket(), Sdk::Python, |_| Ending::Error("oops".into()));
    pass(&host.handler(json!({})).await).await;
    assert_eq!(host.failures("plugin_error"), 1);
    let count = |name| host.count(name, "");
    assert_eq!(count("polygate_plugin_events_total"), 1);
    assert_eq!((count("polygate_plugin_passed_total"), count("polygate_plugin_refused_total")), (1, 0));
}

#[tokio::test]
async fn events_wait_for_a_place_but_not_for_ever() {
    let change = |settings: &mut polygate_plugin_host::ServerSettings| {
        settings.max_concurrency = Some(1);
        settings.connect_timeout = Duration::from_millis(300);
    };
    let host = Host::new(PROTOCOL, change).await;
    let (go_on, wait) = mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let server = FakeServer::msgpack(host.socket(), Sdk::Python, move |_| {
        let _ = wait.lock().expect("one event at a time").recv();
        Ending::Return
    });
    let handler = host.handler(json!({})).await;
    let mut request = request();
    let mut first = std::pin::pin!(access(&handler, &mut request));
    tokio::select! {
        biased;
        _ = &mut first => panic!("the handler waits"),
        second = failure(&handler) => assert_eq!(second, (503, "plugin_server_busy")),
    }
    go_on.send(()).expect("the script waits");
    first.await.expect("the event succeeds");
    assert_eq!(server.params("plugin.HandleEvent").len(), 1);
}
