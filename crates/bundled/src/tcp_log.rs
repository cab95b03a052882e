//! Records over TCP, a line each (bundled-plugins.md, section 7).

use std::sync::Arc;

use bytes::Bytes;
use polygate_chain::services::{Remote, RemoteTls};
use polygate_chain::{Handler, Phase};
use serde::Deserialize;

use crate::custom_fields::{self, CustomFields};
use crate::duration::milliseconds;
use crate::line_client::LineClient;
use crate::logging::Logging;
use crate::plugin::{self, Bundled};
use crate::queue::{Queue, QueueConfig, Sink};
use crate::shared::Shared;

pub const PLUGIN: Bundled = Bundled {
    name: "tcp-log",
    priority: 7,
    phases: &[Phase::Log],
    schema: include_str!("tcp_log/schema.json"),
    checks: &[("lua", custom_fields::check)],
    configure,
};

#[derive(Deserialize)]
struct Config {
    host: String,
    port: u16,
    /// Milliseconds.
    timeout: Option<f64>,
    keepalive: Option<f64>,
    tls: bool,
    tls_sni: Option<String>,
}

struct TcpLog(LineClient);

fn configure(plugin: &Arc<polygate_model::Plugin>, shared: &Arc<Shared>) -> Result<Arc<dyn Handler>, String> {
    let Config { host, port, timeout, keepalive, tls, tls_sni } = plugin::config(plugin)?;
    let tls = tls.then_some(RemoteTls { server_name: tls_sni, verify: false });
    let sink = TcpLog(LineClient::new(
        Remote { host, port, tls },
        milliseconds(timeout.unwrap_or(10_000.0)),
        milliseconds(keepalive.unwrap_or(60_000.0)),
        shared.services.clone(),
    ));
    let queue = Queue::start("tcp-log", &QueueConfig::plain(), sink, shared);
    plugin::handler(Logging { queue, fields: CustomFields::of(plugin, shared)? })
}

impl Sink for TcpLog {
    async fn send(&self, batch: &[Bytes]) -> Result<(), String> {
        self.0.send(batch).await
    }
}
