//! WebSockets between a real client and a real server, past plugins.

use std::io::{BufRead as _, BufReader, Lines};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use polygate_testkit::peers::{peer, repository};
use polygate_testkit::{Gateway, eventually};
use serde_json::json;

use crate::declarative;
use crate::robustness::site::{go, javascript};

const BOUND: Duration = Duration::from_secs(10);

/// `echo.js` in one of its roles.
fn echo(arguments: &[&str]) -> Command {
    let mut command = Command::new("node");
    command.arg(repository().join("crates/e2e/tests/e2e/websocket/echo.js")).args(arguments);
    command.env("NODE_PATH", peer("js/node_modules"));
    command
}

struct Server {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    port: u16,
}

impl Server {
    fn start() -> Self {
        let mut child = echo(&["server"]).stdout(Stdio::piped()).spawn().expect("node is installed");
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let port = lines.next().unwrap().unwrap().parse().unwrap();
        Self { child, lines, port }
    }

    fn line(&mut self) -> String {
        self.lines.next().unwrap().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A gateway before the server, with a gate and a plugin that logs.
fn start(server: &Server, listen: &str) -> Gateway {
    let (gate, log) = (go("gate-go"), javascript());
    let plugins = [
        declarative::plugin("gate-go", json!({ "key": "opening" })),
        declarative::plugin("faults-js", json!({})),
    ];
    let url = format!("http://127.0.0.1:{}", server.port);
    let conf = format!(
        "{listen}plugins = gate-go,faults-js\npluginserver_names = {},{}\n{}{}",
        gate.name, log.name, gate.conf, log.conf
    );
    Gateway::builder().conf(&conf).declarative(&declarative::global(&url, &plugins)).start()
}

fn client(gateway: &Gateway, scheme: &str, key: &str) -> (String, bool) {
    let output = echo(&["client", &format!("{scheme}://{}/chat", gateway.proxy()), key]).output().unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    (said, output.status.success())
}

fn messages_pass(listen: &str, scheme: &str) {
    let mut server = Server::start();
    let gateway = start(&server, listen);
    let (said, succeeded) = client(&gateway, scheme, "opening");
    assert!(succeeded && said == "echoed 1000, are you there\nclosed 4001\ntold 4002 go\n", "{said}");
    assert_eq!(server.line(), "closed 4001 enough go");
    assert!(server.line().starts_with("closed 4002"));
    // One line and one log phase for each of the two, when it is over.
    eventually(BOUND, "the lines of the access log", || {
        let lines = gateway.access_log();
        (lines.iter().filter(|line| line.contains("\"GET /chat HTTP/1.1\" 101 ")).count() == 2).then_some(())
    });
    eventually(BOUND, "the log phases", || {
        (gateway.error_log().matches("X-Faults-log: ran").count() == 2).then_some(())
    });
    gateway.wait_for_log("response buffering was turned off: connection upgrade");
}

#[test]
fn messages_of_all_sizes_pass() {
    messages_pass("", "ws");
}

#[test]
fn messages_pass_within_tls() {
    messages_pass("proxy_listen = {proxy} ssl http2\n", "wss");
}

#[test]
fn a_plugin_may_refuse() {
    let server = Server::start();
    let gateway = start(&server, "");
    let (said, succeeded) = client(&gateway, "ws", "wrong");
    assert!(!succeeded && said.contains("401"), "{said}");
}
