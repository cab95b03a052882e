//! Certificates that change all the time, under new connections: none may fail, and the new one is shown at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use polygate_testkit::Request;
use polygate_testkit::eventually::within;
use polygate_tls::generate;
use rustls::ClientConfig;

use crate::encrypted::{self, Connection, Site};
use crate::holdings::Holdings;
use crate::report::Report;

const CLIENTS: usize = 4;
/// From the confirmation of a reload until the certificate is shown.
const BOUND: Duration = Duration::from_secs(1);
/// KiB that the gateway may grow meanwhile.
const GROWTH: u64 = 16 * 1024;
/// Changes before memory is compared: caches and allocators have filled by then.
const WARM: usize = 50;

pub fn run(changes: usize) -> Report {
    let mut report = Report::default();
    let site = Site::start(&generate().expect("a pair"));
    let config = encrypted::client();
    let is_over = AtomicBool::new(false);
    let begun = Instant::now();
    thread::scope(|scope| {
        let clients: Vec<_> =
            (0..CLIENTS).map(|_| scope.spawn(|| connect(&site, &config, &is_over))).collect();
        change(&site, &config, changes, &mut report);
        is_over.store(true, Ordering::Relaxed);
        let mut handshakes = 0;
        for client in clients {
            let (count, failures) = client.join().expect("a client does not panic");
            handshakes += count;
            failures.iter().for_each(|failure| report.fail(format!("a connection: {failure}")));
        }
        let rate = handshakes as f64 / begun.elapsed().as_secs_f64();
        report.say(format!("{handshakes} connections meanwhile, {rate:.0} a second"));
        report.check(handshakes > changes, "connections were not opened all the time");
    });
    report
}

/// Changes the certificate again and again, and waits each time until it is shown.
fn change(site: &Site, config: &Arc<ClientConfig>, changes: usize, report: &mut Report) {
    let mut reloads = Vec::new();
    let mut waits = Vec::new();
    let mut warm = None;
    for number in 0..changes {
        if number == WARM.min(changes / 2) {
            warm = Some(Holdings::of(site.gateway.pid()));
        }
        let pair = generate().expect("a pair");
        let wanted = encrypted::encoded(&pair);
        let begun = Instant::now();
        site.show(&pair);
        reloads.push(begun.elapsed());
        let confirmed = Instant::now();
        let is_shown = || {
            let connection = Connection::open(site.gateway.proxy(), config).ok()?;
            (connection.certificate() == wanted).then_some(())
        };
        if within(BOUND, is_shown).is_none() {
            report.fail(format!("the certificate of reload {number} is not shown within {BOUND:?}"));
        }
        waits.push(confirmed.elapsed());
    }
    let ms = |time: Option<Duration>| time.unwrap_or_default().as_secs_f64() * 1000.0;
    reloads.sort_unstable();
    waits.sort_unstable();
    report.say(format!(
        "{changes} changes: a reload takes {:.0} ms (at most {:.0}), the new certificate is seen after {:.1} ms (at most {:.1})",
        ms(reloads.get(changes / 2).copied()),
        ms(reloads.last().copied()),
        ms(waits.get(changes / 2).copied()),
        ms(waits.last().copied()),
    ));
    if let Some(warm) = warm {
        let now = Holdings::of(site.gateway.pid());
        report.say(format!("the gateway had {warm} after the first changes, {now} at the end"));
        now.check_growth(warm, GROWTH, "certificates", report);
    }
}

/// Opens connections, each with a request, and tells how many, and what went wrong.
fn connect(site: &Site, config: &Arc<ClientConfig>, is_over: &AtomicBool) -> (usize, Vec<String>) {
    let request = Request::get("/");
    let (mut count, mut failures) = (0, Vec::new());
    while !is_over.load(Ordering::Relaxed) {
        let answer = Connection::open(site.gateway.proxy(), config)
            .and_then(|mut connection| connection.send(&request));
        match answer {
            Ok(200) => {}
            Ok(status) => failures.push(status.to_string()),
            Err(error) => failures.push(error.to_string()),
        }
        count += 1;
        // Steady, not as much as possible: the processors are the gateway's too.
        thread::sleep(Duration::from_millis(2));
    }
    (count, failures)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_connection_fails_while_certificates_change() {
        let report = run(10);
        assert!(report.is_good(), "{report}");
    }
}
