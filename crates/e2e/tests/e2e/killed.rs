//! A gateway that is killed leaves nothing behind that hurts the next one.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use polygate_testkit::gateway::{descendants_of, runs};
use polygate_testkit::peers::peer;
use polygate_testkit::{EchoUpstream, Gateway, Load, Request, eventually};
use serde_json::json;

use crate::declarative::{self, plugin, route};
use crate::servers;

const SERVERS: [&str; 6] = ["go-hello", "go-lm", "js", "py", "pyg", "pym"];
const ROUTES: [(&str, &str); 5] = [
    ("go-hello", "x-hello-from-go"),
    ("go-hello-lm", "x-hello-from-go"),
    ("js-hello", "x-hello-from-javascript"),
    ("py-hello", "x-hello-from-python"),
    ("py-plain", "x-hello-from-python"),
];

/// Python in its three modes: threads, gevent (with the plugins of the first, so it only runs) and processes. The Go
/// server has a companion that does not notice when anybody dies.
fn conf() -> String {
    let go = peer("go/bin/go-hello");
    [
        "plugins = bundled,go-hello,go-hello-lm,js-hello,py-hello,py-plain",
        &format!("pluginserver_names = {}", SERVERS.join(",")),
        &servers::go("go-hello", &go),
        &format!(
            "pluginserver_go_hello_start_cmd = /bin/sh -c 'sleep 600 & exec {} -kong-prefix {{prefix}}'",
            go.display()
        ),
        &servers::go_pluginserver("go-lm"),
        &servers::javascript("js"),
        &servers::python("py", "plugins", ""),
        &servers::python("pyg", "plugins", "-g --socket-name pyg.sock"),
        "pluginserver_pyg_socket = {prefix}/pyg.sock",
        &servers::python("pym", "plain", "-m --no-lua-style --socket-name pym.sock"),
        "pluginserver_pym_socket = {prefix}/pym.sock",
    ]
    .join("\n")
}

/// Every process of the gateway's plugin servers.
fn processes(gateway: &Gateway) -> BTreeSet<u32> {
    descendants_of(gateway.pid()).into_iter().collect()
}

/// Starts the killed gateway again; nothing of the one before runs then, and every plugin serves.
#[track_caller]
fn expect_start(gateway: &mut Gateway, before: &BTreeSet<u32>) {
    gateway.start_again();
    let left: Vec<_> = before.iter().filter(|pid| runs(**pid)).collect();
    assert!(left.is_empty(), "{left:?} run of the killed gateway's {before:?}");
    for (name, header) in ROUTES {
        let answer = Request::get(&format!("/{name}")).send(gateway.proxy()).expect(200);
        assert!(answer.header(header).is_some(), "{header} from {name}");
    }
    assert_eq!(gateway.children().len(), SERVERS.len(), "one process for each server");
}

#[test]
fn r_24_a_killed_gateway_starts_again() {
    let upstream = EchoUpstream::start();
    let routes = ROUTES.map(|(name, _)| route(name, &[plugin(name, json!({}))]));
    let mut gateway =
        Gateway::builder().conf(&conf()).declarative(&declarative::file(&upstream.url(), &routes)).start();
    let loads = ROUTES.map(|(name, _)| {
        Load::start(gateway.proxy(), 2, &Request::get(&format!("/{name}")), |answer| match answer.status {
            200 => Ok(()),
            other => Err(other.to_string()),
        })
    });
    let busy = || loads.iter().all(|load| load.answered() > 20).then_some(());
    eventually(Duration::from_secs(30), "answers on every route", busy);
    let before = processes(&gateway);
    assert!(before.len() > SERVERS.len(), "a process for each server, and others: {before:?}");
    gateway.kill();
    assert!(before.iter().any(|pid| runs(*pid)), "without a leftover nothing is tested");
    expect_start(&mut gateway, &before);
    drop(loads.map(Load::stop));

    gateway.wait_for_log(
        r"\[notice\].*ending process [0-9]+ of pluginserver 'go-hello', left by a gateway that was killed",
    );
    gateway.stop();
    let list = fs::read_to_string(gateway.prefix().join("pids/plugin-servers")).expect("the list");
    assert_eq!(list.lines().count(), 1, "nothing is left to end: {list}");
}
