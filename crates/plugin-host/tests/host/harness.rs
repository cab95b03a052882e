//! A gateway reduced to its plugin host, and one request.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use polygate_chain::{
    BodyError, BodySource, Connection, Environment, Exchange, Failure, Handler, Node, Phase, Plugin as _,
    RequestBody, Session, SpoolSettings, exchange,
};
use polygate_http1::Headers;
use polygate_model::Plugin;
use polygate_plugin_host::{BodyMode, OnError, PluginServers, Query, ServerSettings, ServerStatus};
use polygate_telemetry::metrics::Scrape;
use serde_json::{Value as Json, json};
use tempfile::TempDir;

pub const PLUGIN: &str = "scripted";

/// One server with one plugin, in a directory of its own.
pub struct Host {
    pub servers: PluginServers,
    pub directory: TempDir,
}

/// A command that announces the plugin.
pub fn dump(protocol: &str) -> Query {
    let dump = json!({
        "Protocol": protocol,
        "Plugins": [{"Name": PLUGIN, "Phases": ["access", "response", "log"], "Version": "1.0", "Priority": 1}],
    });
    Query::All(format!("echo '{dump}'"))
}

/// Settings of a server in `directory` that somebody else runs, with short limits.
pub fn settings(directory: &Path, protocol: &str) -> ServerSettings {
    ServerSettings {
        name: "test".into(),
        socket: directory.join("test.socket"),
        start_cmd: None,
        query: dump(protocol),
        replicas: 1,
        start_timeout: Duration::from_secs(60),
        connect_timeout: Duration::from_secs(5),
        event_timeout: Some(Duration::from_secs(5)),
        step_timeout: Duration::from_secs(5),
        on_error: OnError::Closed,
        body: BodyMode::Bytes,
        max_concurrency: None,
        max_queue: 1024,
        breaker_failures: 0,
        max_events: None,
        max_memory: None,
        max_age: None,
    }
}

impl Host {
    pub async fn new(protocol: &str, change: impl FnOnce(&mut ServerSettings)) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let mut settings = settings(directory.path(), protocol);
        change(&mut settings);
        let servers = PluginServers::start(vec![settings]).await;
        assert_eq!(servers.plugins().len(), 1, "{:?}", servers.status());
        Self { servers, directory }
    }

    pub fn socket(&self) -> PathBuf {
        self.directory.path().join("test.socket")
    }

    /// The handler of a configuration, prepared as when the gateway loads it.
    pub async fn handler(&self, config: Json) -> Arc<dyn Handler> {
        let configuration = Arc::new(configuration(1, config));
        assert_eq!(self.servers.prepare(std::slice::from_ref(&configuration)).await, []);
        self.servers.plugins()[0].configure(&configuration)
    }

    pub fn status(&self) -> ServerStatus {
        self.servers.status().remove(0)
    }

    /// How often the plugin failed for `reason`.
    pub fn failures(&self, reason: &str) -> u64 {
        self.count("polygate_plugin_failures_total", &format!("reason=\"{reason}\""))
    }

    /// The sum over all phases of a counter, as `/metrics` shows it; `label` may be empty.
    pub fn count(&self, name: &str, label: &str) -> u64 {
        let scrape = Scrape::default();
        self.servers.show(&scrape);
        let text = scrape.render();
        let lines = text.lines().filter(|line| line.starts_with(name) && line.contains(label));
        lines
            .map(|line| line.rsplit(' ').next().and_then(|it| it.parse::<u64>().ok()).expect("a count"))
            .sum()
    }

    /// Waits until the status is as wanted.
    pub async fn until(&self, what: &str, wanted: impl Fn(&ServerStatus) -> bool) -> ServerStatus {
        let start = Instant::now();
        loop {
            let status = self.status();
            if wanted(&status) {
                return status;
            }
            assert!(start.elapsed() < Duration::from_secs(10), "{what} did not happen: {status:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

pub fn configuration(id: u8, config: Json) -> Plugin {
    let Json::Object(config) = config else { panic!("a configuration is an object") };
    Plugin {
        id: format!("00000000-0000-4000-8000-0000000000{id:02x}").parse().expect("a UUID"),
        created_at: 0,
        updated_at: 0,
        name: PLUGIN.into(),
        instance_name: None,
        config,
        route: None,
        service: None,
        consumer: None,
        protocols: vec![],
        enabled: true,
        on_error: None,
        tags: None,
    }
}

/// A request in its access phase: `GET /the/path?a=1` with the header `x-test: yes`.
pub fn request() -> Exchange {
    let node = Node {
        id: "00000000-0000-4000-8000-000000000000".parse().expect("a UUID"),
        hostname: "host".into(),
        statistics: Default::default(),
    };
    let environment = Environment::new(Arc::default(), Arc::new(node));
    let address = "127.0.0.1:8000".parse().expect("an address");
    let connection = Connection::new(address, address, None, 1);
    let headers = Headers::from_iter([("x-test", b"yes".as_slice()), ("x-binary", b"\xff")]);
    let head = exchange::Request {
        method: http::Method::GET,
        target: "/the/path?a=1".into(),
        path: "/the/path".into(),
        query: Some("a=1".into()),
        version: http::Version::HTTP_11,
        headers,
        size: 0,
        serial: 1,
    };
    let body = RequestBody::new("the body");
    let id = "0".repeat(32);
    let session = Session::new(Arc::new(environment), Arc::new(connection), address, id, Phase::Access);
    Exchange::new(session, head, body)
}

/// [`request`] with a body that does not stay in memory.
pub fn upload(body: Bytes) -> Exchange {
    let settings = SpoolSettings { memory: 1024, ..SpoolSettings::default() };
    let body = RequestBody::stream(Box::new(Upload(body)), Arc::new(settings));
    Exchange { request_body: body, ..request() }
}

struct Upload(Bytes);

impl BodySource for Upload {
    fn poll_data(&mut self, _: &mut Context<'_>) -> Poll<Result<Option<Bytes>, BodyError>> {
        let piece = self.0.split_to(self.0.len().min(16 * 1024));
        Poll::Ready(Ok(Some(piece).filter(|piece| !piece.is_empty())))
    }

    fn remaining(&self) -> Option<u64> {
        Some(self.0.len() as u64)
    }
}

/// Runs the access handler for a request.
pub async fn access(handler: &Arc<dyn Handler>, request: &mut Exchange) -> Result<(), Failure> {
    handler.run(Phase::Access, request.into()).await
}

/// Runs the access handler for a request of its own and tells status and reason of its failure.
pub async fn failure(handler: &Arc<dyn Handler>) -> (u16, &'static str) {
    let failure = access(handler, &mut request()).await.expect_err("the event fails");
    (failure.status, failure.reason)
}

/// Runs the access handler for a request of its own, which must go well.
pub async fn pass(handler: &Arc<dyn Handler>) -> Exchange {
    let mut request = request();
    access(handler, &mut request).await.expect("the event succeeds");
    request
}
