//! Idle connections: there are more of them than of anything else, so that each must cost next to nothing.

use std::io;
use std::thread;
use std::time::Duration;

use polygate_testkit::{Connection, Request};

use crate::descriptors;
use crate::holdings::Holdings;
use crate::plain::{Plain, ROUTES};
use crate::report::Report;

/// Bytes of the gateway's memory for each.
const MOST: u64 = 10 * 1024;
/// KiB that have nothing to do with their number.
const BASE: u64 = 4 * 1024;
const PAUSE: Duration = Duration::from_secs(1);

pub fn run(connections: usize) -> Report {
    descriptors::allow(connections + 1000);
    let mut report = Report::default();
    for (what, is_used) in [("unused", false), ("used", true)] {
        let plain = Plain::start();
        let fresh = Holdings::of(plain.pid());
        let first = lie_idle(&plain, what, is_used, connections, &mut report);
        // An allocator may keep what it got, but needs no more for the same again.
        let again = first.and_then(|first| {
            first.check_growth(fresh, connections as u64 * MOST / 1024 + BASE, what, &mut report);
            let second = lie_idle(&plain, what, is_used, connections, &mut report)?;
            second.check_growth(first, BASE, what, &mut report);
            Ok(())
        });
        if let Err(error) = again {
            report.fail(format!("{what}: {error}"));
        }
        plain.check_innocent(&mut report);
    }
    report
}

/// What the gateway held meanwhile. `is_used` is whether a request was answered on each.
fn lie_idle(
    plain: &Plain,
    what: &str,
    is_used: bool,
    connections: usize,
    report: &mut Report,
) -> io::Result<Holdings> {
    let pid = plain.pid();
    let request = Request::get(&format!("/{}", ROUTES[0]));
    let before = Holdings::of(pid);
    let mut idle = Vec::new();
    for _ in 0..connections {
        let mut connection = Connection::open(plain.proxy())?;
        if is_used {
            let answer = connection.send(&request)?;
            report.check(answer.status == 200, format!("{what}: {}", answer.status));
        }
        idle.push(connection);
    }
    thread::sleep(PAUSE);
    let during = Holdings::of(pid);
    for connection in idle.iter_mut().step_by(connections.div_ceil(100)) {
        let answer = connection.send(&request)?;
        report.check(answer.status == 200, format!("{what}: {} after it lay idle", answer.status));
    }
    drop(idle);
    let after = Holdings::after(pid, before, 0, what, report);
    let share = 1024 * during.grown(&before) / connections as u64;
    report.say(format!(
        "{what:<6} before {before}, {connections} idle {during} ({share} bytes each), after {after}"
    ));
    Ok(during)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_connections_cost_little() {
        let report = run(500);
        assert!(report.is_good(), "{report}");
    }
}
