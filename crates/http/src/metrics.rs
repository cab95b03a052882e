//! Counters of the data plane.

use std::sync::{LazyLock, Mutex, OnceLock, PoisonError};

use polygate_telemetry::metrics::{IntCounter, Scrape, counter};

/// Over all workers, for the life of the process.
pub static METRICS: LazyLock<Metrics> = LazyLock::new(Metrics::new);

/// How a TLS handshake with a client ended.
#[derive(Debug, Clone, Copy)]
pub enum HandshakeEnd {
    Done,
    /// The client broke it off, or what it sent is none.
    Failed,
    Late,
    /// Too many were under way.
    Refused,
    /// A plugin failed in its certificate phase.
    Plugin,
}

impl HandshakeEnd {
    const ALL: [Self; 5] = [Self::Done, Self::Failed, Self::Late, Self::Refused, Self::Plugin];

    fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Late => "late",
            Self::Refused => "refused",
            Self::Plugin => "plugin",
        }
    }
}

pub struct Metrics {
    /// Those that occurred.
    by_status: [OnceLock<IntCounter>; 600],
    /// Those that occurred, by the label of the rule.
    refused: Mutex<Vec<(&'static str, IntCounter)>>,
    handshakes: [IntCounter; HandshakeEnd::ALL.len()],
    log_dropped: IntCounter,
    client_gone: IntCounter,
}

impl Metrics {
    fn new() -> Self {
        Self {
            by_status: [const { OnceLock::new() }; 600],
            refused: Mutex::default(),
            handshakes: HandshakeEnd::ALL.map(|end| {
                let name = "polygate_tls_handshakes_total";
                counter(name, "TLS handshakes with clients, by how they ended.", &[("end", end.as_str())])
            }),
            log_dropped: counter(
                "polygate_log_events_dropped_total",
                "Log phases lost to a full queue.",
                &[],
            ),
            client_gone: counter(
                "polygate_client_gone_total",
                "Requests whose client left before the response.",
                &[],
            ),
        }
    }

    pub(crate) fn count_response(&self, status: u16) {
        let Some(slot) = self.by_status.get(usize::from(status)) else { return };
        let new = || {
            let code = status.to_string();
            counter("polygate_http_requests_total", "Responses sent, by status.", &[("code", &code)])
        };
        slot.get_or_init(new).inc();
    }

    /// A head that was refused; `label` says for what.
    pub(crate) fn count_refused(&self, label: &'static str) {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        match refused.iter().find(|(of, _)| *of == label) {
            Some((_, counter)) => counter.inc(),
            None => {
                let name = "polygate_refused_requests_total";
                let new = counter(name, "Requests whose head was refused, by reason.", &[("reason", label)]);
                new.inc();
                refused.push((label, new));
            }
        }
    }

    pub(crate) fn count_handshake(&self, end: HandshakeEnd) {
        self.handshakes[end as usize].inc();
    }

    pub(crate) fn count_dropped_log(&self) {
        self.log_dropped.inc();
    }

    pub(crate) fn count_client_gone(&self) {
        self.client_gone.inc();
    }

    pub fn show(&self, scrape: &Scrape) {
        self.by_status.iter().filter_map(OnceLock::get).for_each(|counter| scrape.add(counter));
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).iter().for_each(|(_, it)| scrape.add(it));
        self.handshakes.iter().for_each(|counter| scrape.add(counter));
        scrape.add(&self.log_dropped);
        scrape.add(&self.client_gone);
    }
}
