//! From finished spans to the collector: a bounded queue, the SDK's batches on a thread of their own,
//! OTLP over HTTP.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use opentelemetry::{Context, KeyValue};
use opentelemetry_http::HttpClient;
use opentelemetry_otlp::{ExporterBuildError, Protocol, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::resource::{EnvResourceDetector, TelemetryResourceDetector};
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracerProvider, Span, SpanData, SpanExporter,
    SpanProcessor,
};

use super::step::Steps;

/// Finished spans that wait or are on their way; more are dropped.
const QUEUE: usize = 8192;

/// How traces are made and where they go.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The collector's full URL, path included.
    pub endpoint: String,
    /// 0 to 1: the share of requests that are seen, of those whose caller did not decide.
    pub sampling_rate: f64,
    /// What is seen besides the requests themselves.
    pub steps: Steps,
    /// Tells this gateway from others; added to those of `OTEL_RESOURCE_ATTRIBUTES`.
    pub resource: Vec<KeyValue>,
}

#[derive(Debug, thiserror::Error)]
#[error("traces cannot be exported: {0}")]
pub struct TracerError(#[from] ExporterBuildError);

/// What became of finished spans.
#[derive(Debug, Default)]
pub struct ExportCounts {
    queued: AtomicUsize,
    exported: AtomicU64,
    failed: AtomicU64,
    dropped: AtomicU64,
}

impl ExportCounts {
    /// Taken by the collector.
    pub fn exported(&self) -> u64 {
        self.exported.load(Relaxed)
    }

    /// Lost because the collector could not be reached or refused them.
    pub fn failed(&self) -> u64 {
        self.failed.load(Relaxed)
    }

    /// Lost because the queue was full.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Relaxed)
    }
}

pub(super) fn provider(
    setup: &Setup,
    client: impl HttpClient + 'static,
    counts: Arc<ExportCounts>,
) -> Result<SdkTracerProvider, TracerError> {
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_http()
        .with_http_client(client)
        .with_endpoint(&setup.endpoint)
        .with_protocol(Protocol::HttpBinary)
        .build()?;
    let exporter = Counted { next: exporter, counts: counts.clone() };
    // The SDK's own queue is never the one that is full: its drops cannot be counted.
    let batches = BatchConfigBuilder::default().with_max_queue_size(QUEUE).build();
    let processor = BatchSpanProcessor::builder(exporter).with_batch_config(batches).build();
    Ok(SdkTracerProvider::builder()
        .with_span_processor(Bounded { next: processor, counts, limit: QUEUE })
        .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(setup.sampling_rate))))
        .with_resource(resource(&setup.resource))
        .build())
}

/// `OTEL_RESOURCE_ATTRIBUTES` wins over ours, and `OTEL_SERVICE_NAME` over both.
fn resource(own: &[KeyValue]) -> Resource {
    let resource = Resource::builder_empty()
        .with_service_name("polygate")
        .with_attributes(own.iter().cloned())
        .with_detectors(&[Box::new(TelemetryResourceDetector), Box::new(EnvResourceDetector::new())]);
    match std::env::var("OTEL_SERVICE_NAME") {
        Ok(name) if !name.is_empty() => resource.with_service_name(name).build(),
        _ => resource.build(),
    }
}

/// Lets through as many spans as may wait.
#[derive(Debug)]
struct Bounded<P> {
    next: P,
    counts: Arc<ExportCounts>,
    limit: usize,
}

impl<P: SpanProcessor> SpanProcessor for Bounded<P> {
    fn on_start(&self, span: &mut Span, context: &Context) {
        self.next.on_start(span, context);
    }

    fn on_end(&self, span: SpanData) {
        if self.counts.queued.fetch_add(1, Relaxed) < self.limit {
            self.next.on_end(span);
        } else {
            self.counts.queued.fetch_sub(1, Relaxed);
            self.counts.dropped.fetch_add(1, Relaxed);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.next.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.next.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.next.set_resource(resource);
    }
}

/// Counts batches by their outcome.
#[derive(Debug)]
struct Counted<E> {
    next: E,
    counts: Arc<ExportCounts>,
}

impl<E: SpanExporter> SpanExporter for Counted<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let count = batch.len();
        let outcome = self.next.export(batch).await;
        let ended = if outcome.is_ok() { &self.counts.exported } else { &self.counts.failed };
        ended.fetch_add(count as u64, Relaxed);
        self.counts.queued.fetch_sub(count, Relaxed);
        outcome
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.next.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.next.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.next.set_resource(resource);
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::{Tracer as _, TracerProvider as _};
    use opentelemetry_sdk::error::OTelSdkError;

    use super::*;

    /// Keeps every span and never exports.
    #[derive(Debug)]
    struct Stuck;

    impl SpanProcessor for Stuck {
        fn on_start(&self, _: &mut Span, _: &Context) {}

        fn on_end(&self, _: SpanData) {}

        fn force_flush(&self) -> OTelSdkResult {
            Ok(())
        }

        fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
            Ok(())
        }
    }

    #[derive(Debug)]
    struct Refusing;

    impl SpanExporter for Refusing {
        async fn export(&self, _: Vec<SpanData>) -> OTelSdkResult {
            Err(OTelSdkError::InternalFailure("refused".into()))
        }
    }

    fn spans(provider: &SdkTracerProvider, count: usize) {
        let tracer = provider.tracer("test");
        (0..count).for_each(|_| drop(tracer.start("span")));
    }

    #[test]
    fn a_full_queue_drops_and_counts() {
        let counts = Arc::new(ExportCounts::default());
        let queue = Bounded { next: Stuck, counts: counts.clone(), limit: 3 };
        spans(&SdkTracerProvider::builder().with_span_processor(queue).build(), 5);
        assert_eq!(counts.queued.load(Relaxed), 3);
        assert_eq!(counts.dropped(), 2);
    }

    #[test]
    fn a_failed_batch_makes_room_again() {
        let counts = Arc::new(ExportCounts::default());
        let exporter = Counted { next: Refusing, counts: counts.clone() };
        let queue =
            Bounded { next: BatchSpanProcessor::builder(exporter).build(), counts: counts.clone(), limit: 4 };
        let provider = SdkTracerProvider::builder().with_span_processor(queue).build();
        spans(&provider, 4);
        assert!(provider.force_flush().is_err());
        assert_eq!((counts.failed(), counts.exported(), counts.dropped()), (4, 0, 0));
        assert_eq!(counts.queued.load(Relaxed), 0);
    }
}
