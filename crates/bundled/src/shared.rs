//! What the plugins of one process share, over reloads.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use polygate_chain::services::Services;
use polygate_telemetry::log;
use polygate_telemetry::metrics::Scrape;
use tokio::time::timeout;

use crate::counters::{Counters, Uncounted};
use crate::ldap_auth::Outcomes;
use crate::lua::Sandbox;
use crate::oauth2;
use crate::opentelemetry::Tracing;
use crate::prometheus::Table;
use crate::proxy_cache::Store;
use crate::queue::{Counts, Senders};

pub struct Shared {
    pub(crate) services: Arc<dyn Services>,
    pub(crate) counters: Counters,
    pub(crate) uncounted: Uncounted,
    pub(crate) senders: Senders,
    pub(crate) counts: Counts,
    /// Of logins.
    pub(crate) ldap: Outcomes,
    /// Answers of upstreams.
    pub(crate) cache: Store,
    /// Codes and tokens of the plugin `oauth2`.
    pub(crate) grants: oauth2::Store,
    /// What the plugin `prometheus` counted.
    pub prometheus: Table,
    /// For configurations that are made from now on.
    pub sandbox: ArcSwap<Sandbox>,
    /// As `sandbox`.
    pub tracing: ArcSwap<Tracing>,
}

impl Shared {
    pub fn new(services: Arc<dyn Services>) -> Arc<Self> {
        Arc::new(Self {
            services,
            counters: Counters::default(),
            uncounted: Uncounted::default(),
            senders: Senders::default(),
            counts: Counts::default(),
            ldap: Outcomes::default(),
            cache: Store::default(),
            grants: oauth2::Store::default(),
            prometheus: Table::default(),
            sandbox: ArcSwap::default(),
            tracing: ArcSwap::default(),
        })
    }

    /// For `/metrics`.
    pub fn show(&self, scrape: &Scrape) {
        self.counts.show(scrape);
        self.uncounted.show(scrape);
    }

    /// Sends what waits in queues; what is not sent then is lost, with a line in the log.
    pub async fn drain(&self, patience: Duration) {
        if timeout(patience, self.senders.end()).await.is_err() {
            log!(Error, "queues of plugins were not empty after {} s: the rest is lost", patience.as_secs());
        }
    }
}
