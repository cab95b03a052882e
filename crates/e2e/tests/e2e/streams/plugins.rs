//! Plugins of the published SDKs on streams: certificate, preread and log.

use std::io::Write as _;
use std::net::SocketAddr;
use std::process::Command;

use polygate_testkit::peers::{fixture, peer};
use polygate_testkit::{Gateway, eventually};
use serde_json::{Value, json};

use super::{PATIENCE, connect, echo, free, lines, metric, rest, say, start};
use crate::tls::certificates::Certificates;
use crate::tls::{run, start_upstream};

/// A plugin server with its one plugin.
struct Language {
    /// What its lines in the log begin with.
    letters: &'static str,
    plugin: &'static str,
    conf: String,
}

fn language(
    letters: &'static str,
    plugin: &'static str,
    program: &str,
    dump: &str,
    arguments: &str,
    socket: &str,
) -> Language {
    let program = peer(program);
    let program = program.display();
    let prefix = if letters == "go" { "-kong-prefix" } else { "-p" };
    let conf = format!(
        "plugins = {plugin}\npluginserver_names = server\n\
         pluginserver_server_start_cmd = {program} {prefix} {{prefix}} {arguments}\n\
         pluginserver_server_query_cmd = {program} {arguments} {dump}\n\
         pluginserver_server_socket = {{prefix}}/{socket}\npluginserver_server_event_timeout = 2s\n"
    );
    Language { letters, plugin, conf }
}

fn go() -> Language {
    language("go", "stream-go", "go/bin/stream-go", "-dump", "", "stream-go.socket")
}

fn javascript() -> Language {
    let arguments = format!("--plugins-directory {}", fixture("js/stream").display());
    let program = "js/node_modules/.bin/kong-js-pluginserver";
    language("js", "js-stream", program, "--dump-all-plugins", &arguments, "js_pluginserver.sock")
}

fn python() -> Language {
    let arguments = format!("--plugins-directory {}", fixture("python/stream").display());
    let program = "python/bin/kong-python-pluginserver";
    language("py", "py-stream", program, "--dump-all-plugins", &arguments, "python_pluginserver.sock")
}

const STREAMS: [&str; 4] = ["tcp", "tls", "tls_passthrough", "udp"];

/// A route with a configuration of the plugin.
fn route(name: &str, more: Value, plugin: &str, act: Value) -> Value {
    let mut route = json!({"name": name, "plugins": [{"name": plugin, "protocols": STREAMS, "config": act}]});
    route.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    route
}

/// What the plugin sees on a TCP, a TLS and a passthrough listener, and what comes of all that it can do.
fn takes_part(language: &Language) {
    let Language { letters, plugin, conf } = language;
    let made = Certificates::new();
    made.sign("own.test").sign("through.test");
    let [tcp, tls, exit, deny, misuse, fail, target] = free();
    let (upstream, behind) = (echo(), start_upstream(&made, "through.test"));
    let on = |address: SocketAddr| json!({"protocols": ["tcp"], "destinations": [{"port": address.port()}]});
    let act = |act: &str| json!({ "act": act });
    let routes = [
        route("pass", on(tcp), plugin, json!({})),
        route("own", json!({"protocols": ["tls"], "snis": ["own.test"]}), plugin, json!({})),
        route("exit", on(exit), plugin, act("exit")),
        route("deny", on(deny), plugin, act("deny")),
        route("misuse", on(misuse), plugin, act("misuse")),
        route("fail", on(fail), plugin, act("fail")),
        route("target", on(target), plugin, json!({"act": "target", "port": behind.address.port()})),
    ];
    let through = route(
        "through",
        json!({"protocols": ["tls_passthrough"], "snis": ["through.test"]}),
        plugin,
        json!({}),
    );
    let file = json!({
        "_format_version": "3.0",
        "plugins": [{"name": plugin, "protocols": STREAMS}],
        "certificates": [{"cert": made.text("own.test.crt"), "key": made.text("own.test.key"),
            "snis": [{"name": "own.test"}]}],
        "services": [
            {"name": "s", "url": format!("tcp://{upstream}"), "routes": routes},
            {"name": "t", "url": format!("tcp://{}", behind.address), "routes": [through]},
        ],
    });
    let listeners = [(tcp, ""), (tls, "ssl"), (exit, ""), (deny, ""), (misuse, ""), (fail, ""), (target, "")];
    let gateway = start(conf, &listeners, &file.to_string());

    assert_eq!(say(tcp, "hello"), "hello.");
    gateway.wait_for_log(&format!(r"{letters} preread stream TCP 127\.0\.0\.1 \[\] \[\]"));
    let record = logged(&gateway, letters, "pass");
    let session = json!({"received": 5, "sent": 6, "status": 200, "server_port": tcp.port()});
    assert_eq!((&record["session"], &record["service"]["name"]), (&session, &json!("s")));
    assert_eq!(record["upstream"], json!({"received": 6, "sent": 5}));
    assert_eq!(record["tries"][0]["port"], upstream.port());

    let over = |name: &str| {
        let port = tls.port();
        let mut command = Command::new("openssl");
        command.args(["s_client", "-connect", &format!("127.0.0.1:{port}")]);
        run(command.args(["-servername", name, "-CAfile"]).arg(made.path("ca.crt")))
    };
    over("own.test");
    gateway.wait_for_log(&format!("{letters} certificate stream own.test"));
    gateway.wait_for_log(&format!(r"{letters} preread stream TCP 127\.0\.0\.1 \[own.test\] \[TLSv1.3\]"));
    assert_eq!(logged(&gateway, letters, "own")["session"]["tls"]["version"], "TLSv1.3");
    over("through.test");
    gateway.wait_for_log(&format!(r"{letters} preread stream TCP 127\.0\.0\.1 \[through.test\] \[\]"));
    assert!(!gateway.error_log().contains("certificate stream through.test"), "nobody shakes hands here");

    assert_eq!(say(exit, "ignored"), "no upstream needed");
    assert_eq!(logged(&gateway, letters, "exit")["session"]["sent"], 18);
    assert_eq!(say(deny, "ignored"), "");
    gateway.wait_for_log("unable to proxy stream connection, status: 403, err: not told");
    assert_eq!(logged(&gateway, letters, "deny")["session"]["status"], 403);
    assert_eq!(say(misuse, "ignored"), "");
    gateway.wait_for_log("function cannot be called in preread phase");
    assert_eq!(say(fail, "ignored"), "");
    // The SDK of Python says nothing of an exception, so that the deadline is what ends the event.
    let status = if *letters == "py" { 504 } else { 500 };
    assert_eq!(logged(&gateway, letters, "fail")["session"]["status"], status);
    // What the plugin chose speaks TLS, and says so.
    assert!(!say(target, "no hello\r\n\r\n").contains("no hello"));
    assert_eq!(logged(&gateway, letters, "target")["tries"][0]["port"], behind.address.port());
    let hits = metric(&gateway, "polygate_stream_sessions_total{code=\"200\",transport=\"TCP\"}");
    assert!(hits >= 4, "{hits}");
}

/// The record that the plugin's log phase saw of a stream of this route.
fn logged(gateway: &Gateway, letters: &str, route: &str) -> Value {
    let begin = format!("{letters} log in preread ");
    eventually(PATIENCE, &format!("the record of {route}"), || {
        let log = gateway.error_log();
        let texts = log.lines().filter_map(|line| line.split_once(&begin).map(|(_, text)| text));
        let mut records = texts.filter_map(|text| {
            let record = serde_json::Deserializer::from_str(text).into_iter::<Value>().next();
            record?.ok()
        });
        records.find(|record| record["route"]["name"] == route)
    })
}

#[test]
fn a_go_plugin_takes_part() {
    takes_part(&go());
}

#[test]
fn a_javascript_plugin_takes_part() {
    takes_part(&javascript());
}

#[test]
fn a_python_plugin_takes_part() {
    takes_part(&python());
}

/// One that crashes or hangs has its stream refused, and nobody else's.
fn is_refused(language: &Language) {
    let ([good, crash, hang], upstream) = (free(), echo());
    let plugin = language.plugin;
    let on = |address: SocketAddr| json!({"protocols": ["tcp"], "destinations": [{"port": address.port()}]});
    let routes = [
        route("good", on(good), plugin, json!({})),
        route("crash", on(crash), plugin, json!({"act": "crash"})),
        route("hang", on(hang), plugin, json!({"act": "hang"})),
    ];
    let file = json!({"_format_version": "3.0",
        "services": [{"name": "s", "url": format!("tcp://{upstream}"), "routes": routes}]});
    let gateway = start(&language.conf, &[(good, ""), (crash, ""), (hang, "")], &file.to_string());
    let mut open = connect(good);
    open.write_all(b"a").unwrap();
    assert_eq!(say(hang, "x"), "");
    assert_eq!(say(crash, "x"), "");
    eventually(PATIENCE, "a server that runs again", || (say(good, "x") == "x.").then_some(()));
    open.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(rest(&mut open), "a.", "a stream under way has no need of it");
    let refused = lines(&gateway, 2);
    assert!(refused.iter().any(|line| line.contains("] TCP 504 ")), "{refused:?}");
    assert!(
        refused.iter().any(|line| line.contains("] TCP 500 ") || line.contains("] TCP 503 ")),
        "{refused:?}"
    );
}

#[test]
fn a_go_plugin_that_crashes_or_hangs_harms_nobody_else() {
    is_refused(&go());
}

#[test]
fn a_javascript_plugin_that_crashes_or_hangs_harms_nobody_else() {
    is_refused(&javascript());
}

#[test]
fn a_python_plugin_that_crashes_or_hangs_harms_nobody_else() {
    is_refused(&python());
}
