//! Clients that leave at every point of an exchange, politely or not. That is nobody's fault but theirs: no target is
//! taken out of service, nothing is left open, and the access log says what happened to each request.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use polygate_testkit::eventually::within;
use rustix::net::sockopt::set_socket_linger;

use crate::holdings::{Holdings, peak_during};
use crate::memory::mib;
use crate::plain::{Plain, ROUTES};
use crate::report::Report;
use crate::sink::{SEND, WAIT};

const THREADS: usize = 8;
/// Bytes of a body that is broken off, and of an answer that is not read to its end.
const LENGTH: usize = 1_000_000;
/// How long an upstream takes for an answer that nobody waits for.
const ANSWER_TIME: Duration = Duration::from_millis(100);
const LOG_BOUND: Duration = Duration::from_secs(10);
/// Clients that meet a cold gateway, so that what it needs for good is not taken for a leak.
const WARM_UP: usize = 400;
/// KiB by which the gateway may grow then.
const GROWTH: u64 = 8 * 1024;

/// Where a client leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Point {
    InHead,
    BehindHead,
    InBody,
    InChunk,
    Waiting,
    InAnswer,
}

const POINTS: [Point; 6] =
    [Point::InHead, Point::BehindHead, Point::InBody, Point::InChunk, Point::Waiting, Point::InAnswer];

impl Point {
    fn name(self) -> &'static str {
        match self {
            Self::InHead => "in-head",
            Self::BehindHead => "behind-head",
            Self::InBody => "in-body",
            Self::InChunk => "in-chunk",
            Self::Waiting => "waiting",
            Self::InAnswer => "in-answer",
        }
    }

    /// Whether the log may have such a line; `None` is no line.
    fn allows(self, status: Option<u16>) -> bool {
        match self {
            Self::InHead => matches!(status, None | Some(400)),
            Self::BehindHead | Self::InBody | Self::InChunk => matches!(status, Some(400 | 499)),
            // The client may leave just after the whole answer came.
            Self::Waiting | Self::InAnswer => matches!(status, Some(200 | 499)),
        }
    }

    /// What the client sends, and whether it waits for some of the answer.
    fn request(self, path: &str) -> (Vec<u8>, bool) {
        let upload = |header: &str| format!("POST {path} HTTP/1.1\r\nHost: x\r\n{header}\r\n");
        let get = |header: &str| format!("GET {path} HTTP/1.1\r\nHost: x\r\n{header}\r\n\r\n");
        let length = format!("Content-Length: {LENGTH}");
        let half = "a".repeat(LENGTH / 2);
        let text = match self {
            Self::InHead => upload(&length),
            Self::BehindHead => upload(&length) + "\r\n",
            Self::InBody => upload(&length) + "\r\n" + &half,
            Self::InChunk => upload("Transfer-Encoding: chunked") + &format!("\r\n{LENGTH:x}\r\n{half}"),
            Self::Waiting => get(&format!("{WAIT}: {}", ANSWER_TIME.as_millis())),
            Self::InAnswer => get(&format!("{SEND}: {LENGTH}")),
        };
        (text.into_bytes(), self == Self::InAnswer)
    }
}

/// How it leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    Reset,
    Closed,
    /// It says that it sends no more, and is gone a little later.
    HalfClosed,
}

const MANNERS: [Manner; 3] = [Manner::Reset, Manner::Closed, Manner::HalfClosed];

/// One client, by its number.
#[derive(Debug, Clone, Copy)]
struct Plan {
    number: usize,
    point: Point,
    route: &'static str,
    manner: Manner,
}

impl Plan {
    fn new(number: usize) -> Self {
        let kinds = POINTS.len();
        Self {
            number,
            point: POINTS[number % kinds],
            route: ROUTES[number / kinds % ROUTES.len()],
            manner: MANNERS[number / kinds / ROUTES.len() % MANNERS.len()],
        }
    }

    fn path(&self) -> String {
        format!("/{}/{}/{}", self.route, self.point.name(), self.number)
    }

    fn run(&self, plain: &Plain) -> io::Result<()> {
        let mut stream = TcpStream::connect(plain.proxy())?;
        stream.set_nodelay(true)?;
        let (request, reads) = self.point.request(&self.path());
        stream.write_all(&request)?;
        if reads {
            stream.read_exact(&mut [0; 1000])?;
        }
        // So that what was sent meets the gateway at different points of its own work.
        let moment = Duration::from_micros(self.number as u64 * 997 % 10_000);
        thread::sleep(moment);
        match self.manner {
            Manner::Closed => {}
            Manner::Reset => set_socket_linger(&stream, Some(Duration::ZERO))?,
            Manner::HalfClosed => {
                stream.shutdown(Shutdown::Write)?;
                thread::sleep(moment);
            }
        }
        Ok(())
    }
}

pub fn run(clients: usize) -> Report {
    let plain = Plain::start();
    let mut report = Report::default();
    abort_all(&plain, 0..WARM_UP, &mut report);
    wait_for_lines(&plain, WARM_UP);
    thread::sleep(2 * ANSWER_TIME);
    let pid = plain.pid();
    let before = Holdings::of(pid);
    let numbers = WARM_UP..WARM_UP + clients;
    let ((), peak) = peak_during(pid, || abort_all(&plain, numbers.clone(), &mut report));
    wait_for_lines(&plain, WARM_UP + clients);
    let after = Holdings::after(pid, before, 0, "aborts", &mut report);
    after.check_growth(before, GROWTH, "aborts", &mut report);
    report.say(format!("{clients} aborts: before {before}, at most {}, after {after}", mib(peak)));
    check_log(&plain, 0..numbers.end, &mut report);
    plain.check_innocent(&mut report);
    report
}

fn abort_all(plain: &Plain, numbers: Range<usize>, report: &mut Report) {
    let next = AtomicUsize::new(numbers.start);
    let abort = || {
        let mut failures = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= numbers.end {
                return failures;
            }
            let plan = Plan::new(number);
            if let Err(error) = plan.run(plain) {
                failures.push(format!("{}: {error}", plan.path()));
            }
        }
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(abort)).collect();
        for thread in threads {
            thread.join().expect("a client does not panic").iter().for_each(|failure| report.fail(failure));
        }
    });
}

/// All but those that leave in the head are logged, at the latest when their upstream has answered.
fn wait_for_lines(plain: &Plain, clients: usize) {
    let expected = clients - clients.div_ceil(POINTS.len());
    within(LOG_BOUND, || (logged(plain).len() >= expected).then_some(()));
}

/// The status of each path in the access log.
fn logged(plain: &Plain) -> HashMap<String, Vec<u16>> {
    let mut statuses: HashMap<String, Vec<u16>> = HashMap::new();
    for line in plain.gateway.access_log() {
        // ... "GET /buffered/waiting/7 HTTP/1.1" 499 ...
        let mut parts = line.split('"').skip(1);
        let (Some(request), Some(rest)) = (parts.next(), parts.next()) else { continue };
        let path = request.split(' ').nth(1).filter(|path| path.matches('/').count() == 3);
        let status = rest.split_whitespace().next().and_then(|status| status.parse().ok());
        if let (Some(path), Some(status)) = (path, status) {
            statuses.entry(path.to_owned()).or_default().push(status);
        }
    }
    statuses
}

fn check_log(plain: &Plain, numbers: Range<usize>, report: &mut Report) {
    let logged = logged(plain);
    let mut counts: BTreeMap<(Point, Option<u16>), usize> = BTreeMap::new();
    for plan in numbers.map(Plan::new) {
        let path = plan.path();
        let statuses = logged.get(&path).map(Vec::as_slice).unwrap_or_default();
        let status = statuses.first().copied();
        let is_right = statuses.len() <= 1 && plan.point.allows(status);
        report.check(is_right, format!("{path}, {:?}, is logged with {statuses:?}", plan.manner));
        *counts.entry((plan.point, status)).or_default() += 1;
    }
    for point in POINTS {
        let found = counts.iter().filter(|((of, _), _)| *of == point);
        let shown = found.map(|((_, status), count)| match status {
            Some(status) => format!("{count} with {status}"),
            None => format!("{count} not logged"),
        });
        report.say(format!("{:<11} {}", point.name(), shown.collect::<Vec<_>>().join(", ")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aborts_cost_nobody_anything() {
        let report = run(400);
        assert!(report.is_good(), "{report}");
    }
}
