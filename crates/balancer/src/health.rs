//! Counters that turn a peer unhealthy and healthy again.

use polygate_model::entities::{HealthyRule, UnhealthyRule};

/// What became of a request or a probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// A response; 504 of the gateway's own making is [`Outcome::Timeout`].
    Status(u16),
    /// No connection, or it broke, or TLS failed.
    TcpFailure,
    Timeout,
}

/// One peer's counters. They start healthy: a new peer gets its chance.
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

    /// Counts an outcome. A limit of zero switches its counter off, as if the outcome had not been; a
    /// status in neither list is neutral. A success clears the failures, a failure the successes.
    pub fn count(&mut self, outcome: Outcome, healthy: &HealthyRule, unhealthy: &UnhealthyRule) {
        let counters = &mut self.counters;
        let (counter, limit, is_success) = match outcome {
            Outcome::Status(status) if healthy.http_statuses.contains(&status) => {
                (&mut counters.successes, healthy.successes, true)
            }
            Outcome::Status(status) if unhealthy.http_statuses.contains(&status) => {
                (&mut counters.http_failures, unhealthy.http_failures, false)
            }
            Outcome::Status(_) => return,
            Outcome::TcpFailure => (&mut counters.tcp_failures, unhealthy.tcp_failures, false),
            Outcome::Timeout => (&mut counters.timeouts, unhealthy.timeouts, false),
        };
        if limit == 0 {
            return;
        }
        *counter += 1;
        if *counter >= limit {
            *self = Self::new(is_success);
        } else if is_success {
            *counters = Counters { successes: counters.successes, ..Counters::default() };
        } else {
            counters.successes = 0;
        }
    }
}

/// Whether any counter can ever change the state of a peer.
pub fn is_checked(healthy: &HealthyRule, unhealthy: &UnhealthyRule) -> bool {
    let limits = [healthy.successes, unhealthy.http_failures, unhealthy.tcp_failures, unhealthy.timeouts];
    limits.into_iter().any(|limit| limit > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(successes: u32, http_failures: u32, tcp_failures: u32) -> (HealthyRule, UnhealthyRule) {
        let healthy = HealthyRule { interval: None, http_statuses: vec![200], successes };
        let unhealthy = UnhealthyRule {
            interval: None,
            http_statuses: vec![500],
            http_failures,
            tcp_failures,
            timeouts: 0,
        };
        (healthy, unhealthy)
    }

    fn after(rules: &(HealthyRule, UnhealthyRule), start: bool, outcomes: &[Outcome]) -> bool {
        let mut health = Health::new(start);
        outcomes.iter().for_each(|&outcome| health.count(outcome, &rules.0, &rules.1));
        health.is_healthy
    }

    const OK: Outcome = Outcome::Status(200);
    const BAD: Outcome = Outcome::Status(500);
    const NEUTRAL: Outcome = Outcome::Status(404);

    #[test]
    fn failures_in_a_row_make_unhealthy() {
        let rules = rules(1, 2, 3);
        assert!(after(&rules, true, &[BAD]));
        assert!(!after(&rules, true, &[BAD, NEUTRAL, BAD]));
        assert!(after(&rules, true, &[BAD, OK, BAD]));
        assert!(after(&rules, true, &[BAD, Outcome::TcpFailure, Outcome::TcpFailure]), "each kind by itself");
        assert!(!after(&rules, true, &[Outcome::TcpFailure; 3]));
    }

    #[test]
    fn successes_in_a_row_make_healthy() {
        let rules = rules(2, 1, 0);
        assert!(!after(&rules, false, &[OK]));
        assert!(after(&rules, false, &[OK, OK]));
        assert!(!after(&rules, false, &[OK, BAD, OK]));
    }

    #[test]
    fn a_limit_of_zero_switches_a_counter_off() {
        assert!(after(&rules(0, 0, 0), true, &[BAD, BAD, Outcome::TcpFailure, Outcome::Timeout]));
        assert!(!after(&rules(0, 2, 0), true, &[BAD, OK, BAD]), "successes are not looked at");
        assert!(!after(&rules(0, 2, 0), false, &[OK, OK, OK]));
    }
}
