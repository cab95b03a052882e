//! How many requests went on though their limits could not be asked for, by plugin, over the life of the process.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use polygate_telemetry::metrics::Scrape;

#[derive(Default)]
pub struct Uncounted(Mutex<BTreeMap<&'static str, Arc<AtomicU64>>>);

impl Uncounted {
    pub fn of(&self, plugin: &'static str) -> Arc<AtomicU64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(plugin).or_default().clone()
    }

    pub fn show(&self, scrape: &Scrape) {
        for (plugin, count) in &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            scrape.counted(
                "polygate_plugin_uncounted_requests_total",
                "Requests that a plugin let through uncounted, as Redis did not answer.",
                &[("plugin", plugin)],
                count.load(Relaxed) as f64,
            );
        }
    }
}
