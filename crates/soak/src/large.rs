//! Bodies larger than memory, in and out, by HTTP and as streams. They go through in pieces; one that is to be read before
//! it is sent on lies in a file meanwhile, which is gone afterwards.

use std::io;
use std::net::SocketAddr;
use std::time::Instant;

use polygate_testkit::Connection;

use crate::holdings::{Holdings, left_spooled, peak_during, spooled};
use crate::memory::mib;
use crate::plain::{Plain, ROUTES};
use crate::report::Report;
use crate::sink::SEND;

/// KiB by which the gateway may grow meanwhile.
const GROWTH: u64 = 16 * 1024;
const PIECE: usize = 1 << 20;

/// What was seen of a body under way.
struct Passed {
    /// Files in the middle.
    files: usize,
    /// Whether all of it arrived.
    is_whole: bool,
}

pub fn run(megabytes: u64) -> Report {
    let plain = Plain::start();
    let mut report = Report::default();
    let (proxy, stream) = (plain.proxy(), plain.stream);
    let streamed = measure(&plain, "streamed upload", megabytes, &mut report, || {
        upload(&plain, proxy, ROUTES[1], megabytes)
    });
    report.check(streamed == 0, format!("streamed upload: {streamed} files in the middle of it"));
    let buffered = measure(&plain, "buffered upload", megabytes, &mut report, || {
        upload(&plain, proxy, ROUTES[0], megabytes)
    });
    report.check(buffered == 1, format!("buffered upload: {buffered} files in the middle of it, not one"));
    measure(&plain, "download", megabytes, &mut report, || download(&plain, proxy, megabytes));
    measure(&plain, "upload as a stream", megabytes, &mut report, || {
        upload(&plain, stream, ROUTES[1], megabytes)
    });
    measure(&plain, "download as a stream", megabytes, &mut report, || download(&plain, stream, megabytes));
    plain.check_innocent(&mut report);
    report
}

/// How many files there were in the middle.
fn measure(
    plain: &Plain,
    what: &str,
    megabytes: u64,
    report: &mut Report,
    pass: impl FnOnce() -> io::Result<Passed>,
) -> usize {
    let pid = plain.pid();
    let before = Holdings::of(pid);
    let begun = Instant::now();
    let (passed, peak) = peak_during(pid, pass);
    let rate = megabytes as f64 / begun.elapsed().as_secs_f64();
    let after = Holdings::after(pid, before, 0, what, report);
    let left = left_spooled(pid);
    report.say(format!("{what}: before {before}, at most {}, after {after}, {rate:.0} MB/s", mib(peak)));
    report.check(peak <= before.resident + GROWTH, format!("{what}: the gateway grew to {}", mib(peak)));
    report.check(left == 0, format!("{what}: {left} files are left"));
    match passed {
        Ok(Passed { files, is_whole }) => {
            report.check(is_whole, format!("{what}: not all of it arrived"));
            files
        }
        Err(error) => {
            report.fail(format!("{what}: {error}"));
            0
        }
    }
}

fn upload(plain: &Plain, to: SocketAddr, route: &str, megabytes: u64) -> io::Result<Passed> {
    let length = megabytes * PIECE as u64;
    let mut connection = Connection::open(to)?;
    let head = format!("POST /{route} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n");
    connection.write(head.as_bytes())?;
    let piece = vec![b'l'; PIECE];
    let mut files = 0;
    for sent in 0..megabytes {
        if sent == megabytes / 2 {
            files = spooled(plain.pid());
        }
        connection.write(&piece)?;
    }
    let answer = connection.read_response("POST")?;
    Ok(Passed { files, is_whole: answer.status == 200 && answer.text() == length.to_string() })
}

fn download(plain: &Plain, from: SocketAddr, megabytes: u64) -> io::Result<Passed> {
    let length = megabytes * PIECE as u64;
    let mut connection = Connection::open(from)?;
    let head =
        format!("GET /{} HTTP/1.1\r\nHost: x\r\n{SEND}: {length}\r\nConnection: close\r\n\r\n", ROUTES[1]);
    connection.write(head.as_bytes())?;
    // A stream ends when both sides have said all.
    connection.finish()?;
    let mut piece = vec![0; PIECE];
    let (mut received, mut files) = (0, 0);
    loop {
        let count = connection.read_some(&mut piece)? as u64;
        if count == 0 {
            break;
        }
        if received < length / 2 && received + count >= length / 2 {
            files = spooled(plain.pid());
        }
        received += count;
    }
    // The head comes on top.
    Ok(Passed { files, is_whole: (length + 1..length + 4096).contains(&received) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_bodies_pass_in_pieces() {
        let report = run(64);
        assert!(report.is_good(), "{report}");
    }
}
