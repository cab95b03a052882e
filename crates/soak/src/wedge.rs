//! A Python handler that raises before its first PDK call never gives back the lock that every event takes. The server
//! must be replaced, and a Go plugin under steady load must not notice.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use polygate_testkit::Request;
use polygate_testkit::eventually::within;
use serde_json::json;

use crate::client::Client;
use crate::gates::{Gate, KEY, route};
use crate::latency::{ms, percentiles};
use crate::report::Report;
use crate::site::Site;

const CONNECTIONS: usize = 4;
const RECOVERY_BOUND: Duration = Duration::from_secs(60);
const NAMES: [&str; 3] = ["before", "during", "after"];

/// Before, during and after; a third of `time` for the first and the last.
pub fn run(time: Duration) -> Report {
    let config = json!({ "phase": "access", "fault": "raise_before" });
    let routes = [Gate::Go.route(false), Gate::Py.route(false), route("fault", "faults-py", &config)];
    let conf = "plugins = bundled,gate-go,gate-py,faults-py\n".to_owned()
        + &Gate::Py.property("event_timeout", "2s");
    let site = Site::start(&[Gate::Go, Gate::Py], &conf, &routes);
    let (stage, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    let mut report = Report::default();
    let stages = thread::scope(|scope| {
        let clients: Vec<_> =
            (0..CONNECTIONS).map(|_| scope.spawn(|| measure(&site, &stage, &stop))).collect();
        thread::sleep(time / 3);
        stage.store(1, Ordering::Relaxed);
        match wedge(&site) {
            Ok(recovery) => report.say(format!("python answers again after {} ms", ms(recovery))),
            Err(failure) => report.fail(failure),
        }
        stage.store(2, Ordering::Relaxed);
        thread::sleep(time / 3);
        stop.store(true, Ordering::Relaxed);
        let mut stages: [Stage; 3] = Default::default();
        for client in clients {
            for (all, own) in stages.iter_mut().zip(client.join().expect("a client does not panic")) {
                all.times.extend(own.times);
                all.failures.extend(own.failures);
            }
        }
        stages
    });
    for (name, Stage { times, failures }) in NAMES.into_iter().zip(stages) {
        let (median, tail) = percentiles(&times);
        report.say(format!(
            "go {name:<7} {} requests, p50 {} ms, p99 {} ms",
            times.len(),
            ms(median),
            ms(tail)
        ));
        report.check(!times.is_empty(), format!("go {name}: no request"));
        failures.iter().for_each(|failure| report.fail(format!("go {name}: {failure}")));
    }
    site.arrivals.iter().for_each(|arrivals| arrivals.check(&mut report));
    report
}

/// What the Go route's clients saw in one stage.
#[derive(Default)]
struct Stage {
    times: Vec<Duration>,
    failures: Vec<String>,
}

fn measure(site: &Site, stage: &AtomicUsize, stop: &AtomicBool) -> [Stage; 3] {
    let request = Request::get("/go/x").header("X-Key", KEY);
    let mut client = Client::new(site.gateway.proxy());
    let mut stages: [Stage; 3] = Default::default();
    while !stop.load(Ordering::Relaxed) {
        let now = &mut stages[stage.load(Ordering::Relaxed)];
        let begun = Instant::now();
        match client.send(&request) {
            Ok(answer) if answer.status == 200 => now.times.push(begun.elapsed()),
            Ok(answer) => now.failures.push(answer.status.to_string()),
            Err(trouble) => now.failures.push(trouble.to_string()),
        }
        // Steady, not as much as possible: the processors are the servers' too.
        thread::sleep(Duration::from_millis(1));
    }
    stages
}

/// Wedges the Python server; the time until another plugin of it answers rightly.
fn wedge(site: &Site) -> Result<Duration, String> {
    let good = Request::get("/py/x").header("X-Key", KEY);
    good.send(site.gateway.proxy()).expect(200);
    let begun = Instant::now();
    let fault = Request::get("/fault/x").send(site.gateway.proxy());
    if fault.status < 500 {
        return Err(format!("the handler that raised was answered with {}", fault.status));
    }
    let recovered = || (good.send(site.gateway.proxy()).status == 200).then(|| begun.elapsed());
    within(RECOVERY_BOUND, recovered).ok_or(format!("python is not served again within {RECOVERY_BOUND:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wedged_server_is_replaced_beside_a_busy_one() {
        let report = run(Duration::from_secs(6));
        assert!(report.is_good(), "{report}");
    }
}
