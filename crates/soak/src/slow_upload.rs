//! An upload that goes on steadily for longer than any timeout: these are for pauses.

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use polygate_testkit::Connection;

use crate::plain::{Plain, ROUTES};
use crate::report::Report;

const PIECE: usize = 4 * 1024;
const INTERVAL: Duration = Duration::from_millis(250);

pub fn run(time: Duration) -> Report {
    let plain = Plain::start();
    let mut report = Report::default();
    let outcomes = thread::scope(|scope| {
        let uploads = ROUTES.map(|route| scope.spawn(|| upload(&plain, route, time)));
        uploads.map(|upload| upload.join().expect("an upload does not panic"))
    });
    for (route, outcome) in ROUTES.into_iter().zip(outcomes) {
        match outcome {
            Ok(line) => report.say(format!("{route} {line}")),
            Err(error) => report.fail(format!("{route}: {error}")),
        }
    }
    plain.check_innocent(&mut report);
    report
}

fn upload(plain: &Plain, route: &str, time: Duration) -> io::Result<String> {
    let pieces = (time.as_millis() / INTERVAL.as_millis()).max(1) as usize;
    let length = pieces * PIECE;
    let begun = Instant::now();
    let mut connection = Connection::open(plain.proxy())?;
    let head = format!("POST /{route} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n");
    connection.write(head.as_bytes())?;
    for _ in 0..pieces {
        thread::sleep(INTERVAL);
        connection.write(&[b's'; PIECE])?;
    }
    let answer = connection.read_response("POST")?;
    if answer.status != 200 || answer.text() != length.to_string() {
        return Err(io::Error::other(format!("{} {}", answer.status, answer.text())));
    }
    Ok(format!("{length} bytes in {:.1} s", begun.elapsed().as_secs_f64()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_upload_passes() {
        let report = run(Duration::from_secs(2));
        assert!(report.is_good(), "{report}");
    }
}
