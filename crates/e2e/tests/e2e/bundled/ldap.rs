//! Logging in to a directory, with TLS or without.

use std::process::Command;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use polygate_testkit::peers::peer;
use polygate_testkit::{EchoUpstream, Gateway, Request};
use serde_json::{Value, json};

use crate::child::Server;
use crate::declarative::{self, plugin};
use crate::tls::certificates::Certificates;

fn directory(arguments: &[String]) -> Server {
    Server::start(Command::new(peer("go-tools/ldap-directory")).args(arguments))
}

fn gateway(upstream: &EchoUpstream, directory: &Server, further: &Value, conf: &str) -> Gateway {
    let mut config = json!({
        "ldap_host": "127.0.0.1", "ldap_port": directory.address.port(), "attribute": "uid",
        "base_dn": "ou=people,dc=test",
    });
    config.as_object_mut().expect("an object").extend(further.as_object().expect("an object").clone());
    Gateway::builder()
        .conf(&format!("nginx_main_worker_processes = 2\nplugins = bundled\n{conf}"))
        .declarative(&declarative::global(&upstream.url(), &[plugin("ldap-auth", config)]))
        .start()
}

fn status(gateway: &Gateway, user: &str, password: &str) -> u16 {
    let shown = BASE64_STANDARD.encode(format!("{user}:{password}"));
    Request::get("/").header("Authorization", format!("ldap {shown}")).send(gateway.proxy()).status
}

#[test]
fn a_directory_decides_who_passes() {
    let (upstream, mut directory) = (EchoUpstream::start(), directory(&[]));
    let gateway = gateway(&upstream, &directory, &json!({ "hide_credentials": true }), "");
    for _ in 0..10 {
        assert_eq!(status(&gateway, "ann", "right"), 200);
    }
    let last = upstream.last("/");
    assert_eq!(last.header_bytes("X-Credential-Identifier"), [b"ann"]);
    assert!(last.header_bytes("Authorization").is_empty());
    assert_eq!(status(&gateway, "bob", "right"), 401);
    assert_eq!(status(&gateway, "ann,ou=people", "right"), 401);
    assert_eq!(status(&gateway, "ann", "wrong"), 401);
    assert_eq!(status(&gateway, "ann", ""), 401);
    assert_eq!(upstream.hits("/"), 10);
    // All workers know what the directory said once, and nobody asked it about an empty password.
    for name in ["ann", "bob", r"ann\,ou\=people", "ann"] {
        assert_eq!(directory.line(), format!("bind uid={name},ou=people,dc=test"));
    }
    drop(directory);
    assert_eq!(status(&gateway, "ann", "right"), 200);
    assert_eq!(status(&gateway, "carl", "right"), 500, "nobody knows");
    gateway.wait_for_log("ldap 127.0.0.1:[0-9]+: .*refused");
}

#[test]
fn passwords_go_to_a_directory_in_tls() {
    let made = Certificates::new();
    made.sign("localhost");
    let pair = ["crt", "key"].map(|ending| made.path(&format!("localhost.{ending}")).display().to_string());
    let trusting = format!("lua_ssl_trusted_certificate = {}", made.path("ca.crt").display());
    let upstream = EchoUpstream::start();
    for (name, arguments) in
        [("start_tls", pair.to_vec()), ("ldaps", [&["ldaps".to_owned()][..], &pair].concat())]
    {
        let mut directory = directory(&arguments);
        let trusted =
            gateway(&upstream, &directory, &json!({ name: true, "verify_ldap_host": true }), &trusting);
        assert_eq!(status(&trusted, "ann", "right"), 200, "{name}: {}", trusted.error_log());
        assert_eq!(status(&trusted, "ann", "wrong"), 401);
        let unverified = gateway(&upstream, &directory, &json!({ name: true }), "");
        assert_eq!(status(&unverified, "bob", "right"), 401);
        let strange = gateway(&upstream, &directory, &json!({ name: true, "verify_ldap_host": true }), "");
        assert_eq!(status(&strange, "carl", "right"), 500);
        strange.wait_for_log("ldap 127.0.0.1:[0-9]+: .*certificate");
        // One who is not believed is told nothing.
        assert_eq!(status(&unverified, "dan", "right"), 401);
        for user in ["ann", "ann", "bob", "dan"] {
            assert_eq!(directory.line(), format!("bind uid={user},ou=people,dc=test"));
        }
    }
}

#[test]
fn a_directory_without_tls_is_told_nothing() {
    let (upstream, mut directory) = (EchoUpstream::start(), directory(&[]));
    let starting = gateway(&upstream, &directory, &json!({ "start_tls": true }), "");
    assert_eq!(status(&starting, "ann", "right"), 500);
    starting.wait_for_log("StartTLS is refused: result 2");
    let plain = gateway(&upstream, &directory, &json!({}), "");
    assert_eq!(status(&plain, "bob", "right"), 401);
    assert_eq!(directory.line(), "bind uid=bob,ou=people,dc=test");
}
