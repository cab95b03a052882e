//! Traces: from settings to a tracer, and the connection to the collector.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use http::header::HOST;
use http::uri::PathAndQuery;
use http::{HeaderValue, Request, Response, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use polygate_chain::Node;
use polygate_config::Settings;
use polygate_config::settings::{Instrumentation, Tracing};
use polygate_telemetry::log;
use polygate_telemetry::trace::{HttpClient, HttpError, KeyValue, Setup, Step, Steps, Tracer};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::time::timeout;

use crate::{Error, workers};

/// For one batch, from connecting to the end of the answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Of an answer, bytes.
const LARGEST_ANSWER: usize = 64 * 1024;

/// The tracer that the settings ask for; `None` when tracing is off or nobody takes the traces.
pub fn start(settings: &Settings, node: &Node) -> Result<Option<Arc<Tracer>>, Error> {
    let tracing = &settings.tracing;
    if tracing.instrumentations.is_empty() {
        return Ok(None);
    }
    let Some(endpoint) = endpoint(tracing, |name| std::env::var(name).ok()) else {
        log!(
            Notice,
            "traces are those of the plugin opentelemetry alone: tracing_endpoint names no collector"
        );
        return Ok(None);
    };
    let setup = Setup {
        sampling_rate: tracing.sampling_rate,
        steps: steps(&tracing.instrumentations),
        resource: vec![
            KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
            KeyValue::new("service.instance.id", node.id.to_string()),
            KeyValue::new("host.name", node.hostname.clone()),
        ],
        endpoint,
    };
    let tracer = Tracer::start(&setup, Collector::new(&setup.endpoint)?)?;
    log!(Notice, "traces go to {}", setup.endpoint);
    Ok(Some(tracer))
}

/// Exports what waits.
pub async fn stop(tracer: Option<Arc<Tracer>>) {
    if let Some(tracer) = tracer {
        // Fails only by a panic, which is reported where it happens.
        let _ = tokio::task::spawn_blocking(move || tracer.shutdown()).await;
    }
}

/// The property, else the variables of the OTLP exporter's specification.
fn endpoint(tracing: &Tracing, variable: impl Fn(&str) -> Option<String>) -> Option<String> {
    let variable = |name| variable(name).filter(|text| !text.is_empty());
    let base = || variable("OTEL_EXPORTER_OTLP_ENDPOINT");
    tracing
        .endpoint
        .clone()
        .or_else(|| variable("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"))
        .or_else(|| Some(format!("{}/v1/traces", base()?.trim_end_matches('/'))))
}

fn steps(instrumentations: &[Instrumentation]) -> Steps {
    let step = |it: &Instrumentation| match it {
        // The tracer's own spans leave out what takes microseconds.
        Instrumentation::Request | Instrumentation::Router => None,
        Instrumentation::Balancer => Some(Step::Upstream),
        Instrumentation::PluginRewrite => Some(Step::Rewrite),
        Instrumentation::PluginAccess => Some(Step::Access),
        Instrumentation::PluginHeaderFilter => Some(Step::Response),
        Instrumentation::PluginLog => Some(Step::Log),
    };
    instrumentations.iter().filter_map(step).collect()
}

/// Carries batches to the collector, each over a connection of its own: there are few of them.
#[derive(Debug)]
struct Collector {
    endpoint: String,
    /// Made and used on the exporter's thread, which has none of its own.
    runtime: OnceLock<Runtime>,
    is_failing: AtomicBool,
}

impl Collector {
    fn new(endpoint: &str) -> Result<Self, Error> {
        let refuse = || Error::TracingEndpoint { url: endpoint.to_owned() };
        let uri: Uri = endpoint.parse().map_err(|_| refuse())?;
        if uri.scheme_str() != Some("http") || uri.host().is_none() {
            return Err(refuse());
        }
        let (endpoint, runtime) = (endpoint.to_owned(), OnceLock::new());
        Ok(Self { endpoint, runtime, is_failing: AtomicBool::new(false) })
    }

    fn exchange(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let runtime = match self.runtime.get() {
            Some(runtime) => runtime,
            None => {
                let runtime = workers::runtime()?;
                self.runtime.get_or_init(|| runtime)
            }
        };
        let late = |_| HttpError::from(format!("no answer within {} s", PATIENCE.as_secs()));
        runtime.block_on(async { timeout(PATIENCE, send(request)).await.map_err(late).flatten() })
    }

    /// One line per change, however many batches fail.
    fn report(&self, problem: Option<String>) {
        match (problem, self.is_failing.load(Relaxed)) {
            (Some(why), false) => {
                log!(
                    Error,
                    "traces are lost: {}: {why}; see the collector and tracing_endpoint",
                    self.endpoint
                );
                self.is_failing.store(true, Relaxed);
            }
            (None, true) => {
                log!(Notice, "traces go to {} again", self.endpoint);
                self.is_failing.store(false, Relaxed);
            }
            _ => {}
        }
    }
}

#[async_trait::async_trait]
impl HttpClient for Collector {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let outcome = self.exchange(request);
        self.report(match &outcome {
            Ok(response) if response.status().is_success() => None,
            Ok(response) => Some(format!("it answered {}", response.status())),
            Err(error) => Some(error.to_string()),
        });
        outcome
    }
}

async fn send(request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
    let (mut parts, body) = request.into_parts();
    let authority = parts.uri.authority().ok_or("the URL has no host")?;
    let host = authority.host().trim_matches(['[', ']']);
    let stream = TcpStream::connect((host, authority.port_u16().unwrap_or(80))).await?;
    parts.headers.insert(HOST, HeaderValue::from_str(authority.as_str())?);
    parts.uri = parts.uri.path_and_query().map_or("/", PathAndQuery::as_str).parse()?;

    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // Takes the sender along, whose end ends the connection.
    let exchange = async move {
        let (parts, body) =
            sender.send_request(Request::from_parts(parts, Full::new(body))).await?.into_parts();
        let body = Limited::new(body, LARGEST_ANSWER).collect().await?.to_bytes();
        Ok(Response::from_parts(parts, body))
    };
    let (answered, _) = tokio::join!(exchange, connection);
    answered
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(property: Option<&str>, variables: &[(&str, &str)]) -> Option<String> {
        let tracing = Tracing {
            instrumentations: vec![Instrumentation::Request],
            sampling_rate: 1.0,
            endpoint: property.map(str::to_owned),
        };
        let variable = |name: &str| variables.iter().find(|it| it.0 == name).map(|it| it.1.to_owned());
        endpoint(&tracing, variable)
    }

    #[test]
    fn the_property_wins_over_the_environment() {
        let of_traces = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://b/traces");
        let of_all = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c/");
        assert_eq!(found(Some("http://a"), &[of_traces, of_all]).as_deref(), Some("http://a"));
        assert_eq!(found(None, &[of_traces, of_all]).as_deref(), Some("http://b/traces"));
        assert_eq!(found(None, &[of_all]).as_deref(), Some("http://c/v1/traces"));
        assert_eq!(found(None, &[("OTEL_EXPORTER_OTLP_ENDPOINT", "")]), None);
    }

    #[test]
    fn only_urls_that_can_be_reached_are_taken() {
        for url in ["https://collector/v1/traces", "collector", "http://", "http://a b/", "/v1/traces"] {
            let error = Collector::new(url).expect_err(url).to_string();
            assert!(error.starts_with(&format!("traces cannot go to '{url}'")), "{error}");
        }
        assert!(Collector::new("http://[::1]:4318/v1/traces").is_ok());
    }
}
