//! All plugin servers of one configuration of the gateway.

use std::collections::{HashMap, HashSet};
use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::Duration;

use polygate_chain::Plugin as _;
use polygate_model::{Id, Plugin as Configuration};
use polygate_plugin_proto::dump::Dump;
use polygate_telemetry::log;
use polygate_telemetry::metrics::Scrape;
use tokio::sync::Mutex;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::Instant;

use crate::breaker::Breaker;
use crate::counters::{Counters, PluginCounters};
use crate::discovery::{Discovery, discover};
use crate::event::start_instance;
use crate::instance::Instance;
use crate::plugin::RemotePlugin;
use crate::reason::EventError;
use crate::replica::{Replica, StartLock};
use crate::server::Server;
use crate::settings::{Query, ServerSettings};
use crate::status::ServerStatus;
use crate::{sources, supervisor};

/// How long a configuration waits for a process that was started a moment ago; JavaScript takes seconds.
const START_PATIENCE: Duration = Duration::from_secs(15);
/// For starting one instance when a configuration is loaded.
const INSTANCE_LIMIT: Duration = Duration::from_secs(30);
/// How long requests that began with an earlier configuration may go on using its servers.
const DRAIN_LIMIT: Duration = Duration::from_secs(60);

/// The servers and the plugins they announced. A reload makes another value, which shares the servers
/// that stay the same; the old value goes on working until [`PluginServers::retire`].
pub struct PluginServers {
    running: Vec<Arc<Running>>,
    unused: Vec<ServerStatus>,
    plugins: Vec<Arc<RemotePlugin>>,
    counters: Counters,
}

struct Running {
    server: Arc<Server>,
    /// What it announced, and what it was made of, at its start. A process does not load another
    /// version later.
    dump: Dump,
    sources: u64,
    /// One per replica.
    supervisors: Mutex<JoinSet<()>>,
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
        Self { running: vec![], unused: vec![], plugins: vec![], counters: Counters::default() }
    }

    /// The value for changed settings. Servers whose settings and files are the same are kept, with their
    /// processes, instances and plugins; the others, and those that did not answer before, are asked for
    /// their plugins. Publish the new value's plugins, then [`retire`](Self::retire) this one.
    pub async fn reload(&self, settings: Vec<ServerSettings>) -> Self {
        Self::build(settings, self).await
    }

    /// Stops the servers that `next` has not taken over, once no configuration uses them any more: a
    /// request ends with the servers it began with. Waits for that, a minute at the most.
    pub async fn retire(&self, next: &Self) {
        let kept: HashSet<u64> = next.running.iter().map(|it| it.server.serial).collect();
        let retired: Vec<_> = self.running.iter().filter(|it| !kept.contains(&it.server.serial)).collect();
        let deadline = Instant::now() + DRAIN_LIMIT;
        for running in &retired {
            running.server.unused(deadline).await;
        }
        stop(retired).await;
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
            let names: HashSet<_> = self.plugins_of(&running.server).map(|it| it.name()).collect();
            let mine = configurations.iter().filter(|it| it.enabled && names.contains(it.name.as_str()));
            let mine: Vec<_> = mine.cloned().collect();
            for replica in &running.server.replicas {
                tasks.push(tokio::spawn(prepare(replica.clone(), mine.clone())));
            }
        }
        let mut problems = Vec::new();
        for task in tasks {
            match task.await {
                Ok(found) => problems.extend(found),
                Err(error) => resume_unwind(error.into_panic()),
            }
        }
        problems
    }

    /// One for each replica.
    pub fn status(&self) -> Vec<ServerStatus> {
        let running = self.running.iter().flat_map(|it| {
            let plugins: Vec<_> =
                self.plugins_of(&it.server).map(|plugin| plugin.name().to_owned()).collect();
            it.server.replicas.iter().map(move |replica| ServerStatus::of(replica, plugins.clone()))
        });
        running.chain(self.unused.iter().cloned()).collect()
    }

    /// What plugins did so far, and what the servers do now.
    pub fn show(&self, scrape: &Scrape) {
        self.counters.show(scrape);
        self.plugins.iter().for_each(|plugin| plugin.show(scrape));
        self.status().iter().for_each(|status| status.show(scrape));
    }

    /// Those of an enabled plugin that nobody announced: under the names of the servers that did not
    /// answer.
    pub fn counters_of_missing(&self, plugin: &str) -> Arc<PluginCounters> {
        let silent: Vec<_> = self.unused.iter().map(|status| status.server.as_str()).collect();
        self.counters.of(&silent.join(","), plugin)
    }

    fn plugins_of(&self, server: &Server) -> impl Iterator<Item = &Arc<RemotePlugin>> {
        let serial = server.serial;
        self.plugins.iter().filter(move |plugin| plugin.server().serial == serial)
    }

    async fn build(settings: Vec<ServerSettings>, previous: &Self) -> Self {
        let settings = with_sources(settings).await;
        let keep = |(settings, sources): &_| {
            previous.running.iter().find(|it| it.is_for(settings, *sources)).cloned()
        };
        let kept: Vec<_> = settings.iter().map(keep).collect();
        let asked = settings.iter().zip(&kept).filter(|(_, kept)| kept.is_none());
        let asked: Vec<_> = asked.map(|((settings, _), _)| settings.clone()).collect();
        if !asked.is_empty() {
            log!(Notice, "[pluginserver] loading external plugins info");
        }
        let answers = discover(&asked).await;
        let mut answers: HashMap<_, _> = answers.into_iter().map(|it| (it.server.clone(), it)).collect();
        let mut next = Self { counters: previous.counters.clone(), ..Self::empty() };
        for ((settings, sources), kept) in settings.into_iter().zip(kept) {
            match (kept, answers.remove(&settings.name)) {
                (Some(running), _) => next.add(running, previous),
                (None, Some(Discovery { outcome: Ok(dump), .. })) => {
                    let starting = previous.start_lock(&settings);
                    next.add(Running::start(settings, dump, sources, &starting), previous);
                }
                (None, Some(Discovery { outcome: Err(error), .. })) => {
                    log!(Error, "[pluginserver] {}: failed loading external plugins: {error}", settings.name);
                    next.add_unused(&settings, error.to_string());
                }
                (None, None) => next.add_unused(&settings, "no query command".into()),
            }
        }
        if !asked.is_empty() {
            log!(Notice, "[pluginserver] loaded #{} external plugins info", next.plugins.len());
        }
        next
    }

    fn add(&mut self, running: Arc<Running>, previous: &Self) {
        for info in &running.dump.plugins {
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
            let counters = self.counters.of(running.server.name(), &info.name);
            let breaker = previous.breaker(&info.name, &running);
            let plugin = RemotePlugin::new(info.clone(), running.server.clone(), counters, breaker);
            self.plugins.push(Arc::new(plugin));
        }
        self.running.push(running);
    }

    fn add_unused(&mut self, settings: &ServerSettings, why: String) {
        if settings.query == Query::None {
            log!(Info, "[pluginserver] {} is not used: it has no query command", settings.name);
        }
        self.unused.push(ServerStatus::unused(&settings.name, settings.socket.display().to_string(), why));
    }

    /// A plugin keeps its breaker for as long as its server stays.
    fn breaker(&self, plugin: &str, running: &Running) -> Arc<Breaker> {
        let is_same =
            |it: &&Arc<RemotePlugin>| it.name() == plugin && it.server().serial == running.server.serial;
        self.plugins.iter().find(is_same).map(|it| it.breaker().clone()).unwrap_or_default()
    }

    /// A server whose socket is the same must not start at the same moment.
    fn start_lock(&self, settings: &ServerSettings) -> StartLock {
        let rival = self.running.iter().find(|it| it.server.settings.socket == settings.socket);
        rival.map(|it| it.server.replicas[0].starting.clone()).unwrap_or_default()
    }
}

impl Running {
    /// Whether the server can be kept, and need not be asked again.
    fn is_for(&self, settings: &ServerSettings, sources: u64) -> bool {
        *self.server.settings == *settings && self.sources == sources
    }

    fn start(settings: ServerSettings, dump: Dump, sources: u64, starting: &StartLock) -> Arc<Self> {
        for warning in &dump.warnings {
            log!(Warn, "[pluginserver] {}: {warning}", settings.name);
        }
        for refused in &dump.refused {
            log!(Error, "[pluginserver] {}: {}", settings.name, refused.why);
        }
        for info in &dump.plugins {
            log!(Notice, "[pluginserver] loading protocol {} for plugin {}", dump.protocol, info.name);
        }
        let sample = dump.plugins.first().map(|it| it.name.as_str()).unwrap_or_default();
        let (server, notices) = Server::new(settings, dump.protocol.into(), sample, starting);
        let mut supervisors = JoinSet::new();
        for (replica, notices) in server.replicas.iter().zip(notices) {
            supervisors.spawn(supervisor::run(replica.clone(), notices));
        }
        Arc::new(Self { server, dump, sources, supervisors: Mutex::new(supervisors) })
    }
}

/// Each with a number for its files. Folders with many of them take a while, which supervisors do not wait for.
async fn with_sources(settings: Vec<ServerSettings>) -> Vec<(ServerSettings, u64)> {
    let numbered = spawn_blocking(|| {
        let number = |settings: ServerSettings| {
            let sources = sources::fingerprint(&settings);
            (settings, sources)
        };
        settings.into_iter().map(number).collect()
    });
    numbered.await.unwrap_or_else(|error| resume_unwind(error.into_panic()))
}

async fn stop<'a>(servers: impl IntoIterator<Item = &'a Arc<Running>>) {
    let servers: Vec<_> = servers.into_iter().collect();
    servers.iter().for_each(|it| it.server.request_stop());
    for running in servers {
        while let Some(ended) = running.supervisors.lock().await.join_next().await {
            if let Err(error) = ended {
                log!(Error, "[pluginserver] a supervisor of {} broke off: {error}", running.server.name());
            }
        }
    }
}

async fn prepare(replica: Arc<Replica>, configurations: Vec<Arc<Configuration>>) -> Vec<InstanceProblem> {
    let wanted = hold_instances(replica.clone(), configurations).await;
    if wanted.is_empty() {
        return vec![];
    }
    let managed = replica.settings.start_cmd.is_some();
    replica.settled(if managed { START_PATIENCE } else { replica.settings.connect_timeout }).await;
    // A server that is not up takes them in when it is.
    let Some(generation) = replica.serving() else { return vec![] };
    let mut problems = Vec::new();
    for (id, instance) in wanted {
        let deadline = Instant::now() + INSTANCE_LIMIT;
        instance.pardon();
        if let Err(EventError { message: why, .. }) =
            start_instance(&replica, &generation, &instance, deadline).await
        {
            log!(Error, "[pluginserver] {}: plugin {} ({id}): {why}", replica.name, instance.plugin);
            problems.push(InstanceProblem { plugin: instance.plugin.clone(), id, why });
        }
    }
    problems
}

/// Many configurations take a while to be told apart, which supervisors do not wait for.
async fn hold_instances(
    replica: Arc<Replica>,
    configurations: Vec<Arc<Configuration>>,
) -> Vec<(Id, Arc<Instance>)> {
    let held = spawn_blocking(move || {
        let wanted: Vec<_> = configurations.iter().map(|it| (it.id, replica.instance(it))).collect();
        replica.hold(wanted.iter().map(|(_, instance)| instance.clone()).collect());
        wanted
    });
    held.await.unwrap_or_else(|error| resume_unwind(error.into_panic()))
}
