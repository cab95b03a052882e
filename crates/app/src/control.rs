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
use polygate_plugin_host::PluginServers;
use polygate_telemetry::trace::Tracer;
use polygate_telemetry::log;
use rustix::system::uname;
use tokio::task::{JoinHandle, spawn_local};
use uuid::Uuid;

use crate::configuration::Configuration;
use crate::listeners::Listeners;
use crate::logs::Logs;
use crate::names::Names;
use crate::status::{Prepared, Status};
use crate::workers::{Fleet, Shared, Workers};
use crate::{Error, LoadError, tracing, translate};

/// What the control thread knows; its tasks share it.
pub struct Control {
    prefix: PathBuf,
    pub node: Arc<Node>,
    /// `None` when tracing is off.
    pub tracer: Option<Arc<Tracer>>,
    pub logs: RefCell<Logs>,
    names: RefCell<Names>,
    pub fleet: RefCell<Fleet>,
    status: RefCell<Status>,
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
    pub fn new(settings: &Settings, logs: Logs) -> Result<Self, Error> {
        let node = Node {
            id: settings.node_id.unwrap_or_else(Uuid::new_v4),
            hostname: uname().nodename().to_string_lossy().into_owned(),
            statistics: Statistics::default(),
        };
        Ok(Self {
            prefix: settings.prefix.clone(),
            tracer: tracing::start(settings, &node)?,
            node: Arc::new(node),
            logs: RefCell::new(logs),
            names: RefCell::new(Names::new(translate::dns(settings))?),
            fleet: RefCell::default(),
            status: RefCell::default(),
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

    /// Answers on the status listeners from now on.
    pub fn answer(self: &Rc<Self>, prepared: Prepared) {
        let next = prepared.serve(self);
        self.status.replace(next).retire();
    }

    /// Loads the first configuration and serves it on `listeners`.
    pub async fn load_first(&self, settings: Settings, listeners: Listeners) -> Result<(), Error> {
        let resolver = self.names.borrow().resolver.clone();
        let first = Configuration::load(settings, &self.node, &resolver, None).await?;
        let gateway = Arc::new(ArcSwap::new(first.gateway.clone()));
        self.gateway.replace(Some(gateway.clone()));
        let (names, logs) = (self.names.borrow().clone(), self.logs.borrow().clone());
        let workers = self.workers(&first.servers.settings, listeners, &names, &logs, gateway);
        self.configuration.replace(Some(Rc::new(first)));
        self.fleet.borrow_mut().replace(workers?);
        self.loads.replace(Loads { generation: 1, error: None });
        Ok(())
    }

    /// Replaces the configuration by the saved one; keeps it when that cannot be served.
    pub async fn reload(self: &Rc<Self>) {
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

    async fn load_next(self: &Rc<Self>) -> Result<(), Error> {
        let (settings, warnings) = conf::load_saved(&self.prefix).map_err(LoadError::Settings)?;
        log_warnings(&warnings);
        let logs = Logs::open(&settings, Some(&self.logs.borrow()))?;
        let names = self.names.borrow().next(translate::dns(&settings))?;
        let previous = self.current();
        let next = Configuration::load(settings, &self.node, &names.resolver, previous.as_deref()).await?;
        let (Some(previous), Some(gateway)) = (previous, self.gateway.borrow().clone()) else {
            return Ok(());
        };
        // Whatever can fail comes before anything is in use. Sockets come last of it: connections wait on a new one
        // from the moment that it listens.
        let (status, workers) = match self.takeover(&previous, &next, &names, &logs, &gateway) {
            Ok(prepared) => prepared,
            Err(error) => {
                next.plugin_servers.retire(&previous.plugin_servers).await;
                return Err(error);
            }
        };
        gateway.store(next.gateway.clone());
        let next = Rc::new(next);
        self.configuration.replace(Some(next.clone()));
        if let Some(workers) = workers {
            self.fleet.borrow_mut().replace(workers);
        }
        self.answer(status);
        logs.begin();
        self.logs.replace(logs);
        self.names.replace(names);
        if previous.servers.settings.tracing != next.servers.settings.tracing {
            log!(Warn, "a change of the tracing settings takes a restart");
        }
        self.retire(previous.plugin_servers.clone(), next.plugin_servers.clone());
        Ok(())
    }

    /// Whoever serves the next configuration: new status listeners, and new workers if they would differ.
    fn takeover(
        &self,
        previous: &Configuration,
        next: &Configuration,
        names: &Names,
        logs: &Logs,
        gateway: &Arc<ArcSwap<Gateway>>,
    ) -> Result<(Prepared, Option<Workers>), Error> {
        let (before, now) = (&previous.servers.settings, &next.servers.settings);
        let status = Prepared::open(now, self.status.borrow().listeners())?;
        let workers = match wants_same_workers(before, now) {
            true => None,
            false => {
                let none = Listeners::default();
                let fleet = self.fleet.borrow();
                let listeners =
                    Listeners::open(&now.proxy_listen, now.workers, fleet.listeners().unwrap_or(&none))?;
                Some(self.workers(now, listeners, names, logs, gateway.clone())?)
            }
        };
        Ok((status, workers))
    }

    fn workers(
        &self,
        settings: &Settings,
        listeners: Listeners,
        names: &Names,
        logs: &Logs,
        gateway: Arc<ArcSwap<Gateway>>,
    ) -> Result<Workers, Error> {
        let shared = Shared { gateway, access_log: logs.access.clone(), tracer: self.tracer.clone() };
        Workers::start(listeners, names.resolvers(settings.workers)?, shared)
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

/// Whether workers of the one settings serve the other ones, too.
fn wants_same_workers(before: &Settings, now: &Settings) -> bool {
    before.proxy_listen == now.proxy_listen
        && before.workers == now.workers
        && before.dns == now.dns
        && before.logs.proxy_access == now.logs.proxy_access
}
