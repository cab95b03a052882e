//! Counters of the data plane.

use std::sync::{LazyLock, Mutex, OnceLock, PoisonError};

use polygate_telemetry::metrics::{IntCounter, Scrape, counter};

/// Over all workers, for the life of the process.
pub static METRICS: LazyLock<Metrics> = LazyLock::new(Metrics::new);

pub struct Metrics {
    /// Those that occurred.
    by_status: [OnceLock<IntCounter>; 600],
    /// Those that occurred, by the label of the rule.
    refused: Mutex<Vec<(&'static str, IntCounter)>>,
    client_gone: IntCounter,
}

impl Metrics {
    fn new() -> Self {
        Self {
            by_status: [const { OnceLock::new() }; 600],
            refused: Mutex::default(),
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

    pub(crate) fn count_client_gone(&self) {
        self.client_gone.inc();
    }

    pub fn show(&self, scrape: &Scrape) {
        self.by_status.iter().filter_map(OnceLock::get).for_each(|counter| scrape.add(counter));
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).iter().for_each(|(_, it)| scrape.add(it));
        scrape.add(&self.client_gone);
    }
}
