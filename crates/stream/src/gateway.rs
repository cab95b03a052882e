//! What streams are served with.

use std::sync::Arc;

use polygate_chain::{Environment, Plan};
use polygate_router::StreamRouter;
use polygate_tls::{Server, UpstreamTls};
use polygate_transport::peers::Balancers;

use crate::settings::StreamSettings;

/// One loaded configuration; a stream keeps the one it began with.
pub struct Gateway {
    pub environment: Arc<Environment>,
    pub router: StreamRouter,
    pub plan: Plan,
    pub balancers: Arc<Balancers>,
    pub server_tls: Server,
    pub upstream_tls: Arc<UpstreamTls>,
    pub settings: StreamSettings,
}
