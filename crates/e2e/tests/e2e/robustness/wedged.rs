//! With default settings: a server that can answer nothing any more is found and replaced within seconds, and a handler
//! that only takes its time is left to it.

use std::collections::BTreeSet;
use std::env;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::declarative::{plugin, route};
use crate::robustness::site::{FAULTS, Site, faulty, go, go_lm, javascript, python};

/// Two seconds of silence, and one to be sure.
const FOUND: Duration = Duration::from_secs(3);

/// How long the slow handlers take. Plugins allow themselves up to 30 s; `POLYGATE_SLOW_SECONDS` tries that.
fn slow() -> Duration {
    let seconds = env::var("POLYGATE_SLOW_SECONDS").ok().and_then(|seconds| seconds.parse().ok());
    Duration::from_secs(seconds.unwrap_or(8))
}

/// A handler that raises before its first PDK call leaves Python's server with a lock that nobody gives back: neither
/// that event nor any later one of the process is ever answered.
#[test]
fn python_wedged_by_an_exception_is_replaced() {
    let routes = [faulty("faults-py", "raise_before"), faulty("faults-py", "none")];
    let site = Site::start(&[python("").by_default()], &routes);
    site.expect_ran("/faults-py.none");
    let wedged = process(&site);
    let begun = Instant::now();
    let answer = site.get("/faults-py.raise_before/refused");
    assert!(begun.elapsed() <= FOUND, "answered after {:?}: {}", begun.elapsed(), answer.text());
    assert!(answer.status >= 500 && answer.header("x-polygate-reason").is_some(), "{:?}", answer.headers);
    assert_eq!(site.upstream.hits("/refused"), 0);
    site.expect_ran("/faults-py.none");
    assert!(process(&site).is_disjoint(&wedged), "{wedged:?} serves again");
    assert_eq!(site.starts("py"), 2);
}

fn process(site: &Site) -> BTreeSet<u32> {
    site.gateway.children().into_iter().collect()
}

#[test]
fn a_handler_that_takes_its_time_comes_to_its_end() {
    let config = json!({ "phase": "access", "fault": "slow", "ms": slow().as_millis() as u64 });
    let routes = FAULTS.map(|name| route(name, &[plugin(name, config.clone())]));
    let servers = [go("faults-go"), go_lm(), javascript(), python("")].map(|server| server.by_default());
    let site = Site::start(&servers, &routes);
    thread::scope(|scope| {
        for name in FAULTS {
            let site = &site;
            scope.spawn(move || {
                let begun = Instant::now();
                site.expect_ran(&format!("/{name}"));
                assert!(begun.elapsed() >= slow(), "{name}: after {:?}", begun.elapsed());
            });
        }
    });
    for server in &servers {
        assert_eq!(site.starts(server.name), 1, "{}", server.name);
    }
}
