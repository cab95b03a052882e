//! One loaded configuration, and how it comes to be from settings, plugin servers and entities.
//!
//! Everything that can fail comes before instances are started, and nothing of the configuration
//! before is touched: a load that fails leaves it as it was. Whatever takes long with many entities runs
//! on a thread of its own, as the control thread has plugin servers to supervise.

use std::panic::resume_unwind;
use std::rc::Rc;
use std::sync::Arc;

use polygate_bundled::Shared;
use polygate_chain::Node;
use polygate_config::Settings;
use polygate_http::Gateway;
use polygate_net::dns::Resolver;
use polygate_plugin_host::PluginServers;
use polygate_telemetry::log;
use tokio::task::spawn_blocking;

use crate::compile::{self, compile};
use crate::probes::Probes;
use crate::servers::Servers;
use crate::targets::Targets;
use crate::{LoadError, declarative, not_yet, plugins, problems, translate};

pub struct Configuration {
    pub servers: Arc<Servers>,
    pub plugin_servers: Rc<PluginServers>,
    pub gateway: Arc<Gateway>,
    pub streams: Arc<polygate_stream::Gateway>,
    /// Of the entities' text.
    pub hash: String,
    /// What did not work when it was loaded, one line each.
    pub problems: Vec<String>,
    /// These two run for as long as the configuration is in use.
    _targets: Targets,
    _probes: Probes,
}

impl Configuration {
    /// Starts or keeps the plugin servers, reads the entities and starts the instances. After a
    /// failure only what ran before runs.
    pub async fn load(
        settings: Settings,
        node: &Arc<Node>,
        resolver: &Resolver,
        bundled: &Arc<Shared>,
        previous: Option<&Configuration>,
    ) -> Result<Self, LoadError> {
        let none = PluginServers::empty();
        let running = previous.map_or(&none, |previous| &*previous.plugin_servers);
        let enabled = settings.enabled_plugins(&plugins::bundled());
        // Servers that no plugin is wanted from are not even asked.
        let plugin_servers = match enabled.is_empty() {
            true => PluginServers::empty(),
            false => running.reload(translate::plugin_servers(&settings, &enabled)).await,
        };
        let compiled = match Servers::new(settings, node.clone(), &enabled, &plugin_servers, bundled) {
            Ok(servers) => Compiled::load(servers, previous.map(|previous| previous.gateway.clone())).await,
            Err(error) => Err(error),
        };
        let Compiled { servers, gateway, streams, hash } = match compiled {
            Ok(compiled) => compiled,
            Err(error) => {
                plugin_servers.retire(running).await;
                return Err(error);
            }
        };
        let configurations: Vec<_> = gateway.environment.entities.plugins.values().cloned().collect();
        let balancers: Vec<_> = gateway.balancers.values().cloned().collect();
        // The events of what could not be started fail until it can.
        let (refused, targets) = tokio::join!(
            plugin_servers.prepare(&configurations),
            Targets::follow(balancers, resolver.clone())
        );
        let used = configurations.iter().filter(|it| it.enabled).map(|it| it.name.as_str()).collect();
        let problems = problems::of(&enabled, &servers.announced, &plugin_servers.status(), &used, &refused);
        problems.iter().for_each(|problem| log!(Error, "{problem}"));
        translate::ciphers(&servers.settings).1.iter().for_each(|line| log!(Warn, "{line}"));
        let probes = Probes::start(&gateway);
        Ok(Self {
            servers,
            plugin_servers: Rc::new(plugin_servers),
            gateway,
            streams,
            hash,
            problems,
            _targets: targets,
            _probes: probes,
        })
    }
}

/// What a thread of its own makes.
struct Compiled {
    servers: Arc<Servers>,
    gateway: Arc<Gateway>,
    streams: Arc<polygate_stream::Gateway>,
    hash: String,
}

impl Compiled {
    async fn load(servers: Servers, previous: Option<Arc<Gateway>>) -> Result<Self, LoadError> {
        let compiled = spawn_blocking(move || Self::load_here(servers, previous.as_deref())).await;
        compiled.unwrap_or_else(|error| resume_unwind(error.into_panic()))
    }

    fn load_here(servers: Servers, previous: Option<&Gateway>) -> Result<Self, LoadError> {
        let loaded = declarative::load(&servers.settings, &servers.enabled)?;
        let compile::Compiled { gateway, streams, problems } = compile(&servers, &loaded.entities)?;
        problems.iter().for_each(|problem| log!(Error, "{problem}"));
        translate::ciphers(&servers.settings).1.iter().for_each(|line| log!(Warn, "{line}"));
        gateway.router.warnings().iter().for_each(|warning| log!(Warn, "{warning}"));
        let not_yet = not_yet::warnings(&servers.settings);
        not_yet.iter().for_each(|warning| log!(Warn, "{warning}"));
        for (name, balancer) in &*gateway.balancers {
            if let Some(before) = previous.and_then(|previous| previous.balancers.get(name)) {
                balancer.inherit(before);
            }
        }
        Ok(Self {
            servers: Arc::new(servers),
            gateway: Arc::new(gateway),
            streams: Arc::new(streams),
            hash: loaded.hash,
        })
    }
}
