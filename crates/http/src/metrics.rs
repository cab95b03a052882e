//! Counters of the data plane, in Prometheus' text format.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Over all workers, for the life of the process.
pub static METRICS: Metrics = Metrics::new();

pub struct Metrics {
    by_status: [AtomicU64; 600],
    log_dropped: AtomicU64,
    client_gone: AtomicU64,
}

impl Metrics {
    const fn new() -> Self {
        Self {
            by_status: [const { AtomicU64::new(0) }; 600],
            log_dropped: AtomicU64::new(0),
            client_gone: AtomicU64::new(0),
        }
    }

    pub(crate) fn count_response(&self, status: u16) {
        if let Some(counter) = self.by_status.get(usize::from(status)) {
            counter.fetch_add(1, Relaxed);
        }
    }

    pub(crate) fn count_dropped_log(&self) {
        self.log_dropped.fetch_add(1, Relaxed);
    }

    pub(crate) fn count_client_gone(&self) {
        self.client_gone.fetch_add(1, Relaxed);
    }

    pub fn render(&self, out: &mut String) {
        out.push_str("# HELP polygate_http_requests_total Responses sent, by status.\n");
        out.push_str("# TYPE polygate_http_requests_total counter\n");
        for (status, counter) in self.by_status.iter().enumerate() {
            let count = counter.load(Relaxed);
            if count > 0 {
                let _ = writeln!(out, "polygate_http_requests_total{{code=\"{status}\"}} {count}");
            }
        }
        for (name, help, counter) in [
            ("polygate_log_events_dropped_total", "Log phases lost to a full queue.", &self.log_dropped),
            (
                "polygate_client_gone_total",
                "Requests whose client left before the response.",
                &self.client_gone,
            ),
        ] {
            let _ = writeln!(
                out,
                "# HELP {name} {help}\n# TYPE {name} counter\n{name} {}",
                counter.load(Relaxed)
            );
        }
    }
}
