//! An announced plugin, as the chain runs it.

use std::sync::Arc;

use polygate_chain::pdk::Context;
use polygate_chain::{Failure, Handler, LocalFuture, Phase, Phases, Plugin};
use polygate_model::Plugin as Configuration;
use polygate_plugin_proto::dump::PluginInfo;
use polygate_telemetry::log;
use polygate_telemetry::metrics::Scrape;
use tokio::time::Instant;

use crate::breaker::{Breaker, BreakerState};
use crate::counters::PluginCounters;
use crate::event::{self, Ran};
use crate::failure::conclude;
use crate::instance::Instance;
use crate::reason::Reason;
use crate::server::Server;
use crate::settings::OnError;

/// A plugin in a plugin server.
#[derive(Debug)]
pub struct RemotePlugin {
    info: PluginInfo,
    phases: Phases,
    server: Arc<Server>,
    counters: Arc<PluginCounters>,
    breaker: Arc<Breaker>,
}

/// One configuration of it.
struct RemoteHandler {
    name: String,
    server: Arc<Server>,
    /// One in each replica.
    instances: Vec<Arc<Instance>>,
    policy: OnError,
    counters: Arc<PluginCounters>,
    breaker: Arc<Breaker>,
}

impl RemotePlugin {
    /// `counters` and `breaker` go on where an earlier configuration of the gateway left them.
    pub(crate) fn new(
        info: PluginInfo,
        server: Arc<Server>,
        counters: Arc<PluginCounters>,
        breaker: Arc<Breaker>,
    ) -> Self {
        let phases = info.phases.iter().filter_map(|name| {
            let phase = name.parse().ok();
            if phase.is_none() {
                log!(
                    Warn,
                    "[pluginserver] plugin \"{}\" has an unknown phase \"{name}\", which never runs",
                    info.name
                );
            }
            phase
        });
        let phases: Phases = phases.collect();
        // Metrics of events are shown before the first one.
        for phase in phases.iter() {
            counters.of(phase);
        }
        Self { phases, info, server, counters, breaker }
    }

    /// What the server announced, its schema above all.
    pub fn info(&self) -> &PluginInfo {
        &self.info
    }

    /// Name of the server it lives in.
    pub fn server_name(&self) -> &str {
        self.server.name()
    }

    pub(crate) fn server(&self) -> &Arc<Server> {
        &self.server
    }

    pub(crate) fn breaker(&self) -> &Arc<Breaker> {
        &self.breaker
    }

    pub(crate) fn show(&self, scrape: &Scrape) {
        scrape.state(
            "polygate_plugin_breaker_state",
            "The state of the plugin's circuit breaker.",
            &[("server", self.server_name()), ("plugin", &self.info.name)],
            &BreakerState::ALL.map(BreakerState::as_str),
            self.breaker.state().as_str(),
        );
    }
}

impl Plugin for RemotePlugin {
    fn name(&self) -> &str {
        &self.info.name
    }

    fn priority(&self) -> i64 {
        self.info.priority
    }

    fn phases(&self) -> Phases {
        self.phases
    }

    fn configure(&self, configuration: &Arc<Configuration>) -> Arc<dyn Handler> {
        Arc::new(RemoteHandler {
            name: self.info.name.clone(),
            server: self.server.clone(),
            instances: self.server.instances(configuration),
            policy: configuration.on_error.unwrap_or(self.server.settings.on_error),
            counters: self.counters.clone(),
            breaker: self.breaker.clone(),
        })
    }
}

impl RemoteHandler {
    /// Runs the event unless the breaker is open, and tells the breaker what became of it.
    async fn event(&self, phase: Phase, context: &mut Context<'_>) -> Ran {
        let settings = &self.server.settings;
        let newest = || self.server.newest_generation();
        if let Err(error) = self.breaker.admit(&self.name, settings.patience(), newest) {
            return Ran { outcome: Err(error), generation: 0, pdk_calls: 0 };
        }
        let ran = event::run(&self.server, &self.instances, phase, context).await;
        match ran.outcome.as_ref().map_err(|error| error.reason) {
            Ok(()) | Err(Reason::Plugin) => self.breaker.answered(&self.name),
            Err(reason @ (Reason::Crashed | Reason::Deadline | Reason::Protocol)) => {
                self.breaker.failed(&self.name, reason, ran.generation, settings.breaker_failures);
            }
            Err(Reason::Instance | Reason::Unavailable | Reason::Busy | Reason::CircuitOpen) => {}
        }
        ran
    }
}

impl Handler for RemoteHandler {
    fn run<'a>(&'a self, phase: Phase, mut context: Context<'a>) -> LocalFuture<'a, Result<(), Failure>> {
        Box::pin(async move {
            let began = Instant::now();
            let ran = self.event(phase, &mut context).await;
            conclude(ran, began, phase, self.policy, &self.counters, &mut context)
        })
    }
}
