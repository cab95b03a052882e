//! What the plugins of one process share, over reloads.

use std::sync::Arc;

use arc_swap::ArcSwap;
use polygate_chain::services::Services;

use crate::counters::Counters;
use crate::lua::Sandbox;

pub struct Shared {
    pub services: Arc<dyn Services>,
    pub counters: Counters,
    /// For configurations that are made from now on.
    pub sandbox: ArcSwap<Sandbox>,
}

impl Shared {
    pub fn new(services: Arc<dyn Services>) -> Arc<Self> {
        Arc::new(Self { services, counters: Counters::default(), sandbox: ArcSwap::default() })
    }
}
