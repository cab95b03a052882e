//! The HTTP gateway: from accept to log.
//!
//! `server` accepts connections, `exchange` is one request read as a list of steps, `upstream` reaches the service.
//! Plugins are seen only through the traits of `polygate-chain`, HTTP/1 only through `polygate-http1`.

mod access_log;
mod buffers;
mod client;
mod date;
mod downstream;
mod end;
mod exchange;
mod failure;
mod flow;
mod gateway;
mod http1;
mod http2;
mod lines;
mod metrics;
mod names;
mod parting;
mod receive;
mod refusal;
mod relay;
mod respond;
mod response;
mod routing;
mod server;
mod settings;
mod streams;
#[cfg(test)]
mod tests;
mod tracing;
mod tunnel;
mod upstream;
mod way;
mod wire;
mod worker;

pub use gateway::Gateway;
pub use metrics::{METRICS, Metrics};
pub use polygate_chain::forwarded::SERVER_TOKEN;
pub use server::{ListenerFlags, serve};
pub use settings::{HttpSettings, NextUpstream, Tokens};
pub use worker::Worker;
