//! Active health checks within TLS.

use std::net::SocketAddr;
use std::time::Duration;

use polygate_testkit::{EchoUpstream, Gateway, Request, eventually};
use serde_json::{Value, json};

use super::certificates::Certificates;
use super::{certificates, start_upstream};

const PATIENCE: Duration = Duration::from_secs(15);

/// Targets are asked for the name `service.test`, as often as that can be.
fn declarative(targets: &[SocketAddr], active: Value) -> String {
    let targets: Vec<_> = targets.iter().map(|target| json!({ "target": target.to_string() })).collect();
    let mut checks = json!({
        "https_sni": "service.test",
        "healthy": { "interval": 0.1, "successes": 1 },
        "unhealthy": { "interval": 0.1, "tcp_failures": 1, "timeouts": 1, "http_failures": 1 },
    });
    for (name, value) in active.as_object().unwrap() {
        match checks[name].as_object_mut() {
            Some(rule) => rule.extend(value.as_object().unwrap().clone()),
            None => checks[name] = value.clone(),
        }
    }
    json!({
        "_format_version": "3.0",
        "upstreams": [{ "name": "pool", "targets": targets, "healthchecks": { "active": checks } }],
    })
    .to_string()
}

#[track_caller]
fn wait_for(gateway: &Gateway, target: SocketAddr, expected: &str) {
    let (target, what) = (target.to_string(), format!("{target} to be {expected}"));
    eventually(PATIENCE, &what, || {
        let health: Value = Request::get("/upstreams/pool/health").send(gateway.status()).expect(200).json();
        let rows = health["data"].as_array().expect("rows");
        rows.iter().any(|row| row["target"] == target && row["health"] == expected).then_some(())
    });
}

fn start(certificates: &Certificates, file: &str) -> Gateway {
    let authority = certificates.path("ca.crt");
    let conf = format!("lua_ssl_trusted_certificate = system,{}\n", authority.display());
    Gateway::builder().conf(&conf).declarative(file).start()
}

#[test]
fn probes_verify_targets_and_count_what_they_answer() {
    let certificates = certificates();
    let (right, wrong) =
        (start_upstream(&certificates, "service.test"), start_upstream(&certificates, "client.test"));
    let plain = EchoUpstream::start();
    let targets = [right.address, wrong.address, plain.address()];
    let gateway = start(&certificates, &declarative(&targets, json!({ "type": "https" })));
    wait_for(&gateway, wrong.address, "UNHEALTHY");
    wait_for(&gateway, plain.address(), "UNHEALTHY");
    wait_for(&gateway, right.address, "HEALTHY");
    gateway.wait_for_log(&format!(
        r"the probe of 127\.0\.0\.1 \({}\) fails: its certificate is for another name",
        wrong.address
    ));

    let load = |active| {
        gateway.write_declarative(&declarative(&targets, active));
        gateway.reload();
    };
    load(json!({ "type": "https", "https_verify_certificate": false }));
    wait_for(&gateway, wrong.address, "HEALTHY");
    wait_for(&gateway, plain.address(), "UNHEALTHY");
    load(
        json!({ "type": "https", "healthy": { "http_statuses": [204] }, "unhealthy": { "http_statuses": [200] } }),
    );
    wait_for(&gateway, right.address, "UNHEALTHY");
    load(json!({ "type": "grpcs" }));
    wait_for(&gateway, right.address, "HEALTHY");
    wait_for(&gateway, wrong.address, "UNHEALTHY");
    wait_for(&gateway, plain.address(), "UNHEALTHY");
    load(json!({ "type": "grpc" }));
    for target in targets {
        wait_for(&gateway, target, "HEALTHY");
    }
}

#[test]
fn nobody_is_believed_whose_authority_the_gateway_does_not_know() {
    let certificates = certificates();
    let target = start_upstream(&certificates, "service.test");
    let file = declarative(&[target.address], json!({ "type": "https" }));
    let gateway = Gateway::builder().declarative(&file).start();
    wait_for(&gateway, target.address, "UNHEALTHY");
    gateway.wait_for_log("fails: its certificate is of an authority that is not trusted");
}
