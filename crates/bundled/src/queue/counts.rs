//! What became of entries, by plugin.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use polygate_telemetry::metrics::Scrape;

/// Of all plugins, over the life of the process.
#[derive(Default)]
pub struct Counts(Mutex<BTreeMap<&'static str, Arc<QueueCounts>>>);

/// Of one plugin's queues.
#[derive(Default)]
pub struct QueueCounts {
    waiting: AtomicI64,
    sent: AtomicU64,
    dropped_full: AtomicU64,
    dropped_unsent: AtomicU64,
}

impl Counts {
    pub fn of(&self, plugin: &'static str) -> Arc<QueueCounts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(plugin).or_default().clone()
    }

    pub fn show(&self, scrape: &Scrape) {
        for (plugin, counts) in &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            counts.show(plugin, scrape);
        }
    }
}

impl QueueCounts {
    pub fn waiting(&self, change: i64) {
        self.waiting.fetch_add(change, Relaxed);
    }

    pub fn sent(&self, count: u64) {
        self.sent.fetch_add(count, Relaxed);
    }

    pub fn dropped_full(&self, count: u64) {
        self.dropped_full.fetch_add(count, Relaxed);
    }

    pub fn dropped_unsent(&self, count: u64) {
        self.dropped_unsent.fetch_add(count, Relaxed);
    }

    fn show(&self, plugin: &str, scrape: &Scrape) {
        scrape.gauge(
            "polygate_plugin_queue_entries",
            "Entries that wait to be sent by a plugin.",
            &[("plugin", plugin)],
            self.waiting.load(Relaxed) as f64,
        );
        for (outcome, count) in
            [("sent", &self.sent), ("full", &self.dropped_full), ("failed", &self.dropped_unsent)]
        {
            scrape.counted(
                "polygate_plugin_queue_entries_total",
                "Entries sent by a plugin, dropped by its full queue, or dropped as nobody took them.",
                &[("plugin", plugin), ("outcome", outcome)],
                count.load(Relaxed) as f64,
            );
        }
    }
}
