//! Reloads under load: no request may fail, and no plugin process may be left over or lost.

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
