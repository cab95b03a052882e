//! Several processes of one server.

use std::fs;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use polygate_plugin_host::ServerSettings;
use polygate_testkit::fake_server::{Ending, FakeServer, Sdk};
use serde_json::json;

use crate::harness::{Host, failure, pass};

/// Two replicas that somebody else runs.
async fn host(change: impl FnOnce(&mut ServerSettings)) -> Host {
    Host::new("MsgPack:1", |settings| {
        settings.replicas = 2;
        change(settings);
    })
    .await
}

fn socket(host: &Host, replica: usize) -> PathBuf {
    host.directory.path().join(format!("test.socket.{replica}"))
}

fn replica(host: &Host, number: usize) -> FakeServer {
    FakeServer::msgpack(socket(host, number), Sdk::JavaScript, |_| Ending::Return)
}

fn events(server: &FakeServer) -> usize {
    server.params("plugin.HandleEvent").len()
}

/// A server whose events last until something is sent.
fn slow_replica(host: &Host, number: usize) -> (FakeServer, mpsc::Sender<()>) {
    let (sender, receiver): (_, Receiver<()>) = mpsc::channel();
    let receiver = Mutex::new(receiver);
    let server = FakeServer::msgpack(socket(host, number), Sdk::JavaScript, move |_| {
        let _ = receiver.lock().expect("a script does not panic").recv();
        Ending::Return
    });
    (server, sender)
}

#[tokio::test]
async fn the_replica_with_the_least_to_do_serves() {
    let host = host(|_| {}).await;
    let ((slow, release), quick) = (slow_replica(&host, 1), replica(&host, 2));
    let handler = host.handler(json!({})).await;
    let status = host.servers.status();
    assert_eq!(
        status.iter().map(|it| (it.replica, it.state)).collect::<Vec<_>>(),
        [(1, "ready"), (2, "ready")]
    );
    // Until one event is stuck in the slow one; all others go to the quick one.
    let stuck = async {
        while events(&slow) == 0 {
            pass(&handler).await;
        }
    };
    let others = async {
        host.until("an event in the slow replica", |_| events(&slow) == 1).await;
        let before = events(&quick);
        for _ in 0..10 {
            pass(&handler).await;
        }
        assert_eq!((events(&slow), events(&quick) - before), (1, 10));
        release.send(()).expect("the script waits");
    };
    tokio::join!(stuck, others);
}

#[tokio::test]
async fn one_replica_serves_while_the_other_is_away() {
    let host = host(|_| {}).await;
    let (one, two) = (replica(&host, 1), replica(&host, 2));
    let handler = host.handler(json!({})).await;
    for server in [&one, &two] {
        assert_eq!(server.params("plugin.StartInstance").len(), 1);
    }
    drop(one);
    for _ in 0..10 {
        pass(&handler).await;
    }
    let back = replica(&host, 1);
    host.until("the replica's return", |status| status.state == "ready").await;
    while events(&back) == 0 {
        pass(&handler).await;
    }
    drop((two, back));
}

#[tokio::test]
async fn a_full_queue_refuses_at_once() {
    let host = Host::new("MsgPack:1", |settings| {
        settings.max_concurrency = Some(1);
        settings.max_queue = 0;
        settings.connect_timeout = Duration::from_secs(60);
    })
    .await;
    let (sender, receiver): (mpsc::Sender<()>, _) = mpsc::channel();
    let receiver = Mutex::new(receiver);
    let server = FakeServer::msgpack(host.socket(), Sdk::Go, move |_| {
        let _ = receiver.lock().expect("a script does not panic").recv();
        Ending::Return
    });
    let handler = host.handler(json!({})).await;
    let refused = async {
        host.until("the first event", |_| events(&server) == 1).await;
        assert_eq!(host.status().in_flight, 1);
        assert_eq!(failure(&handler).await, (503, "plugin_server_busy"));
        sender.send(()).expect("the script waits");
    };
    tokio::join!(pass(&handler), refused);
}

/// Processes that all bind the very same socket, as unmodified servers do.
#[tokio::test]
async fn processes_on_one_socket_do_not_get_into_each_others_way() {
    let directory = tempfile::tempdir().expect("a directory");
    let listener = directory.path().join("listen.py");
    let code = "import os, socket, sys, time\n\
                path = sys.argv[1]\n\
                if os.path.exists(path): os.unlink(path)\n\
                s = socket.socket(socket.AF_UNIX)\n\
                s.bind(path)\n\
                s.listen()\n\
                held = []\n\
                while True: held.append(s.accept())\n";
    fs::write(&listener, code).expect("writes");
    let host = Host::new("ProtoBuf:1", |settings| {
        settings.replicas = 3;
        settings.start_cmd = Some(format!("python3 {} {}", listener.display(), settings.socket.display()));
    })
    .await;
    let all_ready = |_: &_| host.servers.status().iter().all(|it| it.state == "ready");
    host.until("three processes", all_ready).await;
    let mut pids: Vec<_> = host.servers.status().iter().map(|it| it.pid.expect("is seen")).collect();
    pids.sort_unstable();
    pids.dedup();
    assert_eq!(pids.len(), 3, "each replica is reached at its own process");
    host.servers.stop().await;
    let links = fs::read_dir(host.directory.path()).expect("is there").flatten();
    let names: Vec<_> =
        links.map(|it| it.file_name()).filter(|it| it.to_string_lossy().starts_with('.')).collect();
    assert_eq!(names.len(), 0, "{names:?}");
}
