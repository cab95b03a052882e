//! What the control thread keeps, and the change of it.
//!
//! Workers serve from an atomic pointer; a reload builds the next configuration here and swaps it in.

use std::cell::{Cell, RefCell};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use arc_swap::ArcSwap;
use polygate_chain::{Node, Statistics};
use polygate_config::conf::{self, Warning};
use polygate_config::settings::{LogLevel, Settings};
use polygate_http::Gateway;
use polygate_net::dns::{HostsFile, Resolver};
use polygate_plugin_host::PluginServers;
use polygate_telemetry::trace::Tracer;
use polygate_telemetry::{LogWriter, log};
use rustix::system::uname;
use tokio::task::{JoinHandle, spawn_local};
use uuid::Uuid;

use crate::configuration::Configuration;
use crate::logs::Logs;
use crate::{Error, LoadError, logs, tracing, translate};

/// What the control thread knows; its tasks share it.
pub struct Control {
    prefix: PathBuf,
    pub node: Arc<Node>,
    /// `None` when tracing is off.
    pub tracer: Option<Arc<Tracer>>,
    /// `None` when it is switched off.
    pub access_log: Option<Arc<LogWriter>>,
    /// Shared with the resolvers of the workers.
    pub hosts: HostsFile,
    resolver: Resolver,
    /// `None` until the first one is loaded.
    pub configuration: RefCell<Option<Rc<Configuration>>>,
    /// Plugin servers of earlier configurations, until the last request that began with them ends.
    retiring: RefCell<Vec<(Rc<PluginServers>, JoinHandle<()>)>>,
    /// Where workers look; set together with the first configuration.
    gateway: RefCell<Option<Arc<ArcSwap<Gateway>>>>,
    pub loads: RefCell<Loads>,
    /// Told to be taken out of service: only readiness changes.
    pub is_draining: Cell<bool>,
}

/// How often a configuration was loaded, with success or not, and why the last time failed.
#[derive(Debug, Default, Clone)]
pub struct Loads {
    pub generation: u64,
    pub error: Option<String>,
}

impl Control {
    pub fn new(settings: &Settings, logs: &Logs) -> Result<Self, Error> {
        let node = Node {
            id: settings.node_id.unwrap_or_else(Uuid::new_v4),
            hostname: uname().nodename().to_string_lossy().into_owned(),
            statistics: Statistics::default(),
        };
        let dns = translate::dns(settings);
        let hosts = HostsFile::read(dns.hosts_file.as_deref())?;
        Ok(Self {
            prefix: settings.prefix.clone(),
            tracer: tracing::start(settings, &node)?,
            access_log: logs.access.clone(),
            node: Arc::new(node),
            resolver: Resolver::sharing(&dns, &hosts)?,
            hosts,
            configuration: RefCell::default(),
            retiring: RefCell::default(),
            gateway: RefCell::default(),
            loads: RefCell::default(),
            is_draining: Cell::new(false),
        })
    }

    pub fn current(&self) -> Option<Rc<Configuration>> {
        self.configuration.borrow().clone()
    }

    /// What of the configuration in use does not work, one line each.
    pub fn problems(&self) -> Vec<String> {
        self.current().map(|current| current.problems.clone()).unwrap_or_default()
    }

    pub async fn load_first(&self, settings: Settings) -> Result<Arc<ArcSwap<Gateway>>, LoadError> {
        let first = Configuration::load(settings, &self.node, &self.resolver, None).await?;
        let gateway = Arc::new(ArcSwap::new(first.gateway.clone()));
        self.gateway.replace(Some(gateway.clone()));
        self.configuration.replace(Some(Rc::new(first)));
        self.loads.replace(Loads { generation: 1, error: None });
        Ok(gateway)
    }

    /// Replaces the configuration by the saved one; keeps it when that cannot be served.
    pub async fn reload(&self) {
        log!(Notice, "reloading the configuration");
        let outcome = self.load_next().await;
        let error = outcome.err().map(|error| error.to_string());
        match &error {
            Some(why) => log!(Error, "the configuration stays as it was: {why}"),
            None => log!(Notice, "the new configuration is in use"),
        }
        let generation = self.loads.borrow().generation + 1;
        self.loads.replace(Loads { generation, error });
    }

    async fn load_next(&self) -> Result<(), LoadError> {
        let (settings, warnings) = conf::load_saved(&self.prefix).map_err(LoadError::Settings)?;
        log_warnings(&warnings);
        logs::set_level(&settings);
        if let Err(error) = self.hosts.reload() {
            log!(Warn, "{error}; its names stay as they were");
        }
        let previous = self.current();
        let next = Configuration::load(settings, &self.node, &self.resolver, previous.as_deref()).await?;
        if let Some(gateway) = &*self.gateway.borrow() {
            gateway.store(next.gateway.clone());
        }
        let next = Rc::new(next);
        self.configuration.replace(Some(next.clone()));
        if let Some(previous) = previous {
            warn_of_fixed(&previous.servers.settings, &next.servers.settings);
            self.retire(previous.plugin_servers.clone(), next.plugin_servers.clone());
        }
        Ok(())
    }

    /// Ends the servers that the next configuration does without; a reload does not wait for that.
    fn retire(&self, previous: Rc<PluginServers>, next: Rc<PluginServers>) {
        let mut retiring = self.retiring.borrow_mut();
        retiring.retain(|(_, task)| !task.is_finished());
        let servers = previous.clone();
        retiring.push((previous, spawn_local(async move { servers.retire(&next).await })));
    }

    pub async fn stop_servers(&self) {
        if let Some(configuration) = self.current() {
            configuration.plugin_servers.stop().await;
        }
        for (servers, _) in self.retiring.take() {
            servers.stop().await;
        }
    }
}

pub fn log_warnings(warnings: &[Warning]) {
    for warning in warnings {
        match warning.level {
            LogLevel::Notice => log!(Notice, "{}", warning.message),
            _ => log!(Warn, "{}", warning.message),
        }
    }
}

/// What a reload does not change.
fn warn_of_fixed(before: &Settings, now: &Settings) {
    let fixed = [
        ("proxy_listen", before.proxy_listen != now.proxy_listen),
        ("status_listen", before.status_listen != now.status_listen),
        ("nginx_worker_processes", before.workers != now.workers),
        ("the log files", before.logs != now.logs),
        ("the dns settings", before.dns != now.dns),
        ("the tracing settings", before.tracing != now.tracing),
    ];
    for (what, _) in fixed.iter().filter(|(_, changed)| *changed) {
        log!(Warn, "a change of {what} takes a restart");
    }
}
