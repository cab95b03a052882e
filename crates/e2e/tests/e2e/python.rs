//! The examples of the published Python SDK.

use polygate_testkit::{EchoUpstream, Gateway, Request, Response};
use serde_json::json;

use crate::declarative::{self, plugin};
use crate::fleet::fleet;
use crate::servers;

/// A gateway with one server and one global plugin of it.
fn one_plugin(server: &str, name: &str) -> (Gateway, EchoUpstream) {
    let upstream = EchoUpstream::start();
    let gateway = Gateway::builder()
        .conf(&format!("plugins = bundled,{name}\npluginserver_names = py\n{server}"))
        .declarative(&declarative::global(&upstream.url(), &[plugin(name, json!({}))]))
        .start();
    (gateway, upstream)
}

#[track_caller]
fn expect_hello(gateway: &Gateway) -> Response {
    let answer = Request::get("/").send(gateway.proxy()).expect(200);
    assert_eq!(answer.header("x-hello-from-python"), Some("Python says hello to example.com"));
    answer
}

fn pid(answer: &Response) -> u32 {
    answer.header("x-python-pid").and_then(|pid| pid.parse().ok()).expect("a process id")
}

#[test]
fn py_1_hello_with_a_message() {
    let fleet = fleet();
    let answer = Request::get("/py-hello-test").send(fleet.gateway.proxy()).expect(200);
    assert_eq!(answer.header("x-hello-from-python"), Some("Python says test to example.com"));
    assert!(fleet.gateway.children().contains(&pid(&answer)), "a plugin server of the gateway");
}

#[test]
fn py_2_an_absent_member_is_absent() {
    let answer = Request::get("/py-hello").send(fleet().gateway.proxy()).expect(200);
    assert_eq!(answer.header("x-hello-from-python"), Some("Python says hello to example.com"));
}

#[test]
fn py_3_dedicated_server() {
    let server = servers::py_hello(
        "py",
        "-p {prefix} --socket-name py-hello.socket",
        "--dump",
        "{prefix}/py-hello.socket",
    );
    let (gateway, _upstream) = one_plugin(&server, "py-hello");
    expect_hello(&gateway);
}

#[test]
fn py_4_dedicated_server_with_its_default_socket() {
    let server = servers::py_hello("py", "-p {prefix}", "--dump", "{prefix}/py-hello.sock");
    let (gateway, _upstream) = one_plugin(&server, "py-hello");
    expect_hello(&gateway);
}

#[test]
fn py_5_s_11_gevent() {
    let (gateway, _upstream) = one_plugin(&servers::python("py", "plugins", "-g"), "py-hello");
    let answer = expect_hello(&gateway);
    assert!(gateway.children().contains(&pid(&answer)), "a plugin server of the gateway");
}

#[test]
fn py_5_s_11_multiprocessing() {
    let (gateway, _upstream) = one_plugin(&servers::python("py", "plugins", "-m"), "py-hello");
    let worker = pid(&expect_hello(&gateway));
    assert!(!gateway.children().contains(&worker), "{worker} is a worker of the server");
}

#[test]
fn py_6_single_results() {
    let (gateway, _upstream) = one_plugin(&servers::python("py", "plain", "--no-lua-style"), "py-plain");
    expect_hello(&gateway);
}

#[test]
fn py_7_a_picture() {
    let answer = Request::get("/py-image").send(fleet().gateway.proxy()).expect(200);
    assert!(answer.body.starts_with(b"\x89PNG\r\n\x1a\n") && answer.body.ends_with(b"IEND\xaeB`\x82"));
    assert_eq!(answer.header("content-length"), Some(answer.body.len().to_string().as_str()));
    assert_eq!(answer.header("content-type"), None);
}
