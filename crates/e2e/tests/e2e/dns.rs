//! Names of targets and of services, resolved by a DNS server.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use polygate_testkit::dns::Record;
use polygate_testkit::{DnsServer, EchoUpstream, Gateway, Reply, Request, eventually};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(20);

/// An upstream that answers with its name and the host that it was asked for, without the port.
fn upstream(name: &'static str) -> EchoUpstream {
    EchoUpstream::scripted(move |request| {
        let host = String::from_utf8_lossy(request.header_bytes("host")[0]).into_owned();
        Reply::new(200, format!("{name} {}", host.split(':').next().unwrap_or_default()))
    })
}

fn srv(priority: u16, weight: u16, upstream: &EchoUpstream, target: &'static str) -> Record {
    Record::Srv { priority, weight, port: upstream.address().port(), target }
}

fn local() -> Record {
    Record::A(Ipv4Addr::LOCALHOST)
}

#[track_caller]
fn gateway(server: &DnsServer, conf: &str, upstreams: Value, host: &str) -> Gateway {
    let file = json!({
        "_format_version": "3.0",
        "services": [{ "name": "one", "host": host, "port": 1, "routes": [{ "name": "all", "paths": ["/"] }] }],
        "upstreams": upstreams,
    });
    let conf = format!("nginx_worker_processes = 1\ndns_resolver = {}\n{conf}", server.address());
    Gateway::builder().conf(&conf).declarative(&file.to_string()).start()
}

/// How often each answer came to so many requests.
#[track_caller]
fn answers(gateway: &Gateway, requests: usize) -> BTreeMap<String, usize> {
    let mut answers = BTreeMap::new();
    for _ in 0..requests {
        let answer = Request::get("/").send(gateway.proxy());
        assert_eq!(answer.status, 200, "{}", answer.text());
        *answers.entry(answer.text()).or_default() += 1;
    }
    answers
}

fn expected(answers: &[(&str, usize)]) -> BTreeMap<String, usize> {
    answers.iter().map(|(answer, count)| (answer.to_string(), *count)).collect()
}

fn wait_for_questions(server: &DnsServer, name: &str, count: usize) {
    let before = server.asked(name);
    eventually(PATIENCE, "the name is asked for again", || {
        (server.asked(name) >= before + count).then_some(())
    });
}

#[test]
fn targets_follow_their_srv_records() {
    let (one, two, three) = (upstream("one"), upstream("two"), upstream("three"));
    let server = DnsServer::start();
    for host in ["a.pool.test", "b.pool.test"] {
        server.set(host, 60, &[local()]);
    }
    let records =
        [srv(1, 3, &one, "a.pool.test"), srv(1, 0, &two, "b.pool.test"), srv(2, 9, &three, "a.pool.test")];
    server.set("svc.pool.test", 1, &records);
    let pool = json!([{
        "name": "pool.example", "use_srv_name": true, "targets": [{ "target": "svc.pool.test:1", "weight": 7 }],
    }]);
    let gateway = gateway(&server, "", pool, "pool.example");
    assert_eq!(
        answers(&gateway, 8),
        expected(&[("one a.pool.test", 6), ("two b.pool.test", 2)]),
        "by weight"
    );
    let health = Request::get("/upstreams/pool.example/health").send(gateway.status()).text();
    let health: Value = serde_json::from_str(&health).expect("JSON");
    assert_eq!(health["data"][0]["data"]["dns"], "SRV");
    assert_eq!(health["data"][0]["data"]["weight"]["total"], 4, "of the records in place of the target's");

    // The TTL passes.
    server.set("svc.pool.test", 1, &[srv(1, 1, &three, "a.pool.test")]);
    let only_three = expected(&[("three a.pool.test", 2)]);
    eventually(PATIENCE, "the new record is used", || (answers(&gateway, 2) == only_three).then_some(()));
    server.fail(true);
    wait_for_questions(&server, "svc.pool.test", 3);
    assert_eq!(answers(&gateway, 2), only_three, "stale, and better than nothing");
    server.fail(false);
    server.remove("svc.pool.test");
    gateway.wait_for_log(
        r"target svc.pool.test does not resolve, it has no address: dns server error: 3 name error",
    );
    assert_eq!(Request::get("/").send(gateway.proxy()).status, 503);
    let metrics = Request::get("/metrics").send(gateway.status()).text();
    let line = metrics.lines().find(|line| line.contains("state=\"dns_error\""));
    assert!(line.is_some_and(|line| line.ends_with(" 1")), "{line:?}");
}

#[test]
fn a_name_that_did_not_exist_is_asked_for_again() {
    let one = upstream("one");
    let server = DnsServer::start();
    let pool = json!([{
        "name": "pool.example", "targets": [{ "target": format!("late.test:{}", one.address().port()) }],
    }]);
    let gateway = gateway(&server, "dns_not_found_ttl = 1", pool, "pool.example");
    gateway.wait_for_log("target late.test does not resolve, it has no address");
    server.set("late.test", 60, &[local()]);
    gateway.wait_for_log("target late.test resolves again");
    assert_eq!(answers(&gateway, 1), expected(&[("one late.test", 1)]));
}

/// The port of a record is in place of the service's, and so is its weight; answers are used when they are stale.
#[test]
fn services_follow_their_srv_records() {
    let (one, two) = (upstream("one"), upstream("two"));
    let server = DnsServer::start();
    server.set("a.test", 60, &[local()]);
    server.set("svc.test", 1, &[srv(1, 3, &one, "a.test"), srv(1, 1, &two, "a.test")]);
    let gateway = gateway(&server, "", json!([]), "svc.test");
    assert_eq!(answers(&gateway, 8).into_values().collect::<Vec<_>>(), [6, 2]);
    server.set("svc.test", 1, &[srv(1, 1, &two, "a.test")]);
    let is_changed = || answers(&gateway, 4).len() == 1;
    eventually(PATIENCE, "the new record is used", || is_changed().then_some(()));
    server.fail(true);
    let before = server.asked("svc.test");
    let is_asked = || {
        answers(&gateway, 1);
        (server.asked("svc.test") >= before + 2).then_some(())
    };
    eventually(PATIENCE, "it is asked for while the stale answer is used", is_asked);
}
