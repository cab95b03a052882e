//! Processes: start, output, crash, replacement, stop.

use std::fs;
use std::sync::{Mutex, mpsc};
use std::time::{Duration, Instant};

use polygate_chain::Value;
use polygate_plugin_host::ServerSettings;
use polygate_testkit::fake_server::{Ending, FakeServer, Sdk};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde_json::json;

use crate::harness::{Host, access, dump, failure, pass, request};

/// A server whose process runs a shell command; `$D` is its directory. Who listens is a scripted server.
async fn host(command: &str) -> Host {
    host_with(command, |_| {}).await
}

async fn host_with(command: &str, change: impl FnOnce(&mut ServerSettings)) -> Host {
    Host::new("MsgPack:1", |settings| {
        let directory = settings.socket.parent().expect("a directory").display().to_string();
        settings.start_cmd = Some(format!("/bin/sh -c '{}'", command.replace("$D", &directory)));
        change(settings);
    })
    .await
}

async fn pid(host: &Host, file: &str) -> Pid {
    let path = host.directory.path().join(file);
    host.until("the file with the process id", |_| {
        fs::read_to_string(&path).is_ok_and(|it| it.ends_with('\n'))
    })
    .await;
    let text = fs::read_to_string(path).expect("is there");
    Pid::from_raw(text.trim().parse().expect("a number")).expect("not 0")
}

#[tokio::test]
async fn a_process_is_started_served_and_stopped_with_its_group() {
    let host = host("echo $$ >$D/leader; sleep 1000 & echo $! >$D/child; wait").await;
    let (leader, child) = (pid(&host, "leader").await, pid(&host, "child").await);
    assert_eq!(host.status().starts, 1);
    let _server = FakeServer::msgpack(host.socket(), Sdk::Python, |_| Ending::Return);
    pass(&host.handler(json!({})).await).await;
    host.servers.stop().await;
    assert_eq!(host.status().state, "stopped");
    assert!(test_kill_process(leader).is_err(), "the leader was reaped");
    // The child belongs to init now, which may take its time to reap it.
    let dead = |pid: Pid| {
        let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).unwrap_or_default();
        stat.is_empty() || stat.contains(") Z ")
    };
    host.until("the end of the child", |_| dead(child)).await;
}

#[tokio::test]
async fn who_ignores_the_polite_signal_is_killed() {
    let host = host("trap \"\" TERM; echo $$ >$D/leader; while :; do sleep 1; done").await;
    let leader = pid(&host, "leader").await;
    host.servers.stop().await;
    assert!(test_kill_process(leader).is_err());
}

#[tokio::test]
async fn a_crash_costs_a_restart_and_the_instances_come_back() {
    let host = host("echo $$ >$D/leader; exec sleep 1000").await;
    let leader = pid(&host, "leader").await;
    let server = FakeServer::msgpack(host.socket(), Sdk::Go, |_| Ending::Return);
    let handler = host.handler(json!({})).await;
    pass(&handler).await;
    let generation = host.status().generation;
    kill_process(leader, Signal::KILL).expect("is alive");
    drop(server);
    // The new process finds the old socket removed.
    host.until("the second start", |status| status.starts == 2).await;
    assert!(!host.socket().exists());
    let server = FakeServer::msgpack(host.socket(), Sdk::Go, |_| Ending::Return);
    pass(&handler).await;
    let status = host.status();
    assert!(status.generation > generation);
    assert_eq!(status.last_end.as_deref(), Some("signal 9"));
    assert_eq!(server.params("plugin.StartInstance").len(), 1);
}

#[tokio::test]
async fn output_is_kept_without_its_colours() {
    let host = host(r#"printf "\033[31mred\033[0m\r\n"; echo warning >&2; exec sleep 1000"#).await;
    let status = host.until("the output", |status| status.output.len() == 2).await;
    let mut output = status.output;
    output.sort();
    assert_eq!(output, ["red", "warning"]);
}

#[tokio::test]
async fn a_command_that_keeps_ending_is_a_crash_loop() {
    let host = host_with("exit 0", |settings| {
        settings.start_cmd = Some("/no/such/command".into());
        settings.connect_timeout = Duration::from_secs(30);
    })
    .await;
    // One event waits until it is clear that waiting is hopeless.
    let handler = polygate_chain::Plugin::configure(
        &*host.servers.plugins()[0],
        &std::sync::Arc::new(crate::harness::configuration(1, json!({}))),
    );
    assert_eq!(failure(&handler).await, (503, "plugin_server_unavailable"));
    let status = host.status();
    assert_eq!((status.state, status.starts), ("crash_loop", 5));
    assert_eq!(status.last_end.as_deref(), Some("exit 127"));
    host.servers.stop().await;
}

#[tokio::test]
async fn a_wedged_server_is_replaced() {
    let host = host_with("echo $$ >$D/leader; exec sleep 1000", |settings| {
        settings.event_timeout = Some(Duration::from_millis(200));
    })
    .await;
    let leader = pid(&host, "leader").await;
    let server = FakeServer::msgpack(host.socket(), Sdk::Python, |_| Ending::Wedge);
    let handler = host.handler(json!({})).await;
    assert_eq!(failure(&handler).await, (504, "plugin_deadline"));
    host.until("the second start", |status| status.starts == 2).await;
    assert!(test_kill_process(leader).is_err());
    drop(server);
}

#[tokio::test]
async fn a_slow_handler_does_not_cost_the_server_its_life() {
    let host = host_with("echo $$ >$D/leader; exec sleep 1000", |settings| {
        settings.event_timeout = Some(Duration::from_millis(100));
    })
    .await;
    pid(&host, "leader").await;
    let server = FakeServer::msgpack(host.socket(), Sdk::Go, |_| Ending::Hang);
    let handler = host.handler(json!({})).await;
    assert_eq!(failure(&handler).await, (504, "plugin_deadline"));
    // The probe is an event for an instance that no server has.
    let probed = |_: &_| server.params("plugin.HandleEvent").iter().any(|it| it["InstanceId"] == -1);
    host.until("the probe", probed).await;
    assert_eq!(failure(&handler).await, (504, "plugin_deadline"));
    let status = host.status();
    assert_eq!((status.starts, status.state), (1, "ready"));
}

/// As by default: no limit to an event, and a minute for each message.
fn default_times(settings: &mut ServerSettings) {
    settings.event_timeout = None;
    settings.step_timeout = Duration::from_secs(60);
}

/// What a handler asks of the script's test: to be let go on.
fn gate() -> (mpsc::Sender<()>, impl Fn() + Send + Sync) {
    let (go_on, wait) = mpsc::channel::<()>();
    let wait = Mutex::new(wait);
    let wait = move || {
        let _ = wait.lock().expect("no script panics").recv();
    };
    (go_on, wait)
}

#[tokio::test]
async fn a_silent_handler_is_left_alone_while_its_server_answers() {
    let host = host_with("echo $$ >$D/leader; exec sleep 1000", default_times).await;
    pid(&host, "leader").await;
    let (go_on, wait) = gate();
    let server = FakeServer::msgpack(host.socket(), Sdk::Python, move |_| {
        wait();
        Ending::Return
    });
    let handler = host.handler(json!({})).await;
    let asked = || server.params("plugin.GetPluginInfo").len();
    let before = asked();
    let probed_twice = async {
        host.until("two probes", |_| asked() >= before + 2).await;
        go_on.send(()).expect("the handler waits");
    };
    tokio::join!(pass(&handler), probed_twice);
    assert_eq!(
        server.params("plugin.HandleEvent").len(),
        1,
        "a Python server prints a line for an odd event"
    );
    let status = host.status();
    assert_eq!((status.starts, status.state), (1, "ready"));
}

#[tokio::test]
async fn a_server_that_answers_nothing_is_replaced_and_its_events_end() {
    for protocol in ["MsgPack:1", "ProtoBuf:1"] {
        let host = host_with("echo $$ >$D/leader; exec sleep 1000", |settings| {
            default_times(settings);
            settings.query = dump(protocol);
        })
        .await;
        let leader = pid(&host, "leader").await;
        let server = match protocol {
            "MsgPack:1" => FakeServer::msgpack(host.socket(), Sdk::Go, |_| Ending::Freeze),
            _ => FakeServer::protobuf(host.socket(), |_| Ending::Freeze),
        };
        let handler = host.handler(json!({})).await;
        let start = Instant::now();
        assert_eq!(failure(&handler).await, (500, "plugin_crashed"), "{protocol}");
        assert!(start.elapsed() >= Duration::from_secs(2), "silence comes first");
        host.until("the second start", |status| status.starts == 2).await;
        assert!(test_kill_process(leader).is_err());
        drop(server);
    }
}

/// Nobody closes its connections: the events are told.
#[tokio::test]
async fn events_of_a_server_that_somebody_else_has_to_restart_end_too() {
    let host = Host::new("MsgPack:1", default_times).await;
    let server = FakeServer::msgpack(host.socket(), Sdk::Go, |_| Ending::Freeze);
    let handler = host.handler(json!({})).await;
    let failure = access(&handler, &mut request()).await.expect_err("the event fails");
    assert_eq!((failure.status, failure.reason), (500, "plugin_crashed"));
    assert!(failure.message.contains("it did not answer any more"), "{failure}");
    drop(server);
}

/// A process that prints what the Python SDK does when a handler has raised.
const RAISES: &str = "echo $$ >$D/leader; until [ -e $D/raise ]; do sleep 0.02; done; \
                      echo \"  File server.py, line 62, in _handler_event_func\" >&2; exec sleep 1000";

#[tokio::test]
async fn a_python_server_wedged_by_an_exception_is_replaced_at_once() {
    let host = host_with(RAISES, default_times).await;
    let leader = pid(&host, "leader").await;
    let sign = host.directory.path().join("raise");
    let server = FakeServer::msgpack(host.socket(), Sdk::Python, move |_| {
        fs::write(&sign, "").expect("writes");
        Ending::Wedge
    });
    let handler = host.handler(json!({})).await;
    let start = Instant::now();
    assert_eq!(failure(&handler).await, (500, "plugin_crashed"));
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    host.until("the second start", |status| status.starts == 2).await;
    assert!(test_kill_process(leader).is_err());
    drop(server);
}

#[tokio::test]
async fn a_python_server_that_survived_an_exception_is_kept() {
    let host = host_with(RAISES, default_times).await;
    pid(&host, "leader").await;
    let server = FakeServer::msgpack(host.socket(), Sdk::Python, |_| Ending::Return);
    let handler = host.handler(json!({})).await;
    fs::write(host.directory.path().join("raise"), "").expect("writes");
    let probed = |_: &_| server.params("plugin.HandleEvent").iter().any(|it| it["InstanceId"] == -1);
    host.until("the probe", probed).await;
    pass(&handler).await;
    let status = host.status();
    assert_eq!((status.starts, status.state), (1, "ready"));
}

/// Python says nothing of it, and its server goes on.
#[tokio::test]
async fn an_exception_after_a_call_ends_its_event_if_it_is_the_only_one() {
    let host = host_with(RAISES, default_times).await;
    pid(&host, "leader").await;
    let sign = host.directory.path().join("raise");
    let _server = FakeServer::msgpack(host.socket(), Sdk::Python, move |event| {
        event.call("kong.ctx.shared.get", [Value::str("x")]);
        if event.config["raises"] == true {
            fs::write(&sign, "").expect("writes");
            return Ending::Hang;
        }
        Ending::Return
    });
    let raises = host.handler(json!({"raises": true})).await;
    let returns = host.handler(json!({"raises": false})).await;
    let start = Instant::now();
    assert_eq!(failure(&raises).await, (500, "plugin_error"));
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    pass(&returns).await;
    let status = host.status();
    assert_eq!((status.starts, status.state), (1, "ready"));
}

#[tokio::test]
async fn each_message_has_its_time() {
    let host = Host::new("MsgPack:1", |settings| {
        settings.event_timeout = None;
        settings.step_timeout = Duration::from_millis(300);
    })
    .await;
    let _server = FakeServer::msgpack(host.socket(), Sdk::JavaScript, |event| {
        // Longer than one message may take, all in all.
        for _ in 0..5 {
            std::thread::sleep(Duration::from_millis(100));
            event.call("kong.ctx.shared.get", [Value::str("x")]);
        }
        if event.config["hangs"] == true { Ending::Hang } else { Ending::Return }
    });
    pass(&host.handler(json!({})).await).await;
    let handler = host.handler(json!({"hangs": true})).await;
    let failure = access(&handler, &mut request()).await.expect_err("the event fails");
    assert_eq!((failure.status, failure.reason), (504, "plugin_deadline"));
    assert!(failure.message.contains("sent nothing for 300 ms"), "{failure}");
}

#[tokio::test]
async fn a_process_that_served_enough_is_replaced_without_a_gap() {
    let host =
        host_with("echo $$ >$D/leader; exec sleep 1000", |settings| settings.max_events = Some(2)).await;
    let first = pid(&host, "leader").await;
    let script = |event: &mut polygate_testkit::fake_server::MsgPackEvent<'_>| {
        event.call("kong.ctx.shared.get", [Value::str("x")]);
        Ending::Return
    };
    let old = FakeServer::msgpack(host.socket(), Sdk::JavaScript, script);
    let handler = host.handler(json!({})).await;
    let generation = host.status().generation;
    pass(&handler).await;
    pass(&handler).await;
    host.until("the second start", |status| status.starts == 2).await;
    // The new process does not listen yet: the old one serves.
    pass(&handler).await;
    assert_eq!(host.status().generation, generation);
    assert!(test_kill_process(first).is_ok());
    assert_eq!(old.params("plugin.StartInstance").len(), 1);

    let new = FakeServer::msgpack(host.socket(), Sdk::JavaScript, script);
    host.until("the new generation", |status| status.generation > generation).await;
    pass(&handler).await;
    assert_eq!(new.params("plugin.StartInstance").len(), 1);
    host.until("the end of the old process", |_| test_kill_process(first).is_err()).await;
    assert_eq!(host.status().state, "ready");
    host.servers.stop().await;
}

#[tokio::test]
async fn a_process_of_age_is_replaced() {
    let host =
        host_with("exec sleep 1000", |settings| settings.max_age = Some(Duration::from_millis(1))).await;
    host.until("the first start", |status| status.starts == 1).await;
    let _server = FakeServer::msgpack(host.socket(), Sdk::JavaScript, |_| Ending::Return);
    host.until("the second start", |status| status.starts == 2).await;
    host.servers.stop().await;
}

#[tokio::test]
async fn a_process_that_never_listens_is_started_again() {
    let host =
        host_with("exec sleep 1000", |settings| settings.start_timeout = Duration::from_millis(50)).await;
    let status = host.until("the second start", |status| status.starts == 2).await;
    let why = status.last_end.expect("the first one ended");
    assert!(why.starts_with("nobody listened on ") && why.ends_with(" within 50 ms of its start"), "{why}");
    host.servers.stop().await;
}

/// A configuration over which the process ends: after three times it is left out, for the others' sake.
#[tokio::test]
async fn an_instance_that_ends_the_process_is_left_out() {
    let code = "import os, socket, sys\n\
                path = sys.argv[1]\n\
                s = socket.socket(socket.AF_UNIX)\n\
                s.bind(path)\n\
                s.listen()\n\
                held = []\n\
                while True:\n\
                \x20   c, _ = s.accept()\n\
                \x20   held.append(c)\n\
                \x20   if os.fork() == 0:\n\
                \x20       if b'fatal' in c.recv(4096): os.kill(os.getppid(), 9)\n\
                \x20       os._exit(0)\n";
    let directory = tempfile::tempdir().expect("a directory");
    let script = directory.path().join("server.py");
    fs::write(&script, code).expect("writes");
    let host = Host::new("ProtoBuf:1", |settings| {
        settings.start_cmd = Some(format!("python3 {} {}", script.display(), settings.socket.display()));
    })
    .await;
    let fatal = std::sync::Arc::new(crate::harness::configuration(1, json!({"kind": "fatal"})));
    let handler = polygate_chain::Plugin::configure(&*host.servers.plugins()[0], &fatal);
    host.servers.prepare(&[fatal]).await;
    let ready =
        host.until("a process that stays", |status| status.starts >= 4 && status.state == "ready").await;
    assert_eq!(ready.last_end.as_deref(), Some("signal 9"));
    assert_eq!(failure(&handler).await, (500, "plugin_instance_refused"));
    host.servers.stop().await;
}

#[tokio::test]
async fn a_process_that_grew_too_large_is_replaced() {
    // Every process is larger than one byte; the scripted server's is that of this test.
    let host = host_with("exec sleep 1000", |settings| settings.max_memory = Some(1)).await;
    host.until("the first start", |status| status.starts == 1).await;
    let _server = FakeServer::msgpack(host.socket(), Sdk::JavaScript, |_| Ending::Return);
    host.until("the second start", |status| status.starts == 2).await;
    host.servers.stop().await;
}
