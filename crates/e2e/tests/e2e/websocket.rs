//! WebSockets between a real client and a real server, past plugins.

use std::process::Command;
use std::time::Duration;

use polygate_testkit::peers::{peer, repository};
use polygate_testkit::{Gateway, eventually};
use serde_json::json;

use crate::child::Server;
use crate::robustness::site::gated;
use crate::tls::certificates::Certificates;

const BOUND: Duration = Duration::from_secs(10);

/// `echo.js` in one of its roles.
fn echo(arguments: &[&str]) -> Command {
    let mut command = Command::new("node");
    command.arg(repository().join("crates/e2e/tests/e2e/websocket/echo.js")).args(arguments);
    command.env("NODE_PATH", peer("js/node_modules"));
    command
}

fn start_server() -> Server {
    Server::start(&mut echo(&["server"]))
}

/// A gateway before the server, which is spoken to over `protocol`.
fn start(server: &Server, protocol: &str, listen: &str) -> Gateway {
    let routes = json!([{ "name": "all", "paths": ["/"] }]);
    let url = format!("{protocol}://{}", server.address);
    let services = json!([{ "name": "chat", "url": url, "routes": routes }]);
    gated(listen, json!({ "_format_version": "3.0", "services": services }))
}

fn client(gateway: &Gateway, scheme: &str, key: &str) -> (String, bool) {
    let output = echo(&["client", &format!("{scheme}://{}/chat", gateway.proxy()), key]).output().unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    (said, output.status.success())
}

fn messages_pass(mut server: Server, protocol: &str, listen: &str, scheme: &str) {
    let gateway = start(&server, protocol, listen);
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
    messages_pass(start_server(), "http", "", "ws");
}

#[test]
fn messages_pass_within_tls() {
    messages_pass(start_server(), "http", "proxy_listen = {proxy} ssl http2\n", "wss");
    let certificates = Certificates::new();
    certificates.sign("chat.test");
    let pair = ["crt", "key"].map(|ending| certificates.path(&format!("chat.test.{ending}")));
    let server = Server::start(echo(&["server"]).args(pair));
    messages_pass(server, "https", "", "ws");
}

#[test]
fn a_plugin_may_refuse() {
    let server = start_server();
    let gateway = start(&server, "http", "");
    let (said, succeeded) = client(&gateway, "ws", "wrong");
    assert!(!succeeded && said.contains("401"), "{said}");
}
