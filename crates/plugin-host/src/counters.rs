//! What is counted per plugin and phase, for `/metrics`.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use polygate_chain::Phase;
use polygate_model::OnError;
use polygate_telemetry::metrics::{Histogram, IntCounter, Labels, Scrape, counter, histogram};

use crate::lock::locked;
use crate::reason::Reason;

/// Seconds.
const LATENCIES: [f64; 16] =
    [0.0001, 0.000_25, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
const CALLS: [f64; 11] = [0.0, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0];

/// Those of all plugins that ever were, for counters never go back.
#[derive(Debug, Clone, Default)]
pub(crate) struct Counters(Arc<Mutex<Vec<Arc<PluginCounters>>>>);

/// Those of one plugin in one server, shared by all workers.
pub struct PluginCounters {
    server: String,
    plugin: String,
    phases: [OnceLock<PhaseCounters>; Phase::ALL.len()],
    has_refused: AtomicBool,
}

/// Those of one phase.
pub(crate) struct PhaseCounters {
    events: IntCounter,
    seconds: Histogram,
    pdk_calls: Histogram,
    /// By [`Reason`].
    failures: [IntCounter; Reason::ALL.len()],
    refused: IntCounter,
    passed: IntCounter,
}

impl Counters {
    pub(crate) fn of(&self, server: &str, plugin: &str) -> Arc<PluginCounters> {
        let mut all = locked(&self.0);
        if let Some(known) = all.iter().find(|it| it.server == server && it.plugin == plugin) {
            return known.clone();
        }
        let (server, plugin) = (server.to_owned(), plugin.to_owned());
        let new = Arc::new(PluginCounters {
            server,
            plugin,
            phases: Default::default(),
            has_refused: AtomicBool::new(false),
        });
        all.push(new.clone());
        new
    }

    pub(crate) fn show(&self, scrape: &Scrape) {
        locked(&self.0).iter().for_each(|counters| counters.show(scrape));
    }
}

impl PluginCounters {
    /// Counts an event that nobody ran, as no server has announced the plugin.
    pub fn unavailable(&self, phase: Phase, policy: OnError) {
        self.of(phase).ended(Duration::ZERO, 0);
        self.of(phase).failed(Reason::Unavailable, policy);
    }

    /// Those of `phase`, which are shown from now on.
    pub(crate) fn of(&self, phase: Phase) -> &PhaseCounters {
        let labels = [("server", &*self.server), ("plugin", &*self.plugin), ("phase", phase.as_str())];
        self.phases[phase as usize].get_or_init(|| PhaseCounters::new(&labels))
    }

    /// Whether no failure has ended a request before this one does.
    pub(crate) fn is_first_refusal(&self) -> bool {
        !self.has_refused.swap(true, Ordering::Relaxed)
    }

    pub(crate) fn plugin(&self) -> &str {
        &self.plugin
    }

    fn show(&self, scrape: &Scrape) {
        self.phases.iter().filter_map(OnceLock::get).for_each(|counters| counters.show(scrape));
    }
}

impl fmt::Debug for PluginCounters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PluginCounters({}, {})", self.server, self.plugin)
    }
}

impl PhaseCounters {
    fn new(labels: Labels) -> Self {
        let failures = |reason: Reason| {
            let labels = [labels, &[("reason", reason.as_str())]].concat();
            counter("polygate_plugin_failures_total", "Handlers that failed, by reason.", &labels)
        };
        Self {
            events: counter("polygate_plugin_events_total", "Handlers run, whatever way they ended.", labels),
            seconds: histogram(
                "polygate_plugin_event_seconds",
                "Time from handing a request to a plugin until it goes on.",
                labels,
                &LATENCIES,
            ),
            pdk_calls: histogram(
                "polygate_plugin_pdk_calls",
                "PDK functions that one event called.",
                labels,
                &CALLS,
            ),
            failures: Reason::ALL.map(failures),
            refused: counter("polygate_plugin_refused_total", "Failures that ended the request.", labels),
            passed: counter("polygate_plugin_passed_total", "Failures that let the request go on.", labels),
        }
    }

    pub(crate) fn ended(&self, took: Duration, pdk_calls: u32) {
        self.events.inc();
        self.seconds.observe(took.as_secs_f64());
        self.pdk_calls.observe(pdk_calls.into());
    }

    pub(crate) fn failed(&self, reason: Reason, policy: OnError) {
        self.failures[reason as usize].inc();
        match policy {
            OnError::Closed => self.refused.inc(),
            OnError::Open => self.passed.inc(),
        }
    }

    fn show(&self, scrape: &Scrape) {
        [&self.seconds, &self.pdk_calls].into_iter().for_each(|histogram| scrape.add(histogram));
        let counters = [&self.events, &self.refused, &self.passed];
        counters.into_iter().chain(&self.failures).for_each(|counter| scrape.add(counter));
    }
}
