//! The HTTP gateway: from accept to log.
//!
//! `server` accepts connections, `exchange` is one request read as a list of steps, `upstream` reaches the service.
//! Plugins are seen only through the traits of `polygate-chain`, HTTP/1 only through `polygate-http1`.

mod access_log;
mod buffers;
mod client;
mod clock;
mod date;
mod end;
mod exchange;
mod failure;
mod metrics;
mod receive;
mod refusal;
mod relay;
mod respond;
mod response;
mod routing;
mod server;
mod settings;
mod stream;
#[cfg(test)]
mod tests;
mod tracing;
mod upstream;
mod wire;
mod worker;

use std::collections::HashMap;
use std::sync::Arc;

use polygate_balancer::Balancer;
use polygate_chain::{Environment, Plan};
use polygate_router::Router;

pub use metrics::{METRICS, Metrics};
pub use polygate_chain::forwarded::SERVER_TOKEN;
pub use server::serve;
pub use settings::{HttpSettings, NextUpstream, Tokens};
pub use worker::Worker;

/// One loaded configuration; a request keeps the one it began with.
pub struct Gateway {
    pub environment: Arc<Environment>,
    pub router: Router,
    pub plan: Plan,
    /// By the name of the upstream entity.
    pub balancers: HashMap<String, Arc<Balancer>>,
    pub settings: HttpSettings,
}
