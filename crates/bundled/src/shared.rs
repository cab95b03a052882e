//! What the plugins of one process share, over reloads.

use std::sync::Arc;

use polygate_chain::services::Services;

pub struct Shared {
    pub services: Arc<dyn Services>,
}

impl Shared {
    pub fn new(services: Arc<dyn Services>) -> Arc<Self> {
        Arc::new(Self { services })
    }
}
