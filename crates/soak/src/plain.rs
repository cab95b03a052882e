//! A gateway without plugins in front of sinks, which any fault of theirs takes out of service.

use std::net::SocketAddr;

use polygate_testkit::gateway::free_address;
use polygate_testkit::{Gateway, Request};
use serde_json::{Value, json};

use crate::report::Report;
use crate::sink::Sink;

/// Routes whose bodies are read before they are sent on, and sent on as they come.
pub const ROUTES: [&str; 2] = ["buffered", "streamed"];

const SINKS: usize = 2;

pub struct Plain {
    pub gateway: Gateway,
    /// The listener of a stream to the same sinks.
    pub stream: SocketAddr,
}

impl Plain {
    #[track_caller]
    pub fn start() -> Self {
        let targets: Vec<Value> =
            (0..SINKS).map(|_| json!({ "target": Sink::start().address().to_string() })).collect();
        let unhealthy = json!({ "tcp_failures": 1, "timeouts": 1, "http_failures": 1 });
        let upstream = json!({
            "name": "sinks",
            "targets": targets,
            "healthchecks": { "passive": { "unhealthy": unhealthy } },
        });
        let routes = ROUTES.map(|name| {
            let is_buffered = name == ROUTES[0];
            json!({ "name": name, "paths": [format!("/{name}")], "request_buffering": is_buffered })
        });
        let stream = free_address();
        let to_stream = json!({ "protocols": ["tcp"], "destinations": [{ "port": stream.port() }] });
        let services = json!([
            { "name": "sink", "host": "sinks", "routes": routes },
            { "name": "stream", "host": "sinks", "protocol": "tcp", "routes": [to_stream] },
        ]);
        let entities = json!({ "_format_version": "3.0", "services": services, "upstreams": [upstream] });
        let gateway = Gateway::builder()
            // Idle connections are no leak, but look like one.
            .conf(&format!(
                "log_level = notice\nupstream_keepalive_idle_timeout = 1\nstream_listen = {stream}"
            ))
            .declarative(&entities.to_string())
            .start();
        let plain = Self { gateway, stream };
        plain.expect_served();
        plain
    }

    pub fn proxy(&self) -> SocketAddr {
        self.gateway.proxy()
    }

    pub fn pid(&self) -> u32 {
        self.gateway.pid()
    }

    /// Every sink answers on both routes.
    #[track_caller]
    fn expect_served(&self) {
        for name in ROUTES.iter().cycle().take(4 * SINKS) {
            Request::post(&format!("/{name}"), "four").send(self.proxy()).expect(200);
        }
    }

    /// No sink was taken out of service, and the log blames none.
    pub fn check_innocent(&self, report: &mut Report) {
        let health = Request::get("/upstreams/sinks/health").send(self.gateway.status()).json();
        let targets = health["data"].as_array().cloned().unwrap_or_default();
        let healthy = targets.iter().filter(|target| target["health"] == "HEALTHY").count();
        report.check(healthy == SINKS, format!("{healthy} of {SINKS} targets are in service: {health}"));
        let log = self.gateway.error_log();
        let severe = ["[error]", "[crit]", "[alert]", "[emerg]"];
        for line in log.lines().filter(|line| severe.iter().any(|level| line.contains(level))) {
            report.fail(format!("in the error log: {line}"));
        }
    }
}
