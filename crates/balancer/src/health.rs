//! Counters that turn a peer unhealthy and healthy again.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use polygate_model::entities::{ActiveChecks, HealthyRule, PassiveChecks, UnhealthyRule};

/// What became of a request or a probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The status of a response.
    Status(u16),
    /// A connection, when a probe asked for nothing else.
    Connected,
    /// A probe was answered by something that is no response.
    Malformed,
    /// No connection, or it broke, or TLS failed.
    TcpFailure,
    Timeout,
}

/// As the log says it.
impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => write!(f, "status {status}"),
            Self::Connected => f.write_str("connected"),
            Self::Malformed => f.write_str("no HTTP response"),
            Self::TcpFailure => f.write_str("no connection, or it broke"),
            Self::Timeout => f.write_str("timed out"),
        }
    }
}

/// What an outcome is by the rules of a check: the counter it adds to, if any.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Success,
    HttpFailure,
    TcpFailure,
    Timeout,
    /// A status in neither list.
    Neutral,
}

impl Verdict {
    pub const ALL: [Self; 5] =
        [Self::Success, Self::HttpFailure, Self::TcpFailure, Self::Timeout, Self::Neutral];

    pub fn is_failure(self) -> bool {
        matches!(self, Self::HttpFailure | Self::TcpFailure | Self::Timeout)
    }

    /// For metrics.
    pub fn label(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::HttpFailure => "http_failure",
            Self::TcpFailure => "tcp_failure",
            Self::Timeout => "timeout",
            Self::Neutral => "neutral",
        }
    }
}

/// How many there were of each kind of verdict.
#[derive(Debug, Default)]
pub struct Tally([AtomicU64; Verdict::ALL.len()]);

impl Tally {
    pub fn add(&self, verdict: Verdict) {
        self.0[verdict as usize].fetch_add(1, Relaxed);
    }

    pub fn counts(&self) -> [(Verdict, u64); Verdict::ALL.len()] {
        Verdict::ALL.map(|verdict| (verdict, self.0[verdict as usize].load(Relaxed)))
    }
}

/// The rules of one of the checks of an upstream.
#[derive(Debug, Clone, Copy)]
pub struct Rules<'a> {
    healthy: &'a HealthyRule,
    unhealthy: &'a UnhealthyRule,
}

impl<'a> Rules<'a> {
    pub fn active(checks: &'a ActiveChecks) -> Self {
        Self { healthy: &checks.healthy, unhealthy: &checks.unhealthy }
    }

    pub fn passive(checks: &'a PassiveChecks) -> Self {
        Self { healthy: &checks.healthy, unhealthy: &checks.unhealthy }
    }

    pub fn verdict(self, outcome: Outcome) -> Verdict {
        match outcome {
            Outcome::Status(status) if self.healthy.http_statuses.contains(&status) => Verdict::Success,
            Outcome::Status(status) if self.unhealthy.http_statuses.contains(&status) => Verdict::HttpFailure,
            Outcome::Status(_) => Verdict::Neutral,
            Outcome::Connected => Verdict::Success,
            Outcome::Malformed => Verdict::HttpFailure,
            Outcome::TcpFailure => Verdict::TcpFailure,
            Outcome::Timeout => Verdict::Timeout,
        }
    }

    /// How many verdicts of this kind in a row change the state; zero: never.
    pub fn limit(self, verdict: Verdict) -> u32 {
        match verdict {
            Verdict::Success => self.healthy.successes,
            Verdict::HttpFailure => self.unhealthy.http_failures,
            Verdict::TcpFailure => self.unhealthy.tcp_failures,
            Verdict::Timeout => self.unhealthy.timeouts,
            Verdict::Neutral => 0,
        }
    }
}

/// One peer's counters, which active and passive checks share. They start healthy: a new peer gets its chance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Health {
    pub is_healthy: bool,
    counters: Counters,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Counters {
    successes: u32,
    http_failures: u32,
    tcp_failures: u32,
    timeouts: u32,
}

impl Health {
    pub fn new(is_healthy: bool) -> Self {
        Self { is_healthy, counters: Counters::default() }
    }

    /// Counts a verdict; `limit` of them change the state. A limit of zero switches a counter off, as if the outcome
    /// had not been. A success clears the failures, a failure the successes.
    pub fn count(&mut self, verdict: Verdict, limit: u32) {
        let counters = &mut self.counters;
        let counter = match verdict {
            _ if limit == 0 => return,
            Verdict::Success => &mut counters.successes,
            Verdict::HttpFailure => &mut counters.http_failures,
            Verdict::TcpFailure => &mut counters.tcp_failures,
            Verdict::Timeout => &mut counters.timeouts,
            Verdict::Neutral => return,
        };
        *counter += 1;
        let is_success = verdict == Verdict::Success;
        if *counter >= limit {
            *self = Self::new(is_success);
        } else if is_success {
            *counters = Counters { successes: counters.successes, ..Counters::default() };
        } else {
            counters.successes = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::upstream;

    fn checks(successes: u32, http_failures: u32, tcp_failures: u32) -> PassiveChecks {
        let mut checks = upstream().healthchecks.passive;
        checks.healthy.successes = successes;
        checks.unhealthy.http_failures = http_failures;
        checks.unhealthy.tcp_failures = tcp_failures;
        checks
    }

    fn after(checks: &PassiveChecks, start: bool, outcomes: &[Outcome]) -> bool {
        let (mut health, rules) = (Health::new(start), Rules::passive(checks));
        for &outcome in outcomes {
            let verdict = rules.verdict(outcome);
            health.count(verdict, rules.limit(verdict));
        }
        health.is_healthy
    }

    const OK: Outcome = Outcome::Status(200);
    const BAD: Outcome = Outcome::Status(500);
    const NEUTRAL: Outcome = Outcome::Status(404);

    #[test]
    fn each_kind_of_verdict_has_its_count() {
        let tally = Tally::default();
        for (times, verdict) in Verdict::ALL.into_iter().enumerate() {
            (0..times).for_each(|_| tally.add(verdict));
        }
        let expected = [0, 1, 2, 3, 4];
        assert_eq!(tally.counts().map(|(_, count)| count), expected);
    }

    #[test]
    fn failures_in_a_row_make_unhealthy() {
        let checks = checks(1, 2, 3);
        assert!(after(&checks, true, &[BAD]));
        assert!(!after(&checks, true, &[BAD, NEUTRAL, BAD]));
        assert!(!after(&checks, true, &[BAD, Outcome::Malformed]));
        assert!(after(&checks, true, &[BAD, OK, BAD]));
        assert!(after(&checks, true, &[BAD, Outcome::Connected, BAD]));
        assert!(
            after(&checks, true, &[BAD, Outcome::TcpFailure, Outcome::TcpFailure]),
            "each kind by itself"
        );
        assert!(!after(&checks, true, &[Outcome::TcpFailure; 3]));
    }

    #[test]
    fn successes_in_a_row_make_healthy() {
        let checks = checks(2, 1, 0);
        assert!(!after(&checks, false, &[OK]));
        assert!(after(&checks, false, &[OK, OK]));
        assert!(after(&checks, false, &[Outcome::Connected; 2]));
        assert!(!after(&checks, false, &[OK, BAD, OK]));
    }

    #[test]
    fn a_limit_of_zero_switches_a_counter_off() {
        assert!(after(&checks(0, 0, 0), true, &[BAD, BAD, Outcome::TcpFailure, Outcome::Timeout]));
        assert!(!after(&checks(0, 2, 0), true, &[BAD, OK, BAD]), "successes are not looked at");
        assert!(!after(&checks(0, 2, 0), false, &[OK, OK, OK]));
    }
}
