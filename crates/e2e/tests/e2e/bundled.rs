//! Bundled plugins beside external ones, and under load. What each one answers is held against recorded cases
//! (`reference::bundled`).

mod ldap;
mod redis;

use std::net::SocketAddr;
use std::thread;

use polygate_testkit::fake_server::{Ending, MsgPackEvent, Sdk};
use polygate_testkit::{Connection, EchoUpstream, FakeServer, Gateway, Request};
use serde_json::{Value, json};

use crate::declarative::{self, plugin, route};

/// Names of the external plugins and their priorities: above, between and below those of the authentications.
const EXTERNAL: [(&str, i64); 4] = [("first", 1_000_001), ("early", 3000), ("between", 1200), ("late", 5)];

/// How an external plugin ends.
const ENDINGS: [&str; 4] = ["return", "error", "close", "name"];

/// Each authentication with what a client of the consumer sends.
const AUTHENTICATIONS: [(&str, &str, &str); 2] =
    [("key-auth", "apikey", "right"), ("basic-auth", "Authorization", "Basic YW5uOnJpZ2h0")];

fn play(event: &mut MsgPackEvent<'_>) -> Ending {
    match event.config["ending"].as_str() {
        Some("error") => Ending::Error("the plugin raised".to_owned()),
        Some("close") => Ending::Close,
        // Telling the upstream who it is authenticates nobody.
        Some("name") => {
            let header = [json!("X-Consumer-Username"), json!("ann")];
            event.call_json("kong.service.request.set_header", &header).expect("access may");
            Ending::Return
        }
        _ => Ending::Return,
    }
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
    for (authentication, ..) in AUTHENTICATIONS {
        for (external, _) in EXTERNAL {
            for ending in ENDINGS {
                let name = format!("{authentication}-{external}-{ending}");
                let mut plugins = companions().to_vec();
                plugins.push(plugin(authentication, json!({})));
                plugins.push(plugin(external, json!({ "ending": ending })));
                routes.push(route(&name, &plugins));
                chains.push((name, authentication, ending));
            }
        }
    }
    let upstream = EchoUpstream::start();
    let mut file: Value = serde_json::from_str(&declarative::file(&upstream.url(), &routes)).expect("JSON");
    file["consumers"] = json!([{
        "username": "ann",
        "keyauth_credentials": [{ "key": "right" }],
        "basicauth_credentials": [{ "username": "ann", "password": "right" }],
    }]);
    let names = EXTERNAL.map(|(name, _)| name).join(",");
    let conf = format!(
        "plugins = bundled,{names}\npluginserver_names = scripted\npluginserver_scripted_socket = {}\n\
         pluginserver_scripted_query_cmd = echo '{}'",
        socket.display(),
        dump()
    );
    let gateway = Gateway::builder().conf(&conf).declarative(&file.to_string()).start();
    for (name, authentication, ending) in chains {
        let (_, header, right) =
            AUTHENTICATIONS.into_iter().find(|(it, ..)| *it == authentication).expect("one of them");
        let fails = matches!(ending, "error" | "close");
        for (at, value) in [None, Some("wrong"), Some("Basic YW5uOndyb25n"), Some("")].into_iter().enumerate()
        {
            let target = format!("/stranger-{at}");
            let request = Request::get(&format!("/{name}{target}"));
            let request = match value {
                Some(value) => request.header(header, value),
                None => request,
            };
            let status = request.send(gateway.proxy()).status;
            assert!(status == 401 || fails && status == 500, "{name} {value:?}: {status}");
            assert_eq!(upstream.hits(&target), 0, "{name} {value:?}");
        }
        let target = format!("/{name}/ann");
        let request = Request::get(&format!("/{name}{target}")).header(header, right);
        let status = request.send(gateway.proxy()).status;
        assert_eq!(status, if fails { 500 } else { 200 }, "{name}");
        assert_eq!(upstream.hits(&target), usize::from(!fails), "{name}");
    }
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
