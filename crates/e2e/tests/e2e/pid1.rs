//! The gateway as the first process of a container. Two published servers end themselves when their parent is process
//! 1, and whatever loses its parent becomes a child of process 1.

use std::path::Path;
use std::time::Duration;

use polygate_testkit::eventually::{eventually, within};
use polygate_testkit::gateway::{children_of, kill};
use polygate_testkit::{EchoUpstream, Gateway, Request};
use serde_json::json;

use crate::declarative::{self, plugin, route};
use crate::servers;

/// The servers look for their parent once a second.
const WATCHDOGS: Duration = Duration::from_secs(4);

fn conf() -> String {
    [
        "plugins = bundled,go-hello-lm,py-hello,py-plain\npluginserver_names = go-lm,py,pym",
        &servers::go_pluginserver("go-lm"),
        &servers::python("py", "plugins", "-g"),
        &servers::python("pym", "plain", "-m --no-lua-style --socket-name pym.sock"),
        "pluginserver_pym_socket = {prefix}/pym.sock",
    ]
    .join("\n")
}

/// The only child of process 1: the gateway itself.
#[track_caller]
fn inner(gateway: &Gateway) -> u32 {
    match gateway.children().as_slice() {
        [inner] => *inner,
        other => panic!("process 1 has one child, not {other:?}"),
    }
}

#[test]
fn r_23_servers_live_when_the_gateway_is_process_1() {
    let upstream = EchoUpstream::start();
    let routes = ["go-hello-lm", "py-hello", "py-plain"].map(|name| route(name, &[plugin(name, json!({}))]));
    let mut gateway = Gateway::builder()
        .conf(&conf())
        .declarative(&declarative::file(&upstream.url(), &routes))
        .first_process()
        .start();
    let expect_service = || {
        for (path, header) in [
            ("/go-hello-lm", "x-hello-from-go"),
            ("/py-hello", "x-hello-from-python"),
            ("/py-plain", "x-hello-from-python"),
        ] {
            let answer = Request::get(path).send(gateway.proxy()).expect(200);
            assert!(answer.header(header).is_some(), "{header} from {path}");
        }
    };
    expect_service();
    let inner = inner(&gateway);
    let servers = children_of(inner);
    assert_eq!(servers.len(), 3, "one process for each server");
    let changed = within(WATCHDOGS, || Some(children_of(inner)).filter(|now| *now != servers));
    assert_eq!(changed, None, "the servers keep their processes {servers:?}");
    expect_service();

    // Its workers become children of process 1 when it is gone.
    let leader = *servers.iter().find(|pid| !children_of(**pid).is_empty()).expect("a server with workers");
    let workers = children_of(leader);
    kill(leader);
    let gone = || workers.iter().all(|pid| !Path::new(&format!("/proc/{pid}")).exists()).then_some(());
    eventually(Duration::from_secs(10), "the end of the orphans, waited for by process 1", gone);
    expect_service();

    let status = gateway.stop();
    assert!(status.success(), "{status}");
    assert!(servers.iter().all(|pid| !Path::new(&format!("/proc/{pid}")).exists()), "no server is left");
    assert!(gateway.error_log().contains("successfully stopped pluginserver 'py'"), "a polite stop");
}

#[test]
fn process_1_ends_as_the_gateway_does() {
    let mut gateway = Gateway::builder().first_process().start();
    kill(inner(&gateway));
    assert_eq!(gateway.ended().code(), Some(128 + 9));

    let refused = Gateway::builder().conf("proxy_listen = nonsense").first_process().start_refused();
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
}
