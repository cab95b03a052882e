//! Long runs that a test has no time for: plugin servers and gateways killed under load, memory over a million
//! requests. Each one prints its figures, and what went wrong, which makes it end with 1.
//!
//! `POLYGATE_BIN` names the gateway; without it the debug build is made and used. A short form of each run is
//! a test of this crate.

use std::process::ExitCode;
use std::time::Duration;

use lexopt::prelude::*;

use crate::gates::Gate;

mod client;
mod gates;
mod kill_gateway;
mod kill_servers;
mod latency;
mod memory;
mod reject;
mod replicas;
mod report;
mod site;
mod traffic;
mod wedge;

const USAGE: &str = "\
Usage: soak RUN [OPTIONS]

  kill-servers [--minutes N]    kill each plugin server once a second, under load
  kill-gateway [--minutes N]    kill the gateway every 5 seconds and start it again, under load
  reject [--requests N] [--sdk go|go-lm|js|py|py-gevent|py-multi]
                                refuse every request in a plugin, watch the memory
  wedge [--seconds N]           wedge a Python server beside a busy Go server
  replicas [--seconds N]        kill one of four JavaScript replicas, under load
";

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
enum Run {
    KillServers(Duration),
    KillGateway(Duration),
    Reject { requests: u64, gate: Gate },
    Wedge(Duration),
    Replicas(Duration),
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
    };
    print!("{report}");
    if report.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// `None` asks for help.
fn parse(mut parser: lexopt::Parser) -> Result<Option<Run>, lexopt::Error> {
    let (mut name, mut minutes, mut seconds, mut requests, mut gate) = (None, 5, 60, 1_000_000, Gate::Go);
    while let Some(argument) = parser.next()? {
        match argument {
            Short('h') | Long("help") => return Ok(None),
            Long("minutes") => minutes = parser.value()?.parse()?,
            Long("seconds") => seconds = parser.value()?.parse()?,
            Long("requests") => requests = parser.value()?.parse()?,
            Long("sdk") => gate = parser.value()?.parse_with(Gate::named)?,
            Value(value) if name.is_none() => name = Some(value.string()?),
            other => return Err(other.unexpected()),
        }
    }
    let (minutes, seconds) = (Duration::from_secs(60 * minutes), Duration::from_secs(seconds));
    Ok(Some(match name.as_deref() {
        Some("kill-servers") => Run::KillServers(minutes),
        Some("kill-gateway") => Run::KillGateway(minutes),
        Some("reject") => Run::Reject { requests, gate },
        Some("wedge") => Run::Wedge(seconds),
        Some("replicas") => Run::Replicas(seconds),
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
