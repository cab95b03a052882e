//! A handler that fails in each phase, in each language: the request is refused as long as there is one to refuse.

use polygate_testkit::{EchoUpstream, Gateway, Reply, Request};
use serde_json::{Value, json};

use crate::declarative::{self, plugin, route};
use crate::robustness::site::{FAULTS, Site, all_servers, conf};

/// Ignores that the PDK refuses its argument, if the request has the header.
fn careless(name: &str, phase: &str, header: &str) -> Value {
    plugin(name, json!({ "phase": phase, "fault": "bad_argument", "when_header": header }))
}

/// The header that makes a plugin fail in the rewrite phase, where only global configurations run.
fn rewrite_header(name: &str) -> String {
    format!("X-Rewrite-{name}")
}

fn site() -> Site {
    let upstream = EchoUpstream::scripted(|request| {
        Reply::describe(request).header("Content-Encoding", "x-none").header("Set-Cookie", "secret=1")
    });
    let routes: Vec<Value> = FAULTS
        .iter()
        .flat_map(|name| {
            let failing = |phase| route(&format!("{name}.{phase}"), &[careless(name, phase, "X-Fail")]);
            ["access", "response", "log"].map(failing)
        })
        .collect();
    let mut file: Value = serde_json::from_str(&declarative::file(&upstream.url(), &routes))
        .expect("a declarative file is JSON");
    file["plugins"] = FAULTS.iter().map(|name| careless(name, "rewrite", &rewrite_header(name))).collect();
    let gateway = Gateway::builder().conf(&conf(&all_servers())).declarative(&file.to_string()).start();
    Site { gateway, upstream }
}

#[test]
fn a_failed_handler_refuses_the_request_in_every_phase() {
    let site = site();
    for name in FAULTS {
        let refused = |path: &str, header: &str| {
            let answer = site.send(&Request::get(path).header(header, "yes")).expect(500);
            assert_eq!(answer.header("x-polygate-reason"), Some("plugin_error"), "{path}: {}", answer.text());
            answer
        };
        let target = format!("/{name}/refused");
        refused(&format!("/{name}.access{target}"), &rewrite_header(name));
        refused(&format!("/{name}.access{target}"), "X-Fail");
        assert_eq!(site.upstream.hits(&target), 0, "{name}");
        // The upstream's answer is not what the client gets.
        let answer = refused(&format!("/{name}.response"), "X-Fail");
        assert!(!answer.text().contains("\"method\""), "{name}: {}", answer.text());
        assert_eq!(answer.header("content-encoding"), None, "{name}: of the upstream's body");
        assert_eq!(answer.header("set-cookie"), None, "{name}: of the upstream's answer");
        // Nothing is left to refuse.
        site.send(&Request::get(&format!("/{name}.log")).header("X-Fail", "yes")).expect(200);
        site.gateway.wait_for_log(&format!(r"\[{name}\] pluginserver error: .*\(log phase, plugin_error\)"));
    }
}

#[test]
fn a_plugin_that_failed_serves_the_next_request() {
    let site = site();
    for name in FAULTS {
        let ran = || {
            let answer = site.get(&format!("/{name}.access")).expect(200);
            for phase in ["rewrite", "access", "response"] {
                assert_eq!(answer.header(&format!("x-faults-{phase}")), Some("ran"), "{name}: {phase}");
            }
        };
        ran();
        for phase in ["access", "response"] {
            site.send(&Request::get(&format!("/{name}.{phase}")).header("X-Fail", "yes")).expect(500);
            ran();
        }
    }
    assert_eq!(site.count("starting pluginserver process for"), all_servers().len());
}
