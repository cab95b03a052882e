//! Counts for Prometheus under the reference's names (bundled-plugins.md, section 7).

mod table;

use std::sync::Arc;

use polygate_chain::{Exchange, Handler, Phase, Session, Source};
use polygate_model::Id;
use serde::Deserialize;

pub use self::table::{Facts, Table, Traffic};
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
        let is_services = exchange.source() == Source::Service;
        let measured = Measured::of(exchange);
        let consumer = measured.consumer.filter(|_| self.per_consumer);
        let who = Who {
            id: consumer.map_or_else(Id::nil, |consumer| consumer.id),
            name: consumer.and_then(|consumer| consumer.username.as_deref()).unwrap_or_default(),
        };
        self.count(&measured, is_services, Some(who));
        Ok(())
    }

    /// One that was to be proxied is the service's, whatever came of that, as in the reference.
    async fn log_stream(&self, session: &mut Session) -> Outcome {
        let is_services = session.answer.is_none() && session.timings.balancer.start.is_some();
        self.count(&Measured::of_stream(session), is_services, None);
        Ok(())
    }
}

impl Prometheus {
    /// Without a consumer it is a stream.
    fn count(&self, measured: &Measured, is_services: bool, who: Option<Who>) {
        let session = measured.session;
        // What matched no route is nobody's.
        let Some(service) = session.service() else { return };
        let place = Place { service: service.id, route: session.route().map(|route| route.id) };
        let names = || {
            let service = service.name.clone().unwrap_or_else(|| service.host.clone());
            let route = session.route();
            let route = route.map(|route| route.name.clone().unwrap_or_else(|| route.id.to_string()));
            (service, route.unwrap_or_default())
        };
        let table = &self.shared.prometheus;
        if self.statuses {
            table.count(place, measured.status, is_services, who, names);
        }
        if self.bandwidth {
            table.bytes(place, [measured.request_size, measured.response_size], who, names);
        }
        if self.latencies {
            let (kong, whole) = (Some(measured.kong_latency), Some(measured.latency));
            let latencies = match who {
                Some(_) => [kong, measured.upstream_latency, whole, None],
                None => [kong, None, None, whole],
            };
            table.latencies(place, latencies, names);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;
    use polygate_chain::pdk::fixture;
    use polygate_chain::{Answer, Phase};
    use serde_json::json;

    use super::*;
    use crate::tests::{handler_with, outside, run};

    #[test]
    fn what_is_counted_is_what_was_asked_for() {
        let shared = outside();
        let facts = Facts { node: Id::nil(), http: Traffic::default(), streams: None };
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

    #[tokio::test]
    async fn streams_have_families_and_labels_of_their_own() {
        let (shared, mut session) = (outside(), fixture::stream());
        let config = json!({
            "status_code_metrics": true, "bandwidth_metrics": true, "latency_metrics": true, "per_consumer": true,
        });
        let handler = handler_with("prometheus", config, &shared);
        handler.run(Phase::Log, (&mut session).into()).await.unwrap();
        session.answer = Some(Answer { source: Source::Exit, status: 403, body: Bytes::new() });
        session.stream.as_mut().unwrap().status = 403;
        handler.run(Phase::Log, (&mut session).into()).await.unwrap();
        let traffic = Traffic { connections: 5, active: 1, requests: 5 };
        let facts = Facts { node: Id::nil(), http: Traffic::default(), streams: Some(traffic) };
        let text = shared.prometheus.render(&facts);
        let route = session.route().unwrap().id;
        let place = format!(r#"service="service.test",route="{route}""#);
        for line in [
            format!(
                r#"kong_stream_sessions_total{{{place},code="200",source="service",workspace="default"}} 1"#
            ),
            format!(
                r#"kong_stream_sessions_total{{{place},code="403",source="kong",workspace="default"}} 1"#
            ),
            format!(r#"kong_bandwidth_bytes{{{place},direction="ingress",workspace="default"}} 14"#),
            format!(r#"kong_bandwidth_bytes{{{place},direction="egress",workspace="default"}} 22"#),
            format!(r#"kong_session_duration_ms_count{{{place},workspace="default"}} 2"#),
            format!(r#"kong_kong_latency_ms_count{{{place},workspace="default"}} 2"#),
            format!(
                r#"kong_nginx_connections_total{{node_id="{}",subsystem="stream",state="active"}} 1"#,
                Id::nil()
            ),
        ] {
            assert!(text.lines().any(|it| it == line), "{line} is missing:\n{text}");
        }
        assert!(
            !text.contains("kong_http_requests_total") && !text.contains("kong_request_latency_ms"),
            "{text}"
        );
    }
}
