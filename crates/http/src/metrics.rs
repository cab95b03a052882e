//! Counters of the data plane.

use std::sync::LazyLock;

use polygate_telemetry::metrics::{ByReason, ByStatus, IntCounter, Scrape, counter};
use polygate_transport::copy::TornCounter;

/// Over all workers, for the life of the process.
pub static METRICS: LazyLock<Metrics> = LazyLock::new(Metrics::new);

pub struct Metrics {
    responses: ByStatus,
    /// By the label of the rule.
    refused: ByReason,
    client_gone: IntCounter,
    /// Tunnels behind a switch of protocols.
    pub(crate) torn: TornCounter,
}

impl Metrics {
    fn new() -> Self {
        Self {
            responses: ByStatus::new("polygate_http_requests_total", "Responses sent, by status.", &[]),
            refused: ByReason::new(
                "polygate_refused_requests_total",
                "Requests whose head was refused, by reason.",
                &[],
            ),
            client_gone: counter(
                "polygate_client_gone_total",
                "Requests whose client left before the response.",
                &[],
            ),
            torn: TornCounter::new(
                "polygate_tunnel_torn_total",
                "WebSockets that ended before both sides had said all.",
            ),
        }
    }

    pub(crate) fn count_response(&self, status: u16) {
        self.responses.count(status);
    }

    /// A head that was refused; `label` says for what.
    pub(crate) fn count_refused(&self, label: &'static str) {
        self.refused.count(label);
    }

    pub(crate) fn count_client_gone(&self) {
        self.client_gone.inc();
    }

    pub fn show(&self, scrape: &Scrape) {
        self.responses.show(scrape);
        self.refused.show(scrape);
        scrape.add(&self.client_gone);
        self.torn.show(scrape);
    }
}
