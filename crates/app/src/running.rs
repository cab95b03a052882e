//! What runs for the configuration in use, and how a reload replaces it.
//!
//! Workers serve from an atomic pointer, into which a reload puts the next configuration. Who accepts connections is
//! replaced where that would differ.

use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use polygate_config::conf::{self, Warning};
use polygate_config::settings::{LogLevel, Settings};
use polygate_net::accept::Stop;
use polygate_plugin_host::PluginServers;
use polygate_telemetry::log;
use tokio::task::{JoinHandle, spawn_local};

use crate::configuration::Configuration;
use crate::control::{Control, Loads};
use crate::listeners::Listeners;
use crate::logs::Logs;
use crate::names::Names;
use crate::outside::Outside;
use crate::status::{Prepared, Status};
use crate::workers::{Fleet, Gateways, Shared, Workers};
use crate::{Error, LoadError, certificates, translate};

/// For what plugins have still to send when the gateway ends.
const QUEUES: Duration = Duration::from_secs(5);

pub struct Running {
    control: Rc<Control>,
    prefix: PathBuf,
    gateways: Gateways,
    configuration: Rc<Configuration>,
    /// Plugin servers of earlier configurations, until the last request that began with them ends.
    retiring: Vec<(Rc<PluginServers>, JoinHandle<()>)>,
    names: Names,
    outside: Arc<Outside>,
    bundled: Arc<polygate_bundled::Shared>,
    fleet: Fleet,
    status: Status,
}

impl Running {
    /// Loads the first configuration and serves it on `listeners`; `status` answers already.
    pub async fn start(
        control: Rc<Control>,
        settings: Settings,
        listeners: Listeners,
        status: Status,
    ) -> Result<Self, Error> {
        let (prefix, names) = (settings.prefix.clone(), Names::new(translate::dns(&settings))?);
        let outside = Outside::start(names.resolver.clone(), certificates::upstream(&settings)?)?;
        let bundled = polygate_bundled::Shared::new(outside.clone());
        let first = Configuration::load(settings, &control.node, &names.resolver, &bundled, None).await?;
        let configuration = Rc::new(first);
        control.configuration.replace(Some(configuration.clone()));
        control.loads.replace(Loads { generation: 1, error: None });
        let gateways = Gateways::new(&configuration);
        let fleet = Fleet::default();
        let mut own = Self {
            control,
            prefix,
            gateways,
            configuration,
            retiring: Vec::new(),
            names,
            outside,
            bundled,
            fleet,
            status,
        };
        let logs = own.control.logs.borrow().clone();
        let workers = own.workers(&own.configuration.servers.settings, listeners, &own.names, &logs)?;
        own.fleet.replace(workers);
        Ok(own)
    }

    /// Replaces the configuration by the saved one; keeps it when that cannot be served.
    pub async fn reload(&mut self) {
        log!(Notice, "reloading the configuration");
        let outcome = self.load_next().await;
        let error = outcome.err().map(|error| error.to_string());
        match &error {
            Some(why) => log!(Error, "the configuration stays as it was: {why}"),
            None => log!(Notice, "the new configuration is in use"),
        }
        let generation = self.control.loads.borrow().generation + 1;
        self.control.loads.replace(Loads { generation, error });
    }

    async fn load_next(&mut self) -> Result<(), Error> {
        let (settings, warnings) = conf::load_saved(&self.prefix).map_err(LoadError::Settings)?;
        log_warnings(&warnings);
        let logs = Logs::open(&settings, Some(&self.control.logs.borrow()))?;
        let names = self.names.next(translate::dns(&settings))?;
        let previous = self.configuration.clone();
        let (node, bundled) = (&self.control.node, &self.bundled);
        let next = Configuration::load(settings, node, &names.resolver, bundled, Some(&*previous)).await?;
        // Whatever can fail comes before anything is in use. Sockets come last of it: connections wait on a new one
        // from the moment that it listens.
        let (status, workers) = match self.takeover(&next.servers.settings, &names, &logs) {
            Ok(prepared) => prepared,
            Err(error) => {
                next.plugin_servers.retire(&previous.plugin_servers).await;
                return Err(error);
            }
        };
        self.gateways.store(&next);
        self.configuration = Rc::new(next);
        self.control.configuration.replace(Some(self.configuration.clone()));
        if let Some(workers) = workers {
            self.fleet.replace(workers);
        }
        std::mem::replace(&mut self.status, status.serve(&self.control)).retire();
        logs.begin();
        self.control.logs.replace(logs);
        self.outside.change(names.resolver.clone(), self.configuration.servers.upstream_tls.clone());
        self.names = names;
        if previous.servers.settings.tracing != self.configuration.servers.settings.tracing {
            log!(Warn, "a change of the tracing settings takes a restart");
        }
        self.retire(previous.plugin_servers.clone());
        Ok(())
    }

    /// Who accepts connections for the settings `now`: new status listeners, and new workers if they would differ.
    fn takeover(
        &self,
        now: &Settings,
        names: &Names,
        logs: &Logs,
    ) -> Result<(Prepared, Option<Workers>), Error> {
        let status = Prepared::new(now, self.status.listeners())?;
        let proxies = if wants_same_workers(&self.configuration.servers.settings, now) {
            None
        } else {
            let none = Listeners::default();
            let before = self.fleet.listeners().unwrap_or(&none);
            Some(Listeners::reserve(&now.proxy_listen, &now.stream_listen, now.workers, before)?)
        };
        // None is open before all are known to be free.
        status.listen()?;
        proxies.iter().try_for_each(Listeners::listen)?;
        let workers = proxies.map(|listeners| self.workers(now, listeners, names, logs)).transpose()?;
        Ok((status, workers))
    }

    fn workers(
        &self,
        settings: &Settings,
        listeners: Listeners,
        names: &Names,
        logs: &Logs,
    ) -> Result<Workers, Error> {
        let shared = Shared {
            gateways: self.gateways.clone(),
            access_log: logs.access.clone(),
            stream_log: logs.stream.clone(),
            tracer: self.control.tracer.clone(),
        };
        Workers::start(listeners, names.resolvers(settings.workers)?, shared)
    }

    /// Ends the servers that the next configuration does without; a reload does not wait for that.
    fn retire(&mut self, previous: Rc<PluginServers>) {
        self.retiring.retain(|(_, task)| !task.is_finished());
        let (servers, next) = (previous.clone(), self.configuration.plugin_servers.clone());
        self.retiring.push((previous, spawn_local(async move { servers.retire(&next).await })));
    }

    /// Ends the workers as [`Fleet::end`] says, then the plugin servers.
    pub async fn end(mut self, wish: Stop, less_patient: impl AsyncFnMut() -> Stop) {
        self.fleet.end(wish, less_patient).await;
        // The last requests have logged.
        self.bundled.drain(QUEUES).await;
        self.configuration.plugin_servers.stop().await;
        for (servers, _) in self.retiring {
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
        && before.stream_listen == now.stream_listen
        && before.workers == now.workers
        && before.dns == now.dns
        && before.logs.proxy_access == now.logs.proxy_access
        && before.logs.proxy_stream_access == now.logs.proxy_stream_access
}
