//! Bundled plugins beside external ones, and under load. What each one answers is held against recorded cases
//! (`reference::bundled`).

mod ldap;
mod redis;

use std::net::SocketAddr;
use std::thread;
use std::time::SystemTime;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use polygate_testkit::fake_server::{Ending, MsgPackEvent, Sdk};
use polygate_testkit::{Connection, EchoUpstream, FakeServer, Gateway, Request};
use ring::hmac;
use serde_json::{Value, json};

use crate::declarative::{self, plugin, route};

/// Names of the external plugins and their priorities: above, between and below those of the authentications.
const EXTERNAL: [(&str, i64); 4] = [("first", 1_000_001), ("early", 3000), ("between", 1200), ("late", 5)];

/// How an external plugin ends.
const ENDINGS: [&str; 6] = ["return", "error", "close", "name", "authenticate", "key"];

/// What strangers send in the header where a client shows itself.
const STRANGERS: [Option<&str>; 5] =
    [None, Some("wrong"), Some("Basic YW5uOndyb25n"), Some("Bearer a.b.c"), Some("")];

const ANN: &str = "00000000-0000-4000-8000-00000000000a";
/// HS256 over `{"iss":"ann"}` with the secret `right`.
const JWT: &str =
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJhbm4ifQ.gBs-l-L5jme07tWFF_he8qpktxwU-OppRfpY2T7Gxc0";

/// A way to authenticate: the plugins of its routes, and what a client of the consumer `ann` sends.
struct Authentication {
    name: &'static str,
    plugins: Vec<Value>,
    right: Vec<(&'static str, String)>,
}

fn authentications() -> Vec<Authentication> {
    let key = || plugin("key-auth", json!({}));
    let guest = || plugin("key-auth", json!({ "anonymous": "guest" }));
    let staff = || plugin("acl", json!({ "allow": ["staff"] }));
    let session = || plugin("session", json!({ "secret": "a secret of the test", "cookie_secure": false }));
    let oauth2 = json!({ "enable_client_credentials": true, "global_credentials": true });
    let with_key = vec![("apikey", "right".to_owned())];
    let with = |value: &str| vec![("Authorization", value.to_owned())];
    let way = |name, plugins, right| Authentication { name, plugins, right };
    vec![
        way("key-auth", vec![key()], with_key.clone()),
        way("basic-auth", vec![plugin("basic-auth", json!({}))], with("Basic YW5uOnJpZ2h0")),
        way("jwt", vec![plugin("jwt", json!({}))], with(&format!("Bearer {JWT}"))),
        way("oauth2", vec![plugin("oauth2", oauth2)], with("Bearer right")),
        way("hmac-auth", vec![plugin("hmac-auth", json!({}))], signed()),
        way("session", vec![session(), key()], with_key.clone()),
        way("acl", vec![key(), staff()], with_key.clone()),
        way("guests", vec![guest(), staff()], with_key.clone()),
        way("session-guests", vec![session(), guest(), staff()], with_key),
    ]
}

fn signed() -> Vec<(&'static str, String)> {
    let date = httpdate::fmt_http_date(SystemTime::now());
    let key = hmac::Key::new(hmac::HMAC_SHA256, b"right");
    let signature = BASE64_STANDARD.encode(hmac::sign(&key, format!("x-date: {date}").as_bytes()));
    let line = format!(
        "hmac username=\"ann\", algorithm=\"hmac-sha256\", headers=\"x-date\", signature=\"{signature}\""
    );
    vec![("X-Date", date), ("Authorization", line)]
}

/// Whether the configuration lets strangers in: an external plugin vouches for them before somebody asks.
fn lets_strangers_in(name: &str, priority: i64, ending: &str) -> bool {
    match ending {
        // The key of `ann`, where key-auth finds it.
        "key" => priority > 1250 && !matches!(name, "basic-auth" | "jwt" | "oauth2" | "hmac-auth"),
        // With an anonymous consumer an earlier plugin's word is enough, or a later one's for acl.
        "authenticate" => priority > 950 && name.ends_with("guests"),
        _ => false,
    }
}

fn play(event: &mut MsgPackEvent<'_>) -> Ending {
    let call = match event.config["ending"].as_str() {
        Some("error") => return Ending::Error("the plugin raised".to_owned()),
        Some("close") => return Ending::Close,
        // Telling the upstream who it is authenticates nobody.
        Some("name") => {
            Some(("kong.service.request.set_header", [json!("X-Consumer-Username"), json!("ann")]))
        }
        Some("key") => Some(("kong.service.request.set_header", [json!("apikey"), json!("right")])),
        Some("authenticate") => {
            let ann = json!({ "id": ANN, "username": "ann" });
            Some(("kong.client.authenticate", [ann, json!({ "id": "a-key", "consumer_id": ANN })]))
        }
        _ => None,
    };
    if let Some((name, arguments)) = call {
        event.call_json(name, &arguments).expect("access may");
    }
    Ending::Return
}

fn dump() -> Value {
    let plugins = EXTERNAL.map(|(name, priority)| {
        json!({
            "Name": name, "Phases": ["access"], "Version": "1.0", "Priority": priority,
            "Schema": { "name": name, "fields": [
                { "config": { "type": "record", "fields": [{ "ending": { "type": "string" } }] } },
            ] },
        })
    });
    json!({ "Protocol": "MsgPack:1", "Plugins": plugins })
}

/// Bundled plugins from the first to the last of a chain, none of which answers by itself.
fn companions() -> [Value; 6] {
    [
        plugin("pre-function", json!({ "access": ["kong.service.request.set_header('x-pre', '1')"] })),
        plugin("correlation-id", json!({ "header_name": "X-Id" })),
        plugin("cors", json!({})),
        plugin("rate-limiting", json!({ "second": 100_000, "limit_by": "consumer" })),
        plugin("request-transformer", json!({ "add": { "headers": ["apikey:right", "authorization:x"] } })),
        plugin("post-function", json!({ "access": ["kong.service.request.set_header('x-post', '1')"] })),
    ]
}

#[test]
fn nobody_passes_an_authentication_in_any_chain() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let socket = folder.path().join("scripted.socket");
    let _server = FakeServer::msgpack(&socket, Sdk::Python, play);
    let mut routes = Vec::new();
    let mut chains = Vec::new();
    let ways = authentications();
    for way in &ways {
        for (external, priority) in EXTERNAL {
            for ending in ENDINGS {
                let name = format!("{}-{external}-{ending}", way.name);
                let mut plugins = companions().to_vec();
                plugins.extend(way.plugins.iter().cloned());
                plugins.push(plugin(external, json!({ "ending": ending })));
                routes.push(route(&name, &plugins));
                chains.push((name, way, priority, ending));
            }
        }
    }
    let upstream = EchoUpstream::start();
    let mut file: Value = serde_json::from_str(&declarative::file(&upstream.url(), &routes)).expect("JSON");
    file["consumers"] = json!([{
        "id": ANN,
        "username": "ann",
        "acls": [{ "group": "staff" }],
        "keyauth_credentials": [{ "key": "right" }],
        "basicauth_credentials": [{ "username": "ann", "password": "right" }],
        "jwt_secrets": [{ "key": "ann", "secret": "right" }],
        "hmacauth_credentials": [{ "username": "ann", "secret": "right" }],
        "oauth2_credentials": [{
            "name": "app", "client_id": "app",
            "oauth2_tokens": [{ "access_token": "right", "expires_in": 0 }],
        }],
    }, { "username": "guest" }]);
    let names = EXTERNAL.map(|(name, _)| name).join(",");
    let conf = format!(
        "plugins = bundled,{names}\npluginserver_names = scripted\npluginserver_scripted_socket = {}\n\
         pluginserver_scripted_query_cmd = echo '{}'",
        socket.display(),
        dump()
    );
    let gateway = Gateway::builder().conf(&conf).declarative(&file.to_string()).start();
    for (name, way, priority, ending) in chains {
        let fails = matches!(ending, "error" | "close");
        let lets_in = lets_strangers_in(way.name, priority, ending);
        let (header, _) = way.right.last().expect("every client shows something");
        for (at, value) in STRANGERS.into_iter().enumerate() {
            let target = format!("/stranger-{at}");
            let request = Request::get(&format!("/{name}{target}"));
            let request = request.header("X-Consumer-Username", "ann").header("Cookie", "session=forged");
            let request = match value {
                Some(value) => request.header(header, value),
                None => request,
            };
            let before = upstream.hits(&target);
            let status = request.send(gateway.proxy()).status;
            let is_refused = matches!(status, 401 | 403) || fails && status == 500;
            assert!(if lets_in { status == 200 } else { is_refused }, "{name} {value:?}: {status}");
            assert_eq!(upstream.hits(&target) - before, usize::from(lets_in), "{name} {value:?}");
        }
        let target = format!("/{name}/ann");
        let request = Request::get(&format!("/{name}{target}"));
        let lines = way.right.iter();
        let request = lines.fold(request, |request, (name, value)| request.header(name, value));
        let status = request.send(gateway.proxy()).status;
        assert_eq!(status, if fails { 500 } else { 200 }, "{name}");
        assert_eq!(upstream.hits(&target), usize::from(!fails), "{name}");
    }
}

#[test]
fn a_code_is_good_once_and_its_token_in_all_workers_and_after_a_reload() {
    let upstream = EchoUpstream::start();
    let oauth2 = json!({
        "enable_authorization_code": true, "accept_http_if_already_terminated": true, "provision_key": "provision-secret",
    });
    let mut file: Value = serde_json::from_str(&declarative::file(
        &upstream.url(),
        &[route("api", &[plugin("oauth2", oauth2)])],
    ))
    .expect("JSON");
    file["consumers"] = json!([{ "username": "ann", "oauth2_credentials": [{
        "name": "app", "client_id": "app", "client_secret": "client-secret", "redirect_uris": ["https://app.test/cb"],
    }] }]);
    let gateway = Gateway::builder()
        .conf("nginx_main_worker_processes = 4\nplugins = bundled\ntrusted_ips = 127.0.0.1")
        .declarative(&file.to_string())
        .start();
    let post = |endpoint: &str, body: &str| {
        Request::post(&format!("/api/oauth2/{endpoint}"), body)
            .header("Content-Type", "application/x-www-form-urlencoded")
            .header("X-Forwarded-Proto", "https")
            .send(gateway.proxy())
    };
    let asking = "client_id=app&response_type=code&provision_key=provision-secret&authenticated_userid=u";
    let answer = post("authorize", asking).expect(200).json();
    let uri = answer["redirect_uri"].as_str().expect("a place");
    let code = uri.strip_prefix("https://app.test/cb?code=").expect("a code");
    let body = format!("grant_type=authorization_code&client_id=app&client_secret=client-secret&code={code}");
    let answers: Vec<_> = thread::scope(|scope| {
        let redeeming: Vec<_> = (0..8).map(|_| scope.spawn(|| post("token", &body))).collect();
        redeeming.into_iter().map(|client| client.join().expect("a client")).collect()
    });
    let tokens: Vec<_> = answers.iter().filter(|answer| answer.status == 200).collect();
    assert_eq!(tokens.len(), 1, "{:?}", answers.iter().map(|it| it.status).collect::<Vec<_>>());
    let token = tokens[0].json();
    let line = format!("Bearer {}", token["access_token"].as_str().expect("a token"));
    let asks = || {
        for _ in 0..8 {
            let request = Request::get("/api/x").header("Authorization", &line);
            request.send(gateway.proxy()).expect(200);
        }
    };
    asks();
    gateway.reload();
    asks();
    assert_eq!(upstream.last("/x").header_bytes("X-Authenticated-UserId"), [b"u"]);
    let log = gateway.error_log();
    let secrets =
        ["client-secret", "provision-secret", code, token["access_token"].as_str().unwrap_or_default()];
    assert!(secrets.iter().all(|secret| !log.contains(secret)), "{log}");
}

#[test]
fn a_limit_is_exact_over_all_workers() {
    const LIMIT: usize = 100;
    let upstream = EchoUpstream::start();
    // A year, so that no window ends while requests are under way.
    let limit = plugin("rate-limiting", json!({ "year": LIMIT, "policy": "local" }));
    let gateway = Gateway::builder()
        .conf("nginx_main_worker_processes = 4\nplugins = bundled")
        .declarative(&declarative::global(&upstream.url(), &[limit]))
        .start();
    let statuses = burst(&[gateway.proxy()]);
    assert_eq!((count(&statuses, 200), count(&statuses, 429)), (LIMIT, 1000 - LIMIT));
    assert_eq!(upstream.hits("/"), LIMIT);
}

/// The statuses of 1000 requests, 50 at a time.
fn burst(proxies: &[SocketAddr]) -> Vec<u16> {
    let client = |proxy: SocketAddr| {
        thread::spawn(move || {
            let mut connection = Connection::open(proxy).expect("the gateway listens");
            let statuses = (0..20).map(|_| connection.send(&Request::get("/")).expect("an answer").status);
            statuses.collect::<Vec<_>>()
        })
    };
    let clients: Vec<_> = proxies.iter().copied().cycle().take(50).map(client).collect();
    clients.into_iter().flat_map(|client| client.join().expect("a client")).collect()
}

fn count(statuses: &[u16], status: u16) -> usize {
    statuses.iter().filter(|it| **it == status).count()
}
