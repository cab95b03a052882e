//! OpenTelemetry traces: a span for each request, and one for each step of it that is to be seen.
//!
//! The SDK makes, samples and batches the spans. What is here fits it to a gateway: a request owns its
//! [`Trace`] (there is no ambient context, as one thread serves many requests), W3C trace context comes
//! in and goes out as headers, and finished spans wait in a queue that drops rather than blocks.

mod context;
mod export;
mod step;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::sync::Arc;

use opentelemetry::trace::{
    Span as _, SpanKind, Status, TraceContextExt as _, Tracer as _, TracerProvider as _,
};
use opentelemetry::{Context, Value};
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use polygate_http1::Headers;

pub use self::export::{ExportCounts, Setup, TracerError};
pub use self::step::{Step, Steps};
pub use opentelemetry::KeyValue;
/// What carries batches to the collector.
pub use opentelemetry_http::{HttpClient, HttpError};

/// Begins traces; one for the life of the process, shared by all workers.
pub struct Tracer {
    sdk: SdkTracer,
    provider: SdkTracerProvider,
    steps: Steps,
    counts: Arc<ExportCounts>,
}

/// The trace of one request: its root span, and the parent of the others.
pub struct Trace {
    pub root: Span,
    /// The handler that runs now, if it is to be seen.
    pub handler: Option<Span>,
    tracer: Arc<Tracer>,
    /// `None` when the request is not sampled.
    parent: Option<Context>,
}

/// One step, from its creation until it is dropped or [ended](Span::end).
pub struct Span(opentelemetry_sdk::trace::Span);

impl Tracer {
    /// `client` is called on the exporter's own thread, which no request waits for.
    pub fn start(setup: &Setup, client: impl HttpClient + 'static) -> Result<Arc<Self>, TracerError> {
        let counts = Arc::new(ExportCounts::default());
        let provider = export::provider(setup, client, counts.clone())?;
        let sdk = provider.tracer("polygate");
        Ok(Arc::new(Self { sdk, provider, steps: setup.steps, counts }))
    }

    /// Begins the trace of a request, or continues the one that its headers name. A caller's decision
    /// to sample or not is kept.
    pub fn begin(self: &Arc<Self>, headers: &Headers, name: impl Into<Cow<'static, str>>) -> Box<Trace> {
        let parent = context::read(headers)
            .map_or_else(Context::new, |remote| Context::new().with_remote_span_context(remote));
        let builder = self.sdk.span_builder(name).with_kind(SpanKind::Server);
        let root = self.sdk.build_with_context(builder, &parent);
        let sampled = root.is_recording();
        let parent = sampled.then(|| Context::new().with_remote_span_context(root.span_context().clone()));
        Box::new(Trace { root: Span(root), handler: None, tracer: self.clone(), parent })
    }

    pub fn counts(&self) -> &ExportCounts {
        &self.counts
    }

    /// Exports what waits, for 5 s at the most. Blocks; later spans are lost.
    pub fn shutdown(&self) {
        if let Err(error) = self.provider.shutdown() {
            crate::log!(Warn, "the last traces were not exported: {error}");
        }
    }
}

impl Trace {
    /// Whether spans of this request are exported.
    pub fn is_sampled(&self) -> bool {
        self.parent.is_some()
    }

    /// Begins the span of a step; `None` when that is not to be seen.
    pub fn step(&self, step: Step, name: impl FnOnce() -> String) -> Option<Span> {
        let parent = self.parent.as_ref().filter(|_| self.tracer.steps.contains(step))?;
        let kind = if step == Step::Upstream { SpanKind::Client } else { SpanKind::Internal };
        let sdk = &self.tracer.sdk;
        Some(Span(sdk.build_with_context(sdk.span_builder(name()).with_kind(kind), parent)))
    }

    /// Writes the headers by which the next hop continues the trace, as a child of `span` or else of
    /// the request's own.
    pub fn propagate(&self, span: Option<&Span>, headers: &mut Headers) {
        context::write(span.unwrap_or(&self.root).0.span_context(), headers);
    }
}

impl Span {
    pub fn rename(&mut self, name: String) {
        self.0.update_name(name);
    }

    pub fn set(&mut self, attributes: impl IntoIterator<Item = KeyValue>) {
        self.0.set_attributes(attributes);
    }

    /// Marks the step as failed. `kind` is a stable, machine-readable word.
    pub fn fail(&mut self, kind: impl Into<Value>, message: impl Into<Cow<'static, str>>) {
        self.0.set_attribute(KeyValue::new("error.type", kind));
        self.0.set_status(Status::error(message));
    }

    /// Takes the time of the end; changes after it have no effect.
    pub fn end(&mut self) {
        self.0.end();
    }
}
