//! All plugin servers of one configuration of the gateway.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use polygate_chain::Plugin as _;
use polygate_model::{Id, Plugin as Configuration};
use polygate_plugin_proto::dump::Dump;
use polygate_telemetry::log;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::counters::{PluginCounters, PluginCounts};
use crate::discovery::{Discovery, discover};
use crate::event::start_instance;
use crate::failure::EventError;
use crate::instance::Instance;
use crate::plugin::RemotePlugin;
use crate::server::Server;
use crate::settings::{Query, ServerSettings};
use crate::status::ServerStatus;
use crate::supervisor;

/// How long a configuration waits for a process that was started a moment ago; JavaScript takes seconds.
const START_PATIENCE: Duration = Duration::from_secs(15);
/// For starting one instance when a configuration is loaded.
const INSTANCE_LIMIT: Duration = Duration::from_secs(30);

/// The servers and the plugins they announced. A reload makes another value, which shares the servers
/// that stay the same; the old value goes on working until [`PluginServers::retire`].
pub struct PluginServers {
    running: Vec<Arc<Running>>,
    unused: Vec<ServerStatus>,
    plugins: Vec<Arc<RemotePlugin>>,
}

struct Running {
    server: Arc<Server>,
    /// Names and versions of the plugins it had at its start. A process does not load others later.
    loaded: BTreeSet<(String, Option<String>)>,
    supervisor: Mutex<Option<JoinHandle<()>>>,
}

/// A configuration whose instance could not be started. Its events try again, and fail if that fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceProblem {
    pub plugin: String,
    pub id: Id,
    pub why: String,
}

impl PluginServers {
    /// Asks all servers for their plugins and starts those that answered. Must be called on the
    /// runtime of the control thread, which supervises them from then on.
    pub async fn start(settings: Vec<ServerSettings>) -> Self {
        Self::build(settings, &Self::empty()).await
    }

    /// No server at all.
    pub fn empty() -> Self {
        Self { running: vec![], unused: vec![], plugins: vec![] }
    }

    /// The value for changed settings. All servers are asked again for their plugins; those whose
    /// settings and plugins are the same are kept, with their processes and instances. Publish the new
    /// value's plugins, then [`retire`](Self::retire) this one.
    pub async fn reload(&self, settings: Vec<ServerSettings>) -> Self {
        Self::build(settings, self).await
    }

    /// Stops the servers that `next` has not taken over.
    pub async fn retire(&self, next: &Self) {
        let kept: HashSet<u64> = next.running.iter().map(|it| it.server.serial).collect();
        stop(self.running.iter().filter(|it| !kept.contains(&it.server.serial))).await;
    }

    /// Stops all servers: a polite signal, five seconds, then the other kind.
    pub async fn stop(&self) {
        stop(&self.running).await;
    }

    /// Every plugin that can be enabled.
    pub fn plugins(&self) -> &[Arc<RemotePlugin>] {
        &self.plugins
    }

    /// Starts the instances of a configuration before it is published; instances of the configuration
    /// before are kept where nothing changed. Waits for servers that are starting, 15 s at the most,
    /// and for those that somebody else runs, for their connect timeout; configurations of servers
    /// that are not up by then are started when they are. Those of other plugins are passed over.
    pub async fn prepare(&self, configurations: &[Arc<Configuration>]) -> Vec<InstanceProblem> {
        let mut tasks = Vec::new();
        for running in &self.running {
            let server = running.server.clone();
            let names: HashSet<_> = self.plugins_of(&server).map(|it| it.name()).collect();
            let mine = configurations.iter().filter(|it| it.enabled && names.contains(it.name.as_str()));
            let wanted: Vec<_> = mine.map(|it| (it.id, server.instance(it))).collect();
            server.hold(wanted.iter().map(|(_, instance)| instance.clone()).collect());
            tasks.push(tokio::spawn(prepare(server, wanted)));
        }
        let mut problems = Vec::new();
        for task in tasks {
            match task.await {
                Ok(found) => problems.extend(found),
                Err(error) => std::panic::resume_unwind(error.into_panic()),
            }
        }
        problems
    }

    pub fn status(&self) -> Vec<ServerStatus> {
        let running = self.running.iter().map(|it| {
            let plugins = self.plugins_of(&it.server).map(|plugin| plugin.name().to_owned()).collect();
            ServerStatus::of(&it.server, plugins)
        });
        running.chain(self.unused.iter().cloned()).collect()
    }

    /// Counts of every plugin, for metrics.
    pub fn counts(&self) -> Vec<PluginCounts> {
        self.plugins.iter().map(|plugin| plugin.counts()).collect()
    }

    fn plugins_of(&self, server: &Server) -> impl Iterator<Item = &Arc<RemotePlugin>> {
        let serial = server.serial;
        self.plugins.iter().filter(move |plugin| plugin.server().serial == serial)
    }

    async fn build(settings: Vec<ServerSettings>, previous: &Self) -> Self {
        log!(Notice, "[pluginserver] loading external plugins info");
        let answers = discover(&settings).await;
        let mut answers: HashMap<_, _> = answers.into_iter().map(|it| (it.server.clone(), it)).collect();
        let mut next = Self::empty();
        for settings in settings {
            match answers.remove(&settings.name) {
                Some(Discovery { outcome: Ok(dump), .. }) => next.add(settings, dump, previous),
                Some(Discovery { outcome: Err(error), .. }) => {
                    log!(Error, "[pluginserver] {}: failed loading external plugins: {error}", settings.name);
                    next.add_unused(&settings, error.to_string());
                }
                None => next.add_unused(&settings, "no query command".into()),
            }
        }
        log!(Notice, "[pluginserver] loaded #{} external plugins info", next.plugins.len());
        next
    }

    fn add(&mut self, settings: ServerSettings, dump: Dump, previous: &Self) {
        for warning in &dump.warnings {
            log!(Warn, "[pluginserver] {}: {warning}", settings.name);
        }
        for refused in &dump.refused {
            log!(Error, "[pluginserver] {}: {}", settings.name, refused.why);
        }
        let running = previous.running.iter().find(|it| it.is_for(&settings, &dump)).cloned();
        let running = running.unwrap_or_else(|| Running::start(settings, &dump));
        for info in dump.plugins {
            if let Some(first) = self.plugins.iter().find(|it| it.name() == info.name) {
                log!(
                    Error,
                    "[pluginserver] Duplicate plugin name [{}] by {} and {}; the first one is used",
                    info.name,
                    first.server_name(),
                    running.server.name()
                );
                continue;
            }
            log!(Notice, "[pluginserver] loading protocol {} for plugin {}", dump.protocol, info.name);
            let counters = previous.counters(&info.name);
            self.plugins.push(Arc::new(RemotePlugin::new(info, running.server.clone(), counters)));
        }
        self.running.push(running);
    }

    fn add_unused(&mut self, settings: &ServerSettings, why: String) {
        if settings.query == Query::None {
            log!(Info, "[pluginserver] {} is not used: it has no query command", settings.name);
        }
        self.unused.push(ServerStatus::unused(&settings.name, settings.socket.display().to_string(), why));
    }

    /// Counters never go back, so a plugin keeps its own across reloads.
    fn counters(&self, plugin: &str) -> Arc<PluginCounters> {
        let known = self.plugins.iter().find(|it| it.name() == plugin);
        known.map(|it| it.counters().clone()).unwrap_or_default()
    }
}

impl Running {
    /// Whether the server can be kept.
    fn is_for(&self, settings: &ServerSettings, dump: &Dump) -> bool {
        self.server.settings == *settings
            && self.server.protocol == dump.protocol
            && self.loaded == loaded(dump)
    }

    fn start(settings: ServerSettings, dump: &Dump) -> Arc<Self> {
        let sample = dump.plugins.first().map(|it| it.name.clone()).unwrap_or_default();
        let (server, notices) = Server::new(settings, dump.protocol, sample);
        let supervisor = tokio::spawn(supervisor::run(server.clone(), notices));
        Arc::new(Self { server, loaded: loaded(dump), supervisor: Mutex::new(Some(supervisor)) })
    }
}

fn loaded(dump: &Dump) -> BTreeSet<(String, Option<String>)> {
    dump.plugins.iter().map(|it| (it.name.clone(), it.version.clone())).collect()
}

async fn stop<'a>(servers: impl IntoIterator<Item = &'a Arc<Running>>) {
    let servers: Vec<_> = servers.into_iter().collect();
    servers.iter().for_each(|it| it.server.request_stop());
    for running in servers {
        if let Some(supervisor) = running.supervisor.lock().await.take()
            && let Err(error) = supervisor.await
            && error.is_panic()
        {
            log!(Error, "[pluginserver] the supervisor of {} broke off: {error}", running.server.name());
        }
    }
}

async fn prepare(server: Arc<Server>, wanted: Vec<(Id, Arc<Instance>)>) -> Vec<InstanceProblem> {
    if wanted.is_empty() {
        return vec![];
    }
    let managed = server.settings.start_cmd.is_some();
    server.settled(if managed { START_PATIENCE } else { server.settings.connect_timeout }).await;
    // A server that is not up takes them in when it is.
    let Ok(generation) = server.ready(Duration::ZERO).await else { return vec![] };
    let mut problems = Vec::new();
    for (id, instance) in wanted {
        let deadline = Instant::now() + INSTANCE_LIMIT;
        if let Err(EventError { message: why, .. }) =
            start_instance(&server, &generation, &instance, deadline).await
        {
            log!(Error, "[pluginserver] {}: plugin {} ({id}): {why}", server.name(), instance.plugin);
            problems.push(InstanceProblem { plugin: instance.plugin.clone(), id, why });
        }
    }
    problems
}
