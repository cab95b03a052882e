//! The access log, in the format that the reference calls `basic`.

use std::io::Write as _;

use polygate_chain::Session;
use polygate_telemetry::clock::DateTime;

/// Adds the line of a stream: client, time, protocol, status, bytes sent and received, seconds.
pub fn write(out: &mut Vec<u8>, session: &Session) {
    let Some(stream) = &session.stream else { return };
    let timings = &session.timings;
    // Writing to memory does not fail.
    let _ = writeln!(
        out,
        "{} [{}] {} {:03} {} {} {:.3}",
        session.client_ip(),
        DateTime::from_unix(timings.unix(timings.latest).as_secs()).common_log(),
        stream.transport.as_str(),
        stream.status,
        stream.sent,
        stream.received,
        timings.total().as_secs_f64(),
    );
}
