//! gRPC between a real client and a real server, past plugins.

mod web;

use std::process::Command;

use polygate_testkit::Gateway;
use polygate_testkit::peers::peer;
use serde_json::json;

use crate::child::Server;
use crate::robustness::site::gated;
use crate::tls::certificates::Certificates;

/// What the client prints when all is well.
const WELL: &str = "unary: hello of 5 through go, [first], [last], [00ff]\n\
                    large: xxxxx of 3145728 through go, <nil>\n\
                    failed: FailedPrecondition, 50% of ü\n\
                    late: DeadlineExceeded\n\
                    server: 10000, EOF\n\
                    client: 10000 messages of 995000 bytes, <nil>\n\
                    both: 1000, EOF\n";

fn echo() -> Command {
    Command::new(peer("go-tools/grpc-echo"))
}

/// `pair` are the files of certificate and key, for TLS.
fn start_server(pair: &[String]) -> Server {
    Server::start(echo().arg("server").args(pair))
}

/// A gateway before the server.
fn start(server: &Server, listen: &str, scheme: &str) -> Gateway {
    gated(
        listen,
        json!({
            "_format_version": "3.0",
            "services": [{
                "name": "s", "protocol": scheme, "host": "127.0.0.1", "port": server.address.port(),
                "routes": [{"name": "r", "protocols": [scheme], "paths": ["/polygate.test.Echo/"], "strip_path": false}],
            }],
        }),
    )
}

fn client(gateway: &Gateway, scheme: &str, key: &str) -> String {
    let address = format!("{scheme}://{}", gateway.proxy());
    let output = echo().args(["client", &address, key]).output().unwrap();
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

#[test]
fn all_kinds_of_calls_pass() {
    let mut server = start_server(&[]);
    let gateway = start(&server, "proxy_listen = {proxy} http2\n", "grpc");
    assert_eq!(client(&gateway, "http", "opening"), WELL, "{}", gateway.error_log());
    assert_eq!(server.line(), "given up", "the deadline of a call is the upstream's too");
    gateway.wait_for_log("X-Faults-log: ran");
}

#[test]
fn all_kinds_of_calls_pass_within_tls() {
    let made = Certificates::new();
    made.sign("localhost");
    let pair = ["crt", "key"].map(|ending| made.path(&format!("localhost.{ending}")).display().to_string());
    let server = start_server(&pair);
    let gateway = start(&server, "proxy_listen = {proxy} http2 ssl\n", "grpcs");
    assert_eq!(client(&gateway, "https", "opening"), WELL, "{}", gateway.error_log());
}

#[test]
fn a_plugin_may_refuse_a_call() {
    let server = start_server(&[]);
    let gateway = start(&server, "proxy_listen = {proxy} http2\n", "grpc");
    let said = client(&gateway, "http", "wrong");
    // Clients go by the status of HTTP where it is not 200, which the reference keeps.
    assert!(said.starts_with("rpc error: code = Unauthenticated desc = ") && said.contains("401"), "{said}");
}
