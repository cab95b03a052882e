//! What requests are served with.

use std::collections::HashMap;
use std::sync::Arc;

use polygate_balancer::Balancer;
use polygate_chain::{Environment, Plan};
use polygate_router::Router;
use polygate_tls::{Server, UpstreamTls};

use crate::HttpSettings;

/// One loaded configuration; a request keeps the one it began with.
pub struct Gateway {
    pub environment: Arc<Environment>,
    pub router: Router,
    pub plan: Plan,
    /// By the name of the upstream entity.
    pub balancers: HashMap<String, Arc<Balancer>>,
    pub server_tls: Server,
    pub upstream_tls: UpstreamTls,
    pub settings: HttpSettings,
}
