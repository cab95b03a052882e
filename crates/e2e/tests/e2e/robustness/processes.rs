//! Loading, replacing and stopping: what the published servers print, leave behind and forget.

use std::fs;
use std::path::Path;
use std::time::Duration;

use polygate_testkit::fake_server::Ending;
use polygate_testkit::gateway::children_of;
use polygate_testkit::peers::peer;
use polygate_testkit::{FakeServer, Request, eventually};
use serde_json::json;

use crate::declarative::{plugin, route};
use crate::robustness::site::{Server, Site, faulty, gate, go, go_lm, javascript_in, python, with_key};

#[test]
fn r09_the_workers_of_a_python_server_end_with_it() {
    let mut site = Site::start(&[python("-m")], &[faulty("faults-py", "none")]);
    site.expect_ran("/faults-py.none");
    let workers: Vec<u32> = site.gateway.children().into_iter().flat_map(children_of).collect();
    assert!(!workers.is_empty(), "the server has workers");
    assert!(site.gateway.stop().success());
    for pid in workers {
        eventually(Duration::from_secs(5), &format!("the end of worker {pid}"), || {
            is_gone(pid).then_some(())
        });
    }
}

/// A process that has ended may wait for init to reap it.
fn is_gone(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).map_or(true, |stat| stat.contains(") Z "))
}

/// A folder with a copy of a peer's file.
fn folder_with(file: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let name = Path::new(file).file_name().expect("a file");
    fs::copy(peer(file), folder.path().join(name)).expect("a copy of the plugin");
    folder
}

#[test]
fn r10_a_broken_javascript_file_does_not_hide_the_others() {
    let folder = folder_with("js/faults/gate-js.js");
    fs::write(folder.path().join("broken.js"), "throw new Error('broken on purpose')\n").expect("writable");
    let server = Server { name: "js", plugins: vec!["gate-js"], conf: javascript_in(folder.path()) };
    let site = Site::start(&[server], &[route("gate", &[gate("gate-js")])]);
    site.send(&with_key("/gate")).expect(200);
    site.get("/gate").expect(401);
}

#[test]
fn r11_a_broken_go_plugin_does_not_hide_the_others() {
    let folder = folder_with("go-legacy/faults/gate-go-lm.so");
    fs::write(folder.path().join("broken.so"), "no plugin at all").expect("writable");
    let faults = peer("go-legacy/faults").display().to_string();
    let conf = go_lm().conf.replace(&faults, &folder.path().display().to_string());
    let server = Server { name: "go-lm", plugins: vec!["gate-go-lm"], conf };
    let site = Site::start(&[server], &[route("gate", &[gate("gate-go-lm")])]);
    site.send(&with_key("/gate")).expect(200);
    site.get("/gate").expect(401);
}

/// A ProtoBuf server that closes one instance forgets every other one older than a minute.
#[test]
fn r14_no_instance_of_a_protobuf_server_is_closed() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let socket = folder.path().join("fake.socket");
    let server = FakeServer::protobuf(&socket, |_| Ending::Return);
    let dump = json!({
        "Protocol": "ProtoBuf:1",
        "Plugins": [{ "Name": "fake", "Phases": ["access"], "Version": "1.0", "Priority": 1, "Schema":
            { "name": "fake", "fields": [{ "config": { "type": "record", "fields": [{ "n": { "type": "integer" } }] } }] } }],
    });
    let conf = format!("pluginserver_fake_query_cmd = echo '{dump}'\n");
    let fake = Server { name: "fake", plugins: vec!["fake"], conf };
    let fake = fake.with("socket", &socket.display().to_string());
    let with = |n: i32| [route("fake", &[plugin("fake", json!({ "n": n }))])];
    let site = Site::start(&[fake], &with(0));
    for n in 1..=5 {
        site.get("/fake").expect(200);
        site.reload(&with(n));
    }
    site.get("/fake").expect(200);
    let methods: Vec<String> = server.received().into_iter().map(|it| it.method).collect();
    assert_eq!(methods.iter().filter(|it| *it == "cmd_start_instance").count(), 6, "{methods:?}");
    assert!(!methods.iter().any(|it| it == "cmd_close_instance"), "{methods:?}");
}

/// Two instances under one number would answer for one another.
#[test]
fn r15_instances_have_numbers_of_their_own_across_reloads() {
    let gates = |life: usize| {
        ["one", "two"]
            .map(|name| route(name, &[plugin("gate-go", json!({ "key": format!("{name}-{life}") }))]))
    };
    let site = Site::start(&[go("gate-go")], &gates(0));
    for life in 0..5 {
        if life > 0 {
            site.reload(&gates(life));
        }
        for path in ["one", "two"] {
            let open =
                |key: String| site.send(&Request::get(&format!("/{path}")).header("X-Key", key)).status;
            for key in [format!("one-{life}"), format!("two-{life}"), format!("{path}-{}", life + 1)] {
                let own = key == format!("{path}-{life}");
                assert_eq!(open(key.clone()), if own { 200 } else { 401 }, "/{path} with {key}");
            }
        }
    }
    assert_eq!(site.starts("gate-go"), 1);
}

#[test]
fn r29_a_folder_that_node_cannot_resolve_is_explained() {
    let folder = folder_with("js/faults/gate-js.js");
    fs::create_dir(folder.path().join("empty")).expect("writable");
    let server = Server { name: "js", plugins: vec!["gate-js"], conf: javascript_in(folder.path()) };
    let site = Site::start(&[server, go("gate-go")], &[route("gate", &[gate("gate-go")])]);
    let empty = folder.path().join("empty");
    site.gateway
        .wait_for_log(&format!(r"\[error\].*js.*standard error: .*Cannot find module '{}'", empty.display()));
    site.send(&with_key("/gate")).expect(200);
}

#[test]
fn r30_a_plugin_is_called_in_its_own_phases_only() {
    let gates = ["gate-go", "gate-go-lm", "gate-py"];
    let plugins = [gate(gates[0]), gate(gates[1]), gate(gates[2]), plugin("faults-py", json!({}))];
    let site = Site::start(&[go("gate-go"), go_lm(), python("")], &[route("gates", &plugins)]);
    let answer = site.send(&with_key("/gates")).expect(200);
    assert_eq!(answer.header("x-faults-response"), Some("ran"));
    // The gates have higher priorities: by now they would have had their turn.
    site.gateway.wait_for_log("X-Faults-log: ran");
    assert_eq!(site.count(r"\[gate-.*pluginserver error"), 0);
}
