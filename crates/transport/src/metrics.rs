//! Counters of connections, whatever is spoken on them.

use std::sync::LazyLock;

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
    handshakes: [IntCounter; HandshakeEnd::ALL.len()],
    log_dropped: IntCounter,
}

impl Metrics {
    fn new() -> Self {
        Self {
            handshakes: HandshakeEnd::ALL.map(|end| {
                let name = "polygate_tls_handshakes_total";
                counter(name, "TLS handshakes with clients, by how they ended.", &[("end", end.as_str())])
            }),
            log_dropped: counter(
                "polygate_log_events_dropped_total",
                "Log phases lost to a full queue.",
                &[],
            ),
        }
    }

    pub fn count_handshake(&self, end: HandshakeEnd) {
        self.handshakes[end as usize].inc();
    }

    pub(crate) fn count_dropped_log(&self) {
        self.log_dropped.inc();
    }

    pub fn show(&self, scrape: &Scrape) {
        self.handshakes.iter().for_each(|counter| scrape.add(counter));
        scrape.add(&self.log_dropped);
    }
}
