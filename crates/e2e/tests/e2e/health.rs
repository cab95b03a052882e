//! Health of targets: checks that ask them, checks that watch requests, and what the operator sees of both.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use polygate_testkit::echo::EchoUpstream;
use polygate_testkit::{Gateway, Load, Received, Reply, Request, Response, eventually};
use serde_json::{Value, json};

/// What takes longer does not come at all, on a busy machine either.
const PATIENCE: Duration = Duration::from_secs(15);

const POOL: &str = "pool.example";

/// An upstream with a name that it answers with. Its status can be changed.
struct Target {
    server: EchoUpstream,
    status: Arc<AtomicU16>,
}

impl Target {
    fn start(name: &'static str) -> Self {
        let status = Arc::new(AtomicU16::new(200));
        let current = Arc::clone(&status);
        let server = EchoUpstream::scripted(move |_| Reply::new(current.load(SeqCst), name));
        Self { server, status }
    }

    /// From now on it answers everything with this status.
    fn answer(&self, status: u16) {
        self.status.store(status, SeqCst);
    }

    fn authority(&self) -> String {
        self.server.address().to_string()
    }
}

/// A service of these targets with these health checks.
fn declarative(targets: &[&EchoUpstream], checks: Value) -> Value {
    let targets: Vec<_> =
        targets.iter().map(|target| json!({ "target": target.address().to_string() })).collect();
    json!({
        "_format_version": "3.0",
        "services": [{ "name": "one", "host": POOL, "routes": [{ "name": "all", "paths": ["/"] }] }],
        "upstreams": [{ "name": POOL, "targets": targets, "healthchecks": checks }],
    })
}

#[track_caller]
fn gateway(targets: &[&EchoUpstream], checks: Value) -> Gateway {
    start(&declarative(targets, checks))
}

#[track_caller]
fn start(declarative: &Value) -> Gateway {
    let conf = "nginx_worker_processes = 2";
    Gateway::builder().conf(conf).declarative(&declarative.to_string()).start()
}

fn get(gateway: &Gateway) -> Response {
    Request::get("/").send(gateway.proxy())
}

/// Who answers requests: as many as make it sure that everybody has his turn.
#[track_caller]
fn served_by(gateway: &Gateway) -> BTreeSet<String> {
    let answer = |_| {
        let answer = get(gateway);
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.text()
    };
    (0..12).map(answer).collect()
}

#[track_caller]
fn status(gateway: &Gateway, path: &str) -> Value {
    let answer = Request::get(path).send(gateway.status());
    serde_json::from_str(&answer.text()).unwrap_or_else(|error| panic!("{error}: {}", answer.text()))
}

/// What the status page says of a target.
#[track_caller]
fn state(gateway: &Gateway, target: &EchoUpstream) -> String {
    let health = status(gateway, &format!("/upstreams/{POOL}/health"));
    let rows = health["data"].as_array().expect("rows");
    let row =
        rows.iter().find(|row| row["target"] == target.address().to_string()).expect("a row of the target");
    assert_eq!(
        row["health"], row["data"]["addresses"][0]["health"],
        "the only address has the target's state"
    );
    row["health"].as_str().unwrap_or_default().to_owned()
}

#[track_caller]
fn wait_for_state(gateway: &Gateway, target: &EchoUpstream, expected: &str) {
    eventually(PATIENCE, expected, || (state(gateway, target) == expected).then_some(()));
}

/// The value of a metric of a target; `labels` are those before and behind its own.
fn metric(gateway: &Gateway, name: &str, target: &EchoUpstream, label: &str) -> f64 {
    let scrape = Request::get("/metrics").send(gateway.status()).text();
    let address = target.address();
    let address = format!("address=\"{address}\"");
    let find = |line: &&str| line.starts_with(name) && line.contains(&address) && line.contains(label);
    let line = scrape.lines().find(find).unwrap_or_else(|| panic!("no {name} of {label} in {scrape}"));
    line.rsplit_once(' ').and_then(|(_, value)| value.parse().ok()).expect("a number")
}

fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| name.to_string()).collect()
}

#[test]
fn probes_take_a_target_out_and_bring_it_back() {
    let (one, two) = (Target::start("one"), Target::start("two"));
    let gateway = gateway(
        &[&one.server, &two.server],
        json!({ "active": {
            "http_path": "/up", "headers": { "X-Probe": ["a", "b"] },
            "healthy": { "interval": 0.1, "successes": 2 },
            "unhealthy": { "interval": 0.1, "http_failures": 2, "http_statuses": [503] },
        } }),
    );
    assert_eq!(served_by(&gateway), names(&["one", "two"]));
    // In neither list: neutral.
    one.answer(404);
    let probes = one.server.hits("/up");
    eventually(PATIENCE, "more probes", || (one.server.hits("/up") > probes + 5).then_some(()));
    assert_eq!(state(&gateway, &one.server), "HEALTHY");
    one.answer(503);
    let reason = format!(
        r"\[warn\].*upstream 'pool.example': target 127.0.0.1 \({}\) is unhealthy: active checks counted 2 x http_failure in a row \(status 503\)",
        one.authority()
    );
    gateway.wait_for_log(&reason);
    assert_eq!(served_by(&gateway), names(&["two"]));
    assert_eq!(
        (state(&gateway, &one.server).as_str(), state(&gateway, &two.server).as_str()),
        ("UNHEALTHY", "HEALTHY")
    );
    let health = "kong_upstream_target_health";
    for (label, expected) in [("state=\"unhealthy\"", 1.0), ("state=\"healthy\"", 0.0)] {
        assert_eq!(metric(&gateway, health, &one.server, label), expected, "{label}");
        assert_eq!(metric(&gateway, health, &two.server, label), 1.0 - expected, "{label}");
    }
    assert_eq!(
        metric(&gateway, "polygate_upstream_ejections_total", &one.server, "reason=\"http_failure\""),
        1.0
    );
    let probes = |outcome| metric(&gateway, "polygate_upstream_probes_total", &one.server, outcome);
    assert!(probes("outcome=\"http_failure\"") >= 2.0 && probes("outcome=\"neutral\"") >= 5.0);

    one.answer(302);
    gateway.wait_for_log(r"is healthy: active checks counted 2 x success in a row \(status 302\)");
    one.answer(200);
    assert_eq!(served_by(&gateway), names(&["one", "two"]));
    let probe = one.server.last("/up");
    assert_eq!(probe.method, "GET");
    assert_eq!(probe.header_bytes("host"), [b"127.0.0.1"]);
    assert_eq!(probe.header_bytes("x-probe"), [b"a", b"b"]);
}

#[test]
fn tcp_probes_need_a_connection_only() {
    let (one, two) = (Target::start("one"), Target::start("two"));
    let gateway = gateway(
        &[&one.server, &two.server],
        json!({ "active": {
            "type": "tcp",
            "healthy": { "interval": 0.1, "successes": 1 },
            "unhealthy": { "interval": 0.1, "tcp_failures": 1 },
        } }),
    );
    one.server.stop();
    wait_for_state(&gateway, &one.server, "UNHEALTHY");
    assert_eq!(served_by(&gateway), names(&["two"]));
    one.server.start_again();
    wait_for_state(&gateway, &one.server, "HEALTHY");
    assert_eq!(served_by(&gateway), names(&["one", "two"]));
    assert_eq!(one.server.hits("/") + two.server.hits("/"), 24, "probes ask nothing");
}

#[test]
fn a_target_that_does_not_answer_probes_times_out() {
    let good = Target::start("good");
    let silent = EchoUpstream::scripted(|_| {
        thread::sleep(PATIENCE);
        Reply::new(200, "late")
    });
    let gateway = gateway(
        &[&good.server, &silent],
        json!({ "active": {
            "timeout": 0.2, "healthy": { "interval": 0.1 }, "unhealthy": { "interval": 0.1, "timeouts": 2 },
        } }),
    );
    gateway.wait_for_log(r"is unhealthy: active checks counted 2 x timeout in a row \(timed out\)");
    assert_eq!(served_by(&gateway), names(&["good"]));
    assert_eq!(state(&gateway, &good.server), "HEALTHY");
}

#[test]
fn requests_take_a_target_out_and_a_probe_brings_it_back() {
    let (one, two) = (Target::start("one"), Target::start("two"));
    let gateway = gateway(
        &[&one.server, &two.server],
        json!({
            "passive": { "unhealthy": { "http_failures": 2, "http_statuses": [500] } },
            "active": { "http_path": "/up", "unhealthy": { "interval": 0.1 }, "healthy": { "successes": 2 } },
        }),
    );
    one.answer(500);
    let failed = (0..12).filter(|_| get(&gateway).status == 500).count();
    assert_eq!(failed, 2, "then it is out");
    gateway.wait_for_log(r"is unhealthy: passive checks counted 2 x http_failure in a row \(status 500\)");
    assert_eq!(served_by(&gateway), names(&["two"]));
    one.answer(200);
    gateway.wait_for_log(r"is healthy: active checks counted 2 x success in a row \(status 200\)");
    assert_eq!(served_by(&gateway), names(&["one", "two"]));
    assert_eq!(two.server.hits("/up"), 0, "healthy ones are not probed");
}

/// Requests that are under way still count when their target is out.
#[test]
fn a_request_brings_a_target_back() {
    let (arrive, arrived) = mpsc::channel();
    let (go, waiting) = mpsc::channel::<()>();
    let waiting = Mutex::new(waiting);
    let target = EchoUpstream::scripted(move |request| match request.target.as_str() {
        "/slow" => {
            arrive.send(()).expect("the test waits");
            waiting.lock().expect("no holder panics").recv().expect("the test goes on");
            Reply::new(200, "slow")
        }
        "/bad" => Reply::new(500, "bad"),
        _ => Reply::new(200, "good"),
    });
    let gateway = gateway(
        &[&target],
        json!({ "passive": {
            "healthy": { "successes": 1, "http_statuses": [200] },
            "unhealthy": { "http_failures": 1, "http_statuses": [500] },
        } }),
    );
    let proxy = gateway.proxy();
    let slow = thread::spawn(move || Request::get("/slow").send(proxy).status);
    arrived.recv_timeout(PATIENCE).expect("the request reaches the target");
    assert_eq!(Request::get("/bad").send(proxy).status, 500);
    assert_eq!(state(&gateway, &target), "UNHEALTHY");
    let refused = get(&gateway);
    assert_eq!(refused.status, 503);
    assert!(refused.text().contains("failure to get a peer from the ring-balancer"), "{}", refused.text());
    let balancer = status(&gateway, &format!("/upstreams/{POOL}/health?balancer_health=1"));
    assert_eq!(balancer["data"]["health"], "UNHEALTHY");
    go.send(()).expect("the target waits");
    assert_eq!(slow.join().expect("no panic"), 200);
    assert_eq!(state(&gateway, &target), "HEALTHY");
    assert_eq!(get(&gateway).status, 200);
}

#[test]
fn a_target_that_is_killed_and_started_again_costs_no_request() {
    let targets = [Target::start("one"), Target::start("two"), Target::start("three")];
    let servers = targets.each_ref().map(|target| &target.server);
    let gateway = gateway(
        &servers,
        json!({
            "passive": { "unhealthy": { "tcp_failures": 1, "timeouts": 1 } },
            "active": { "unhealthy": { "interval": 0.1 }, "healthy": { "successes": 1 } },
        }),
    );
    let check = |answer: &Response| match answer.status {
        200 => Ok(()),
        status => Err(format!("{status}: {}", answer.text())),
    };
    let load = Load::start(gateway.proxy(), 8, &Request::get("/"), check);
    let wait_for_load = || {
        let before = load.answered();
        eventually(PATIENCE, "the load goes on", || (load.answered() > before + 200).then_some(()));
    };
    for server in [servers[1], servers[2], servers[1]] {
        wait_for_load();
        server.stop();
        wait_for_state(&gateway, server, "UNHEALTHY");
        wait_for_load();
        let before = server.hits("/");
        server.start_again();
        wait_for_state(&gateway, server, "HEALTHY");
        eventually(PATIENCE, "it is served again", || (server.hits("/") > before + 10).then_some(()));
    }
    let outcome = load.stop();
    assert_eq!(outcome.failures, [""; 0], "of {} requests", outcome.answered);
}

/// The example of the page works, and what the page says of the log is what it says.
#[test]
fn the_page_tells_the_truth() {
    let page = include_str!("../../../../docs/balancing.md");
    let example =
        page.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("an example");
    let (one, two) = (Target::start("one"), Target::start("two"));
    let example =
        example.replace("127.0.0.1:8081", &one.authority()).replace("127.0.0.1:8082", &two.authority());
    let gateway = Gateway::builder().declarative(&example).start();
    one.server.stop();
    let request = Request::get("/orders");
    let is_out = || {
        assert_eq!(request.send(gateway.proxy()).status, 200);
        metric(&gateway, "kong_upstream_target_health", &one.server, "state=\"unhealthy\"") == 1.0
    };
    eventually(PATIENCE, "requests take it out", || is_out().then_some(()));
    one.server.start_again();
    for what in ["unhealthy", "healthy"] {
        let line = gateway.wait_for_log(&format!(
            r"\[\w+\] .*(upstream 'orders.example': target 127.0.0.1 .* is {what}: .*)"
        ));
        let line = line.replace(&one.authority(), "127.0.0.1:8081");
        assert!(page.contains(&line), "{line}");
    }
    assert!(!gateway.error_log().contains("not built yet"));
}

/// Of two targets with the same weight one is not more than half.
#[test]
fn a_threshold_closes_the_whole_upstream() {
    let (one, two) = (Target::start("one"), Target::start("two"));
    let gateway = gateway(
        &[&one.server, &two.server],
        json!({
            "threshold": 50, "passive": { "unhealthy": { "http_failures": 1, "http_statuses": [500] } },
            "active": { "http_path": "/up", "unhealthy": { "interval": 0.1 }, "healthy": { "successes": 1 } },
        }),
    );
    one.answer(500);
    eventually(PATIENCE, "one is asked", || (get(&gateway).status == 500).then_some(()));
    assert_eq!(state(&gateway, &two.server), "HEALTHY");
    let refused = get(&gateway);
    assert_eq!(refused.status, 503, "{}", refused.text());
    let balancer = status(&gateway, &format!("/upstreams/{POOL}/health?balancer_health=1"));
    assert_eq!(balancer["data"]["balancer_health"], "UNHEALTHY");
    one.answer(200);
    wait_for_state(&gateway, &one.server, "HEALTHY");
    assert_eq!(served_by(&gateway), names(&["one", "two"]));
}

#[test]
fn the_latency_algorithm_prefers_the_quicker() {
    let quick = Target::start("quick");
    let slow = EchoUpstream::scripted(|_| {
        thread::sleep(Duration::from_secs(1));
        Reply::new(200, "slow")
    });
    let mut file = declarative(&[&slow, &quick.server], json!({}));
    file["upstreams"][0]["algorithm"] = json!("latency");
    let gateway = start(&file);
    (0..40).for_each(|_| assert_eq!(get(&gateway).status, 200));
    let (slow, quick) = (slow.hits("/"), quick.server.hits("/"));
    assert!((1..=5).contains(&slow) && quick >= 35, "{slow} slow, {quick} quick");
}

/// A probe takes longer than the interval here, and there are more targets than may be probed at a time.
#[test]
fn probes_keep_to_their_concurrency_and_come_once_for_all_workers() {
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let script = || {
        let (now, most) = (Arc::clone(&now), Arc::clone(&most));
        move |request: &Received| {
            if request.target == "/up" {
                most.fetch_max(now.fetch_add(1, SeqCst) + 1, SeqCst);
                thread::sleep(Duration::from_millis(150));
                now.fetch_sub(1, SeqCst);
            }
            Reply::new(200, "")
        }
    };
    let targets = [(); 3].map(|()| EchoUpstream::scripted(script()));
    let begun = Instant::now();
    let gateway = gateway(
        &targets.each_ref(),
        json!({ "active": { "http_path": "/up", "concurrency": 2, "healthy": { "interval": 0.1, "successes": 1 } } }),
    );
    let hits = |target: &EchoUpstream| target.hits("/up");
    eventually(PATIENCE, "each target is probed", || targets.iter().all(|it| hits(it) >= 4).then_some(()));
    let (probes, seconds) = (targets.iter().map(hits).sum::<usize>(), begun.elapsed().as_secs_f64());
    assert_eq!(most.load(SeqCst), 2);
    assert!(probes as f64 <= 2.0 * seconds / 0.15 + 2.0, "{probes} probes in {seconds} s");
    drop(gateway);

    let target = Target::start("one");
    let begun = Instant::now();
    let _gateway = self::gateway(
        &[&target.server],
        json!({ "active": { "http_path": "/up", "healthy": { "interval": 0.3, "successes": 1 } } }),
    );
    eventually(PATIENCE, "probes", || (hits(&target.server) >= 4).then_some(()));
    let (probes, seconds) = (hits(&target.server), begun.elapsed().as_secs_f64());
    assert!(probes as f64 <= seconds / 0.3 + 1.0, "{probes} probes in {seconds} s");
}

#[test]
fn a_reload_keeps_health() {
    let (one, two) = (Target::start("one"), Target::start("two"));
    let checks = json!({ "passive": { "unhealthy": { "http_failures": 3 } } });
    let mut file = declarative(&[&one.server, &two.server], checks);
    let gateway = start(&file);
    one.answer(500);
    two.answer(404);
    let fail = |count| {
        let mut failed = 0;
        while failed < count {
            failed += usize::from(get(&gateway).status == 500);
        }
    };
    // Two now, one after the reload: the count goes on.
    fail(2);
    assert_eq!(state(&gateway, &one.server), "HEALTHY");
    file["services"][0]["routes"][0]["name"] = json!("another");
    gateway.write_declarative(&file.to_string());
    gateway.reload();
    fail(1);
    assert_eq!(state(&gateway, &one.server), "UNHEALTHY");
    one.answer(200);
    two.answer(200);
    file["upstreams"][0]["algorithm"] = json!("least-connections");
    gateway.write_declarative(&file.to_string());
    gateway.reload();
    assert_eq!(state(&gateway, &one.server), "UNHEALTHY");
    assert_eq!(served_by(&gateway), names(&["two"]));
    assert_eq!(
        metric(&gateway, "polygate_upstream_ejections_total", &one.server, "reason=\"http_failure\""),
        1.0
    );
    // What nobody checks cannot be out.
    file["upstreams"][0]["healthchecks"] = json!({});
    gateway.write_declarative(&file.to_string());
    gateway.reload();
    assert_eq!(state(&gateway, &one.server), "HEALTHCHECKS_OFF");
    assert_eq!(served_by(&gateway), names(&["one", "two"]));
}

/// Probes follow a reload: the schedule goes on, and those of a target that is no longer there end.
#[test]
fn probes_follow_a_reload() {
    let (one, two) = (Target::start("one"), Target::start("two"));
    let checks = |interval: f64| json!({ "active": { "http_path": "/up", "healthy": { "interval": interval, "successes": 1 } } });
    let gateway = gateway(&[&one.server], checks(60.0));
    eventually(PATIENCE, "the first probe, soon", || (one.server.hits("/up") == 1).then_some(()));
    for _ in 0..3 {
        gateway.reload();
    }
    gateway.write_declarative(&declarative(&[&two.server], checks(0.1)).to_string());
    gateway.reload();
    eventually(PATIENCE, "probes of the new target", || (two.server.hits("/up") > 3).then_some(()));
    assert_eq!(one.server.hits("/up"), 1);
}
