//! Metrics to a StatsD server (bundled-plugins.md, section 7).

mod lines;
mod sink;

use std::sync::Arc;
use std::time::Duration;

use polygate_chain::services::Remote;
use polygate_chain::{Exchange, Handler, Phase, Session};
use serde::Deserialize;

use self::lines::{Lines, Metric, ServiceBy, TagStyle, WorkspaceBy};
use self::sink::{Packets, StatsdSink};
use crate::line_client::LineClient;
use crate::metrics::{ConsumerBy, Measured};
use crate::plugin::{self, Bundled, Hooks, Outcome};
use crate::queue::{Queue, QueueConfig};
use crate::shared::Shared;

pub const PLUGIN: Bundled = Bundled {
    name: "statsd",
    priority: 11,
    phases: &[Phase::Log],
    schema: include_str!("statsd/schema.json"),
    checks: &[],
    configure,
};

/// For connecting and sending over TCP, and for how long an idle connection is kept.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Deserialize)]
struct Config {
    host: Option<String>,
    port: Option<u16>,
    prefix: Option<String>,
    metrics: Option<Vec<Metric>>,
    allow_status_codes: Option<Vec<String>>,
    udp_packet_size: Option<f64>,
    use_tcp: Option<bool>,
    hostname_in_prefix: Option<bool>,
    consumer_identifier_default: ConsumerBy,
    service_identifier_default: ServiceBy,
    workspace_identifier_default: WorkspaceBy,
    queue_size: Option<usize>,
    tag_style: Option<TagStyle>,
    queue: QueueConfig,
}

struct Statsd {
    lines: Lines,
    queue: Queue,
}

fn configure(plugin: &Arc<polygate_model::Plugin>, shared: &Arc<Shared>) -> Result<Arc<dyn Handler>, String> {
    let config: Config = plugin::config(plugin)?;
    let remote = Remote {
        host: config.host.unwrap_or_else(|| "localhost".to_owned()),
        port: config.port.unwrap_or(8125),
        tls: None,
    };
    let services = shared.services.clone();
    let sink = match config.use_tcp {
        Some(true) => StatsdSink::Tcp(LineClient::new(remote, PATIENCE, PATIENCE, services)),
        _ => StatsdSink::Udp(Packets {
            remote,
            size: config.udp_packet_size.unwrap_or_default() as usize,
            services,
        }),
    };
    let range = |text: &String| {
        let (low, high) = text.split_once('-')?;
        Some((low.parse().ok()?, high.parse().ok()?))
    };
    let queue = config.queue.with_older_size(config.queue_size);
    let lines = Lines {
        prefix: config.prefix.unwrap_or_else(|| "kong".to_owned()),
        host_in_prefix: config.hostname_in_prefix.unwrap_or_default(),
        metrics: config.metrics.unwrap_or_default(),
        statuses: config.allow_status_codes.iter().flatten().filter_map(range).collect(),
        consumer_by: config.consumer_identifier_default,
        service_by: config.service_identifier_default,
        workspace_by: config.workspace_identifier_default,
        tags: config.tag_style,
    };
    plugin::handler(Statsd { lines, queue: Queue::start("statsd", &queue, sink, shared) })
}

impl Hooks for Statsd {
    async fn log(&self, exchange: &mut Exchange) -> Outcome {
        self.send(&Measured::of(exchange));
        Ok(())
    }

    async fn log_stream(&self, session: &mut Session) -> Outcome {
        self.send(&Measured::of_stream(session));
        Ok(())
    }
}

impl Statsd {
    fn send(&self, measured: &Measured) {
        let lines = self.lines.of(measured);
        // Those of a request stay together, so that they can share a packet.
        if !lines.is_empty() {
            self.queue.push(lines.join("\n"));
        }
    }
}
