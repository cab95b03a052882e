//! The examples of the published JavaScript SDK.

use std::process::Command;

use polygate_testkit::Request;
use polygate_testkit::peers::peer;
use serde_json::{Value, json};

use crate::fleet::fleet;
use crate::program::{PY, Program};

#[test]
fn js_1_hello_with_a_message() {
    let fleet = fleet();
    let answer = Request::get("/js-hello-test").send(fleet.gateway.proxy()).expect(200);
    assert_eq!(answer.header("x-hello-from-javascript"), Some("Javascript says test to example.com"));
    let pid: u32 = answer.header("x-javascript-pid").and_then(|pid| pid.parse().ok()).expect("a process id");
    assert!(fleet.gateway.children().contains(&pid), "{pid} is a plugin server of the gateway");
}

#[test]
fn js_2_hello_without_a_message() {
    let answer = Request::get("/js-hello").send(fleet().gateway.proxy()).expect(200);
    assert_eq!(answer.header("x-hello-from-javascript"), Some("Javascript says hello to example.com"));
}

#[test]
fn js_3_a_missing_header_is_undefined() {
    let fleet = fleet();
    let answer = Request::get("/js-hello/js-3").http10().send(fleet.gateway.proxy()).expect(200);
    assert_eq!(answer.header("x-hello-from-javascript"), None);
    assert_eq!(fleet.upstream.hits("/js-3"), 1);
    fleet.gateway.wait_for_log(r"\[error\].*\[js-hello\] unable to get header for request");
}

#[test]
fn js_4_status_lets_a_known_user_through() {
    let request = Request::get("/js-status").header("userId", "test-id");
    let answer = request.send(fleet().gateway.proxy()).expect(200);
    assert_eq!(answer.header("x-welcome"), Some("Javascript says test to test-id"));
}

#[test]
fn js_5_status_refuses_an_unknown_user() {
    let fleet = fleet();
    let source = Program::new(PY).tag("js-5").call("log", "kong.response.get_source", json!([]));
    let request = source.load_into(Request::get("/js-status/js-5"));
    let answer = request.send(fleet.gateway.proxy()).expect(403);
    assert!(answer.text().contains("<h1>403 Forbidden</h1>"), "{}", answer.text());
    assert_eq!(fleet.upstream.hits("/js-5"), 0);
    assert_eq!(source.logged(&fleet.gateway), [json!({ "result": "exit" })]);
}

#[test]
fn js_6_transform_changes_both_bodies() {
    let fleet = fleet();
    let answer =
        Request::post("/js-transform/js-6", "all lower case").send(fleet.gateway.proxy()).expect(200);
    let seen = fleet.upstream.last("/js-6?js-transform=v0.1.0");
    assert_eq!(seen.body, b"ALL LOWER CASE");
    let upstream = seen.describe().to_string();
    let expected =
        format!("Response body from upstream:\n{upstream}\nBody size: {}\n", upstream.encode_utf16().count());
    assert_eq!(answer.text(), expected);
    assert_eq!(answer.header("content-length"), Some(expected.len().to_string().as_str()));
}

#[test]
fn js_6_transform_keeps_the_status() {
    let answer = Request::post("/js-transform/status/418", "a").send(fleet().gateway.proxy()).expect(418);
    assert!(answer.text().starts_with("Response body from upstream:\n{"), "{}", answer.text());
}

#[test]
fn js_7_goodbye_is_a_folder() {
    let fleet = fleet();
    let answer = Request::get("/goodbye-bye").send(fleet.gateway.proxy()).expect(200);
    assert_eq!(answer.header("x-goodbye-from-javascript"), Some("Javascript says bye"));
    let answer = Request::get("/goodbye").send(fleet.gateway.proxy()).expect(200);
    assert_eq!(answer.header("x-goodbye-from-javascript"), Some("Javascript says goodbye"));
}

#[test]
fn js_8_graphql_answers_with_an_object() {
    let answer = Request::post("/js-graphql", "{ hello }").send(fleet().gateway.proxy()).expect(200);
    assert_eq!(answer.json(), json!({ "data": { "hello": "Hello world!" } }));
    assert_eq!(answer.header("content-type"), Some("application/json; charset=utf-8"));
}

#[test]
fn js_9_typescript() {
    let answer = Request::get("/ts-hello").send(fleet().gateway.proxy()).expect(200);
    assert_eq!(answer.header("x-hello-from-javascript"), Some("Javascript says ts to example.com"));
}

#[test]
fn js_10_every_plugin_of_the_dump_is_loaded() {
    let fleet = fleet();
    let dump = Command::new(peer("js/node_modules/.bin/kong-js-pluginserver"))
        .arg("--plugins-directory")
        .arg(peer("js/plugins"))
        .arg("--dump-all-plugins")
        .output()
        .expect("the server can be run");
    let dump: Vec<Value> = serde_json::from_slice(&dump.stdout).expect("a JSON array");
    let names: Vec<&str> = dump.iter().filter_map(|plugin| plugin["Name"].as_str()).collect();
    assert!(names.len() >= 6, "{names:?}");
    for name in names {
        fleet.gateway.wait_for_log(&format!(r"loading protocol MsgPack:1 for plugin {name}\b"));
    }
}
