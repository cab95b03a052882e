//! One of four JavaScript replicas is killed under load: only what was in it fails.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use polygate_testkit::Request;
use polygate_testkit::eventually::within;
use polygate_testkit::gateway::kill;

use crate::client::{Client, describe};
use crate::gates::{Gate, KEY};
use crate::latency::spread;
use crate::report::Report;
use crate::site::Site;

const REPLICAS: usize = 4;
const CONNECTIONS: usize = 8;
/// Four starts at once take their time.
const START_BOUND: Duration = Duration::from_secs(60);

/// What the clients saw.
#[derive(Default)]
struct Outcome {
    through: AtomicU64,
    /// When requests that failed were sent, and how they failed.
    failures: Mutex<Vec<(Instant, String)>>,
}

/// Kills a replica whenever all of them serve, for as long as `time`, once at least.
pub fn run(time: Duration) -> Report {
    let conf = Gate::Js.property("replicas", &REPLICAS.to_string());
    let site = Site::start(&[Gate::Js], &conf, &[Gate::Js.route(false)]);
    let (stop, outcome) = (AtomicBool::new(false), Outcome::default());
    let mut report = Report::default();
    let mut kills = Vec::new();
    let mut returns = Vec::new();
    thread::scope(|scope| {
        for _ in 0..CONNECTIONS {
            scope.spawn(|| load(&site, &stop, &outcome));
        }
        let end = Instant::now() + time;
        let Some(mut pids) = all_replicas(&site, None) else {
            report.fail(format!("not all {REPLICAS} replicas serve within {START_BOUND:?}"));
            return stop.store(true, Ordering::Relaxed);
        };
        while kills.is_empty() || Instant::now() < end {
            let victim = pids[kills.len() % REPLICAS];
            kill(victim);
            let begun = Instant::now();
            kills.push(begun);
            match all_replicas(&site, Some(victim)) {
                Some(now) => pids = now,
                None => {
                    report.fail(format!("process {victim} is not replaced within {START_BOUND:?}"));
                    break;
                }
            }
            returns.push(begun.elapsed());
        }
        stop.store(true, Ordering::Relaxed);
    });
    let through = outcome.through.into_inner();
    let failures = outcome.failures.into_inner().unwrap_or_else(PoisonError::into_inner);
    report.say(format!("{} kills, {through} requests through, {} failed", kills.len(), failures.len()));
    report.say(format!("the replica is back, min / median / max: {}", spread(&returns)));
    report.check(through > 0, "no request got through");
    judge(&kills, &failures, &mut report);
    site.arrivals.iter().for_each(|arrivals| arrivals.check(&mut report));
    report
}

/// A request that failed was under way at a kill: a connection has one at a time, and what is sent afterwards goes to
/// another replica.
fn judge(kills: &[Instant], failures: &[(Instant, String)], report: &mut Report) {
    const LONGEST: Duration = Duration::from_secs(1);
    let under_way = |sent: Instant| kills.iter().any(|kill| sent <= *kill && *kill - sent < LONGEST);
    for (sent, failure) in failures.iter().filter(|(sent, _)| !under_way(*sent)) {
        let since = kills.iter().rfind(|kill| *kill < sent).map(|kill| *sent - *kill);
        report.fail(format!("sent {since:?} after a kill: {failure}"));
    }
    let most = kills.len() * CONNECTIONS / 2;
    report.check(
        failures.len() <= most,
        format!("{} failures, {most} at the most were expected", failures.len()),
    );
}

/// The process of every replica, once all of them serve and none is the `victim`.
fn all_replicas(site: &Site, victim: Option<u32>) -> Option<Vec<u32>> {
    within(START_BOUND, || {
        let pids = site.server_pids(Gate::Js);
        (pids.len() == REPLICAS && victim.is_none_or(|victim| !pids.contains(&victim))).then_some(pids)
    })
}

fn load(site: &Site, stop: &AtomicBool, outcome: &Outcome) {
    let request = Request::get("/js/x").header("X-Key", KEY);
    let fail = |sent: Instant, failure: String| {
        outcome.failures.lock().unwrap_or_else(PoisonError::into_inner).push((sent, failure));
    };
    let mut client = Client::new(site.gateway.proxy());
    while !stop.load(Ordering::Relaxed) {
        let sent = Instant::now();
        match client.send(&request) {
            Ok(answer) if answer.status == 200 => drop(outcome.through.fetch_add(1, Ordering::Relaxed)),
            Ok(answer) => fail(sent, describe(&answer)),
            Err(trouble) => fail(sent, trouble.to_string()),
        }
        // The processors are needed for the start of the next process.
        thread::sleep(Duration::from_millis(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_killed_replica_takes_only_its_own_requests() {
        let report = run(Duration::from_secs(5));
        assert!(report.is_good(), "{report}");
    }

    #[test]
    fn later_requests_may_not_fail() {
        let kill = Instant::now();
        let ms = Duration::from_millis;
        let good = |failures: &[(Instant, String)]| {
            let mut report = Report::default();
            judge(&[kill], failures, &mut report);
            report.is_good()
        };
        let failure = |sent| (sent, "500".to_owned());
        assert!(good(&[failure(kill - ms(3))]));
        assert!(!good(&[failure(kill + ms(3))]));
        assert!(!good(&[failure(kill - ms(3000))]));
        assert!(!good(&vec![failure(kill - ms(3)); CONNECTIONS]));
    }
}
