//! Many uploads that stop in the middle: a client that is slow, or means harm, costs little memory whatever it has sent.

use std::io;
use std::thread;
use std::time::Duration;

use polygate_testkit::Connection;

use crate::descriptors;
use crate::holdings::Holdings;
use crate::plain::{Plain, ROUTES};
use crate::report::Report;

/// Bytes of each upload, of which half is sent before the pause.
const LENGTH: usize = 2_000_000;
/// For the gateway to take what was sent.
const PAUSE: Duration = Duration::from_secs(2);
/// KiB of the gateway for each upload.
const SHARE: u64 = 64;
/// KiB that have nothing to do with their number.
const BASE: u64 = 8 * 1024;

pub fn run(clients: usize) -> Report {
    descriptors::allow(4 * clients);
    let mut report = Report::default();
    for route in ROUTES {
        let plain = Plain::start();
        let fresh = Holdings::of(plain.pid());
        let first = stall(&plain, route, clients, &mut report);
        // An allocator may keep what it got, but needs no more for the same again.
        let again = first.and_then(|first| {
            first.check_growth(fresh, clients as u64 * SHARE + BASE, route, &mut report);
            let second = stall(&plain, route, clients, &mut report)?;
            second.check_growth(first, BASE, route, &mut report);
            Ok(())
        });
        if let Err(error) = again {
            report.fail(format!("{route}: {error}"));
        }
        plain.check_innocent(&mut report);
    }
    report
}

/// What the gateway held while all of them waited.
fn stall(plain: &Plain, route: &str, clients: usize, report: &mut Report) -> io::Result<Holdings> {
    let half = vec![b'u'; LENGTH / 2];
    let pid = plain.pid();
    let before = Holdings::of(pid);
    let mut uploads = Vec::new();
    for _ in 0..clients {
        let mut connection = Connection::open(plain.proxy())?;
        let head = format!("POST /{route} HTTP/1.1\r\nHost: x\r\nContent-Length: {LENGTH}\r\n\r\n");
        connection.write(head.as_bytes())?;
        connection.write(&half)?;
        uploads.push(connection);
    }
    thread::sleep(PAUSE);
    let during = Holdings::of(pid);
    for connection in &mut uploads {
        connection.write(&half)?;
        let answer = connection.read_response("POST")?;
        let is_whole = answer.status == 200 && answer.text() == LENGTH.to_string();
        report.check(is_whole, format!("{route}: {} {}", answer.status, answer.text()));
    }
    drop(uploads);
    let after = Holdings::after(pid, before, 0, route, report);
    let share = during.grown(&before) as f64 / clients as f64;
    report.say(format!(
        "{route} before {before}, {clients} stalled {during} ({share:.1} KiB each), after {after}"
    ));
    Ok(during)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stalled_uploads_cost_little() {
        let report = run(50);
        assert!(report.is_good(), "{report}");
    }
}
