//! A gateway with gates in front of an upstream that counts what gets through.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use polygate_testkit::{EchoUpstream, Gateway, Received, Reply};
use serde_json::{Value, json};

use crate::gates::{Gate, KEY};
use crate::report::Report;

pub struct Site {
    pub gateway: Gateway,
    pub arrivals: Arc<Vec<Arrivals>>,
    _upstream: EchoUpstream,
}

/// What reached the upstream on the route of one gate.
#[derive(Debug)]
pub struct Arrivals {
    pub gate: Gate,
    pub all: AtomicU64,
    /// Without the mark that only the plugin sets.
    unmarked: AtomicU64,
    /// Without the right key.
    keyless: AtomicU64,
}

impl Site {
    /// `conf` comes after the lines of the servers.
    #[track_caller]
    pub fn start(gates: &[Gate], conf: &str, routes: &[Value]) -> Self {
        let arrivals: Arc<Vec<_>> = Arc::new(gates.iter().map(|gate| Arrivals::of(*gate)).collect());
        let upstream = EchoUpstream::scripted({
            let arrivals = Arc::clone(&arrivals);
            move |request| {
                arrivals.iter().for_each(|it| it.note(request));
                Reply::new(200, "through")
            }
        });
        let names: Vec<_> = gates.iter().map(|gate| gate.name()).collect();
        let servers: String = gates.iter().map(|gate| gate.server()).collect();
        let plugins: Vec<_> = gates.iter().map(|gate| gate.plugin()).collect();
        let service = json!({ "name": "upstream", "url": upstream.url(), "routes": routes });
        let gateway = Gateway::builder()
            .conf(&format!("log_level = notice\nplugins = bundled,{}", plugins.join(",")))
            .conf(&format!("pluginserver_names = {}\n{servers}{conf}", names.join(",")))
            .declarative(&json!({ "_format_version": "3.0", "services": [service] }).to_string())
            .start();
        Self { gateway, arrivals, _upstream: upstream }
    }

    /// The processes that serve the gate now, one for each replica.
    pub fn server_pids(&self, gate: Gate) -> Vec<u32> {
        let servers = self.gateway.plugin_servers();
        let is_own = |it: &&Value| {
            // A replica is called `js#2`.
            let name = it["name"].as_str().and_then(|name| name.split('#').next());
            name == Some(gate.name()) && it["state"] == "ready"
        };
        servers.iter().filter(is_own).filter_map(|it| u32::try_from(it["pid"].as_u64()?).ok()).collect()
    }
}

impl Arrivals {
    fn of(gate: Gate) -> Self {
        Self { gate, all: AtomicU64::new(0), unmarked: AtomicU64::new(0), keyless: AtomicU64::new(0) }
    }

    fn note(&self, request: &Received) {
        let path = request.target.strip_prefix('/').and_then(|path| path.split('/').next());
        if path != Some(self.gate.name()) {
            return;
        }
        self.all.fetch_add(1, Ordering::Relaxed);
        if request.header_bytes("x-gate") != [self.gate.mark().as_bytes()] {
            self.unmarked.fetch_add(1, Ordering::Relaxed);
        }
        if request.header_bytes("x-key") != [KEY.as_bytes()] {
            self.keyless.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// No request got past the plugin.
    pub fn check(&self, report: &mut Report) {
        for (count, what) in [(&self.unmarked, "unplugged"), (&self.keyless, "without the key")] {
            let count = count.load(Ordering::Relaxed);
            report.check(
                count == 0,
                format!("{}: {count} requests reached the upstream {what}", self.gate.name()),
            );
        }
    }
}
