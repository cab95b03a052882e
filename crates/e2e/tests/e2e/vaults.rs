//! Secrets by reference in configurations: what plugins of both kinds get, and who does not see them.

use std::time::Duration;

use polygate_testkit::fake_server::{Ending, MsgPackEvent, Sdk};
use polygate_testkit::{EchoUpstream, FakeServer, Gateway, Request, eventually};
use serde_json::{Value, json};

use crate::declarative::{self, plugin, route};
use crate::tls::certificates::Certificates;
use crate::tls::curl;
/// Of a queue that sends its lines at once, on two cores that all tests share.
const PATIENCE: Duration = Duration::from_secs(30);

const SECRET: &str = "s3cret-of-the-test";

/// Tells the upstream what the configuration has.
fn play(event: &mut MsgPackEvent<'_>) -> Ending {
    let config = ["secret", "missing", "$refs"].map(|member| event.config[member].clone());
    let told = [json!("X-Told"), json!(Value::from(config.to_vec()).to_string())];
    event.call_json("kong.service.request.set_header", &told).expect("access may");
    Ending::Return
}

fn dump() -> Value {
    let text = json!({ "type": "string", "referenceable": true });
    let config = json!({ "type": "record", "fields": [{ "secret": text }, { "missing": text }] });
    let schema = json!({ "name": "tells", "fields": [{ "config": config }] });
    let plugin =
        json!({ "Name": "tells", "Phases": ["access"], "Version": "1.0", "Priority": 1, "Schema": schema });
    json!({ "Protocol": "MsgPack:1", "Plugins": [plugin] })
}

#[test]
fn plugins_get_secrets_and_logs_do_not() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let socket = folder.path().join("tells.socket");
    let _server = FakeServer::msgpack(&socket, Sdk::Python, play);
    let upstream = EchoUpstream::start();
    let (mine, gone) = ("{vault://mine/token/key}", "{vault://env/polygate-gone}");
    let plugins = [
        plugin("tells", json!({ "secret": mine, "missing": gone })),
        plugin("http-log", json!({ "http_endpoint": upstream.url() + "/log", "headers": { "X-Key": mine } })),
    ];
    let mut file: Value =
        serde_json::from_str(&declarative::file(&upstream.url(), &[route("a", &plugins)])).expect("JSON");
    file["vaults"] = json!([{ "name": "env", "prefix": "mine", "config": { "prefix": "POLYGATE_TEST_" } }]);
    let conf = format!(
        "log_level = debug\nplugins = bundled,tells\npluginserver_names = tells\npluginserver_tells_socket = {}\n\
         pluginserver_tells_query_cmd = echo '{}'",
        socket.display(),
        dump()
    );
    let gateway = Gateway::builder()
        .conf(&conf)
        .environment("POLYGATE_TEST_TOKEN", &json!({ "key": SECRET }).to_string())
        .declarative(&file.to_string())
        .start();

    Request::get("/a/x").send(gateway.proxy()).expect(200);
    let told = upstream.last("/x").header_bytes("X-Told").concat();
    assert_eq!(
        serde_json::from_slice::<Value>(&told).expect("JSON"),
        json!([SECRET, "", { "secret": mine, "missing": gone }])
    );
    eventually(PATIENCE, "the line of the log", || (upstream.hits("/log") > 0).then_some(()));
    assert_eq!(upstream.last("/log").header_bytes("X-Key"), [SECRET.as_bytes()]);

    gateway.wait_for_log("the plugin tells \\(.*: environment variable POLYGATE_GONE is not set");
    assert!(!gateway.error_log().contains(SECRET), "{}", gateway.error_log());
}

#[test]
fn clients_are_shown_a_certificate_of_the_environment() {
    let certificates = Certificates::new();
    certificates.sign("a.test");
    let pair = json!({ "cert": certificates.text("a.test.crt"), "key": certificates.text("a.test.key") });
    let mut file: Value =
        serde_json::from_str(&declarative::global(&EchoUpstream::start().url(), &[])).expect("JSON");
    file["certificates"] = json!([{
        "cert": "{vault://env/polygate-pair/cert}",
        "key": "{vault://env/polygate-pair/key}",
        "snis": [{ "name": "a.test" }],
    }]);
    let gateway = Gateway::builder()
        .conf("proxy_listen = {proxy} ssl")
        .environment("POLYGATE_PAIR", &pair.to_string())
        .declarative(&file.to_string())
        .start();
    let (output, is_trusted) = curl(&gateway, &certificates, "a.test", &[]);
    assert!(is_trusted, "{output}");
}
