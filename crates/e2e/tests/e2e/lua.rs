//! Chunks of Lua in a whole gateway: what kong.conf says of them, and workers that go on.

use std::time::Duration;

use polygate_testkit::{EchoUpstream, Gateway, Request, eventually};
use serde_json::json;

fn file(upstream: &str, config: serde_json::Value) -> String {
    json!({
        "_format_version": "3.0",
        "services": [{"name": "s", "url": upstream, "routes": [{"paths": ["/"]}]}],
        "plugins": [{"name": "pre-function", "config": config}],
    })
    .to_string()
}

fn started(conf: &str, config: serde_json::Value) -> (Gateway, EchoUpstream) {
    let upstream = EchoUpstream::start();
    let conf = format!("nginx_main_worker_processes = 1\n{conf}");
    (Gateway::builder().conf(&conf).declarative(&file(&upstream.url(), config)).start(), upstream)
}

#[test]
fn the_sandbox_is_as_wide_as_kong_conf_says() {
    let chunk =
        "local json = require('cjson.safe') return kong.response.exit(200, json.encode({ type(os.getenv) }))";
    let conf = "untrusted_lua_sandbox_requires = cjson.safe\nuntrusted_lua_sandbox_environment = os.getenv\n";
    let (gateway, _upstream) = started(conf, json!({"access": [chunk]}));
    assert_eq!(Request::get("/").send(gateway.proxy()).expect(200).text(), "[\"function\"]");

    let (gateway, _upstream) = started("untrusted_lua = off\n", json!({"access": [chunk]}));
    Request::get("/").send(gateway.proxy()).expect(500);
    gateway.wait_for_log(
        "loading of untrusted Lua code disabled because 'untrusted_lua' config option is set to 'off'",
    );
}

#[test]
fn a_worker_survives_what_chunks_do() {
    let chunk = "local what = kong.request.get_header('what')
                 if what == 'loop' then while true do end end
                 if what == 'fill' then local s = 'x' while true do s = s .. s end end
                 if what == 'deep' then local function f() return 1 + f() end f() end
                 if what == 'body' then return kong.response.exit(200, kong.request.get_raw_body()) end";
    let (gateway, _upstream) = started("", json!({"access": [chunk]}));
    for (what, told) in [
        ("loop", "took more than 1s of the processor without a wait"),
        ("fill", "not enough memory: a state of Lua has 256 MiB"),
        ("deep", "stack overflow"),
    ] {
        Request::get("/").header("What", what).send(gateway.proxy()).expect(500);
        gateway.wait_for_log(told);
        Request::get("/").send(gateway.proxy()).expect(200);
    }
    let answer = Request::post("/", "hello").header("What", "body").send(gateway.proxy()).expect(200);
    assert_eq!(answer.text(), "hello");
}

#[test]
fn a_reload_brings_new_chunks() {
    let answering = |text: &str| json!({"rewrite": [format!("return kong.response.exit(200, '{text}')")]});
    let (gateway, upstream) = started("", answering("first"));
    assert_eq!(Request::get("/").send(gateway.proxy()).expect(200).text(), "first");
    gateway.write_declarative(&file(&upstream.url(), answering("second")));
    gateway.reload();
    eventually(Duration::from_secs(10), "the new chunk answers", || {
        (Request::get("/").send(gateway.proxy()).text() == "second").then_some(())
    });
}
