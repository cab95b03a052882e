//! `/metrics`, in Prometheus' text format.

use std::fmt::Write;
use std::sync::atomic::Ordering::Relaxed;

use polygate_http::METRICS;
use polygate_plugin_host::{PluginCounts, PluginServers};

use crate::control::Control;

pub fn render(control: &Control) -> String {
    let mut out = String::new();
    METRICS.render(&mut out);
    let statistics = &control.node.statistics;
    family(&mut out, "polygate_connections_active", "gauge", "Client connections that are open.");
    line(&mut out, "polygate_connections_active", &[], statistics.connections_active.load(Relaxed));
    family(&mut out, "polygate_connections_total", "counter", "Client connections accepted.");
    line(&mut out, "polygate_connections_total", &[], statistics.connections_accepted.load(Relaxed));
    let loads = control.loads.borrow();
    family(
        &mut out,
        "polygate_configuration_loads_total",
        "counter",
        "Configurations loaded, failed ones too.",
    );
    line(&mut out, "polygate_configuration_loads_total", &[], loads.generation);
    family(&mut out, "polygate_configuration_ok", "gauge", "Whether the last load succeeded.");
    line(&mut out, "polygate_configuration_ok", &[], loads.error.is_none().into());
    if let Some(current) = control.current() {
        plugins(&mut out, &current.servers.counts());
        servers(&mut out, &current.servers);
    }
    out
}

fn plugins(out: &mut String, counts: &[PluginCounts]) {
    family(out, "polygate_plugin_events_total", "counter", "Handlers run, whatever way they ended.");
    for it in counts {
        line(
            out,
            "polygate_plugin_events_total",
            &[("server", &it.server), ("plugin", &it.plugin)],
            it.events,
        );
    }
    family(out, "polygate_plugin_failures_total", "counter", "Handlers that failed, by reason.");
    for it in counts {
        for (reason, count) in &it.failures {
            let labels = [("server", &*it.server), ("plugin", &it.plugin), ("reason", reason)];
            line(out, "polygate_plugin_failures_total", &labels, *count);
        }
    }
    family(out, "polygate_plugin_passed_total", "counter", "Failures that let the request go on.");
    for it in counts {
        line(
            out,
            "polygate_plugin_passed_total",
            &[("server", &it.server), ("plugin", &it.plugin)],
            it.passed,
        );
    }
}

fn servers(out: &mut String, servers: &PluginServers) {
    let servers = servers.status();
    family(out, "polygate_plugin_server_up", "gauge", "Whether the plugin server takes events.");
    for it in &servers {
        line(out, "polygate_plugin_server_up", &[("server", &it.name)], (it.state == "ready").into());
    }
    family(out, "polygate_plugin_server_starts_total", "counter", "Processes started for the plugin server.");
    for it in &servers {
        line(out, "polygate_plugin_server_starts_total", &[("server", &it.name)], it.starts);
    }
}

fn family(out: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

fn line(out: &mut String, name: &str, labels: &[(&str, &str)], value: u64) {
    out.push_str(name);
    for (index, (label, text)) in labels.iter().enumerate() {
        let text = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        let _ = write!(out, "{}{label}=\"{text}\"", if index == 0 { '{' } else { ',' });
    }
    let _ = writeln!(out, "{} {value}", if labels.is_empty() { "" } else { "}" });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_have_escaped_labels() {
        let mut out = String::new();
        line(&mut out, "a_total", &[], 1);
        line(&mut out, "b_total", &[("server", "x"), ("plugin", "\"\\\n")], 2);
        assert_eq!(out, "a_total 1\nb_total{server=\"x\",plugin=\"\\\"\\\\\\n\"} 2\n");
    }
}
