//! An announced plugin, as the chain runs it.

use std::sync::Arc;

use polygate_chain::{Failure, Handler, LocalFuture, Phase, Phases, Plugin, RequestContext};
use polygate_model::Plugin as Configuration;
use polygate_plugin_proto::dump::PluginInfo;
use polygate_telemetry::log;

use crate::counters::{PluginCounters, PluginCounts};
use crate::event;
use crate::failure::conclude;
use crate::instance::Instance;
use crate::server::Server;

/// A plugin in a plugin server.
#[derive(Debug)]
pub struct RemotePlugin {
    info: PluginInfo,
    phases: Phases,
    server: Arc<Server>,
    counters: Arc<PluginCounters>,
}

/// One configuration of it.
struct RemoteHandler {
    name: String,
    server: Arc<Server>,
    instance: Arc<Instance>,
    counters: Arc<PluginCounters>,
}

impl RemotePlugin {
    /// `counters` go on where an earlier configuration of the gateway left them.
    pub(crate) fn new(info: PluginInfo, server: Arc<Server>, counters: Arc<PluginCounters>) -> Self {
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
        Self { phases: phases.collect(), info, server, counters }
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

    pub(crate) fn counters(&self) -> &Arc<PluginCounters> {
        &self.counters
    }

    pub(crate) fn counts(&self) -> PluginCounts {
        self.counters.read(self.server.name(), &self.info.name)
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
            instance: self.server.instance(configuration),
            counters: self.counters.clone(),
        })
    }
}

impl Handler for RemoteHandler {
    fn run<'a>(
        &'a self,
        phase: Phase,
        context: &'a mut RequestContext,
    ) -> LocalFuture<'a, Result<(), Failure>> {
        Box::pin(async move {
            let outcome = event::run(&self.server, &self.instance, phase, context).await;
            conclude(outcome, &self.name, phase, self.server.settings.on_error, &self.counters)
        })
    }
}
