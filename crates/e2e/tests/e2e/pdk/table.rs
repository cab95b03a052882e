//! The table: the scenes in which every function is called, and what must come of it.

use polygate_testkit::Request;
use serde_json::{Value, json};

use super::Scene;
use super::want::Want::{self, Done, Ends, Error, Has, Members, Nothing, Number, Refused, Text};
use crate::fleet::{CONSUMER_ID, SECRET};
use crate::program::ROUTE;

const UUID: &str = "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$";

pub fn scenes() -> Vec<Scene> {
    let mut scenes = vec![
        request_getters(),
        connection_getters(),
        identity(),
        store(),
        logs(),
        captures(),
        in_rewrite(),
        in_log(),
    ];
    scenes.extend(upstream_request());
    scenes.extend(upstream_choice());
    scenes.extend(answers());
    scenes.extend(wrong_calls());
    scenes
}

fn get(path: &str) -> Request {
    Request::get(&format!("{ROUTE}{path}"))
}

fn none() -> Value {
    json!([])
}

fn has(value: Value) -> Want {
    Has(value)
}

fn request_getters() -> Scene {
    let request = Request::post(&format!("{ROUTE}/get/a%20b/../c?x=1&y=two%20words&x=3"), r#"{"k":"v"}"#)
        .header("Host", "Example.com:8000")
        .header("Content-Type", "application/json")
        .header("X-Forwarded-Proto", "HTTPS")
        .header("X-Forwarded-Host", "Front.test:4444")
        .header("X-Forwarded-Port", "4443")
        .header("X-Forwarded-Path", "/front")
        .header("X-Forwarded-Prefix", "/pre")
        .header("X-One", "1");
    Scene::new("request", "access", request)
        .row("kong.request.get_scheme", none(), has(json!("http")))
        .row("kong.request.get_host", none(), has(json!("example.com")))
        .row("kong.request.get_port", none(), Number)
        .row("kong.request.get_forwarded_scheme", none(), has(json!("https")))
        .row("kong.request.get_forwarded_host", none(), has(json!("front.test")))
        .row("kong.request.get_forwarded_port", none(), has(json!(4443)))
        .row("kong.request.get_forwarded_path", none(), has(json!("/front")))
        .row("kong.request.get_forwarded_prefix", none(), has(json!("/pre")))
        .row("kong.request.get_http_version", none(), has(json!(1.1)))
        .row("kong.request.get_method", none(), has(json!("POST")))
        .row("kong.request.get_path", none(), has(json!("/pdk/get/c")))
        .row("kong.request.get_raw_path", none(), has(json!("/pdk/get/a%20b/../c")))
        .row(
            "kong.request.get_path_with_query",
            none(),
            has(json!("/pdk/get/a%20b/../c?x=1&y=two%20words&x=3")),
        )
        .row("kong.request.get_raw_query", none(), has(json!("x=1&y=two%20words&x=3")))
        .row("kong.request.get_query_arg", json!(["y"]), has(json!("two words")))
        .row("kong.request.get_query_arg", json!(["x"]), has(json!("1")))
        .row("kong.request.get_query", json!([10]), has(json!({ "x": ["1", "3"], "y": ["two words"] })))
        .row("kong.request.get_header", json!(["x_one"]), has(json!("1")))
        .row("kong.request.get_header", json!(["x-none"]), Nothing)
        .row(
            "kong.request.get_headers",
            json!([100]),
            has(json!({ "x-one": ["1"], "host": ["Example.com:8000"] })),
        )
        .row("kong.request.get_raw_body", none(), has(json!(r#"{"k":"v"}"#)))
        .row("kong.request.get_body", none(), has(json!({ "k": "v" })))
        .row("kong.request.get_start_time", none(), Number)
        .row(
            "kong.router.get_route",
            none(),
            has(json!({ "name": "pdk", "paths": ["/pdk"], "strip_path": true })),
        )
        .row(
            "kong.router.get_service",
            none(),
            has(json!({ "name": "echo", "protocol": "http", "retries": 5 })),
        )
}

fn connection_getters() -> Scene {
    Scene::new("connection", "access", get("/connection?a=b").header("X-Forwarded-For", "10.1.2.3:999"))
        .row("kong.client.get_ip", none(), has(json!("127.0.0.1")))
        .row("kong.client.get_forwarded_ip", none(), has(json!("10.1.2.3")))
        .row("kong.client.get_port", none(), Number)
        .row("kong.client.get_forwarded_port", none(), has(json!(999)))
        .row("kong.client.get_protocol", json!([false]), has(json!("http")))
        .row("kong.client.tls.get_full_client_certificate_chain", none(), Refused)
        .row("kong.client.tls.set_client_verify", json!(["SUCCESS"]), Done)
        .row("kong.ip.is_trusted", json!(["127.0.0.1"]), has(json!(true)))
        .row("kong.ip.is_trusted", json!(["8.8.8.8"]), has(json!(false)))
        .row("kong.nginx.get_var", json!(["request_method"]), has(json!("GET")))
        .row("kong.nginx.get_var", json!(["arg_a"]), has(json!("b")))
        .row("kong.nginx.get_var", json!(["no_such_variable"]), Nothing)
        .row("kong.nginx.get_tls1_version_str", none(), Nothing)
        .row("kong.nginx.req_start_time", none(), Number)
        .row("kong.nginx.get_subsystem", none(), has(json!("http")))
        .row("kong.nginx.get_statistics", none(), Members(&["connections_active", "total_requests"]))
        .row("kong.node.get_id", none(), Text(UUID))
        .row("kong.node.get_hostname", none(), Text("."))
        .row("kong.node.get_memory_stats", none(), Members(&["lua_shared_dicts", "workers_lua_vms"]))
        .row("kong.plugin.get_id", none(), Text(UUID))
        .row("kong.cluster.get_id", none(), Refused)
}

fn identity() -> Scene {
    let consumer = json!({ "id": CONSUMER_ID, "username": "jon" });
    let credential = json!({ "id": "c1", "consumer_id": CONSUMER_ID });
    Scene::new("identity", "access", get("/identity"))
        .row("kong.client.get_consumer", none(), Nothing)
        .row("kong.client.get_credential", none(), Nothing)
        .row(
            "kong.client.load_consumer",
            json!([CONSUMER_ID, false]),
            has(json!({ "username": "jon", "custom_id": "007", "tags": ["vip"] })),
        )
        .row("kong.client.load_consumer", json!(["jon", true]), has(json!({ "id": CONSUMER_ID })))
        .row("kong.client.authenticate", json!([consumer, credential]), Done)
        .row("kong.client.get_consumer", none(), has(consumer))
        .row("kong.client.get_credential", none(), has(credential))
}

fn store() -> Scene {
    let reference = json!([format!("{{vault://env/{}}}", SECRET.0)]);
    let update = json!([{ "secret": "old", "$refs": { "secret": reference[0] } }]);
    Scene::new("store", "access", get("/store"))
        .row("kong.ctx.shared.set", json!(["key", { "a": [1, "two"] }]), Done)
        .row("kong.ctx.shared.get", json!(["key"]), has(json!({ "a": [1, "two"] })))
        .row("kong.ctx.shared.set", json!(["key", null]), Done)
        .row("kong.ctx.shared.get", json!(["key"]), Nothing)
        .row("kong.nginx.set_ctx", json!(["key", "value"]), Done)
        .row("kong.nginx.get_ctx", json!(["key"]), has(json!("value")))
        .row("kong.nginx.get_ctx", json!(["KONG_ACCESS_START"]), Number)
        .row("kong.vault.is_reference", reference.clone(), has(json!(true)))
        .row(
            "kong.vault.parse_reference",
            reference.clone(),
            has(json!({ "name": "env", "resource": SECRET.0 })),
        )
        .row("kong.vault.get", reference, has(json!(SECRET.2)))
        .row("kong.vault.update", update, has(json!({ "secret": SECRET.2 })))
        .row("kong.telemetry.log", json!(["p", {}, "type", "message", {}]), Refused)
}

fn logs() -> Scene {
    const LEVELS: [(&str, &str); 8] = [
        ("kong.log.emerg", "emerg"),
        ("kong.log.alert", "alert"),
        ("kong.log.crit", "crit"),
        ("kong.log.err", "error"),
        ("kong.log.warn", "warn"),
        ("kong.log.notice", "notice"),
        ("kong.log.info", "info"),
        ("kong.log.debug", "debug"),
    ];
    let levels = LEVELS.iter().fold(Scene::new("logs", "access", get("/logs")), |scene, (call, level)| {
        scene.row(call, json!([format!("{level}-line "), 7, true]), Done)
    });
    levels
        .row("kong.log", json!(["plain-line"]), Done)
        .row("kong.log.inspect", json!([{ "inspected": 1 }]), Done)
        .row("kong.log.deprecation", json!(["old-line", { "after": "1.0", "removal": "2.0" }]), Done)
        .row("kong.log.set_serialize_value", json!(["marked.value", 3]), Done)
        .check(|effects| {
            let last = if effects.answer.header("x-pdk-go-access").is_some() { 1 } else { 0 };
            for (_, level) in &LEVELS[last..] {
                effects
                    .fleet
                    .gateway
                    .wait_for_log(&format!(r"\[{level}\].*\[pdk-[a-z-]+\] {level}-line 7true"));
            }
            Ok(())
        })
}

fn captures() -> Scene {
    Scene::new("captures", "access", Request::get("/captures/abc/42")).row(
        "kong.request.get_uri_captures",
        none(),
        has(json!({ "named": { "name": "abc" } })),
    )
}

fn in_rewrite() -> Scene {
    Scene::new("rewrite", "rewrite", get("/rewrite"))
        .row("kong.request.get_method", none(), has(json!("GET")))
        .row("kong.service.request.set_header", json!(["x-rewritten", "yes"]), Done)
        .row("kong.service.request.set_query", json!([{ "re": ["written"] }]), Done)
        .check(|effects| {
            let seen = effects.upstream("/rewrite?re=written");
            equal("x-rewritten", seen.header_bytes("x-rewritten"), vec![b"yes".as_slice()])
        })
}

fn in_log() -> Scene {
    Scene::new("log", "log", get("/log?a=b").header("X-One", "1"))
        .row("kong.log.serialize", none(), Text(r#""status":200"#))
        .row("kong.request.get_header", json!(["x-one"]), has(json!("1")))
        .row("kong.request.get_headers", json!([100]), has(json!({ "x-one": ["1"] })))
        .row("kong.request.get_method", none(), has(json!("GET")))
        .row("kong.request.get_raw_query", none(), has(json!("a=b")))
        .row("kong.request.get_query", json!([10]), has(json!({ "a": ["b"] })))
        .row("kong.request.get_forwarded_host", none(), has(json!("example.com")))
        .row("kong.client.get_ip", none(), has(json!("127.0.0.1")))
        .row("kong.nginx.get_var", json!(["request_method"]), has(json!("GET")))
        .row("kong.response.get_status", none(), has(json!(200)))
        .row("kong.response.get_header", json!(["x-powered-by"]), has(json!("mock_upstream")))
        .row("kong.response.get_headers", json!([100]), has(json!({ "x-twice": ["one", "two"] })))
        .row("kong.response.get_source", none(), has(json!("service")))
        .row("kong.router.get_route", none(), has(json!({ "name": "pdk" })))
        .row("kong.service.response.get_status", none(), has(json!(200)))
        .row("kong.service.response.get_raw_body", none(), Text(r#""method":"GET""#))
}

/// Setters of the request to the upstream, by what reaches it.
fn upstream_request() -> Vec<Scene> {
    vec![
        Scene::new("set-all", "access", Request::post("/pdk/set-all?old=1", "old").header("X-Gone", "1"))
            .row("kong.service.request.set_scheme", json!(["http"]), Done)
            .row("kong.service.request.set_method", json!(["PUT"]), Done)
            .row("kong.service.request.set_path", json!(["/set all/é"]), Done)
            .row(
                "kong.service.request.set_query",
                json!([{ "foo": ["hello world"], "aa": ["zzz", "b", "aaa"] }]),
                Done,
            )
            .row("kong.service.request.set_header", json!(["X-Set", "one"]), Done)
            .row("kong.service.request.add_header", json!(["X-Set", "two"]), Done)
            .row("kong.service.request.clear_header", json!(["x-gone"]), Done)
            .row("kong.service.request.set_headers", json!([{ "X-List": ["b", "a"] }]), Done)
            .row("kong.service.request.set_raw_body", json!(["new body"]), Done)
            .check(|effects| {
                let seen = effects.upstream("/set%20all/%C3%A9?aa=zzz&aa=b&aa=aaa&foo=hello%20world");
                equal("method", seen.method.as_str(), "PUT")?;
                equal("x-set", seen.header_bytes("x-set"), vec![b"one".as_slice(), b"two"])?;
                equal("x-gone", seen.header_bytes("x-gone").len(), 0)?;
                equal("x-list", seen.header_bytes("x-list"), vec![b"b".as_slice(), b"a"])?;
                equal("body", seen.body.as_slice(), b"new body".as_slice())
            }),
        Scene::new("raw-query", "access", get("/raw-query?old=1"))
            .row("kong.service.request.set_raw_query", json!(["a=%20&b"]), Done)
            .check(|effects| equal("method", effects.upstream("/raw-query?a=%20&b").method.as_str(), "GET")),
        Scene::new("clear-query", "access", get("/clear-query?a=1&b=2&a=3&c"))
            .row("kong.service.request.clear_query_arg", json!(["a"]), Done)
            .check(|effects| equal("method", effects.upstream("/clear-query?b=2&c").method.as_str(), "GET")),
        Scene::new(
            "set-body",
            "access",
            Request::post("/pdk/set-body", "x").header("Content-Type", "text/plain"),
        )
        .row("kong.service.request.set_body", json!([{ "a": 1 }, "application/json"]), Done)
        .check(|effects| {
            let seen = effects.upstream("/set-body");
            equal("body", seen.body.as_slice(), br#"{"a":1}"#.as_slice())?;
            equal("content-type", seen.header_bytes("content-type"), vec![b"application/json".as_slice()])
        }),
    ]
}

/// Which upstream is asked, and how.
fn upstream_choice() -> Vec<Scene> {
    vec![
        Scene::new("upstream", "access", get("/upstream"))
            .row("kong.service.set_upstream", json!(["pool"]), Done)
            .check(|effects| equal("hits", effects.fleet.upstream.hits("/upstream") > 0, true)),
        Scene::new("target", "access", get("/target"))
            // Nothing listens there: that the request fails shows that the target counts.
            .row("kong.service.set_target", json!(["127.0.0.1", 9]), Ends)
            .status(502),
        Scene::new("service", "access", get("/service"))
            .row("kong.service.set_retries", json!([2]), Done)
            .row("kong.service.set_timeouts", json!([5000, 6000, 7000]), Done)
            .row("kong.service.set_tls_verify", json!([false]), Done)
            .row("kong.service.set_tls_verify_depth", json!([2]), Done)
            .row("kong.service.request.enable_buffering", none(), Done),
    ]
}

/// The answer to the client: read, changed, replaced.
fn answers() -> Vec<Scene> {
    vec![
        Scene::new("answer", "response", get("/answer"))
            .row("kong.service.response.get_status", none(), has(json!(200)))
            .row("kong.service.response.get_header", json!(["Server"]), has(json!("mock-upstream/1.0.0")))
            .row("kong.service.response.get_headers", json!([100]), has(json!({ "x-twice": ["one", "two"] })))
            .row("kong.service.response.get_raw_body", none(), Text(r#""method":"GET""#))
            .row("kong.service.response.get_body", none(), has(json!({ "method": "GET" })))
            .row("kong.response.get_status", none(), has(json!(200)))
            .row("kong.response.get_header", json!(["x-powered-by"]), has(json!("mock_upstream")))
            .row("kong.response.get_headers", json!([100]), has(json!({ "x-twice": ["one", "two"] })))
            .row("kong.response.get_source", none(), has(json!("service")))
            .row("kong.response.set_status", json!([202]), Done)
            .row("kong.response.get_status", none(), has(json!(202)))
            .row("kong.response.set_header", json!(["X-Set", "one"]), Done)
            .row("kong.response.add_header", json!(["X-Set", "two"]), Done)
            .row("kong.response.clear_header", json!(["x-twice"]), Done)
            .row("kong.response.set_headers", json!([{ "X-List": ["b", "a"] }]), Done)
            .status(202)
            .check(|effects| {
                let answer = effects.answer;
                equal("x-set", answer.header_bytes("x-set"), vec![b"one".as_slice(), b"two"])?;
                equal("x-twice", answer.header_bytes("x-twice").len(), 0)?;
                equal("x-list", answer.header_bytes("x-list"), vec![b"b".as_slice(), b"a"])
            }),
        Scene::new("exit", "access", get("/exit"))
            .row("kong.response.exit", json!([418, "teapot", { "X-Exit": ["yes"] }]), Ends)
            .status(418)
            .check(|effects| {
                equal("body", effects.answer.text().as_str(), "teapot")?;
                equal("x-exit", effects.answer.header("x-exit"), Some("yes"))?;
                equal("hits", effects.fleet.upstream.hits("/exit"), 0)
            }),
        Scene::new("error", "access", get("/error").header("Accept", "application/json"))
            .row("kong.response.error", json!([429, "slow down"]), Ends)
            .status(429)
            .check(|effects| equal("message", effects.answer.json()["message"].as_str(), Some("slow down"))),
    ]
}

/// Calls that throw: the error reaches the plugin, and the request is refused unless the plugin answers it.
fn wrong_calls() -> Vec<Scene> {
    let scene = |name| Scene::new(name, "access", get("/wrong")).exits();
    vec![
        scene("wrong-phase")
            .row(
                "kong.client.tls.request_client_certificate",
                none(),
                Error("cannot be called in access phase"),
            )
            .row("kong.client.tls.disable_session_reuse", none(), Error("cannot be called in access phase"))
            .row("kong.service.request.disable_tls", none(), Error("cannot be called in access phase"))
            .row("kong.service.request.enable_tls", none(), Error("cannot be called in access phase")),
        scene("wrong-arguments")
            .row("kong.response.set_status", json!([99]), Error("code must be a number between 100 and 599"))
            .row("kong.request.get_headers", json!([1001]), Error("must be <= 1000"))
            .row("kong.service.request.set_scheme", json!(["ftp"]), Error("invalid scheme: ftp"))
            .row("kong.service.request.set_method", json!(["BREW"]), Error("invalid method: BREW"))
            .row("kong.client.load_consumer", json!(["jon", false]), Error("not a uuid")),
    ]
}

fn equal<T: PartialEq + std::fmt::Debug>(what: &str, is: T, want: T) -> Result<(), String> {
    if is == want { Ok(()) } else { Err(format!("{what} is {is:?}, but want {want:?}")) }
}
