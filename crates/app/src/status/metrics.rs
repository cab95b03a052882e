//! `/metrics`, in Prometheus' text format.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use polygate_bundled::prometheus::{Facts, Traffic};
use polygate_http::METRICS;
use polygate_telemetry::metrics::Scrape;
use polygate_telemetry::trace::ExportCounts;

use super::targets;
use crate::configuration::Configuration;
use crate::control::Control;

pub fn render(control: &Control) -> String {
    let scrape = Scrape::default();
    polygate_transport::METRICS.show(&scrape);
    polygate_stream::METRICS.show(&scrape);
    METRICS.show(&scrape);
    node(&scrape, control);
    #[cfg(feature = "count-allocations")]
    scrape.counted(
        "polygate_allocations_total",
        "Times that memory was allocated.",
        &[],
        polygate_telemetry::allocations::count() as f64,
    );
    if let Some(tracer) = &control.tracer {
        traces(&scrape, tracer.counts());
    }
    if let Some(current) = control.current() {
        current.servers.bundled.show(&scrape);
        current.plugin_servers.show(&scrape);
        targets::show(&scrape, &current.gateway.balancers, &current.gateway.environment.entities);
    }
    let mut text = scrape.render();
    if let Some(current) = control.current()
        && current
            .gateway
            .environment
            .entities
            .plugins
            .values()
            .any(|it| it.name == "prometheus" && it.enabled)
    {
        text.push_str(&current.servers.bundled.prometheus.render(&facts(control, &current)));
    }
    text
}

fn facts(control: &Control, current: &Configuration) -> Facts {
    let (statistics, streams) = (&control.node.statistics, &polygate_stream::METRICS);
    let http = Traffic {
        connections: statistics.connections_accepted.load(Relaxed),
        active: statistics.connections_active.load(Relaxed),
        requests: statistics.requests_total.load(Relaxed),
    };
    let streams = || {
        let begun = streams.begun();
        Traffic { connections: begun, active: streams.open(), requests: begun }
    };
    let listens = !current.servers.settings.stream_listen.is_empty();
    Facts { node: control.node.id, http, streams: listens.then(streams) }
}

fn node(scrape: &Scrape, control: &Control) {
    let count = |counter: &AtomicU64| counter.load(Relaxed) as f64;
    let statistics = &control.node.statistics;
    scrape.gauge(
        "polygate_connections_active",
        "Client connections that are open.",
        &[],
        count(&statistics.connections_active),
    );
    scrape.gauge(
        "polygate_requests_active",
        "Requests that are read or answered at the moment.",
        &[],
        count(&statistics.requests_active),
    );
    scrape.counted(
        "polygate_connections_total",
        "Client connections accepted.",
        &[],
        count(&statistics.connections_accepted),
    );
    if let Some(access_log) = &control.logs.borrow().access {
        scrape.counted(
            "polygate_access_log_lines_lost_total",
            "Lines that were not written, as the file took them too slowly or not at all.",
            &[],
            access_log.lost() as f64,
        );
    }
    let loads = control.loads.borrow();
    scrape.counted(
        "polygate_configuration_loads_total",
        "Configurations loaded, failed ones too.",
        &[],
        loads.generation as f64,
    );
    let is_ok = f64::from(loads.error.is_none());
    scrape.gauge("polygate_configuration_ok", "Whether the last load succeeded.", &[], is_ok);
    let version = [("version", env!("CARGO_PKG_VERSION"))];
    scrape.gauge("polygate_build_info", "Always 1; the version is a label.", &version, 1.0);
}

fn traces(scrape: &Scrape, counts: &ExportCounts) {
    for (outcome, count) in
        [("exported", counts.exported()), ("failed", counts.failed()), ("dropped", counts.dropped())]
    {
        scrape.counted(
            "polygate_trace_spans_total",
            "Finished spans: exported, failed to reach the collector, dropped by the full queue.",
            &[("outcome", outcome)],
            count as f64,
        );
    }
}
