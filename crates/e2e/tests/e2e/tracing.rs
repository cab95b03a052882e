//! What a collector hears of requests, and what the upstream hears of their traces.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value as AnyValue};
use opentelemetry_proto::tonic::trace::v1::{Span, span::SpanKind, status::StatusCode};
use polygate_testkit::peers::peer;
use polygate_testkit::{EchoUpstream, Gateway, GatewayBuilder, Reply, Request};
use prost::Message as _;
use serde_json::{Value, json};

use crate::declarative::{self, plugin};
use crate::program::{GO, Program};
use crate::servers;

const BOUND: Duration = Duration::from_secs(20);
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const CALLER: &str = "b7ad6b7169203331";

/// An OTLP collector.
struct Collector {
    server: EchoUpstream,
    batches: Receiver<ExportTraceServiceRequest>,
}

impl Collector {
    fn start() -> Self {
        let (sender, batches) = channel();
        let server = EchoUpstream::scripted(move |request| {
            assert_eq!(request.header_bytes("content-type"), [b"application/x-protobuf"]);
            let batch = ExportTraceServiceRequest::decode(&*request.body).expect("an OTLP batch");
            // The test may have seen enough.
            drop(sender.send(batch));
            Reply::new(200, "")
        });
        Self { server, batches }
    }

    fn endpoint(&self) -> String {
        format!("{}/v1/traces", self.server.url())
    }

    /// Spans as they come, until there is one of each name.
    #[track_caller]
    fn spans(&self, names: &[&str]) -> Vec<Span> {
        let end = Instant::now() + BOUND;
        let mut spans: Vec<Span> = Vec::new();
        while !names.iter().all(|name| spans.iter().any(|span| span.name == *name)) {
            let left = end.saturating_duration_since(Instant::now());
            let Ok(batch) = self.batches.recv_timeout(left) else {
                let names: Vec<_> = spans.iter().map(|span| &span.name).collect();
                panic!("only these spans came: {names:?}");
            };
            let scopes = batch.resource_spans.into_iter().flat_map(|it| it.scope_spans);
            spans.extend(scopes.flat_map(|it| it.spans));
        }
        spans
    }
}

fn traced(endpoint: &str, instrumentations: &str, rate: &str) -> GatewayBuilder {
    Gateway::builder()
        .conf(&format!(
            "tracing_instrumentations = {instrumentations}\ntracing_sampling_rate = {rate}\n\
             tracing_endpoint = {endpoint}"
        ))
        .environment("OTEL_BSP_SCHEDULE_DELAY", "50")
}

/// With one plugin, global, which is a program of the Go peers.
fn with_plugin(
    builder: GatewayBuilder,
    upstream: &EchoUpstream,
    name: &str,
    config: Value,
) -> GatewayBuilder {
    let server = servers::go(name, &peer(&format!("go/bin/{name}")));
    builder
        .conf(&format!("plugins = bundled,{name}\npluginserver_names = {name}\n{server}"))
        .declarative(&declarative::global(&upstream.url(), &[plugin(name, config)]))
}

#[track_caller]
fn named<'s>(spans: &'s [Span], name: &str) -> &'s Span {
    spans.iter().find(|span| span.name == name).unwrap_or_else(|| panic!("no span {name}"))
}

/// An attribute as text.
fn attribute(span: &Span, name: &str) -> Option<String> {
    text(span.attributes.iter().find(|it| it.key == name)?)
}

fn text(attribute: &KeyValue) -> Option<String> {
    match attribute.value.as_ref()?.value.as_ref()? {
        AnyValue::StringValue(text) => Some(text.clone()),
        AnyValue::IntValue(number) => Some(number.to_string()),
        other => Some(format!("{other:?}")),
    }
}

fn hex(id: &[u8]) -> String {
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The only `traceparent` that the upstream got, as its fields.
#[track_caller]
fn traceparent(upstream: &EchoUpstream, target: &str) -> [String; 4] {
    let received = upstream.last(target);
    let [line] = received.header_bytes("traceparent")[..] else { panic!("{received:?}") };
    let fields: Vec<_> = String::from_utf8_lossy(line).split('-').map(str::to_owned).collect();
    fields.try_into().expect("four fields")
}

#[test]
fn a_request_its_handlers_and_its_upstream_are_one_trace() {
    let (collector, upstream) = (Collector::start(), EchoUpstream::start());
    let builder = traced(&collector.endpoint(), "all", "0");
    let gateway = with_plugin(builder, &upstream, GO, json!({})).start();

    let program = Program::new(GO).call("access", "kong.request.get_header", json!(["traceparent"]));
    let caller = format!("00-{TRACE}-{CALLER}-01");
    let request = Request::get("/a?secret=1").header("traceparent", &caller).header("tracestate", "them=1");
    let answer = program.load_into(request).send(gateway.proxy()).expect(200);
    let seen = program.outcomes(&answer, "access");
    assert!(seen[0].to_string().contains(&caller), "the plugin sees what the client sent: {seen:?}");

    let handlers = ["rewrite pdk-go", "access pdk-go", "response pdk-go", "log pdk-go"];
    let spans = collector.spans(&[&handlers[..], &["GET /", "GET"]].concat());
    let (root, tried) = (named(&spans, "GET /"), named(&spans, "GET"));
    assert!(spans.iter().all(|span| hex(&span.trace_id) == TRACE));
    assert_eq!((hex(&root.parent_span_id), root.kind()), (CALLER.to_owned(), SpanKind::Server));
    for (name, value) in [
        ("http.request.method", "GET"),
        ("http.response.status_code", "200"),
        ("http.route", "/"),
        ("url.path", "/a"),
        ("server.address", "example.com"),
        ("polygate.route", "all"),
        ("polygate.service", "echo"),
    ] {
        assert_eq!(attribute(root, name).as_deref(), Some(value), "{name}");
    }
    assert_eq!(attribute(root, "polygate.request.id").as_deref(), answer.header("x-kong-request-id"));
    assert_eq!(root.status.clone().unwrap_or_default().code(), StatusCode::Unset);

    for name in handlers {
        let span = named(&spans, name);
        assert_eq!((&span.parent_span_id, span.kind()), (&root.span_id, SpanKind::Internal), "{name}");
        assert_eq!(attribute(span, "polygate.plugin").as_deref(), Some("pdk-go"));
        assert_eq!(attribute(span, "polygate.phase").as_deref(), name.split(' ').next());
        assert!(attribute(span, "polygate.plugin.id").is_some());
        assert!(span.start_time_unix_nano >= root.start_time_unix_nano);
        assert!(span.end_time_unix_nano > span.start_time_unix_nano, "{name}");
    }
    let calls = attribute(named(&spans, "access pdk-go"), "polygate.pdk_calls");
    assert!(calls.is_some_and(|calls| calls.parse::<u32>().is_ok_and(|calls| calls > 0)));

    assert_eq!((&tried.parent_span_id, tried.kind()), (&root.span_id, SpanKind::Client));
    let port = upstream.address().port().to_string();
    assert_eq!(attribute(tried, "server.port"), Some(port));
    assert_eq!(
        traceparent(&upstream, "/a?secret=1"),
        ["00".into(), TRACE.into(), hex(&tried.span_id), "01".into()]
    );
    assert_eq!(upstream.last("/a?secret=1").header_bytes("tracestate"), [b"them=1"]);
}

#[test]
fn a_failed_handler_is_an_error_with_its_reason() {
    let (collector, upstream) = (Collector::start(), EchoUpstream::start());
    let config = json!({ "phase": "access", "fault": "raise_after", "when_header": "X-Raise" });
    let builder = traced(&collector.endpoint(), "request,plugin_access", "1");
    let gateway = with_plugin(builder, &upstream, "faults-go", config).start();

    let answer = Request::get("/").header("X-Raise", "1").send(gateway.proxy()).expect(500);
    let reason = answer.header("x-polygate-reason").expect("a reason").to_owned();
    let spans = collector.spans(&["GET /", "access faults-go"]);
    for name in ["GET /", "access faults-go"] {
        let span = named(&spans, name);
        assert_eq!(span.status.clone().unwrap_or_default().code(), StatusCode::Error, "{name}");
        assert_eq!(attribute(span, "error.type").as_ref(), Some(&reason), "{name}");
    }
    assert_eq!(attribute(named(&spans, "GET /"), "http.response.status_code").as_deref(), Some("500"));
    assert!(!spans.iter().any(|span| span.name == "rewrite faults-go"), "not asked for");
}

#[test]
fn a_failure_that_is_let_pass_is_an_error_of_the_handler_only() {
    let (collector, upstream) = (Collector::start(), EchoUpstream::start());
    let config = json!({ "phase": "access", "fault": "raise_after" });
    let builder = traced(&collector.endpoint(), "all", "1").conf("pluginserver_faults_go_on_error = open");
    let gateway = with_plugin(builder, &upstream, "faults-go", config).start();
    Request::get("/").send(gateway.proxy()).expect(200);
    let spans = collector.spans(&["GET /", "access faults-go"]);
    let code = |name| named(&spans, name).status.clone().unwrap_or_default().code();
    assert_eq!((code("GET /"), code("access faults-go")), (StatusCode::Unset, StatusCode::Error));
}

#[test]
fn a_request_that_is_not_sampled_goes_on_as_a_trace() {
    let (collector, upstream) = (Collector::start(), EchoUpstream::start());
    let gateway = traced(&collector.endpoint(), "all", "0")
        .declarative(&declarative::global(&upstream.url(), &[]))
        .start();
    Request::get("/new").header("tracestate", "lost=1").send(gateway.proxy()).expect(200);
    let [_, trace, span, flags] = traceparent(&upstream, "/new");
    assert_eq!((trace.len(), span.len(), flags.as_str()), (32, 16, "00"));
    assert!(upstream.last("/new").header_bytes("tracestate").is_empty(), "it belongs to no trace");

    let caller = format!("00-{TRACE}-{CALLER}-00");
    Request::get("/continued").header("traceparent", caller).send(gateway.proxy()).expect(200);
    let [_, trace, span, flags] = traceparent(&upstream, "/continued");
    assert_eq!((trace.as_str(), flags.as_str()), (TRACE, "00"));
    assert_ne!(span, CALLER);
}

#[test]
fn without_tracing_the_callers_context_passes() {
    let upstream = EchoUpstream::start();
    let gateway = Gateway::builder().declarative(&declarative::global(&upstream.url(), &[])).start();
    let caller = format!("00-{TRACE}-{CALLER}-01");
    Request::get("/").header("traceparent", &caller).send(gateway.proxy()).expect(200);
    assert_eq!(upstream.last("/").header_bytes("traceparent"), [caller.as_bytes()]);
}

#[test]
fn a_collector_that_is_away_is_told_once_and_hurts_nobody() {
    let upstream = EchoUpstream::start();
    let unused = TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a free port");
    let gateway = traced(&format!("http://{unused}/v1/traces"), "request", "1")
        .declarative(&declarative::global(&upstream.url(), &[]))
        .start();
    let lost = "traces are lost: http://.* Connection refused";
    Request::get("/").send(gateway.proxy()).expect(200);
    gateway.wait_for_log(lost);
    for _ in 0..20 {
        Request::get("/").send(gateway.proxy()).expect(200);
    }
    come_back(unused);
    Request::get("/").send(gateway.proxy()).expect(200);
    gateway.wait_for_log("traces go to http://.* again");
    assert_eq!(gateway.error_log().matches("traces are lost").count(), 1);
}

/// A collector on a given address, which takes everything.
fn come_back(address: SocketAddr) {
    let listener = TcpListener::bind(address).expect("the port is still free");
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            drop(take(stream));
        }
    });
}

/// Answers when the request begins, and reads it to its end: closing over unread bytes resets.
fn take(mut stream: TcpStream) -> io::Result<()> {
    stream.read_exact(&mut [0])?;
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")?;
    stream.shutdown(Shutdown::Write)?;
    io::copy(&mut stream, &mut io::sink()).map(drop)
}
