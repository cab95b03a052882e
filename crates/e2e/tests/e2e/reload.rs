//! Reloads under load: no request may fail, and no plugin process may be left over or lost.

use std::fs;
use std::time::Duration;

use polygate_testkit::peers::peer;
use polygate_testkit::{EchoUpstream, Gateway, Load, Request, Response, eventually};
use serde_json::json;

use crate::declarative::{self, plugin};
use crate::servers;

const RELOADS: usize = 200;
const CONNECTIONS: usize = 8;

fn check(answer: &Response) -> Result<(), String> {
    let header = answer.header("x-hello-from-go").unwrap_or_default();
    if answer.status == 200 && header.starts_with("Go says ") && header.ends_with(" to example.com") {
        return Ok(());
    }
    Err(format!("{} {header:?} {}", answer.status, answer.text()))
}

#[test]
fn reloads_under_load_fail_no_request() {
    let upstream = EchoUpstream::start();
    let file = |message: &str| {
        declarative::global(&upstream.url(), &[plugin("go-hello", json!({ "message": message }))])
    };
    let gateway = Gateway::builder()
        .conf(&format!(
            "plugins = bundled,go-hello,py-hello\npluginserver_names = go-hello,py\n{}{}",
            servers::go("go-hello", &peer("go/bin/go-hello")),
            servers::py_hello("py", "-p {prefix}", "--dump", "{prefix}/py-hello.sock")
        ))
        .declarative(&file("start"))
        .start();
    let servers = gateway.children();
    let load = Load::start(gateway.proxy(), CONNECTIONS, &Request::get("/"), check);
    for number in 0..RELOADS {
        let message = format!("reload {number}");
        gateway.write_declarative(&file(&message));
        gateway.reload();
        if number % 20 == 0 {
            expect_message(&gateway, &message);
            assert_eq!(gateway.children(), servers, "the plugin processes after {number} reloads");
        }
    }
    let outcome = load.stop();
    assert_eq!(outcome.failures, [""; 0], "of {} requests", outcome.answered);
    assert!(outcome.answered > RELOADS, "{} requests are no load", outcome.answered);
    assert_eq!(gateway.children(), servers, "the plugin processes in the end");
}

/// The new configuration counts within a moment.
#[track_caller]
fn expect_message(gateway: &Gateway, message: &str) {
    let expected = format!("Go says {message} to example.com");
    eventually(Duration::from_secs(5), &expected, || {
        let answer = Request::get("/").send(gateway.proxy());
        (answer.header("x-hello-from-go") == Some(expected.as_str())).then_some(())
    });
}

/// A plugin that tells its version and knows one field more in each.
fn versioned(version: usize) -> String {
    let fields: String = (1..=version).map(|n| format!("{{'field{n}': {{'type': 'string'}}}}, ")).collect();
    format!(
        "Schema = ({fields})\nversion = '1.0.0'\npriority = 1\n\n\
         class Plugin:\n    def __init__(self, config):\n        pass\n\n\
         \x20   def access(self, kong):\n        kong.response.set_header('x-version', '{version}')\n"
    )
}

/// A new process beside the old one, asked for its schema again.
#[test]
fn a_changed_plugin_is_picked_up_without_a_failed_request() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let write = |version| {
        fs::write(folder.path().join("versioned.py"), versioned(version)).expect("the folder is writable");
    };
    write(1);
    let upstream = EchoUpstream::start();
    let file = |config| declarative::global(&upstream.url(), &[plugin("versioned", config)]);
    let program = peer("python/bin/kong-python-pluginserver");
    let (program, plugins) = (program.display(), folder.path().display());
    let gateway = Gateway::builder()
        .conf(&format!(
            "plugins = versioned\npluginserver_names = py\n\
             pluginserver_py_socket = {{prefix}}/python_pluginserver.sock\n\
             pluginserver_py_start_cmd = {program} -p {{prefix}} -d {plugins}\n\
             pluginserver_py_query_cmd = {program} -d {plugins} --dump-all-plugins\n\
             pluginserver_py_connect_timeout = 30s"
        ))
        .declarative(&file(json!({ "field1": "x" })))
        .start();
    let first = gateway.children();
    let load = Load::start(gateway.proxy(), CONNECTIONS, &Request::get("/"), |answer| {
        match (answer.status, answer.header("x-version")) {
            (200, Some(_)) => Ok(()),
            wrong => Err(format!("{wrong:?} {}", answer.text())),
        }
    });
    for version in 2..=4 {
        write(version);
        let field = format!("field{version}");
        gateway.write_declarative(&file(json!({ field: "x" })));
        gateway.reload();
        let version = version.to_string();
        eventually(Duration::from_secs(5), "the new version", || {
            let answer = Request::get("/").send(gateway.proxy());
            (answer.header("x-version") == Some(&version)).then_some(())
        });
    }
    let outcome = load.stop();
    assert_eq!(outcome.failures, [""; 0], "of {} requests", outcome.answered);
    eventually(Duration::from_secs(20), "the end of the earlier processes", || {
        let now = gateway.children();
        (now.len() == 1 && now != first).then_some(())
    });
}

/// A plugin whose answers tell which instance gave them.
const COUNTED: &str = "
import uuid
Schema = ({'text': {'type': 'string'}},)
version = '1.0.0'
priority = 1

class Plugin:
    def __init__(self, config):
        self.answer = uuid.uuid4().hex + ' ' + config.get('text')

    def access(self, kong):
        kong.response.set_header('x-instance', self.answer)
";

/// No query command runs, no process begins or ends, and instances whose configuration stays are kept.
#[test]
fn a_reload_of_the_declarative_file_asks_no_server() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    fs::write(folder.path().join("counted.py"), COUNTED).expect("the folder is writable");
    let upstream = EchoUpstream::start();
    let file = |changed: &str| {
        let on =
            |name: &str, text: &str| declarative::route(name, &[plugin("counted", json!({ "text": text }))]);
        declarative::file(&upstream.url(), &[on("same", "same"), on("changed", changed)])
    };
    let program = peer("python/bin/kong-python-pluginserver");
    let (program, plugins) = (program.display(), folder.path().display());
    let gateway = Gateway::builder()
        .conf(&format!(
            "plugins = counted\npluginserver_names = py\n\
             pluginserver_py_socket = {{prefix}}/python_pluginserver.sock\n\
             pluginserver_py_start_cmd = {program} -p {{prefix}} -d {plugins}\n\
             pluginserver_py_query_cmd = cd {{prefix}}; echo asked >> queries; {program} -d {plugins} --dump-all-plugins"
        ))
        .declarative(&file("0"))
        .start();
    let queries =
        || fs::read_to_string(gateway.prefix().join("queries")).expect("it was asked").lines().count();
    let instance = |route: &str| {
        let answer = Request::get(&format!("/{route}")).send(gateway.proxy());
        answer.header("x-instance").unwrap_or_else(|| panic!("{answer:?}")).to_owned()
    };
    let (asked, servers, same) = (queries(), gateway.children(), instance("same"));
    for number in 1..=3 {
        let changed = number.to_string();
        gateway.write_declarative(&file(&changed));
        gateway.reload();
        eventually(Duration::from_secs(5), "the new configuration", || {
            instance("changed").ends_with(&format!(" {changed}")).then_some(())
        });
    }
    assert_eq!(instance("same"), same, "the instance whose configuration stayed");
    assert_eq!(queries(), asked, "queries");
    assert_eq!(gateway.children(), servers, "the plugin processes");
}
