//! Long runs that a test has no time for: plugin servers and gateways killed under load, memory over a million
//! requests, clients that stall, leave, or send more than fits into memory. Each one prints its figures, and what went
//! wrong, which makes it end with 1.
//!
//! `POLYGATE_BIN` names the gateway; without it the debug build is made and used. A short form of each run is
//! a test of this crate.

use std::process::ExitCode;
use std::time::Duration;

use lexopt::prelude::*;

use crate::gates::Gate;

mod aborts;
mod certificates;
mod client;
mod descriptors;
mod encrypted;
mod gates;
mod holdings;
mod idle;
mod kill_gateway;
mod kill_servers;
mod large;
mod latency;
mod memory;
mod plain;
mod plugin_bodies;
mod reject;
mod replicas;
mod report;
mod sink;
mod site;
mod slow_upload;
mod traffic;
mod uploads;
mod wedge;

const USAGE: &str = "\
Usage: soak RUN [OPTIONS]

  kill-servers [--minutes N]    kill each plugin server once a second, under load
  kill-gateway [--minutes N]    kill the gateway every 5 seconds and start it again, under load
  reject [--requests N] [--sdk go|go-lm|js|py|py-gevent|py-multi]
                                refuse every request in a plugin, watch the memory
  wedge [--seconds N]           wedge a Python server beside a busy Go server
  replicas [--seconds N]        kill one of four JavaScript replicas, under load
  uploads [--clients N]         stop uploads in the middle, watch the memory
  plugin-bodies [--clients N] [--megabytes N]
                                have plugins read large bodies, watch the memory
  idle [--clients N]            leave connections idle, watch the memory
  idle-tls [--clients N]        the same within TLS
  idle-http2 [--clients N]      the same of HTTP/2
  certificates [--changes N]    change the certificate by reloads, under new connections
  large [--megabytes N]         send more than fits into memory, both ways
  aborts [--clients N]          leave at every point of an exchange
  slow-upload [--seconds N]     send for longer than any timeout
";

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
enum Run {
    KillServers(Duration),
    KillGateway(Duration),
    Reject { requests: u64, gate: Gate },
    Wedge(Duration),
    Replicas(Duration),
    Uploads(usize),
    PluginBodies { clients: usize, megabytes: usize },
    Idle(usize),
    IdleTls(usize),
    IdleHttp2(usize),
    Certificates(usize),
    Large(u64),
    Aborts(usize),
    SlowUpload(Duration),
}

fn main() -> ExitCode {
    let run = match parse(lexopt::Parser::from_env()) {
        Ok(Some(run)) => run,
        Ok(None) => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprint!("soak: {error}\n\n{USAGE}");
            return ExitCode::FAILURE;
        }
    };
    let report = match run {
        Run::KillServers(time) => kill_servers::run(time),
        Run::KillGateway(time) => kill_gateway::run(time),
        Run::Reject { requests, gate } => reject::run(requests, gate),
        Run::Wedge(time) => wedge::run(time),
        Run::Replicas(time) => replicas::run(time),
        Run::Uploads(clients) => uploads::run(clients),
        Run::PluginBodies { clients, megabytes } => plugin_bodies::run(clients, megabytes),
        Run::Idle(clients) => idle::plain(clients),
        Run::IdleTls(clients) => idle::tls(clients),
        Run::IdleHttp2(clients) => idle::http2(clients),
        Run::Certificates(changes) => certificates::run(changes),
        Run::Large(megabytes) => large::run(megabytes),
        Run::Aborts(clients) => aborts::run(clients),
        Run::SlowUpload(time) => slow_upload::run(time),
    };
    print!("{report}");
    if report.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// `None` asks for help.
fn parse(mut parser: lexopt::Parser) -> Result<Option<Run>, lexopt::Error> {
    let (mut name, mut minutes, mut requests, mut gate) = (None, 5, 1_000_000, Gate::Go);
    let mut changes = 1_000;
    // Each run has a number of its own for these.
    let (mut seconds, mut clients, mut megabytes) = (None, None, None);
    while let Some(argument) = parser.next()? {
        match argument {
            Short('h') | Long("help") => return Ok(None),
            Long("minutes") => minutes = parser.value()?.parse()?,
            Long("seconds") => seconds = Some(parser.value()?.parse()?),
            Long("clients") => clients = Some(parser.value()?.parse()?),
            Long("megabytes") => megabytes = Some(parser.value()?.parse()?),
            Long("changes") => changes = parser.value()?.parse()?,
            Long("requests") => requests = parser.value()?.parse()?,
            Long("sdk") => gate = parser.value()?.parse_with(Gate::named)?,
            Value(value) if name.is_none() => name = Some(value.string()?),
            other => return Err(other.unexpected()),
        }
    }
    let minutes = Duration::from_secs(60 * minutes);
    let seconds = |usual| Duration::from_secs(seconds.unwrap_or(usual));
    let clients = |usual| clients.unwrap_or(usual);
    Ok(Some(match name.as_deref() {
        Some("kill-servers") => Run::KillServers(minutes),
        Some("kill-gateway") => Run::KillGateway(minutes),
        Some("reject") => Run::Reject { requests, gate },
        Some("wedge") => Run::Wedge(seconds(60)),
        Some("replicas") => Run::Replicas(seconds(60)),
        Some("uploads") => Run::Uploads(clients(1_000)),
        Some("plugin-bodies") => {
            Run::PluginBodies { clients: clients(8), megabytes: megabytes.unwrap_or(64) as usize }
        }
        Some("idle") => Run::Idle(clients(10_000)),
        Some("idle-tls") => Run::IdleTls(clients(10_000)),
        Some("idle-http2") => Run::IdleHttp2(clients(10_000)),
        Some("certificates") => Run::Certificates(changes),
        Some("large") => Run::Large(megabytes.unwrap_or(5 * 1024)),
        Some("aborts") => Run::Aborts(clients(10_000)),
        Some("slow-upload") => Run::SlowUpload(seconds(120)),
        Some(other) => return Err(format!("no such run: {other}").into()),
        None => return Ok(None),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_read() {
        let parse = |line: &str| parse(lexopt::Parser::from_args(line.split_whitespace()));
        let minute = Duration::from_secs(60);
        for (line, expected) in [
            ("kill-servers", Run::KillServers(5 * minute)),
            ("kill-gateway --minutes 2", Run::KillGateway(2 * minute)),
            ("reject --sdk py-multi --requests 9", Run::Reject { requests: 9, gate: Gate::PyMulti }),
            ("reject", Run::Reject { requests: 1_000_000, gate: Gate::Go }),
            ("wedge --seconds 7", Run::Wedge(Duration::from_secs(7))),
            ("replicas", Run::Replicas(minute)),
            ("uploads --clients 3", Run::Uploads(3)),
            ("plugin-bodies --clients 2 --megabytes 4", Run::PluginBodies { clients: 2, megabytes: 4 }),
            ("plugin-bodies", Run::PluginBodies { clients: 8, megabytes: 64 }),
            ("idle", Run::Idle(10_000)),
            ("idle-tls --clients 9", Run::IdleTls(9)),
            ("idle-http2", Run::IdleHttp2(10_000)),
            ("certificates", Run::Certificates(1_000)),
            ("certificates --changes 9", Run::Certificates(9)),
            ("large --megabytes 9", Run::Large(9)),
            ("aborts", Run::Aborts(10_000)),
            ("slow-upload", Run::SlowUpload(2 * minute)),
        ] {
            assert_eq!(parse(line).expect(line), Some(expected), "{line}");
        }
        assert_eq!(parse("").expect("help"), None);
        for (line, error) in [
            ("dance", "no such run: dance"),
            ("reject --sdk lua", "no such SDK, use go, go-lm, js, py, py-gevent or py-multi"),
            ("wedge now", "unexpected argument \"now\""),
        ] {
            assert!(parse(line).expect_err(line).to_string().contains(error), "{line}");
        }
    }
}
