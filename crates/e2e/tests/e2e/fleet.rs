//! One gateway with every plugin server, shared by the tests: their starts cost more than the tests themselves.
//!
//! Each test has a route of its own, or tells its requests apart by their target.

use std::ops::Deref;
use std::path::PathBuf;
use std::sync::LazyLock;

use polygate_testkit::gateway::LogOnPanic;
use polygate_testkit::peers::peer;
use polygate_testkit::{EchoUpstream, Gateway, Received, Reply};
use serde_json::{Value, json};

use crate::declarative::{self, plugin, route};
use crate::program::LANGUAGES;
use crate::servers;

pub const CONSUMER_ID: &str = "b3d2f5a0-5ad5-4d3a-9c52-1d6f6a3c0001";

/// A secret in the gateway's environment: resource of the vault reference, variable, value.
pub const SECRET: (&str, &str, &str) = ("polygate-test-secret", "POLYGATE_TEST_SECRET", "s3cret");

/// The shared gateway for one test.
pub struct Fleet {
    shared: &'static Shared,
    _log: LogOnPanic<'static>,
}

pub struct Shared {
    pub gateway: Gateway,
    pub upstream: EchoUpstream,
}

static SHARED: LazyLock<Shared> = LazyLock::new(Shared::start);

pub fn fleet() -> Fleet {
    let shared: &'static Shared = &SHARED;
    Fleet { shared, _log: shared.gateway.log_on_panic() }
}

impl Deref for Fleet {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        self.shared
    }
}

impl Shared {
    /// Where the route `name` with a logging plugin writes.
    pub fn log_file(&self, name: &str) -> PathBuf {
        self.gateway.prefix().join(name)
    }

    fn start() -> Self {
        let upstream = EchoUpstream::scripted(answer);
        let entities = entities(&upstream.url());
        let gateway =
            Gateway::builder().conf(&conf()).environment(SECRET.1, SECRET.2).declarative(&entities).start();
        Self { gateway, upstream }
    }
}

/// `/status/<code>` chooses the status, `/echo` sends the request's body back instead of its description.
fn answer(request: &Received) -> Reply {
    let path = request.target.split('?').next().unwrap_or_default();
    if path == "/echo" {
        return Reply::new(200, request.body.clone()).header("Content-Type", "application/octet-stream");
    }
    let mut reply = Reply::describe(request).header("X-Twice", "one").header("X-Twice", "two");
    if let Some(status) = path.strip_prefix("/status/").and_then(|status| status.parse().ok()) {
        reply.status = status;
    }
    reply
}

fn conf() -> String {
    [
        "plugins = bundled,go-hello,go-log,go-hello-lm,go-log-lm,js-hello,js-status,js-transform,goodbye,js-graphql,\
         hello,js-schema,py-hello,py-image,py-schema,pdk-go,pdk-go-lm,pdk-js,pdk-py",
        "pluginserver_names = go-hello,go-log,pdk-go,go-lm,js,python",
        "log_level = debug",
        // The PDK's forwarded_* functions only believe a trusted peer.
        "trusted_ips = 127.0.0.0/8",
        "real_ip_header = X-Forwarded-For",
        &servers::go("go-hello", &peer("go/bin/go-hello")),
        &servers::go("go-log", &peer("go/bin/go-log")),
        &servers::go("pdk-go", &peer("go/bin/pdk-go")),
        &servers::go_pluginserver("go-lm"),
        &servers::javascript("js"),
        // The SDK's examples were written for bodies that are strings.
        "pluginserver_js_body = text",
        &servers::python("python", "plugins", ""),
    ]
    .join("\n")
}

fn routes() -> Vec<Value> {
    let log = |name: &str, reopen: bool| json!({ "path": format!("{{prefix}}/{name}"), "reopen": reopen });
    let pdk: Vec<Value> = LANGUAGES.iter().map(|name| plugin(name, json!({}))).collect();
    let hello = |name: &str, config: Value| plugin(name, config);
    vec![
        route("plain", &[]),
        route("js-hello-test", &[hello("js-hello", json!({ "message": "test" }))]),
        route("js-hello", &[hello("js-hello", json!({}))]),
        route("js-status", &[hello("js-status", json!({ "message": "test" })), plugin("pdk-py", json!({}))]),
        route("js-transform", &[plugin("js-transform", json!({}))]),
        route("goodbye-bye", &[hello("goodbye", json!({ "message": "bye" }))]),
        route("goodbye", &[hello("goodbye", json!({}))]),
        route("js-graphql", &[plugin("js-graphql", json!({}))]),
        route("ts-hello", &[hello("hello", json!({ "message": "ts" }))]),
        route("js-schema", &[plugin("js-schema", json!({ "count": 3 }))]),
        route("py-hello-test", &[hello("py-hello", json!({ "message": "test" }))]),
        route("py-hello", &[hello("py-hello", json!({}))]),
        route("py-image", &[plugin("py-image", json!({}))]),
        route("py-schema", &[plugin("py-schema", json!({ "count": 3, "limits": { "names": ["a"] } }))]),
        route("go-hello-howdy", &[hello("go-hello", json!({ "message": "howdy" }))]),
        route("go-hello", &[hello("go-hello", json!({}))]),
        route("go-log", &[plugin("go-log", log("go-log", false))]),
        route("go-log-reopen", &[plugin("go-log", log("go-log-reopen", true))]),
        route("go-hello-lm", &[hello("go-hello-lm", json!({ "message": "howdy" }))]),
        route("go-log-lm", &[plugin("go-log-lm", log("go-log-lm", false))]),
        route(
            "three",
            &[hello("go-hello", json!({})), hello("js-hello", json!({})), hello("py-hello", json!({}))],
        ),
        route("pdk", &pdk),
        json!({ "name": "captures", "paths": ["~/captures/(?<name>[a-z]+)/([0-9]+)$"], "plugins": pdk }),
        json!({
            "name": "headers", "paths": ["/headers"], "headers": { "x-pick": ["yes"] }, "tags": ["one", "two"],
            "plugins": pdk,
        }),
    ]
}

fn entities(upstream: &str) -> String {
    let mut file: Value =
        serde_json::from_str(&declarative::file(upstream, &routes())).expect("a declarative file is JSON");
    // Only global configurations have a rewrite phase.
    file["plugins"] = LANGUAGES.iter().map(|name| plugin(name, json!({}))).collect();
    file["consumers"] =
        json!([{ "id": CONSUMER_ID, "username": "jon", "custom_id": "007", "tags": ["vip"] }]);
    let address = upstream.trim_start_matches("http://");
    file["upstreams"] = json!([{ "name": "pool", "targets": [{ "target": address }] }]);
    file.to_string()
}
