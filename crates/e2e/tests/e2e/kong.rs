//! Kong's own integration suite for external plugins.

use std::fs;

use polygate_testkit::peers::peer;
use polygate_testkit::{EchoUpstream, Gateway, GatewayBuilder, Request};
use regex::Regex;
use serde_json::{Value, json};

use crate::declarative::{self, plugin};
use crate::servers;

fn go_hello(name: &str) -> String {
    let program = peer("go/phases/go-hello");
    let (key, program) = (name.replace('-', "_"), program.display());
    format!(
        "pluginserver_{key}_socket = {{prefix}}/go-hello.socket\n\
         pluginserver_{key}_query_cmd = {program} -dump\n\
         pluginserver_{key}_start_cmd = {program} -kong-prefix {{prefix}}\n"
    )
}

fn py_hello(name: &str) -> String {
    let start = "--socket-name py-hello.socket --kong-prefix {prefix}";
    servers::py_hello(name, start, "--dump", "{prefix}/py-hello.socket")
}

fn go_only() -> GatewayBuilder {
    Gateway::builder().conf(&format!(
        "log_level = notice\nplugins = bundled,go-hello\npluginserver_names = test\n{}",
        go_hello("test")
    ))
}

fn both(plugins: &str) -> GatewayBuilder {
    Gateway::builder().conf(&format!(
        "log_level = notice\nplugins = {plugins}\npluginserver_names = test-go,test-py\n{}{}",
        go_hello("test-go"),
        py_hello("test-py")
    ))
}

/// Starts and stops a gateway; each server's start and end must be in the log.
#[track_caller]
fn expect_start_and_stop(builder: &GatewayBuilder, names: &[&str]) {
    let mut gateway = builder.start();
    let started = Regex::new("started, pid [0-9]+").expect("a valid pattern");
    gateway.wait_for_log("started, pid [0-9]+");
    assert_eq!(started.find_iter(&gateway.error_log()).count(), names.len());
    let servers = gateway.children();
    assert!(gateway.stop().success());
    for name in names {
        gateway.wait_for_log(&format!("successfully stopped pluginserver '{name}', pid [0-9]+"));
    }
    for pid in servers {
        assert!(!fs::exists(format!("/proc/{pid}")).unwrap_or(true), "process {pid} outlives the gateway");
    }
}

#[test]
fn k_1_a_go_server_starts_and_stops() {
    expect_start_and_stop(&go_only(), &["test"]);
}

#[test]
fn k_2_a_python_server_starts_and_stops() {
    let conf = format!(
        "log_level = notice\nplugins = bundled,py-hello\npluginserver_names = test\n{}",
        py_hello("test")
    );
    expect_start_and_stop(&Gateway::builder().conf(&conf), &["test"]);
}

#[test]
fn k_3_two_servers_start_and_stop() {
    expect_start_and_stop(&both("bundled,go-hello,py-hello"), &["test-go", "test-py"]);
}

#[test]
fn k_4_a_go_server_is_queried() {
    let gateway = go_only().start();
    gateway.wait_for_log(r"loaded #1 external plugins info");
    gateway.wait_for_log(r"loading protocol ProtoBuf:1 for plugin go-hello");
}

#[test]
fn k_5_a_python_server_is_queried() {
    let gateway = Gateway::builder()
        .conf(&format!("plugins = bundled,py-hello\npluginserver_names = test\n{}", py_hello("test")))
        .start();
    gateway.wait_for_log(r"loaded #1 external plugins info");
    gateway.wait_for_log(r"loading protocol MsgPack:1 for plugin py-hello");
}

#[test]
fn k_6_every_server_is_queried() {
    let gateway = both("bundled,py-hello").start();
    gateway.wait_for_log(r"loaded #2 external plugins info");
    gateway.wait_for_log(r"loading protocol MsgPack:1 for plugin py-hello");
}

/// A global go-hello in front of the mock upstream, on a host of its own.
fn reports(log_level: &str) -> (Gateway, EchoUpstream) {
    let upstream = EchoUpstream::start();
    let route = json!({ "name": "http", "hosts": ["http-service.test"] });
    let mut file: Value = serde_json::from_str(&declarative::file(&upstream.url(), &[route]))
        .expect("a declarative file is JSON");
    file["plugins"] = json!([plugin("go-hello", json!({ "message": "Kong!" }))]);
    let gateway = go_only().conf(&format!("log_level = {log_level}")).declarative(&file.to_string()).start();
    (gateway, upstream)
}

#[test]
fn k_8_the_response_phase_sees_the_upstream() {
    let (gateway, _upstream) = reports("notice");
    let answer = Request::get("/").header("Host", "http-service.test").send(gateway.proxy()).expect(200);
    assert_eq!(answer.header("x-hello-from-go-at-response"), Some("got from server 'mock-upstream/1.0.0'"));
}

#[test]
fn k_9_the_log_phase_reads_everything() {
    let (gateway, _upstream) = reports("debug");
    let request = Request::get("/").header("Host", "http-service.test").header("X-Loose-Data", "this");
    request.send(gateway.proxy()).expect(200);
    gateway.wait_for_log(r"access_start: [0-9][0-9]+\b");
    gateway.wait_for_log(r"shared_msg: Kong!");
    gateway.wait_for_log(r"request_header: this");
    gateway.wait_for_log(r"response_header: mock_upstream");
    gateway.wait_for_log(r"serialized: ?\{.*\}");
}

#[test]
fn k_11_a_server_that_nobody_needs_may_be_missing() {
    let upstream = EchoUpstream::start();
    let gateway = Gateway::builder()
        .conf(
            "pluginserver_names = ghost\n\
             pluginserver_ghost_start_cmd = /nonexistent/ghost\n\
             pluginserver_ghost_query_cmd = /nonexistent/ghost -dump",
        )
        .declarative(&declarative::global(&upstream.url(), &[]))
        .start();
    Request::get("/").send(gateway.proxy()).expect(200);
}

#[test]
fn k_12_the_javascript_fixture() {
    let upstream = EchoUpstream::start();
    let gateway = Gateway::builder()
        .conf(&format!(
            "plugins = bundled,js-hello\npluginserver_names = test-js\n{}",
            servers::javascript("test-js")
        ))
        .declarative(&declarative::global(
            &upstream.url(),
            &[plugin("js-hello", json!({ "message": "Kong!" }))],
        ))
        .start();
    let answer = Request::get("/").send(gateway.proxy()).expect(200);
    assert_eq!(answer.header("x-hello-from-javascript"), Some("Javascript says Kong! to example.com"));
}
