//! What the plugins of one process share, over reloads.

use std::sync::Arc;

use polygate_chain::services::Services;

use crate::counters::Counters;

pub struct Shared {
    pub services: Arc<dyn Services>,
    pub counters: Counters,
}

impl Shared {
    pub fn new(services: Arc<dyn Services>) -> Arc<Self> {
        Arc::new(Self { services, counters: Counters::default() })
    }
}
