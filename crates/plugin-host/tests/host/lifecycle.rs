//! Servers that come, go and change, and the instances in them.

use std::sync::Arc;
use std::time::Duration;

use polygate_chain::{Plugin as _, Value};
use polygate_plugin_host::{PluginServers, Query};
use polygate_testkit::fake_server::{Ending, FakeServer, Sdk};
use serde_json::{Value as Json, json};

use crate::harness::{Host, PLUGIN, configuration, failure, pass, settings};

async fn host() -> Host {
    Host::new("MsgPack:1", |_| {}).await
}

fn configs(server: &FakeServer) -> Vec<Json> {
    let text = |param: Json| param["Config"].as_str().map(str::to_owned).expect("is text");
    let starts = server.params("plugin.StartInstance").into_iter().map(text);
    starts.map(|text| serde_json::from_str(&text).expect("is JSON")).collect()
}

#[tokio::test]
async fn no_server_is_503() {
    let host = Host::new("MsgPack:1", |settings| settings.connect_timeout = Duration::from_millis(50)).await;
    let handler = host.handler(json!({})).await;
    assert_eq!(failure(&handler).await, (503, "plugin_server_unavailable"));
    assert_eq!(host.failures("plugin_server_unavailable"), 1);
}

#[tokio::test]
async fn an_event_waits_for_its_server() {
    let host = Host::new("MsgPack:1", |settings| settings.connect_timeout = Duration::from_secs(10)).await;
    let configuration = Arc::new(configuration(1, json!({})));
    let handler = host.servers.plugins()[0].configure(&configuration);
    let start = async {
        tokio::task::yield_now().await;
        FakeServer::msgpack(host.socket(), Sdk::Go, |_| Ending::Return)
    };
    let (_server, _request) = tokio::join!(start, pass(&handler));
}

#[tokio::test]
async fn instances_are_started_before_the_first_event_and_kept() {
    let host = host().await;
    let server = FakeServer::msgpack(host.socket(), Sdk::Python, |_| Ending::Return);
    let one = host.handler(json!({"n": 1})).await;
    assert_eq!(configs(&server).len(), 1);
    let same = host.handler(json!({"n": 1})).await;
    pass(&one).await;
    pass(&same).await;
    assert_eq!(configs(&server).len(), 1, "an unchanged configuration keeps its instance");
    assert_eq!(host.status().instances, 1);
}

#[tokio::test]
async fn a_replaced_instance_is_closed_when_nobody_uses_it() {
    let host = host().await;
    let server = FakeServer::msgpack(host.socket(), Sdk::Python, |event| {
        event.call(
            "kong.ctx.shared.set",
            [Value::str("n"), Value::Int(event.config["n"].as_i64().unwrap_or(-1))],
        );
        Ending::Return
    });
    let old = host.handler(json!({"n": 1})).await;
    let new = host.handler(json!({"n": 2})).await;
    // A request that began with the old configuration still finds it.
    assert_eq!(pass(&old).await.session.shared["n"].as_int(), Some(1));
    assert_eq!(server.params("plugin.CloseInstance"), Vec::<Json>::new());
    drop(old);
    assert_eq!(pass(&new).await.session.shared["n"].as_int(), Some(2));
    host.until("the close", |_| server.params("plugin.CloseInstance") == [json!(0)]).await;
    let sequences: Vec<_> = configs(&server).iter().map(|it| it["__seq__"].as_i64()).collect();
    assert!(sequences.is_sorted_by(|a, b| a < b), "{sequences:?}");
}

#[tokio::test]
async fn a_restarted_server_gets_its_instances_again() {
    let host = host().await;
    let script = |event: &mut polygate_testkit::fake_server::MsgPackEvent<'_>| {
        let name = Value::str(event.config["name"].as_str().unwrap_or_default());
        event.call("kong.ctx.shared.set", [Value::str("name"), name]);
        Ending::Return
    };
    let first = FakeServer::msgpack(host.socket(), Sdk::JavaScript, script);
    let configurations: Vec<_> = ["a", "b"]
        .iter()
        .zip(1..)
        .map(|(name, id)| Arc::new(configuration(id, json!({"name": name}))))
        .collect();
    assert_eq!(host.servers.prepare(&configurations).await, []);
    let handlers: Vec<_> = configurations.iter().map(|it| host.servers.plugins()[0].configure(it)).collect();
    let generation = host.status().generation;
    for (handler, name) in handlers.iter().zip(["a", "b"]) {
        assert_eq!(pass(handler).await.session.shared["name"].as_str(), Some(name));
    }
    drop(first);
    let second = FakeServer::msgpack(host.socket(), Sdk::JavaScript, script);
    // Both scripted servers have the process id of this test, so only the closed connection tells.
    host.until("the new generation", |status| status.generation > generation).await;
    // Ids count from 0 again and may mean the other instance: whoever relied on them would be wrong.
    for (handler, name) in handlers.iter().rev().zip(["b", "a"]) {
        assert_eq!(pass(handler).await.session.shared["name"].as_str(), Some(name));
    }
    assert_eq!(configs(&second).len(), 2);
}

#[tokio::test]
async fn a_reload_keeps_servers_that_did_not_change() {
    let mut host = host().await;
    let server = FakeServer::msgpack(host.socket(), Sdk::Python, |_| Ending::Return);
    let handler = host.handler(json!({})).await;
    pass(&handler).await;
    let generation = host.status().generation;

    let same = settings(host.directory.path(), "MsgPack:1");
    let next = host.servers.reload(vec![same.clone()]).await;
    host.servers.retire(&next).await;
    host.servers = next;
    pass(&host.handler(json!({})).await).await;
    assert_eq!(host.status().generation, generation);
    assert_eq!(host.count("polygate_plugin_events_total", ""), 2, "counters go on");
    assert_eq!(configs(&server).len(), 1);

    let mut changed = same;
    changed.event_timeout = Some(Duration::from_secs(9));
    let next = host.servers.reload(vec![changed]).await;
    let new = next.plugins()[0].configure(&Arc::new(configuration(1, json!({}))));
    assert_eq!(next.prepare(&[Arc::new(configuration(1, json!({})))]).await, []);
    // A request that began with the old configuration ends with the old server.
    let use_both = async {
        pass(&new).await;
        pass(&handler).await;
        drop(handler);
    };
    tokio::join!(host.servers.retire(&next), use_both);
    pass(&new).await;
    assert_eq!(host.status().state, "stopped");
    next.stop().await;
    assert_eq!(failure(&new).await, (503, "plugin_server_unavailable"));
}

#[tokio::test]
async fn a_server_with_other_plugins_is_a_new_one() {
    let host = host().await;
    let _server = FakeServer::msgpack(host.socket(), Sdk::Python, |_| Ending::Return);
    // The same command prints another version, as after an update of the plugin.
    let mut settings = settings(host.directory.path(), "MsgPack:1");
    let file = host.directory.path().join("version");
    settings.query = Query::All(format!(
        r#"echo '[{{"Name":"{PLUGIN}","Phases":["log"],"Version":"'$(cat {})'"}}]'"#,
        file.display()
    ));
    std::fs::write(&file, "1.0").expect("writes");
    let first = host.servers.reload(vec![settings.clone()]).await;
    let second = first.reload(vec![settings.clone()]).await;
    std::fs::write(&file, "1.1").expect("writes");
    let third = second.reload(vec![settings]).await;
    host.servers.retire(&first).await;
    first.retire(&second).await;
    assert_ne!(first.status()[0].state, "stopped");
    second.retire(&third).await;
    assert_eq!(first.status()[0].state, "stopped");
    assert_ne!(third.status()[0].state, "stopped");
}

#[tokio::test]
async fn only_servers_that_changed_or_did_not_answer_are_asked() {
    let directory = tempfile::tempdir().expect("a directory");
    let asking = |name: &str, answer: &str| {
        let mut settings = settings(directory.path(), "MsgPack:1");
        settings.name = name.into();
        settings.query =
            Query::All(format!("cd {}; echo asked >> {name}; {answer}", directory.path().display()));
        settings
    };
    let dump = format!(r#"echo '[{{"Name":"{PLUGIN}","Phases":["log"]}}]'"#);
    let all = vec![asking("good", &dump), asking("bad", "exit 1")];
    let queries = |name| std::fs::read_to_string(directory.path().join(name)).expect("asked").lines().count();
    let first = PluginServers::start(all.clone()).await;
    let second = first.reload(all.clone()).await;
    assert_eq!((queries("good"), queries("bad")), (1, 2));
    assert_eq!(second.plugins().len(), 1, "what it announced is known");
    let mut changed = all;
    changed[0].event_timeout = Some(Duration::from_secs(9));
    let third = second.reload(changed).await;
    assert_eq!((queries("good"), third.plugins().len()), (2, 1));
    second.retire(&third).await;
    third.stop().await;
}

#[tokio::test]
async fn a_failed_query_is_shown_and_hurts_nobody_else() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut broken = settings(directory.path(), "MsgPack:1");
    broken.name = "broken".into();
    broken.query = Query::All("echo why >&2; exit 1".into());
    let mut twin = settings(directory.path(), "MsgPack:1");
    twin.name = "twin".into();
    let servers = PluginServers::start(vec![broken, settings(directory.path(), "ProtoBuf:1"), twin]).await;
    // The same name twice: the first server has it.
    assert_eq!(servers.plugins().len(), 1);
    assert_eq!(servers.plugins()[0].server_name(), "test");
    let status = servers.status();
    let broken = status.iter().find(|it| it.name == "broken").expect("is listed");
    assert_eq!(broken.state, "unused");
    assert!(broken.query_error.as_ref().is_some_and(|it| it.contains("why")), "{broken:?}");
}

/// The plugin's file is named by the start command and says what the dump says either way.
#[tokio::test]
async fn a_server_with_changed_files_is_a_new_one() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("plugin.py");
    std::fs::write(&file, "one").expect("writes");
    let mut settings = settings(directory.path(), "MsgPack:1");
    settings.start_cmd = Some(format!("sleep 1000; {}", file.display()));
    let first = PluginServers::start(vec![settings.clone()]).await;
    let second = first.reload(vec![settings.clone()]).await;
    first.retire(&second).await;
    assert_eq!(first.status()[0].state, "starting", "nothing changed");
    std::fs::write(&file, "another").expect("writes");
    let third = second.reload(vec![settings]).await;
    second.retire(&third).await;
    assert_eq!((second.status()[0].state, third.status()[0].state), ("stopped", "starting"));
    third.stop().await;
}
