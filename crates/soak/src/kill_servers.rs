//! Each plugin server is killed once a second under load. Requests may fail then; none may get past its plugin, and
//! none be lost.

use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use polygate_testkit::eventually::within;
use polygate_testkit::gateway::kill;

use crate::gates::Gate;
use crate::latency::spread;
use crate::report::Report;
use crate::site::Site;
use crate::traffic::{Lane, Traffic};

const INTERVAL: Duration = Duration::from_secs(1);
/// JavaScript takes seconds for a start, more of them on a busy machine.
const RECOVERY_BOUND: Duration = Duration::from_secs(30);
/// The promise for Go, whose servers start in no time. The median is judged: on a busy machine every process waits for
/// its turn now and then.
const GO_RECOVERY: Duration = Duration::from_millis(500);

pub fn run(time: Duration) -> Report {
    let (mut report, recoveries) = kill_all(time);
    let slow = recoveries.iter().filter(|it| **it >= GO_RECOVERY).count();
    report.say(format!("{slow} of {} recoveries of go took {GO_RECOVERY:?} or longer", recoveries.len()));
    report.check(2 * slow < recoveries.len(), "go: they are half or more");
    report
}

/// What happened, and the recoveries of Go. How long these take is not judged.
fn kill_all(time: Duration) -> (Report, Vec<Duration>) {
    let routes = Gate::SDKS.map(|gate| gate.route(false));
    let site = Site::start(&Gate::SDKS, "", &routes);
    let traffic = Traffic::start(site.gateway.proxy(), &Gate::SDKS);
    let mut report = Report::default();
    let end = Instant::now() + time;
    thread::scope(|scope| {
        let site = &site;
        let killers = traffic.lanes().iter().map(|lane| scope.spawn(move || kill_until(end, site, lane)));
        for killer in killers.collect::<Vec<_>>() {
            if let Err(failure) = killer.join().expect("a killer does not panic") {
                report.fail(failure);
            }
        }
    });
    let mut go = Vec::new();
    for (lane, arrivals) in traffic.stop().iter().zip(site.arrivals.iter()) {
        let recoveries = lane.recoveries();
        report.say(lane.figures());
        report.say(format!("         recovery min / median / max: {}", spread(&recoveries)));
        lane.check(&mut report);
        arrivals.check(&mut report);
        let (through, arrived) = (lane.through.load(Ordering::Relaxed), arrivals.all.load(Ordering::Relaxed));
        let name = lane.gate.name();
        report
            .check(through == arrived, format!("{name}: {through} answers for {arrived} requests upstream"));
        let unanswered = lane.unanswered.load(Ordering::Relaxed);
        report.check(unanswered == 0, format!("{name}: {unanswered} requests were not answered"));
        report.check(!recoveries.is_empty(), format!("{name}: it was never killed"));
        if lane.gate == Gate::Go {
            go = recoveries;
        }
    }
    (report, go)
}

/// Kills the server of one gate again and again: a second after the last time, but not before it serves.
fn kill_until(end: Instant, site: &Site, lane: &Lane) -> Result<(), String> {
    let name = lane.gate.name();
    while Instant::now() < end {
        let begun = Instant::now();
        let pid = within(RECOVERY_BOUND, || site.server_pids(lane.gate).first().copied());
        kill(pid.ok_or(format!("{name}: no process serves"))?);
        lane.expect_recovery();
        within(RECOVERY_BOUND, || lane.has_recovered().then_some(()))
            .ok_or(format!("{name}: not served again within {RECOVERY_BOUND:?}"))?;
        // A start of JavaScript takes longer than the interval.
        let since = if lane.gate == Gate::Js { Instant::now() } else { begun };
        thread::sleep(INTERVAL.saturating_sub(since.elapsed()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn killed_servers_open_no_gate() {
        let (report, _) = kill_all(Duration::from_secs(15));
        assert!(report.is_good(), "{report}");
    }
}
