//! Idle connections within TLS, each of which has had a request.

use std::io;
use std::thread;
use std::time::Duration;

use polygate_testkit::Request;
use polygate_tls::generate;

use crate::descriptors;
use crate::encrypted::{self, Connection, Site};
use crate::holdings::Holdings;
use crate::report::Report;

/// Bytes of the gateway's memory for each.
const MOST: u64 = 24 * 1024;
/// KiB that have nothing to do with their number.
const BASE: u64 = 8 * 1024;
const PAUSE: Duration = Duration::from_secs(1);

pub fn run(connections: usize) -> Report {
    descriptors::allow(connections + 1000);
    let mut report = Report::default();
    let site = Site::start(&generate().expect("a pair"));
    let fresh = Holdings::of(site.gateway.pid());
    let first = lie_idle(&site, connections, &mut report);
    // An allocator may keep what it got, but needs no more for the same again.
    let again = first.and_then(|first| {
        first.check_growth(fresh, connections as u64 * MOST / 1024 + BASE, "the first time", &mut report);
        let second = lie_idle(&site, connections, &mut report)?;
        second.check_growth(first, BASE, "the second time", &mut report);
        Ok(())
    });
    if let Err(error) = again {
        report.fail(error);
    }
    report
}

/// What the gateway held meanwhile.
fn lie_idle(site: &Site, connections: usize, report: &mut Report) -> io::Result<Holdings> {
    let (pid, to) = (site.gateway.pid(), site.gateway.proxy());
    let (config, request) = (encrypted::client(), Request::get("/"));
    let before = Holdings::of(pid);
    let mut idle = Vec::new();
    for _ in 0..connections {
        let mut connection = Connection::open(to, &config)?;
        let status = connection.send(&request)?;
        report.check(status == 200, status);
        idle.push(connection);
    }
    thread::sleep(PAUSE);
    let during = Holdings::of(pid);
    for connection in idle.iter_mut().step_by(connections.div_ceil(100)) {
        let status = connection.send(&request)?;
        report.check(status == 200, format!("{status} after it lay idle"));
    }
    drop(idle);
    let after = Holdings::after(pid, before, 0, "idle", report);
    let share = 1024 * during.grown(&before) / connections as u64;
    report.say(format!("before {before}, {connections} idle {during} ({share} bytes each), after {after}"));
    Ok(during)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_connections_within_tls_cost_little() {
        let report = run(200);
        assert!(report.is_good(), "{report}");
    }
}
