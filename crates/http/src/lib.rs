//! The HTTP gateway: from accept to log.
//!
//! `server` accepts connections, `exchange` is one request read as a list of steps, `upstream` reaches
//! the service. Plugins are seen only through the traits of `polygate-chain`.

mod access_log;
mod client_body;
mod exchange;
mod forwarding;
mod io;
mod metrics;
mod respond;
mod response_body;
mod server;
mod settings;
mod timed_body;
mod tracing;
mod upstream;
mod worker;

use std::collections::HashMap;
use std::sync::Arc;

use polygate_balancer::Balancer;
use polygate_chain::{Environment, Plan};
use polygate_router::Router;

pub use io::{TokioIo, TokioTimer};
pub use metrics::{METRICS, Metrics};
pub use server::{Stop, serve};
pub use settings::{HttpSettings, Tokens};
pub use worker::Worker;

/// The version that tools which gate on the reference's version see.
pub const SERVER_TOKEN: &str = "kong/3.10.0";

/// One loaded configuration; a request keeps the one it began with.
pub struct Gateway {
    pub environment: Arc<Environment>,
    pub router: Router,
    pub plan: Plan,
    /// By the name of the upstream entity.
    pub balancers: HashMap<String, Arc<Balancer>>,
    pub settings: HttpSettings,
}
