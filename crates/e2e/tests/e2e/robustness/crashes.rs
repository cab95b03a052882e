//! Processes that end, at the worst moment or between two requests: only the requests inside them are lost.

use std::os::unix::net::UnixListener;

use polygate_testkit::{Load, Request, Response};
use serde_json::{Value, json};

use crate::declarative::{plugin, route};
use crate::robustness::site::{
    External, Server, Site, common, faulty, gate, go, go_lm, javascript, python, with_key,
};

fn must_pass(answer: &Response) -> Result<(), String> {
    if answer.status == 200 { Ok(()) } else { Err(format!("{} {}", answer.status, answer.text())) }
}

/// A panic ends the whole server: the request inside is refused, the next one served, and nobody else notices.
#[track_caller]
fn expect_one_lost_request(server: Server, name: &str, fault: &str) {
    let routes = [faulty(name, fault), faulty(name, "none"), route("gate", &[gate("gate-go")])];
    let site = Site::start(&[server.clone(), go("gate-go")], &routes);
    let load = Load::start(site.gateway.proxy(), 2, &with_key("/gate"), must_pass);
    for crashes in 1..=2 {
        site.expect_failure(&format!("/{name}.{fault}"), 500, "plugin_crashed");
        // The next event waits for the new process and its instances.
        site.expect_ran(&format!("/{name}.none"));
        assert_eq!(site.starts(server.name), 1 + crashes, "one process for each panic");
    }
    let outcome = load.stop();
    assert_eq!(outcome.failures, [""; 0], "of {} requests to another server", outcome.answered);
}

#[test]
fn r12_a_go_panic_costs_one_request() {
    expect_one_lost_request(go("faults-go"), "faults-go", "raise_after");
}

#[test]
fn r12_a_panic_in_go_pluginserver_costs_one_request() {
    expect_one_lost_request(go_lm(), "faults-go-lm", "raise_after");
}

#[test]
fn r12_a_go_panic_before_the_first_call_costs_one_request() {
    expect_one_lost_request(go("faults-go"), "faults-go", "raise_before");
}

#[test]
fn r12_a_panic_in_go_pluginserver_before_the_first_call_costs_one_request() {
    expect_one_lost_request(go_lm(), "faults-go-lm", "raise_before");
}

#[test]
fn a_javascript_process_that_is_killed_costs_one_request() {
    expect_one_lost_request(javascript(), "faults-js", "oom");
}

#[test]
fn a_python_process_that_is_killed_costs_one_request() {
    expect_one_lost_request(python(""), "faults-py", "oom");
}

#[track_caller]
fn expect_exit(site: &Site, name: &str) {
    let answer = site.get(&format!("/{name}.exit_then_calls/exit/{name}")).expect(403);
    assert_eq!(answer.text(), "refused", "{name}");
    assert_eq!(answer.header("x-faults-late"), None, "{name}");
    assert_eq!(site.upstream.hits(&format!("/exit/{name}")), 0, "{name}");
}

#[test]
fn r20_calls_after_exit_count_for_nothing() {
    let site = common();
    for (name, server) in [("faults-go", "faults-go"), ("faults-js", "js"), ("faults-py", "py")] {
        for _ in 0..3 {
            expect_exit(&site, name);
            site.expect_ran(&format!("/{name}.none"));
        }
        assert_eq!(site.starts(server), 1, "{name}");
    }
}

/// The SDK panics at a call after exit, which ends the server.
#[test]
fn r20_calls_after_exit_may_end_go_pluginserver() {
    let name = "faults-go-lm";
    let site = Site::start(&[go_lm()], &[faulty(name, "exit_then_calls"), faulty(name, "none")]);
    let answer = site.get(&format!("/{name}.exit_then_calls/exit"));
    // The process may end before the call was written.
    let reason = answer.header("x-polygate-reason");
    assert!(matches!((answer.status, reason), (403, None) | (500, Some("plugin_crashed"))), "{answer:?}");
    assert_eq!(site.upstream.hits("/exit"), 0);
    site.expect_recovery(&format!("/{name}.none"));
}

/// Two gates of one server with keys of their own.
fn two_gates(name: &str) -> [Value; 2] {
    ["one", "two"].map(|key| route(key, &[plugin(name, json!({ "key": key }))]))
}

/// Each gate opens to its own key and not to the other's, whatever ids the instances have.
#[track_caller]
fn expect_own_keys(site: &Site) {
    for (path, other) in [("two", "one"), ("one", "two")] {
        for _ in 0..3 {
            let open = |key: &str| site.send(&Request::get(&format!("/{path}")).header("X-Key", key)).status;
            assert_eq!((open(path), open(other)), (200, 401), "/{path}");
        }
    }
}

/// A server that somebody else runs is started again: its instance ids begin at 0 again.
#[track_caller]
fn expect_new_instances(server: Server, gate: &str) {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let (server, command) = server.external(folder.path());
    let mut process = External::run(&command);
    let site = Site::start(&[server], &two_gates(gate));
    expect_own_keys(&site);
    for _ in 0..2 {
        drop(process);
        process = External::run(&command);
        expect_own_keys(&site);
    }
}

#[test]
fn r21_a_python_server_started_again_has_new_instances() {
    expect_new_instances(python(""), "gate-py");
}

#[test]
fn r21_a_javascript_server_started_again_has_new_instances() {
    expect_new_instances(javascript(), "gate-js");
}

#[test]
fn r21_a_go_pluginserver_started_again_has_new_instances() {
    expect_new_instances(go_lm(), "gate-go-lm");
}

#[test]
fn r22_a_stale_socket_is_a_server_that_is_not_up() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let (server, command) = python("").external(folder.path());
    drop(UnixListener::bind(folder.path().join("python_pluginserver.sock")).expect("a free path"));
    let site = Site::start(&[server.with("connect_timeout", "300ms")], &[faulty("faults-py", "none")]);
    site.expect_failure("/faults-py.none", 503, "plugin_server_unavailable");
    let _process = External::run(&command);
    site.expect_recovery("/faults-py.none");
}
