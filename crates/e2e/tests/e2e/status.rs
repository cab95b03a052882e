//! The status API as tools that know the reference read it.

use polygate_testkit::{Gateway, Request, Response};
use serde_json::{Value, json};

const UPSTREAM: &str = "
_format_version: '3.0'
upstreams:
- name: u
  targets: [{target: '127.0.0.1:1', weight: 7}]
";

fn get(gateway: &Gateway, path: &str) -> Response {
    Request::get(path).send(gateway.status())
}

#[track_caller]
fn body(answer: &Response) -> Value {
    serde_json::from_str(&answer.text()).unwrap_or_else(|error| panic!("{error}: {}", answer.text()))
}

#[test]
fn answers_have_the_shape_and_the_headers_of_the_reference() {
    let gateway = Gateway::builder().declarative(UPSTREAM).start();
    for (path, status) in [
        ("/status", 200),
        ("/status/ready", 200),
        ("/upstreams/u/targets", 200),
        ("/upstreams/u/targets/all", 200),
        ("/upstreams/u/health", 200),
        ("/upstreams/none/health", 404),
        ("/nothing", 404),
    ] {
        let answer = get(&gateway, path);
        assert_eq!(answer.status, status, "{path}: {}", answer.text());
        let names: Vec<_> = answer.headers.iter().map(|(name, _)| name.as_str()).collect();
        for name in ["Content-Type", "Server", "X-Kong-Admin-Latency", "Content-Length"] {
            assert!(names.contains(&name), "{path}: no {name} in {names:?}");
        }
        assert_eq!(answer.header("server"), Some("kong/3.10.0"), "{path}");
        assert_eq!(answer.header("content-type"), Some("application/json; charset=utf-8"), "{path}");
    }
}

#[test]
fn memory_and_targets_have_the_members_that_tools_read() {
    let gateway = Gateway::builder().declarative(UPSTREAM).start();
    let memory = &body(&get(&gateway, "/status"))["memory"];
    for dictionary in ["kong", "kong_db_cache"] {
        assert_eq!(
            memory["lua_shared_dicts"][dictionary],
            json!({ "allocated_slabs": "0.00 MiB", "capacity": "0.00 MiB" })
        );
    }
    let worker = &memory["workers_lua_vms"][0];
    assert_eq!(worker["pid"], gateway.pid());
    let size = worker["http_allocated_gc"].as_str().and_then(|size| size.strip_suffix(" MiB"));
    assert!(size.is_some_and(|size| size.parse::<f64>().is_ok_and(|size| size > 0.0)), "{worker}");

    let target = &body(&get(&gateway, "/upstreams/u/targets"))["data"][0];
    assert_eq!((&target["target"], &target["weight"]), (&json!("127.0.0.1:1"), &json!(7)));
    let health = body(&get(&gateway, "/upstreams/u/health"));
    assert_eq!(health["data"][0]["health"], "HEALTHCHECKS_OFF");
    assert_eq!(health["data"][0]["data"]["addresses"][0]["port"], 1);
    assert!(health["node_id"].is_string(), "{health}");
}
