//! What requests are served with.

use std::sync::Arc;

use polygate_chain::{Environment, Plan};
use polygate_router::Router;
use polygate_tls::{Server, UpstreamTls};
use polygate_transport::peers::Balancers;

use crate::HttpSettings;

/// One loaded configuration; a request keeps the one it began with.
pub struct Gateway {
    pub environment: Arc<Environment>,
    pub router: Router,
    pub plan: Plan,
    pub balancers: Arc<Balancers>,
    pub server_tls: Server,
    pub upstream_tls: Arc<UpstreamTls>,
    pub settings: HttpSettings,
}
