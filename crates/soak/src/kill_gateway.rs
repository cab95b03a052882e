//! The gateway is killed every few seconds under load and started again in the same prefix. Nothing of the one before
//! may be left, and no request get past its plugin.

use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use polygate_testkit::eventually::within;
use polygate_testkit::gateway::{descendants_of, runs};

use crate::gates::Gate;
use crate::latency::spread;
use crate::report::Report;
use crate::site::Site;
use crate::traffic::Traffic;

/// How long a gateway serves.
const LIFE: Duration = Duration::from_secs(5);
const RECOVERY_BOUND: Duration = Duration::from_secs(30);

pub fn run(time: Duration) -> Report {
    let routes = Gate::SDKS.map(|gate| gate.route(false));
    let mut site = Site::start(&Gate::SDKS, "", &routes);
    let traffic = Traffic::start(site.gateway.proxy(), &Gate::SDKS);
    let mut report = Report::default();
    let mut starts = Vec::new();
    let end = Instant::now() + time;
    while Instant::now() < end {
        thread::sleep(LIFE);
        let processes = descendants_of(site.gateway.pid());
        site.gateway.kill();
        let begun = Instant::now();
        traffic.lanes().iter().for_each(|lane| lane.expect_recovery());
        site.gateway.start_again();
        starts.push(begun.elapsed());
        let left: Vec<_> = processes.iter().filter(|pid| runs(**pid)).collect();
        report.check(left.is_empty(), format!("{left:?} run of the killed gateway's {processes:?}"));
        let recovered = || traffic.lanes().iter().all(|lane| lane.has_recovered()).then_some(());
        if within(RECOVERY_BOUND, recovered).is_none() {
            report.fail(format!("not every route is served again within {RECOVERY_BOUND:?}"));
        }
    }
    report.say(format!("starts   min / median / max: {}", spread(&starts)));
    for (lane, arrivals) in traffic.stop().iter().zip(site.arrivals.iter()) {
        report.say(lane.figures());
        report.say(format!("         recovery min / median / max: {}", spread(&lane.recoveries())));
        lane.check(&mut report);
        arrivals.check(&mut report);
        let (through, arrived) = (lane.through.load(Ordering::Relaxed), arrivals.all.load(Ordering::Relaxed));
        // The gateway took some answers with it.
        let most = through + lane.unanswered.load(Ordering::Relaxed);
        let name = lane.gate.name();
        report.check(
            (through..=most).contains(&arrived),
            format!("{name}: {through} answers, {most} with those lost, for {arrived} requests upstream"),
        );
    }
    report
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn killed_gateways_leave_nothing() {
        let report = run(Duration::from_secs(15));
        assert!(report.is_good(), "{report}");
    }
}
