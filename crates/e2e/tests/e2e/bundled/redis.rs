//! Limits of several gateways at one server of Redis, and what becomes of requests when that fails.

use std::time::{Duration, Instant};

use polygate_testkit::{EchoUpstream, Gateway, RedisServer, Request, eventually};
use serde_json::{Value, json};

use crate::bundled::{burst, count};
use crate::declarative::{self, plugin};
use crate::metrics::Scrape;

const LIMIT: usize = 100;
const BOUND: Duration = Duration::from_secs(20);
/// How long a request waits for Redis.
const PATIENCE: Duration = Duration::from_secs(1);

/// A gateway of several workers with a limit in Redis, for a year: no window ends while requests are under way.
fn gateway(upstream: &EchoUpstream, redis: &RedisServer, further: Value) -> Gateway {
    let mut config = json!({
        "year": LIMIT, "policy": "redis",
        "redis": { "host": "127.0.0.1", "port": redis.address.port(), "timeout": PATIENCE.as_millis() as u64 },
    });
    config.as_object_mut().expect("an object").extend(further.as_object().expect("an object").clone());
    let mut limit = plugin("rate-limiting", config);
    // What gateways count together is told apart by this.
    limit["id"] = json!("0b5a3b1c-6f5e-4f0d-9a51-6a3f0d5c7e21");
    Gateway::builder()
        .conf("nginx_main_worker_processes = 2\nplugins = bundled")
        .declarative(&declarative::global(&upstream.url(), &[limit]))
        .start()
}

fn status(gateway: &Gateway) -> u16 {
    Request::get("/").send(gateway.proxy()).status
}

/// What is left of the limit, as an answer says.
fn left(gateway: &Gateway) -> usize {
    let answer = Request::get("/").send(gateway.proxy());
    let left = answer.header("RateLimit-Remaining").and_then(|left| left.parse().ok());
    left.unwrap_or_else(|| panic!("{} says nothing of what is left", answer.status))
}

#[test]
fn two_gateways_share_a_limit_exactly() {
    let (upstream, redis) = (EchoUpstream::start(), RedisServer::start());
    let gateways = [(); 2].map(|()| gateway(&upstream, &redis, json!({ "fault_tolerant": false })));
    let statuses = burst(&gateways.each_ref().map(Gateway::proxy));
    assert_eq!((count(&statuses, 200), count(&statuses, 429)), (LIMIT, 1000 - LIMIT));
    assert_eq!(upstream.hits("/"), LIMIT);
}

#[test]
fn without_redis_requests_go_on_where_that_is_tolerated() {
    let (upstream, mut redis) = (EchoUpstream::start(), RedisServer::start());
    let gateway = gateway(&upstream, &redis, json!({ "fault_tolerant": true }));
    assert_eq!(left(&gateway), LIMIT - 1);
    redis.stop();
    let statuses = burst(&[gateway.proxy()]);
    assert_eq!(count(&statuses, 200), 1000);
    let uncounted = || {
        Scrape::of(&gateway).value("polygate_plugin_uncounted_requests_total", &[("plugin", "rate-limiting")])
    };
    assert_eq!(uncounted(), 1000.0);
    gateway.wait_for_log(&format!("failed to get usage: redis 127.0.0.1:{}", redis.address.port()));
    redis.start_again();
    // It has lost what it had.
    assert_eq!(left(&gateway), LIMIT - 1);
    assert_eq!(count(&burst(&[gateway.proxy()]), 200), LIMIT - 1);
    assert_eq!(uncounted(), 1000.0);
}

#[test]
fn without_redis_requests_fail_where_that_is_not_tolerated() {
    let (upstream, mut redis) = (EchoUpstream::start(), RedisServer::start());
    let gateway = gateway(&upstream, &redis, json!({ "fault_tolerant": false }));
    assert_eq!(status(&gateway), 200);
    redis.stop();
    assert_eq!((0..10).map(|_| status(&gateway)).collect::<Vec<_>>(), [500; 10]);
    redis.start_again();
    assert_eq!(left(&gateway), LIMIT - 1);
}

#[test]
fn a_redis_that_is_held_up_holds_no_request_beyond_its_time() {
    let (upstream, redis) = (EchoUpstream::start(), RedisServer::start());
    let gateway = gateway(&upstream, &redis, json!({ "fault_tolerant": true }));
    assert_eq!(left(&gateway), LIMIT - 1);
    redis.hold();
    let began = Instant::now();
    assert_eq!(count(&burst(&[gateway.proxy()]), 200), 1000);
    // Each of 20 in a row would have waited; those after the first few are not even asked about.
    assert!(began.elapsed() < 15 * PATIENCE, "{:?}", began.elapsed());
    gateway.wait_for_log("no answer within 1000 ms");
    gateway.wait_for_log("not asked, it did not answer a moment ago");
    redis.go_on();
    // What was asked in vain may have been counted all the same.
    let counts = || Request::get("/").send(gateway.proxy()).header("RateLimit-Remaining").map(str::to_owned);
    eventually(BOUND, "requests are counted again", counts);
}

#[test]
fn gateways_that_tell_redis_now_and_then_learn_of_each_other() {
    const MANY: usize = 100_000;
    let (upstream, redis) = (EchoUpstream::start(), RedisServer::start());
    let start = || gateway(&upstream, &redis, json!({ "year": MANY, "sync_rate": 0.1 }));
    let gateways = [start(), start()];
    for gateway in gateways.iter().cycle().take(20) {
        assert_eq!(status(gateway), 200);
    }
    for gateway in &gateways {
        let knows = || (MANY - left(gateway) == upstream.hits("/")).then_some(());
        eventually(BOUND, "a gateway counts what the other let through", knows);
    }
    drop(gateways);
    // The end of a gateway is told as well.
    let last = start();
    let counted = MANY - left(&last);
    assert_eq!(counted, upstream.hits("/"), "nothing is lost or counted twice");
}

#[test]
fn what_redis_answered_too_late_is_counted_once() {
    let (upstream, redis) = (EchoUpstream::start(), RedisServer::start());
    let start = || gateway(&upstream, &redis, json!({ "sync_rate": 0.1 }));
    let gateway = start();
    assert_eq!(status(&gateway), 200);
    redis.hold();
    // Nobody waits, as something is known of these.
    assert_eq!((0..10).map(|_| status(&gateway)).collect::<Vec<_>>(), [200; 10]);
    gateway.wait_for_log("counters are not told to Redis: .* no answer within 1000 ms");
    assert_eq!((0..10).map(|_| status(&gateway)).collect::<Vec<_>>(), [200; 10]);
    redis.go_on();
    drop(gateway);
    let counts = || Some(LIMIT - left(&start())).filter(|counted| *counted == upstream.hits("/"));
    eventually(BOUND, "each is counted", counts);
}
