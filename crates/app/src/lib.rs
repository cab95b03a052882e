//! Wires configuration, plugin servers and listeners together; owns workers, reload and shutdown.
//!
//! ```text
//! serve          the control thread: start, signals, shutdown
//! running        what runs for the configuration in use, and how a reload replaces it
//! control        what the status API knows of it
//! configuration  one loaded configuration: plugin servers, entities, instances, in this order
//! servers        what changes with the settings: they, and what plugin servers announced
//! declarative    the entities, from the declarative file
//! compile        both -> what a worker serves requests with
//! secrets        what references in entities stand for
//! not_yet        what a configuration may ask for and is not built
//! certificates   those of the settings
//! plugins        which of the enabled plugins are installed, and where
//! problems       plugins that do not work though the configuration is served
//! targets        keeps the addresses of balancer targets up to date
//! probes         active health checks of the targets
//! tracing        the tracer and the way to its collector
//! names          how names are resolved
//! outside        what plugins within the gateway reach beside requests
//! listeners      the sockets, kept over reloads
//! workers        the threads that serve requests
//! status         the status API and the socket of the command line
//! check, doctor  the same steps without serving, for people
//! ```

mod certificates;
mod check;
mod compile;
mod configuration;
mod control;
mod declarative;
mod doctor;
mod error;
mod listeners;
mod logs;
mod names;
mod not_yet;
mod outside;
mod plugins;
mod probes;
mod problems;
mod running;
mod secrets;
mod serve;
mod servers;
mod signals;
mod status;
mod targets;
mod tracing;
mod translate;
mod workers;

pub use check::{check, has_other_servers};
pub use doctor::{Diagnosis, PluginReport, ServerReport, doctor};
pub use error::{Error, LoadError};
pub use serve::serve;
