//! What an operator sees of a server.

use polygate_telemetry::metrics::Scrape;
use serde::Serialize;

use crate::lock::locked;
use crate::replica::{Replica, State};
use crate::usage::Usage;

/// Everything that [`ServerStatus::state`] can be.
const STATES: [&str; 6] = ["starting", "ready", "backing_off", "crash_loop", "stopped", "unused"];

/// A snapshot of one replica of a server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ServerStatus {
    /// Of the replica: `js`, or `js#2` if there are several.
    pub name: String,
    /// Of the server.
    pub server: String,
    /// Counts from 1.
    pub replica: usize,
    pub socket: String,
    /// `starting`, `ready`, `backing_off`, `crash_loop`, `stopped`; `unused` when its query gave nothing.
    pub state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol: Option<&'static str>,
    /// Of the process that listens on the socket, if it can be seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// Events in the process, and in front of it.
    pub in_flight: usize,
    pub queued: usize,
    /// What its processes cost at the moment.
    pub usage: Usage,
    /// Counts over all servers and the life of the gateway.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generation: Option<u64>,
    /// `go`, `javascript`, `python`, `unknown`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sdk: Option<&'static str>,
    pub plugins: Vec<String>,
    /// Configurations in use.
    pub instances: usize,
    /// How often the gateway started the process; 0 if somebody else does.
    pub starts: u64,
    /// `exit 1`, `signal 9`, ...
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_end: Option<String>,
    /// Why its plugins are not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query_error: Option<String>,
    /// The last lines it printed.
    pub output: Vec<String>,
}

impl ServerStatus {
    pub(crate) fn of(replica: &Replica, plugins: Vec<String>) -> Self {
        let state = replica.state();
        let generation = match &state {
            State::Ready(generation) => Some(generation),
            _ => None,
        };
        let history = locked(&replica.history);
        Self {
            name: replica.name.clone(),
            server: replica.settings.name.clone(),
            replica: replica.number,
            socket: replica.socket.display().to_string(),
            state: state.as_str(),
            protocol: Some(replica.wire.as_str()),
            pid: generation.and_then(|it| it.pid),
            usage: generation.map_or_else(Usage::default, |it| it.usage()),
            in_flight: generation.map_or(0, |it| it.in_flight()),
            queued: generation.map_or(0, |it| it.queued()),
            generation: generation.map(|it| it.number),
            sdk: generation.map(|it| it.flavor.as_str()),
            plugins,
            instances: replica.instances().len(),
            starts: history.starts,
            last_end: history.last_end.clone(),
            query_error: None,
            output: replica.output.lines(),
        }
    }

    pub(crate) fn show(&self, scrape: &Scrape) {
        let replica = self.replica.to_string();
        let labels = [("server", self.server.as_str()), ("replica", &replica)];
        let gauge = |name: &str, help: &str, value: f64| {
            scrape.gauge(&format!("polygate_plugin_server_{name}"), help, &labels, value);
        };
        let counted = |name: &str, help: &str, count: f64| {
            scrape.counted(&format!("polygate_plugin_server_{name}"), help, &labels, count);
        };
        gauge("up", "Whether the process takes events.", f64::from(self.state == "ready"));
        let help = "The state of the process.";
        scrape.state("polygate_plugin_server_state", help, &labels, &STATES, self.state);
        counted("starts_total", "Processes started.", self.starts as f64);
        gauge(
            "generation",
            "Number of the process that serves, 0 if none.",
            self.generation.unwrap_or(0) as f64,
        );
        gauge("instances", "Plugin configurations in use.", self.instances as f64);
        gauge("events_in_flight", "Events in the process.", self.in_flight as f64);
        gauge("queue_length", "Events that wait for a place in the process.", self.queued as f64);
        gauge("resident_bytes", "Memory of the process and its group.", self.usage.resident as f64);
        let cpu = self.usage.cpu.as_secs_f64();
        counted("cpu_seconds_total", "Processor time of the process and its group.", cpu);
        gauge("threads", "Threads of the process and its group.", self.usage.threads as f64);
        gauge("processes", "The process and its group.", self.usage.processes as f64);
    }

    /// A server that is not used, because its plugins are not known.
    pub(crate) fn unused(name: &str, socket: String, query_error: String) -> Self {
        Self {
            name: name.to_owned(),
            server: name.to_owned(),
            replica: 1,
            socket,
            state: "unused",
            protocol: None,
            pid: None,
            usage: Usage::default(),
            in_flight: 0,
            queued: 0,
            generation: None,
            sdk: None,
            plugins: vec![],
            instances: 0,
            starts: 0,
            last_end: None,
            query_error: Some(query_error),
            output: vec![],
        }
    }
}
