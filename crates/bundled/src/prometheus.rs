//! Counts for Prometheus under the reference's names (bundled-plugins.md, section 7).

mod table;

use std::sync::Arc;

use polygate_chain::{Exchange, Handler, Phase, Source};
use polygate_model::Id;
use serde::Deserialize;

pub use self::table::{Facts, Table};
use self::table::{Place, Who};
use crate::metrics::Measured;
use crate::plugin::{self, Bundled, Hooks, Outcome};
use crate::shared::Shared;

pub const PLUGIN: Bundled = Bundled {
    name: "prometheus",
    priority: 13,
    phases: &[Phase::Log],
    schema: include_str!("prometheus/schema.json"),
    checks: &[],
    configure,
};

#[derive(Deserialize)]
struct Config {
    per_consumer: Option<bool>,
    status_code_metrics: Option<bool>,
    latency_metrics: Option<bool>,
    bandwidth_metrics: Option<bool>,
}

struct Prometheus {
    per_consumer: bool,
    statuses: bool,
    latencies: bool,
    bandwidth: bool,
    shared: Arc<Shared>,
}

fn configure(plugin: &Arc<polygate_model::Plugin>, shared: &Arc<Shared>) -> Result<Arc<dyn Handler>, String> {
    let config: Config = plugin::config(plugin)?;
    plugin::handler(Prometheus {
        per_consumer: config.per_consumer.unwrap_or_default(),
        statuses: config.status_code_metrics.unwrap_or_default(),
        latencies: config.latency_metrics.unwrap_or_default(),
        bandwidth: config.bandwidth_metrics.unwrap_or_default(),
        shared: shared.clone(),
    })
}

impl Hooks for Prometheus {
    async fn log(&self, exchange: &mut Exchange) -> Outcome {
        // What matched no route is nobody's.
        let Some(service) = exchange.session.service() else { return Ok(()) };
        let route = exchange.session.route().map(|route| route.id);
        let place = Place { service: service.id, route };
        let names = || {
            let service = service.name.clone().unwrap_or_else(|| service.host.clone());
            let route = exchange.session.route();
            let route = route.map(|route| route.name.clone().unwrap_or_else(|| route.id.to_string()));
            (service, route.unwrap_or_default())
        };
        let consumer = exchange.known_consumer().filter(|_| self.per_consumer);
        let who = Who {
            id: consumer.map_or_else(Id::nil, |consumer| consumer.id),
            name: || consumer.and_then(|consumer| consumer.username.clone()).unwrap_or_default(),
        };
        let measured = Measured::of(exchange);
        let is_services = exchange.source() == Source::Service;
        let table = &self.shared.prometheus;
        if self.statuses {
            table.count(place, measured.status, is_services, &who, names);
        }
        if self.bandwidth {
            table.bytes(place, [measured.request_size, measured.response_size], &who, names);
        }
        if self.latencies {
            let [kong, upstream] = [Some(measured.kong_latency), measured.upstream_latency];
            table.latencies(place, [kong, upstream, Some(measured.latency)], names);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use polygate_chain::Phase;
    use polygate_chain::pdk::fixture;
    use serde_json::json;

    use super::*;
    use crate::tests::{handler_with, outside, run};

    #[test]
    fn what_is_counted_is_what_was_asked_for() {
        let shared = outside();
        let facts = Facts { node: Id::nil(), connections: 3, active: 2, requests: 9 };
        for (config, family) in [
            (json!({"status_code_metrics": true}), "kong_http_requests_total"),
            (json!({"bandwidth_metrics": true}), "kong_bandwidth_bytes"),
            (json!({"latency_metrics": true}), "kong_request_latency_ms"),
        ] {
            let before = shared.prometheus.render(&facts);
            assert!(!before.contains(family), "{before}");
            let mut exchange = fixture::routed("/api");
            exchange.response.status = 201;
            run(&*handler_with("prometheus", config, &shared), Phase::Log, &mut exchange).unwrap();
            let text = shared.prometheus.render(&facts);
            assert!(text.contains(&format!("# TYPE {family} ")), "{text}");
        }
        let text = shared.prometheus.render(&facts);
        let line = "code=\"201\",source=\"kong\",workspace=\"default\",consumer=\"\"} 1\n";
        assert!(text.contains(line), "{text}");
        assert!(text.contains("le=\"+Inf\"} 1\n") && text.contains("kong_datastore_reachable 1\n"), "{text}");
        drop(Arc::clone(&shared));
    }
}
