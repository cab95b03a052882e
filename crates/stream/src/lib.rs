//! The gateway of streams: connections and datagrams that go to a service as they come.
//!
//! `server` accepts them, `connections` is one stream read as a list of steps, `datagrams` one of datagrams. Plugins are
//! seen only through the traits of `polygate-chain`, on a session without a request: nothing here knows HTTP.

mod access_log;
mod connect;
mod connections;
mod datagrams;
mod end;
mod failure;
mod gateway;
mod metrics;
mod peek;
mod server;
mod settings;
mod way;
mod worker;

pub use gateway::Gateway;
pub use metrics::{METRICS, Metrics};
pub use server::{serve, serve_datagrams};
pub use settings::{ListenerFlags, StreamSettings};
pub use worker::Worker;
