//! What an operator sees of a server.

use serde::Serialize;

use crate::replica::{Replica, State, locked};
use crate::usage::Usage;

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
            state: match &state {
                State::Starting => "starting",
                State::Ready(_) => "ready",
                State::BackingOff => "backing_off",
                State::CrashLoop => "crash_loop",
                State::Stopped => "stopped",
            },
            protocol: Some(replica.protocol.as_str()),
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
