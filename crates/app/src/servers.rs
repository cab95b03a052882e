//! What changes with the settings: they, and what their plugin servers announced.

use std::sync::Arc;

use polygate_bundled::Shared;
use polygate_chain::error_page::ErrorPages;
use polygate_chain::{Node, Plugin};
use polygate_config::Settings;
use polygate_model::OnError;
use polygate_plugin_host::{PluginServers, RemotePlugin};
use polygate_tls::{CertifiedKey, UpstreamDefaults};
use uuid::Uuid;

use crate::plugins::{self, Announced, Enabled, Unavailable};
use crate::{LoadError, certificates, translate};

/// One half of a configuration; the entities are the other.
pub struct Servers {
    pub settings: Settings,
    pub node: Arc<Node>,
    /// What plugins of the gateway share.
    pub bundled: Arc<Shared>,
    /// Every enabled plugin.
    pub plugins: Vec<Arc<dyn Plugin>>,
    pub announced: Announced,
    /// What configurations of them must look like.
    pub enabled: Enabled,
    pub error_pages: ErrorPages,
    /// Shown to clients that ask for no name of the entities'.
    pub certificates: Vec<Arc<CertifiedKey>>,
    pub upstream_tls: UpstreamDefaults,
    /// Of the balancers' randomness.
    pub seed: u64,
}

impl Servers {
    /// `names` are those of the enabled plugins; `bundled` is what those of the gateway share.
    pub fn new(
        settings: Settings,
        node: Arc<Node>,
        names: &[String],
        running: &PluginServers,
        bundled: &Arc<Shared>,
    ) -> Result<Self, LoadError> {
        let announced = announced(&settings, running);
        let enabled = plugins::resolve(names, &announced)?;
        bundled.sandbox.store(Arc::new(translate::sandbox(&settings)));
        bundled.tracing.store(Arc::new(translate::tracing(&settings, &node)));
        let plugins = installed(names, running, &announced, bundled);
        let error_pages = translate::error_pages(&settings)?;
        let certificates = certificates::default(&settings)?;
        let upstream_tls = certificates::upstream(&settings)?;
        let (seed, _) = Uuid::new_v4().as_u64_pair();
        Ok(Self {
            settings,
            node,
            bundled: bundled.clone(),
            plugins,
            announced,
            enabled,
            error_pages,
            certificates,
            upstream_tls,
            seed,
        })
    }
}

fn announced(settings: &Settings, servers: &PluginServers) -> Announced {
    let schema = |plugin: &Arc<RemotePlugin>| (plugin.info().name.clone(), plugin.info().schema.clone());
    let silent: Vec<_> =
        servers.status().into_iter().filter_map(|it| Some((it.server, it.query_error?))).collect();
    let is_silent = |name: &str| silent.iter().any(|(server, _)| server == name);
    let is_open = settings
        .plugin_servers
        .iter()
        .filter(|server| is_silent(&server.name))
        .all(|server| server.on_error == OnError::Open);
    Announced {
        schemas: servers.plugins().iter().map(schema).collect(),
        on_error: if is_open { OnError::Open } else { OnError::Closed },
        silent,
    }
}

fn installed(
    enabled: &[String],
    servers: &PluginServers,
    announced: &Announced,
    bundled: &Arc<Shared>,
) -> Vec<Arc<dyn Plugin>> {
    let find = |name: &String| -> Arc<dyn Plugin> {
        match (servers.plugins().iter().find(|plugin| plugin.name() == name), plugins::find(name)) {
            (Some(plugin), _) => plugin.clone(),
            (None, Some(own)) => own.install(bundled),
            (None, None) => Unavailable::new(name, announced, servers.counters_of_missing(name)),
        }
    };
    enabled.iter().map(find).collect()
}
