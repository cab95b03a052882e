//! Records as datagrams (bundled-plugins.md, section 7).

use std::sync::Arc;

use bytes::Bytes;
use polygate_chain::services::Services;
use polygate_chain::{Handler, Phase};
use serde::Deserialize;

use crate::custom_fields::{self, CustomFields};
use crate::logging::Logging;
use crate::plugin::{self, Bundled};
use crate::queue::{Queue, QueueConfig, Sink};
use crate::shared::Shared;

pub const PLUGIN: Bundled = Bundled {
    name: "udp-log",
    priority: 8,
    phases: &[Phase::Log],
    schema: include_str!("udp_log/schema.json"),
    checks: &[("lua", custom_fields::check)],
    configure,
};

#[derive(Deserialize)]
struct Config {
    host: String,
    port: u16,
}

/// Each entry as a datagram.
pub struct Datagrams {
    pub host: String,
    pub port: u16,
    pub services: Arc<dyn Services>,
}

fn configure(plugin: &Arc<polygate_model::Plugin>, shared: &Arc<Shared>) -> Result<Arc<dyn Handler>, String> {
    let Config { host, port } = plugin::config(plugin)?;
    let sink = Datagrams { host, port, services: shared.services.clone() };
    let queue = Queue::start("udp-log", &QueueConfig::plain(), sink, shared);
    plugin::handler(Logging { queue, fields: CustomFields::of(plugin, shared)? })
}

impl Sink for Datagrams {
    async fn send(&self, batch: &[Bytes]) -> Result<(), String> {
        for entry in batch {
            let sent = self.services.send_datagram(&self.host, self.port, entry).await;
            sent.map_err(|error| format!("{}:{}: {error}", self.host, self.port))?;
        }
        Ok(())
    }
}
