//! What is counted per plugin, for `/metrics`.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;

use crate::breaker::BreakerState;
use crate::failure::Reason;

/// Shared by all workers.
#[derive(Debug, Default)]
pub(crate) struct PluginCounters {
    events: AtomicU64,
    pdk_calls: AtomicU64,
    failures: [AtomicU64; Reason::ALL.len()],
    passed: AtomicU64,
}

/// One plugin's counts since the gateway started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PluginCounts {
    pub server: String,
    pub plugin: String,
    /// Events that ended, whatever way.
    pub events: u64,
    /// Calls of PDK functions in all of them.
    pub pdk_calls: u64,
    pub breaker: BreakerState,
    /// Name of the reason and how often; reasons that never occurred have 0.
    pub failures: Vec<(&'static str, u64)>,
    /// Failures that let the request go on, because `on_error` is open.
    pub passed: u64,
}

impl PluginCounters {
    pub(crate) fn event(&self, pdk_calls: u32) {
        self.events.fetch_add(1, Ordering::Relaxed);
        self.pdk_calls.fetch_add(pdk_calls.into(), Ordering::Relaxed);
    }

    pub(crate) fn failure(&self, reason: Reason) {
        self.failures[reason as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn passed(&self) {
        self.passed.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn read(&self, server: &str, plugin: &str, breaker: BreakerState) -> PluginCounts {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        PluginCounts {
            server: server.to_owned(),
            plugin: plugin.to_owned(),
            events: count(&self.events),
            pdk_calls: count(&self.pdk_calls),
            breaker,
            failures: Reason::ALL.map(|it| (it.as_str(), count(&self.failures[it as usize]))).to_vec(),
            passed: count(&self.passed),
        }
    }
}
