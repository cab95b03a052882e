//! The examples of the published Go SDK in both its generations, and the Go plugin server with its loaded plugins.

use std::fs;
use std::path::Path;
use std::time::Duration;

use polygate_testkit::peers::peer;
use polygate_testkit::{EchoUpstream, Gateway, Request, eventually};
use serde_json::{Value, json};

use crate::declarative::{self, plugin, route};
use crate::fleet::fleet;
use crate::servers;

const LOG_BOUND: Duration = Duration::from_secs(10);

/// The records of a log file, once there are as many as expected.
#[track_caller]
fn records(path: &Path, count: usize) -> Vec<Value> {
    eventually(LOG_BOUND, &format!("{count} lines in {}", path.display()), || {
        let text = fs::read_to_string(path).ok()?;
        let lines: Vec<Value> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        (lines.len() >= count).then_some(lines)
    })
}

#[track_caller]
fn expect_hello(gateway: &Gateway, path: &str, message: &str) {
    let answer = Request::get(path).send(gateway.proxy()).expect(200);
    assert_eq!(answer.header("x-hello-from-go"), Some(format!("Go says {message} to example.com").as_str()));
}

#[test]
fn go_1_embedded_server() {
    let fleet = fleet();
    expect_hello(&fleet.gateway, "/go-hello-howdy", "howdy");
    expect_hello(&fleet.gateway, "/go-hello", "hello");
}

#[test]
fn go_2_one_record_for_each_request() {
    let fleet = fleet();
    for number in 1..=3 {
        Request::get(&format!("/go-log/{number}")).send(fleet.gateway.proxy()).expect(200);
    }
    let records = records(&fleet.log_file("go-log"), 3);
    assert_eq!(records.len(), 3);
    let mut targets: Vec<&str> = records.iter().filter_map(|r| r["request"]["uri"].as_str()).collect();
    targets.sort_unstable();
    assert_eq!(targets, ["/go-log/1", "/go-log/2", "/go-log/3"]);
    assert_eq!(records[0]["response"]["status"], 200);
    assert_eq!(records[0]["service"]["name"], "echo");
}

#[test]
fn go_3_a_removed_file_is_opened_again() {
    let fleet = fleet();
    let path = fleet.log_file("go-log-reopen");
    for _ in 0..2 {
        Request::get("/go-log-reopen").send(fleet.gateway.proxy()).expect(200);
        assert_eq!(records(&path, 1).len(), 1);
        fs::remove_file(&path).expect("the plugin wrote it");
    }
}

#[test]
fn go_4_go_pluginserver() {
    expect_hello(&fleet().gateway, "/go-hello-lm", "howdy");
}

#[test]
fn go_5_a_plugin_without_a_version() {
    let fleet = fleet();
    Request::get("/go-log-lm/x").send(fleet.gateway.proxy()).expect(200);
    let records = records(&fleet.log_file("go-log-lm"), 1);
    assert_eq!(records[0]["request"]["uri"], "/go-log-lm/x");
}

#[test]
fn go_6_s_14_legacy_properties() {
    let upstream = EchoUpstream::start();
    let conf = format!(
        "plugins = bundled,go-hello-lm\ngo_plugins_dir = {}\ngo_pluginserver_exe = {}",
        peer("go-legacy/plugins").display(),
        peer("go-legacy/bin/go-pluginserver").display()
    );
    let plugins = [plugin("go-hello-lm", json!({ "message": "howdy" }))];
    let gateway =
        Gateway::builder().conf(&conf).declarative(&declarative::global(&upstream.url(), &plugins)).start();
    expect_hello(&gateway, "/", "howdy");
}

#[test]
fn go_7_embedded_server_of_the_messagepack_generation() {
    let upstream = EchoUpstream::start();
    let server = servers::go("go-hello", &peer("go-legacy/bin/go-hello"));
    let gateway = Gateway::builder()
        .conf(&format!("plugins = bundled,go-hello\npluginserver_names = go-hello\n{server}"))
        .declarative(&declarative::global(&upstream.url(), &[plugin("go-hello", json!({}))]))
        .start();
    expect_hello(&gateway, "/", "hello");
}

/// Two copies of one program under other names, and what their properties are.
fn go_8(properties: impl Fn(&str, &Path) -> String) {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let copy = |name: &str| {
        let path = folder.path().join(name);
        fs::copy(peer("go/bin/go-hello"), &path).expect("a copy of the program");
        path
    };
    let (mine, other) = (copy("my-plugin"), copy("other-one"));
    let upstream = EchoUpstream::start();
    let (one, two) =
        (plugin("my-plugin", json!({ "message": "one" })), plugin("other-one", json!({ "message": "two" })));
    let routes = [
        route("one", std::slice::from_ref(&one)),
        route("two", std::slice::from_ref(&two)),
        route("both", &[one.clone(), two.clone()]),
    ];
    let gateway = Gateway::builder()
        .conf(&format!(
            "plugins = bundled,my-plugin,other-one\npluginserver_names = my-plugin,other-one\n{}{}",
            properties("my-plugin", &mine),
            properties("other-one", &other)
        ))
        .declarative(&declarative::file(&upstream.url(), &routes))
        .start();
    for name in ["my-plugin", "other-one"] {
        gateway.wait_for_log(&format!("loading protocol ProtoBuf:1 for plugin {name}"));
        assert!(gateway.prefix().join(format!("{name}.socket")).exists(), "the socket of {name}");
    }
    expect_hello(&gateway, "/one", "one");
    expect_hello(&gateway, "/two", "two");
    // Both set the same header, so the one that runs last is seen: among equals, names sort downwards.
    expect_hello(&gateway, "/both", "one");
}

#[test]
fn go_8_two_servers_in_full() {
    go_8(|name, program| {
        let (key, program) = (name.replace('-', "_"), program.display());
        format!(
            "pluginserver_{key}_socket = {{prefix}}/{name}.socket\n\
             pluginserver_{key}_start_cmd = {program} -kong-prefix {{prefix}}\n\
             pluginserver_{key}_query_cmd = {program} -dump\n"
        )
    });
}

#[test]
fn go_8_two_servers_with_default_sockets() {
    go_8(servers::go);
}
