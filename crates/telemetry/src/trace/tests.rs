use std::sync::mpsc::{Receiver, Sender, channel};

use opentelemetry_http::{Bytes, Request, Response};

use super::*;

/// A collector that takes everything.
#[derive(Debug)]
struct Collector(Sender<Bytes>);

#[async_trait::async_trait]
impl HttpClient for Collector {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        assert_eq!(request.uri(), "http://collector/v1/traces");
        self.0.send(request.into_body())?;
        Ok(Response::default())
    }
}

fn tracer(sampling_rate: f64, steps: &[Step]) -> (Arc<Tracer>, Receiver<Bytes>) {
    let (sender, batches) = channel();
    let setup = Setup {
        endpoint: "http://collector/v1/traces".into(),
        sampling_rate,
        steps: steps.iter().copied().collect(),
        resource: vec![],
    };
    (Tracer::start(&setup, Collector(sender)).expect("a valid setup"), batches)
}

fn caller(flags: &str) -> Headers {
    let line = format!("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-{flags}");
    Headers::from_iter([("traceparent", line)])
}

fn sent(trace: &Trace, span: Option<&Span>) -> String {
    let mut headers = Headers::new();
    trace.propagate(span, &mut headers);
    headers.text("traceparent").unwrap().to_owned()
}

#[test]
fn a_caller_decides_whether_its_trace_is_seen() {
    let (tracer, _batches) = tracer(0.0, &[]);
    assert!(!tracer.begin(&Headers::new(), "GET").is_sampled());
    assert!(!tracer.begin(&caller("00"), "GET").is_sampled());
    assert!(tracer.begin(&caller("01"), "GET").is_sampled());
}

#[test]
fn the_context_goes_on_under_a_span_of_ours() {
    let (tracer, _batches) = tracer(1.0, &[Step::Upstream]);
    for flags in ["00", "01"] {
        let trace = tracer.begin(&caller(flags), "GET");
        let line = sent(&trace, None);
        assert!(line.starts_with("00-0af7651916cd43dd8448eb211c80319c-"), "{line}");
        assert!(line.ends_with(flags) && !line.contains("b7ad6b7169203331"), "{line}");
    }
    let trace = tracer.begin(&Headers::new(), "GET");
    let upstream = trace.step(Step::Upstream, || "GET".into());
    assert_ne!(sent(&trace, upstream.as_ref()), sent(&trace, None));
}

#[test]
fn only_the_steps_asked_for_are_seen() {
    let (tracer, _batches) = tracer(1.0, &[Step::Access]);
    let trace = tracer.begin(&Headers::new(), "GET");
    assert!(trace.step(Step::Access, || "access".into()).is_some());
    assert!(trace.step(Step::Log, || "log".into()).is_none());
    let unseen = tracer.begin(&caller("00"), "GET");
    assert!(unseen.step(Step::Access, || "access".into()).is_none());
}

#[test]
fn ended_spans_are_exported_at_the_latest_at_the_end() {
    let (tracer, batches) = tracer(1.0, &[Step::Access]);
    let mut trace = tracer.begin(&Headers::new(), "GET");
    drop(trace.step(Step::Access, || "access".into()));
    trace.root.end();
    tracer.shutdown();
    let batch = batches.try_recv().expect("one batch");
    assert!(batch.windows(6).any(|bytes| bytes == b"access"));
    assert_eq!((tracer.counts().exported(), tracer.counts().failed()), (2, 0));
}
