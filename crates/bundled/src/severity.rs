//! Messages of syslog: which severity a request has (RFC 5424, section 6.2.1).

use polygate_chain::{Exchange, Session};
use serde::Deserialize;

#[derive(Deserialize, Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Emerg,
    Alert,
    Crit,
    Err,
    Warning,
    Notice,
    Info,
    Debug,
}

#[derive(Deserialize)]
pub struct Severities {
    log_level: Option<Severity>,
    successful_severity: Option<Severity>,
    client_errors_severity: Option<Severity>,
    server_errors_severity: Option<Severity>,
}

impl Severities {
    /// `None` for a request that is left out.
    pub fn of(&self, exchange: &Exchange) -> Option<Severity> {
        self.of_status(exchange.response.status)
    }

    /// [`Severities::of`] a stream.
    pub fn of_stream(&self, session: &Session) -> Option<Severity> {
        self.of_status(session.stream.as_ref().map_or(0, |stream| stream.status))
    }

    fn of_status(&self, status: u16) -> Option<Severity> {
        let severity = match status {
            500.. => self.server_errors_severity,
            400.. => self.client_errors_severity,
            _ => self.successful_severity,
        };
        let severity = severity.unwrap_or(Severity::Info);
        (severity <= self.log_level.unwrap_or(Severity::Info)).then_some(severity)
    }
}
