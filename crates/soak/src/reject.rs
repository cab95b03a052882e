//! A plugin refuses every request with its first PDK call: what the published SDKs leak most from. Recycling bounds the
//! servers' memory, and the gateway's own must not grow.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use polygate_testkit::Request;

use crate::client::{Client, describe};
use crate::gates::Gate;
use crate::memory::{mib, resident, resident_servers};
use crate::report::Report;
use crate::site::Site;

const CONNECTIONS: u64 = 16;
const SAMPLE: Duration = Duration::from_secs(1);
/// Times that each server is replaced, at least, in a whole run.
const RECYCLES: u64 = 10;
/// Growth of the gateway after the first tenth of the run: a tenth and so many KiB.
const GROWTH: u64 = 8 * 1024;

/// One look at the processes.
struct Sample {
    answered: u64,
    gateway: u64,
    servers: u64,
}

pub fn run(requests: u64, gate: Gate) -> Report {
    let conf = gate.property("max_events", &(requests / RECYCLES).max(1).to_string())
        + &gate.property("max_memory", "512m");
    let site = Site::start(&[gate], &conf, &[gate.route(true)]);
    let pid = site.gateway.pid();
    let answered = AtomicU64::new(0);
    let begun = Instant::now();
    let share = requests.div_ceil(CONNECTIONS);
    let (samples, failures) = thread::scope(|scope| {
        let clients: Vec<_> =
            (0..CONNECTIONS).map(|_| scope.spawn(|| send(&site, gate, share, &answered))).collect();
        let mut samples = Vec::new();
        while !clients.iter().all(|client| client.is_finished()) {
            samples.push(sample(pid, &answered));
            thread::sleep(SAMPLE);
        }
        samples.push(sample(pid, &answered));
        let failures = clients.into_iter().flat_map(|it| it.join().expect("a client does not panic"));
        (samples, failures.collect::<Vec<_>>())
    });
    let took = begun.elapsed();
    let recycles = site.gateway.error_log().matches(" is replaced: ").count();
    let mut report = Report::default();
    let answered = answered.into_inner();
    let rate = answered as f64 / took.as_secs_f64();
    report.say(format!("{:<8} {answered} requests in {:.0} s, {rate:.0}/s", gate.name(), took.as_secs_f64()));
    let at = |share: f64| &samples[((samples.len() - 1) as f64 * share).round() as usize];
    let [start, quarter, half, third, end] = [0.0, 0.25, 0.5, 0.75, 1.0].map(|share| mib(at(share).gateway));
    report
        .say(format!("         gateway at start {start}, 25% {quarter}, 50% {half}, 75% {third}, end {end}"));
    let servers = samples.iter().map(|it| it.servers).max().unwrap_or_default();
    report.say(format!(
        "         servers at most {}, recycled {recycles} times, {} failures",
        mib(servers),
        failures.len()
    ));
    failures.iter().for_each(|failure| report.fail(failure));
    report.check(recycles > 0, "no server was recycled");
    check_growth(&samples, &mut report);
    let arrived = site.arrivals[0].all.load(Ordering::Relaxed);
    report.check(arrived == 0, format!("{arrived} requests reached the upstream"));
    report
}

/// The gateway is warm after a tenth of the requests.
fn check_growth(samples: &[Sample], report: &mut Report) {
    let last = samples.last().map_or(0, |it| it.answered);
    let warm = samples.iter().find(|it| it.answered >= last / 10).map_or(0, |it| it.gateway);
    let largest =
        samples.iter().skip_while(|it| it.answered < last / 10).map(|it| it.gateway).max().unwrap_or(0);
    let bound = warm + warm / 10 + GROWTH;
    report.check(largest <= bound, format!("the gateway grew from {} to {}", mib(warm), mib(largest)));
}

fn sample(gateway: u32, answered: &AtomicU64) -> Sample {
    Sample {
        answered: answered.load(Ordering::Relaxed),
        gateway: resident(gateway),
        servers: resident_servers(gateway),
    }
}

/// Sends `count` requests, one after the other; what was not refused by the plugin.
fn send(site: &Site, gate: Gate, count: u64, answered: &AtomicU64) -> Vec<String> {
    let request = Request::get(&format!("/{}", gate.name()));
    let mut client = Client::new(site.gateway.proxy());
    let mut failures = Vec::new();
    for _ in 0..count {
        match client.send(&request) {
            Ok(answer) if answer.status == 403 && answer.body == b"closed" => {}
            Ok(answer) => failures.push(describe(&answer)),
            Err(trouble) => failures.push(trouble.to_string()),
        }
        answered.fetch_add(1, Ordering::Relaxed);
    }
    failures
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_does_not_grow_with_refusals() {
        for gate in [Gate::Go, Gate::PyGevent] {
            let report = run(10_000, gate);
            assert!(report.is_good(), "{report}");
        }
    }

    #[test]
    fn growth_is_noticed() {
        let sample = |answered, mib: u64| Sample { answered, gateway: mib * 1024, servers: 0 };
        let judge = |samples: &[Sample]| {
            let mut report = Report::default();
            check_growth(samples, &mut report);
            report.is_good()
        };
        assert!(judge(&[sample(0, 10), sample(100, 40), sample(1000, 52)]));
        assert!(!judge(&[sample(0, 10), sample(100, 40), sample(1000, 53)]));
        assert!(!judge(&[sample(0, 10), sample(100, 40), sample(500, 60), sample(1000, 40)]));
    }
}
