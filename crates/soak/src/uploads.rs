//! Many uploads that stop in the middle: a client that is slow, or means harm, costs little memory whatever it has sent.

use std::io;
use std::thread;
use std::time::Duration;

use polygate_testkit::Connection;

use crate::descriptors;
use crate::holdings::Holdings;
use crate::memory::mib;
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
        let first = stall(&plain, route, clients, clients as u64 * SHARE + BASE, &mut report);
        // An allocator may keep what it got, but not get it again.
        let again = first.and_then(|()| stall(&plain, route, clients, BASE, &mut report));
        if let Err(error) = again {
            report.fail(format!("{route}: {error}"));
        }
        plain.check_innocent(&mut report);
    }
    report
}

/// `most` is by how many KiB the gateway may grow.
fn stall(plain: &Plain, route: &str, clients: usize, most: u64, report: &mut Report) -> io::Result<()> {
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
    let grown = during.grown(&before);
    let share = grown as f64 / clients as f64;
    report.say(format!(
        "{route} before {before}, {clients} stalled {during} ({share:.1} KiB each), after {after}"
    ));
    report.check(
        grown <= most,
        format!("{route}: the gateway grew by {}, more than {}", mib(grown), mib(most)),
    );
    Ok(())
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
