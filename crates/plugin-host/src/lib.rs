//! Plugin servers: their processes, instances, connections and events.
//!
//! ```text
//! PluginServers   what the gateway holds: all servers and the plugins they announced
//! Server          one configured server: its settings and its replicas
//! Replica         one of its processes: its state, its instances
//! supervisor      one task per replica: process, readiness, back-off, replacement
//! Generation      one life of one process; instances and connections belong to it and end with it
//! Instance        one plugin configuration, started in each generation before that is published
//! channel, pool   connections, and those that a worker thread keeps; at most one call at a time
//! event           one run of one phase, driven to its end: tries, places, failures
//! wire            what goes over a connection: a folder for each protocol
//! ```
//!
//! Supervisors live on the runtime that [`PluginServers::start`] was called on, which must live as
//! long as the gateway, on a thread that does too: children are told to end when that thread does.
//! Workers are other threads with their own runtimes; they share [`server::Server`] values.

pub mod counters;
pub mod discovery;
pub mod leftovers;
pub mod settings;
pub mod status;
pub mod wire;

mod address;
mod breaker;
mod channel;
mod configuration;
mod event;
mod failure;
mod generation;
mod instance;
mod lock;
mod notice;
mod output;
mod plugin;
mod pool;
mod process;
mod reason;
mod replica;
mod server;
mod servers;
mod sources;
mod stat;
mod supervisor;
mod usage;

pub use breaker::BreakerState;
pub use discovery::Discovery;
pub use generation::Flavor;
pub use plugin::RemotePlugin;
pub use process::withhold;
pub use reason::Reason;
pub use servers::{InstanceProblem, PluginServers};
pub use settings::{BodyMode, OnError, Query, ServerSettings};
pub use status::ServerStatus;
pub use usage::Usage;
