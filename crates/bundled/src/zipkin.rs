//! Spans of requests and streams to a Zipkin server (bundled-plugins.md, section 7).

mod span;
mod tags;
#[cfg(test)]
mod tests;
mod trace;

use std::sync::Arc;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue};
use polygate_chain::pdk::headers::Change;
use polygate_chain::pdk::response;
use polygate_chain::{Exchange, Handler, Phase, Session};
use serde::Deserialize;

use self::span::Spans;
use self::trace::Trace;
use crate::encoding::json_list;
use crate::export::{Exporter, Timeouts};
use crate::plugin::{self, Bundled, Hooks, Outcome};
use crate::queue::{Queue, QueueConfig, Sink};
use crate::shared::Shared;
use crate::trace_context::{self, Extracted, Format, Options, Outgoing, Propagation, TraceId, new_span_id};

pub const PLUGIN: Bundled = Bundled {
    name: "zipkin",
    priority: 100_000,
    phases: &[Phase::Rewrite, Phase::Access, Phase::Log],
    schema: include_str!("zipkin/schema.json"),
    checks: &[],
    configure,
};

#[derive(Deserialize)]
struct Config {
    http_endpoint: Option<String>,
    sample_ratio: Option<f64>,
    traceid_byte_count: usize,
    tags_header: String,
    http_response_header_for_traceid: Option<String>,
    queue: QueueConfig,
    #[serde(flatten)]
    spans: Spans,
    #[serde(flatten)]
    timeouts: Timeouts,
    #[serde(flatten)]
    propagation: Options,
}

struct Zipkin {
    /// `None` where nothing is sent.
    queue: Option<Queue>,
    sample_ratio: f64,
    /// Of ids of traces that begin here.
    id_bytes: usize,
    tags_header: String,
    response_header: Option<String>,
    spans: Spans,
    propagation: Propagation,
}

fn configure(plugin: &Arc<polygate_model::Plugin>, shared: &Arc<Shared>) -> Result<Arc<dyn Handler>, String> {
    let config: Config = plugin::config(plugin)?;
    let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
    let queue = match &config.http_endpoint {
        Some(url) => {
            let sink = Server(Exporter::new(url, &config.timeouts, headers, shared)?);
            Some(Queue::start("zipkin", &config.queue, sink, shared))
        }
        None => None,
    };
    plugin::handler(Zipkin {
        queue,
        sample_ratio: config.sample_ratio.unwrap_or(0.001),
        id_bytes: config.traceid_byte_count,
        tags_header: config.tags_header,
        response_header: config.http_response_header_for_traceid,
        spans: config.spans,
        propagation: config.propagation.into(),
    })
}

impl Hooks for Zipkin {
    async fn rewrite(&self, exchange: &mut Exchange) -> Outcome {
        self.propagate(exchange)
    }

    async fn access(&self, exchange: &mut Exchange) -> Outcome {
        self.propagate(exchange)
    }

    fn header(&self, exchange: &mut Exchange) -> Outcome {
        let (Some(name), Some(trace)) = (&self.response_header, exchange.session.kept.get::<Trace>()) else {
            return Ok(());
        };
        let change = Change::line(name, trace.id_text.clone());
        response::add_header(exchange, change)
    }

    async fn log(&self, exchange: &mut Exchange) -> Outcome {
        let trace = match exchange.session.kept.take::<Trace>() {
            Some(trace) => trace,
            None => self.begin(exchange).0,
        };
        self.send(&trace, || self.spans.of(exchange, &trace));
        Ok(())
    }

    /// Nothing comes with a stream that a trace could be taken from.
    async fn log_stream(&self, session: &mut Session) -> Outcome {
        let trace = self.trace(&Extracted::default());
        self.send(&trace, || self.spans.of_stream(session, &trace));
        Ok(())
    }
}

impl Zipkin {
    fn send(&self, trace: &Trace, spans: impl FnOnce() -> Vec<String>) {
        if let Some(queue) = self.queue.as_ref().filter(|_| trace.is_sampled) {
            spans().into_iter().for_each(|span| queue.push(span));
        }
    }

    /// Once for a request: whether its first hook is `rewrite` depends on where the plugin is configured.
    fn propagate(&self, exchange: &mut Exchange) -> Outcome {
        if exchange.session.kept.get::<Trace>().is_some() {
            return Ok(());
        }
        let (trace, extracted, format) = self.begin(exchange);
        let outgoing = Outgoing {
            trace_id: trace.id,
            span_id: trace.proxy_id,
            parent_id: Some(trace.span_id),
            // As the reference: of a trace that is not seen nothing is said where a format allows that.
            sampled: trace.is_sampled.then_some(true),
            baggage: extracted.baggage,
            flags: extracted.flags,
        };
        let injected = self.propagation.inject(&outgoing, format, &mut exchange.request.headers);
        exchange.session.kept.put(trace);
        trace_context::note(exchange, injected)
    }

    fn begin(&self, exchange: &Exchange) -> (Trace, Extracted, Option<Format>) {
        let headers = &exchange.request.headers;
        let (extracted, format) = self.propagation.extract(headers);
        let trace = Trace { tags: tags::of(headers, &self.tags_header), ..self.trace(&extracted) };
        (trace, extracted, format)
    }

    /// Goes on with the trace of the caller, or begins one.
    fn trace(&self, extracted: &Extracted) -> Trace {
        let id = extracted.trace_id.unwrap_or_else(|| TraceId::random(self.id_bytes));
        let is_given = extracted.trace_id.is_some();
        let (own, parent_id) = match extracted.shares_span {
            true => (extracted.span_id, extracted.parent_id),
            false => (None, extracted.span_id),
        };
        Trace {
            id,
            id_text: id.digits(&[if is_given { 16 } else { self.id_bytes }]).to_string(),
            span_id: own.unwrap_or_else(new_span_id),
            parent_id,
            proxy_id: new_span_id(),
            is_sampled: extracted.sampled.unwrap_or_else(|| fastrand::f64() < self.sample_ratio),
            tags: Vec::new(),
        }
    }
}

/// Takes spans as arrays of JSON.
struct Server(Exporter);

impl Sink for Server {
    async fn send(&self, batch: &[Bytes]) -> Result<(), String> {
        self.0.post(json_list(batch)).await
    }
}
