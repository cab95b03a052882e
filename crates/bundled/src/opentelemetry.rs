//! Spans of requests to an OpenTelemetry collector (bundled-plugins.md, section 7).

mod otlp;
mod sampler;
mod span;
#[cfg(test)]
mod tests;
mod trace;

use std::collections::BTreeMap;
use std::sync::Arc;

use polygate_chain::pdk::headers::Change;
use polygate_chain::pdk::response;
use polygate_chain::{Exchange, Handler, Phase};
use serde::Deserialize;

use self::trace::Trace;
use crate::export::{Exporter, Timeouts};
use crate::plugin::{self, Bundled, Hooks, Outcome};
use crate::queue::{Queue, QueueConfig};
use crate::shared::Shared;
use crate::trace_context::{self, Extracted, Format, Options, Outgoing, Propagation, TraceId, new_span_id};

pub use self::trace::Tracing;

pub const PLUGIN: Bundled = Bundled {
    name: "opentelemetry",
    priority: 14,
    phases: &[Phase::Access, Phase::Log],
    schema: include_str!("opentelemetry/schema.json"),
    checks: &[],
    configure,
};

#[derive(Deserialize)]
struct Config {
    traces_endpoint: Option<String>,
    headers: Option<BTreeMap<String, String>>,
    resource_attributes: Option<BTreeMap<String, String>>,
    queue: QueueConfig,
    batch_span_count: Option<usize>,
    /// Seconds.
    batch_flush_delay: Option<f64>,
    http_response_header_for_traceid: Option<String>,
    sampling_rate: Option<f64>,
    #[serde(flatten)]
    timeouts: Timeouts,
    #[serde(flatten)]
    propagation: Options,
}

struct OpenTelemetry {
    /// Of encoded spans; `None` where nothing is sent.
    queue: Option<Queue<Vec<u8>>>,
    tracing: Arc<Tracing>,
    sampling_rate: f64,
    response_header: Option<String>,
    propagation: Propagation,
}

fn configure(plugin: &Arc<polygate_model::Plugin>, shared: &Arc<Shared>) -> Result<Arc<dyn Handler>, String> {
    let config: Config = plugin::config(plugin)?;
    let tracing = shared.tracing.load_full();
    let queue = match config.traces_endpoint.filter(|_| tracing.is_on) {
        Some(url) => {
            let headers = otlp::headers(config.headers.unwrap_or_default())?;
            let exporter = Exporter::new(&url, &config.timeouts, headers, shared)?;
            let resource = otlp::resource(&tracing, config.resource_attributes.unwrap_or_default());
            let queue = config
                .queue
                .with_older_size(config.batch_span_count)
                .with_older_delay(config.batch_flush_delay);
            Some(Queue::start("opentelemetry", &queue, otlp::Collector::new(exporter, resource), shared))
        }
        None => None,
    };
    plugin::handler(OpenTelemetry {
        queue,
        sampling_rate: config.sampling_rate.unwrap_or(tracing.sampling_rate),
        tracing,
        response_header: config.http_response_header_for_traceid,
        propagation: config.propagation.into(),
    })
}

impl Hooks for OpenTelemetry {
    async fn access(&self, exchange: &mut Exchange) -> Outcome {
        let (trace, extracted, format) = self.begin(exchange);
        let (span_id, parent_id) = match trace.balancer {
            Some(balancer) => (balancer, Some(trace.root)),
            None => (trace.root, trace.parent),
        };
        let outgoing = Outgoing {
            trace_id: trace.id,
            span_id,
            parent_id,
            sampled: Some(trace.is_sampled),
            baggage: extracted.baggage,
            flags: extracted.flags,
        };
        let injected = self.propagation.inject(&outgoing, format, &mut exchange.request.headers);
        exchange.session.kept.put(trace);
        trace_context::note(exchange, injected)
    }

    fn header(&self, exchange: &mut Exchange) -> Outcome {
        let Some(name) = &self.response_header else { return Ok(()) };
        let id = self.trace(exchange).id.digits(&[16]).to_string();
        response::add_header(exchange, Change::line(name, id))
    }

    async fn log(&self, exchange: &mut Exchange) -> Outcome {
        let trace = self.trace(exchange);
        if let Some(queue) = self.queue.as_ref().filter(|_| trace.is_sampled) {
            for span in span::of(exchange, &trace, &self.tracing) {
                queue.push(span);
            }
        }
        Ok(())
    }
}

impl OpenTelemetry {
    /// That of the request, which begins late if somebody answered before `access`.
    fn trace(&self, exchange: &mut Exchange) -> Trace {
        let trace = exchange.session.kept.take().unwrap_or_else(|| self.begin(exchange).0);
        exchange.session.kept.put(trace);
        trace
    }

    /// Goes on with the trace of the caller, or begins one.
    fn begin(&self, exchange: &Exchange) -> (Trace, Extracted, Option<Format>) {
        let (extracted, format) = self.propagation.extract(&exchange.request.headers);
        let id = extracted.trace_id.unwrap_or_else(|| TraceId::random(16));
        let is_wanted = sampler::decide(id, extracted.sampled, self.sampling_rate);
        let trace = Trace {
            id,
            root: new_span_id(),
            parent: extracted.span_id.or(extracted.parent_id),
            balancer: self.tracing.balancer.then(new_span_id),
            is_sampled: self.tracing.is_on && is_wanted,
        };
        (trace, extracted, format)
    }
}
