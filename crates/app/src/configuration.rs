//! One loaded configuration: from settings to what workers serve requests with.
//!
//! Everything that can fail comes before instances are started, and nothing of the configuration
//! before is touched: a load that fails leaves it as it was.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use polygate_balancer::Balancer;
use polygate_chain::{Environment, Node, Plan, Plugin};
use polygate_config::Settings;
use polygate_http::Gateway;
use polygate_model::{Entities, OnError, Target, Upstream};
use polygate_net::dns::Resolver;
use polygate_plugin_host::{PluginServers, RemotePlugin};
use polygate_router::{Router, RouterError};
use polygate_telemetry::log;
use uuid::Uuid;

use crate::plugins::{self, Announced, Unavailable};
use crate::targets::Targets;
use crate::{LoadError, declarative, not_yet, translate};

pub struct Configuration {
    pub settings: Settings,
    pub servers: Rc<PluginServers>,
    pub gateway: Arc<Gateway>,
    /// Runs for as long as the configuration is in use.
    _targets: Targets,
}

impl Configuration {
    /// Starts or keeps the plugin servers, reads the entities and starts the instances. After a
    /// failure only what ran before runs.
    pub async fn load(
        settings: Settings,
        node: &Arc<Node>,
        resolver: &Resolver,
        previous: Option<&Configuration>,
    ) -> Result<Self, LoadError> {
        let none = PluginServers::empty();
        let running = previous.map_or(&none, |previous| &*previous.servers);
        let enabled = settings.enabled_plugins(plugins::BUNDLED);
        // Servers that no plugin is wanted from are not even asked.
        let servers = match enabled.is_empty() {
            true => PluginServers::empty(),
            false => running.reload(translate::plugin_servers(&settings, &enabled)).await,
        };
        let gateway = match compile(&settings, &enabled, &servers, node, previous) {
            Ok(gateway) => Arc::new(gateway),
            Err(error) => {
                servers.retire(running).await;
                return Err(error);
            }
        };
        let configurations: Vec<_> = gateway.environment.entities.plugins.values().cloned().collect();
        let balancers: Vec<_> = gateway.balancers.values().cloned().collect();
        // The host logs what it could not start; those events fail until it can.
        let (_, targets) =
            tokio::join!(servers.prepare(&configurations), Targets::follow(balancers, resolver.clone()));
        Ok(Self { settings, servers: Rc::new(servers), gateway, _targets: targets })
    }
}

fn compile(
    settings: &Settings,
    enabled: &[String],
    servers: &PluginServers,
    node: &Arc<Node>,
    previous: Option<&Configuration>,
) -> Result<Gateway, LoadError> {
    let announced = announced(settings, servers);
    let known = plugins::resolve(enabled, &announced)?;
    let loaded = declarative::load(settings, &known)?;
    let router = router(&loaded.entities)?;
    router.warnings().iter().for_each(|warning| log!(Warn, "{warning}"));
    not_yet::warnings(settings, &loaded).iter().for_each(|warning| log!(Warn, "{warning}"));
    let entities = Arc::new(loaded.entities);

    let mut environment = Environment::new(entities.clone(), node.clone());
    environment.trusted_ips = translate::trusted_ips(settings);
    environment.limits = translate::limits(settings);
    environment.port_maps = settings.port_maps.iter().map(|(inside, outside)| (*inside, *outside)).collect();
    environment.error_pages = translate::error_pages(settings)?;
    environment.vault_env_prefix = settings.vault_env_prefix.clone();

    let configurations: Vec<_> = entities.plugins.values().cloned().collect();
    Ok(Gateway {
        plan: Plan::new(&installed(enabled, servers, &announced), &configurations),
        balancers: balancers(&entities, previous),
        environment: Arc::new(environment),
        router,
        settings: translate::http(settings),
    })
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

fn installed(enabled: &[String], servers: &PluginServers, announced: &Announced) -> Vec<Arc<dyn Plugin>> {
    let find = |name: &String| -> Arc<dyn Plugin> {
        match servers.plugins().iter().find(|plugin| plugin.name() == name) {
            Some(plugin) => plugin.clone(),
            None => Unavailable::new(name, announced, servers.counters_of_missing(name)),
        }
    };
    enabled.iter().map(find).collect()
}

/// Routes of a service that is switched off do not match.
pub fn router(entities: &Entities) -> Result<Router, RouterError> {
    let routes = entities.routes.values().map(|route| {
        let service = route.service.and_then(|reference| entities.services.get(&reference.id));
        (route.clone(), service.cloned())
    });
    let served: Vec<_> =
        routes.filter(|(_, service)| service.as_ref().is_none_or(|service| service.enabled)).collect();
    Router::build(&served)
}

pub fn balancers(entities: &Entities, previous: Option<&Configuration>) -> HashMap<String, Arc<Balancer>> {
    let mut targets: HashMap<_, Vec<Arc<Target>>> = HashMap::new();
    for target in entities.targets.values() {
        targets.entry(target.upstream.id).or_default().push(target.clone());
    }
    let balancer = |upstream: &Arc<Upstream>| {
        let targets = targets.get(&upstream.id).map(Vec::as_slice).unwrap_or_default();
        let (seed, _) = Uuid::new_v4().as_u64_pair();
        let balancer = Balancer::new(upstream.clone(), targets, seed);
        if let Some(old) = previous.and_then(|previous| previous.gateway.balancers.get(&upstream.name)) {
            balancer.inherit(old);
        }
        (upstream.name.clone(), Arc::new(balancer))
    };
    entities.upstreams.values().map(balancer).collect()
}
