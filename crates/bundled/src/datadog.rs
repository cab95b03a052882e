//! Metrics to a DogStatsD server (bundled-plugins.md, section 7).

use std::sync::Arc;

use polygate_chain::{Exchange, Handler, Phase, Session};
use serde::Deserialize;

use crate::metrics::{ConsumerBy, Kind, Measured, line, without_dots};
use crate::plugin::{self, Bundled, Hooks, Outcome};
use crate::queue::{Queue, QueueConfig};
use crate::shared::Shared;
use crate::udp_log::Datagrams;

pub const PLUGIN: Bundled = Bundled {
    name: "datadog",
    priority: 10,
    phases: &[Phase::Log],
    schema: include_str!("datadog/schema.json"),
    checks: &[],
    configure,
};

#[derive(Deserialize)]
struct Config {
    host: Option<String>,
    port: Option<u16>,
    prefix: Option<String>,
    service_name_tag: Option<String>,
    status_tag: Option<String>,
    consumer_tag: Option<String>,
    queue_size: Option<usize>,
    queue: QueueConfig,
    metrics: Vec<Metric>,
}

#[derive(Deserialize)]
struct Metric {
    name: Name,
    stat_type: Kind,
    tags: Option<Vec<String>>,
    sample_rate: Option<f64>,
    consumer_identifier: Option<ConsumerBy>,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "snake_case")]
enum Name {
    KongLatency,
    Latency,
    RequestCount,
    RequestSize,
    ResponseSize,
    UpstreamLatency,
}

struct Datadog {
    prefix: String,
    service_tag: String,
    status_tag: String,
    consumer_tag: String,
    metrics: Vec<Metric>,
    queue: Queue,
}

fn configure(plugin: &Arc<polygate_model::Plugin>, shared: &Arc<Shared>) -> Result<Arc<dyn Handler>, String> {
    let config: Config = plugin::config(plugin)?;
    let sink = Datagrams {
        host: config.host.unwrap_or_else(|| "localhost".to_owned()),
        port: config.port.unwrap_or(8125),
        services: shared.services.clone(),
    };
    let queue = config.queue.with_older_size(config.queue_size);
    let or = |text: Option<String>, usual: &str| text.unwrap_or_else(|| usual.to_owned());
    plugin::handler(Datadog {
        prefix: or(config.prefix, "kong"),
        service_tag: or(config.service_name_tag, "name"),
        status_tag: or(config.status_tag, "status"),
        consumer_tag: or(config.consumer_tag, "consumer"),
        metrics: config.metrics,
        queue: Queue::start("datadog", &queue, sink, shared),
    })
}

impl Hooks for Datadog {
    async fn log(&self, exchange: &mut Exchange) -> Outcome {
        self.send(&Measured::of(exchange));
        Ok(())
    }

    async fn log_stream(&self, session: &mut Session) -> Outcome {
        self.send(&Measured::of_stream(session));
        Ok(())
    }
}

impl Datadog {
    fn send(&self, measured: &Measured) {
        let lines = self.metrics.iter().filter_map(|metric| self.line(metric, measured));
        lines.for_each(|line| self.queue.push(line));
    }

    fn line(&self, metric: &Metric, measured: &Measured) -> Option<String> {
        let (name, value) = match metric.name {
            Name::KongLatency => ("kong_latency", measured.kong_latency.to_string()),
            Name::Latency => ("latency", measured.latency.to_string()),
            Name::RequestCount => ("request.count", "1".to_owned()),
            Name::RequestSize => ("request.size", measured.request_size.to_string()),
            Name::ResponseSize => ("response.size", measured.response_size.to_string()),
            Name::UpstreamLatency => ("upstream_latency", measured.upstream_latency?.to_string()),
        };
        let name = format!("{}.{name}", self.prefix);
        let line = line(&name, &value, metric.stat_type, metric.sample_rate);
        Some(format!("{line}|#{}", self.tags(metric, measured)))
    }

    fn tags(&self, metric: &Metric, measured: &Measured) -> String {
        let mut tags = Vec::new();
        if let Some(service) = measured.session.service() {
            let name = without_dots(service.name.as_deref().unwrap_or(&service.host));
            tags.push(format!("{}:{name}", self.service_tag));
        }
        tags.push(format!("{}:{}", self.status_tag, measured.status));
        if let Some(name) = metric.consumer_identifier.and_then(|by| measured.consumer(by)) {
            tags.push(format!("{}:{name}", self.consumer_tag));
        }
        tags.extend(metric.tags.iter().flatten().cloned());
        tags.join(",")
    }
}
