//! `/metrics`: every metric that docs/observability.md lists, and that they say what happened.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use polygate_testkit::gateway::free_address;
use polygate_testkit::gateway::{children_of, kill};
use polygate_testkit::peers::{peer, repository};
use polygate_testkit::{EchoUpstream, Gateway, GatewayBuilder, Request, eventually};
use regex::Regex;
use serde_json::{Value, json};

use crate::declarative::{self, plugin};
use crate::servers;

const BOUND: Duration = Duration::from_secs(20);

/// One scrape.
pub struct Scrape(String);

impl Scrape {
    #[track_caller]
    pub fn of(gateway: &Gateway) -> Self {
        let answer = Request::get("/metrics").send(gateway.status()).expect(200);
        assert_eq!(answer.header("content-type"), Some("text/plain; charset=UTF-8"));
        Self(answer.text())
    }

    /// The value of the only series with these labels; it may have others.
    #[track_caller]
    pub fn value(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let has =
            |line: &str| labels.iter().all(|(label, value)| line.contains(&format!("{label}=\"{value}\"")));
        let of_name = |line: &&str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']));
        let found: Vec<_> = self.0.lines().filter(of_name).filter(|line| has(line)).collect();
        let [line] = found[..] else { panic!("{name} {labels:?}: {found:?} in\n{}", self.0) };
        line.rsplit(' ').next().and_then(|value| value.parse().ok()).expect("a value")
    }

    /// Names of all families.
    fn names(&self) -> BTreeSet<&str> {
        self.0.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect()
    }
}

/// The plugin of fixtures/go/faults-go: it raises in `access` when a request asks for it. And a plugin with a queue, one
/// with a limit, and a target that is checked.
fn faulty(upstream: &EchoUpstream, further: &str) -> GatewayBuilder {
    let config = json!({ "phase": "access", "fault": "raise_after", "when_header": "X-Raise" });
    let server = servers::go("faults-go", &peer("go/bin/faults-go"));
    let plugins = [
        plugin("faults-go", config),
        plugin("file-log", json!({ "path": "/dev/null" })),
        plugin("rate-limiting", json!({ "year": 1_000_000 })),
    ];
    let file = declarative::global(&upstream.url(), &plugins);
    let mut file: Value = serde_json::from_str(&file).expect("JSON");
    file["upstreams"] = json!([{
        "name": "pool.example", "targets": [{ "target": upstream.address().to_string() }],
        "healthchecks": { "passive": { "unhealthy": { "tcp_failures": 1 } } },
    }]);
    Gateway::builder()
        .conf(&format!(
            "plugins = faults-go,file-log,rate-limiting\npluginserver_names = faults-go\n{server}{further}"
        ))
        .declarative(&file.to_string())
}

fn calm(gateway: &Gateway) {
    Request::get("/").send(gateway.proxy()).expect(200);
}

#[test]
fn every_metric_is_documented_and_every_documented_one_is_there() {
    let upstream = EchoUpstream::start();
    // Nobody has to take the traces for their metrics to be there.
    let tracing = "tracing_instrumentations = request\ntracing_endpoint = http://127.0.0.1:9/v1/traces";
    let streams = free_address();
    let gateway = faulty(&upstream, &format!("stream_listen = {streams}\n{tracing}")).start();
    calm(&gateway);
    // No route takes it.
    let mut stream = TcpStream::connect(streams).expect("the gateway listens");
    stream.read_to_end(&mut Vec::new()).expect("it is closed");
    let mut refused = TcpStream::connect(gateway.proxy()).expect("the gateway listens");
    refused.write_all(b"GET / HTTP/1.1\r\n\r\n").expect("it reads");
    refused.read_to_end(&mut Vec::new()).expect("it answers");
    let scrape = Scrape::of(&gateway);
    let page = fs::read_to_string(repository().join("docs/observability.md")).expect("the page");
    let row = Regex::new(r"(?m)^\| `((?:kong|polygate)_\w+)` \|").expect("a pattern");
    let documented: BTreeSet<_> =
        row.captures_iter(&page).filter_map(|row| Some(row.get(1)?.as_str())).collect();
    assert_eq!(scrape.names(), documented);
}

#[test]
fn what_plugins_did_is_counted_by_phase_and_survives_a_reload() {
    let upstream = EchoUpstream::start();
    let gateway = faulty(&upstream, "pluginserver_faults_go_breaker_failures = 0").start();
    (0..3).for_each(|_| calm(&gateway));
    Request::get("/").header("X-Raise", "1").send(gateway.proxy()).expect(500);
    let access = [("server", "faults-go"), ("plugin", "faults-go"), ("phase", "access")];
    let check = |scrape: &Scrape| {
        let value = |name| scrape.value(name, &access);
        assert_eq!(value("polygate_plugin_events_total"), 4.0);
        assert_eq!(value("polygate_plugin_event_seconds_count"), 4.0);
        assert!(value("polygate_plugin_event_seconds_sum") > 0.0);
        // A getter, a setter.
        assert_eq!(value("polygate_plugin_pdk_calls_count"), 4.0);
        assert!(value("polygate_plugin_pdk_calls_sum") >= 7.0);
        assert_eq!(value("polygate_plugin_refused_total"), 1.0);
        assert_eq!(value("polygate_plugin_passed_total"), 0.0);
        let failures = |reason| {
            scrape.value("polygate_plugin_failures_total", &[&access[..], &[("reason", reason)]].concat())
        };
        let reasons = ["plugin_error", "plugin_crashed", "plugin_deadline"];
        assert_eq!(reasons.map(failures).iter().sum::<f64>(), 1.0);
        let labels = [("plugin", "faults-go"), ("phase", "rewrite")];
        assert_eq!(scrape.value("polygate_plugin_events_total", &labels), 4.0);
    };
    // A request counts when it is over, which is a moment after its client has the answer.
    eventually(BOUND, "all requests are counted", || {
        let counted = [
            r#"polygate_http_requests_total{code="200"} 3"#,
            r#"polygate_http_requests_total{code="500"} 1"#,
        ];
        let scrape = Scrape::of(&gateway);
        counted.iter().all(|line| scrape.0.contains(line)).then_some(())
    });
    check(&Scrape::of(&gateway));
    gateway.reload();
    let after = Scrape::of(&gateway);
    check(&after);
    assert_eq!(after.value("polygate_configuration_loads_total", &[]), 2.0);
}

#[test]
fn failures_that_are_let_pass_are_told_apart() {
    let upstream = EchoUpstream::start();
    let gateway = faulty(&upstream, "pluginserver_faults_go_on_error = open").start();
    Request::get("/").header("X-Raise", "1").send(gateway.proxy()).expect(200);
    let scrape = Scrape::of(&gateway);
    let value = |name| scrape.value(name, &[("plugin", "faults-go"), ("phase", "access")]);
    assert_eq!(value("polygate_plugin_passed_total"), 1.0);
    assert_eq!(value("polygate_plugin_refused_total"), 0.0);
}

#[test]
fn how_to_let_failures_pass_is_told_once() {
    let upstream = EchoUpstream::start();
    let gateway = faulty(&upstream, "").start();
    for _ in 0..2 {
        Request::get("/").header("X-Raise", "1").send(gateway.proxy()).expect(500);
    }
    let log = gateway.error_log();
    // The log phase of the first may fail too: the second ends the process that runs it.
    let failed = log.lines().filter(|line| line.contains("[faults-go] pluginserver error"));
    assert_eq!(failed.filter(|line| line.contains("(access phase")).count(), 2, "{log}");
    assert_eq!(log.matches("on_error = open").count(), 1, "{log}");
}

#[test]
fn a_plugin_that_no_server_announced_counts_as_unavailable() {
    let upstream = EchoUpstream::start();
    let gateway = faulty(&upstream, "pluginserver_faults_go_query_cmd = false").start();
    Request::get("/").send(gateway.proxy()).expect(503);
    let scrape = Scrape::of(&gateway);
    let plugin = [("server", "faults-go"), ("plugin", "faults-go"), ("phase", "access")];
    let labels = [&plugin[..], &[("reason", "plugin_server_unavailable")]].concat();
    assert_eq!(scrape.value("polygate_plugin_failures_total", &labels), 1.0);
    assert_eq!(scrape.value("polygate_plugin_refused_total", &plugin), 1.0);
    let state = [("server", "faults-go"), ("state", "unused")];
    assert_eq!(scrape.value("polygate_plugin_server_state", &state), 1.0);
}

#[test]
fn a_process_is_seen_and_its_successor_too() {
    let upstream = EchoUpstream::start();
    let gateway = faulty(&upstream, "").start();
    let server = [("server", "faults-go"), ("replica", "1")];
    let check = |scrape: &Scrape| {
        let value = |name: &str| scrape.value(&format!("polygate_plugin_server_{name}"), &server);
        assert_eq!((value("up"), value("instances"), value("processes")), (1.0, 1.0, 1.0));
        assert_eq!((value("events_in_flight"), value("queue_length")), (0.0, 0.0));
        assert!(
            value("resident_bytes") > 1e6 && value("threads") >= 1.0 && value("cpu_seconds_total") >= 0.0
        );
        for (state, current) in [("ready", 1.0), ("starting", 0.0), ("crash_loop", 0.0)] {
            let labels = [&server[..], &[("state", state)]].concat();
            assert_eq!(scrape.value("polygate_plugin_server_state", &labels), current, "{state}");
        }
        let breaker = [("server", "faults-go"), ("plugin", "faults-go"), ("state", "closed")];
        assert_eq!(scrape.value("polygate_plugin_breaker_state", &breaker), 1.0);
    };
    let first = Scrape::of(&gateway);
    check(&first);
    let generation = first.value("polygate_plugin_server_generation", &server);
    assert_eq!(first.value("polygate_plugin_server_starts_total", &server), 1.0);

    let [process] = gateway.children()[..] else { panic!("one plugin server: {:?}", gateway.children()) };
    kill(process);
    let second = eventually(BOUND, "the next process", || {
        let scrape = Scrape::of(&gateway);
        let starts = scrape.value("polygate_plugin_server_starts_total", &server);
        (starts == 2.0 && scrape.value("polygate_plugin_server_up", &server) == 1.0).then_some(scrape)
    });
    check(&second);
    assert!(second.value("polygate_plugin_server_generation", &server) > generation);
}

#[test]
fn workers_of_a_python_server_count() {
    let upstream = EchoUpstream::start();
    let gateway = Gateway::builder()
        .conf(&format!(
            "plugins = py-hello\npluginserver_names = py\n{}",
            servers::python("py", "plugins", "-m")
        ))
        .declarative(&declarative::global(&upstream.url(), &[plugin("py-hello", json!({}))]))
        .start();
    calm(&gateway);
    let [process] = gateway.children()[..] else { panic!("one plugin server: {:?}", gateway.children()) };
    let workers = children_of(process).len();
    assert!(workers > 0);
    let count = Scrape::of(&gateway).value("polygate_plugin_server_processes", &[("server", "py")]);
    assert!(count >= 1.0 + workers as f64, "{count} with {workers} workers");
}
