//! The `tracing_` properties.

use super::reader::Reader;
use crate::units::number;

/// What is traced, how often, and where the traces go.
#[derive(Debug, Clone, PartialEq)]
pub struct Tracing {
    /// Empty: tracing is off.
    pub instrumentations: Vec<Instrumentation>,
    /// 0 to 1; share of the requests whose caller did not decide.
    pub sampling_rate: f64,
    /// Full URL of an OTLP collector over plain HTTP.
    pub endpoint: Option<String>,
}

/// Something that can be traced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Instrumentation {
    Request,
    Router,
    Balancer,
    PluginRewrite,
    PluginAccess,
    PluginHeaderFilter,
    PluginLog,
}

use Instrumentation::{
    Balancer, PluginAccess, PluginHeaderFilter, PluginLog, PluginRewrite, Request, Router,
};

/// `all` is the only way to trace handlers of `log`, which Kong does not.
const ALL: [Instrumentation; 7] =
    [Request, Router, Balancer, PluginRewrite, PluginAccess, PluginHeaderFilter, PluginLog];

/// Known and without a span here: there is no database, and the rest takes microseconds.
const WITHOUT_SPANS: [&str; 3] = ["db_query", "dns_query", "http_client"];

pub(super) fn resolve(reader: &mut Reader<'_>) -> Tracing {
    Tracing {
        instrumentations: instrumentations(reader),
        sampling_rate: sampling_rate(reader),
        endpoint: endpoint(reader),
    }
}

fn instrumentations(reader: &mut Reader<'_>) -> Vec<Instrumentation> {
    let names = reader.list("tracing_instrumentations");
    let mut traced = Vec::new();
    for name in &names {
        match name.as_str() {
            "off" => {}
            "all" => traced.extend(ALL),
            "request" => traced.push(Request),
            "router" => traced.push(Router),
            "balancer" => traced.push(Balancer),
            "plugin_rewrite" => traced.push(PluginRewrite),
            "plugin_access" => traced.push(PluginAccess),
            "plugin_header_filter" => traced.push(PluginHeaderFilter),
            name if WITHOUT_SPANS.contains(&name) => {
                reader.warn(format!("tracing_instrumentations: there are no spans for '{name}'"));
            }
            _ => reader.refuse(format!(
                "tracing_instrumentations: invalid entry '{name}' (off, all, request, router, balancer, \
                 plugin_rewrite, plugin_access, plugin_header_filter)"
            )),
        }
    }
    if names.len() > 1 && names.iter().any(|name| name == "off") {
        reader.refuse("tracing_instrumentations: 'off' excludes all other entries");
    }
    traced
}

fn sampling_rate(reader: &mut Reader<'_>) -> f64 {
    let rate = reader.text("tracing_sampling_rate").and_then(number).unwrap_or_default();
    if !(0.0..=1.0).contains(&rate) {
        reader.refuse(format!("tracing_sampling_rate must be between 0 and 1, got '{rate}'"));
    }
    rate
}

fn endpoint(reader: &mut Reader<'_>) -> Option<String> {
    let url = reader.text("tracing_endpoint")?;
    if url.starts_with("https://") {
        reader.refuse(format!(
            "tracing_endpoint has an unsupported value: '{url}' (TLS is not built; name a collector nearby \
             with http)"
        ));
    } else if url.strip_prefix("http://").is_none_or(|rest| rest.is_empty() || rest.starts_with('/')) {
        reader.refuse(format!(
            "tracing_endpoint must be a URL such as http://127.0.0.1:4318/v1/traces, got '{url}'"
        ));
    }
    Some(url.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conf::Values;

    fn read(pairs: &[(&str, &str)]) -> (Tracing, Vec<String>) {
        let values = Values::from_pairs(pairs);
        let mut reader = Reader::new(&values);
        let tracing = resolve(&mut reader);
        let problems = reader.errors.iter().map(ToString::to_string);
        (tracing, problems.chain(reader.warnings.into_iter().map(|it| it.message)).collect())
    }

    #[test]
    fn what_is_traced() {
        for (text, expected) in [
            ("off", vec![]),
            ("request", vec![Request]),
            ("all", ALL.to_vec()),
            ("request, plugin_access", vec![Request, PluginAccess]),
        ] {
            let (tracing, problems) = read(&[("tracing_instrumentations", text)]);
            assert_eq!((tracing.instrumentations, problems), (expected, vec![]), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_is_said() {
        for (property, text, problem) in [
            ("tracing_instrumentations", "off,request", "'off' excludes all other entries"),
            ("tracing_instrumentations", "requests", "invalid entry 'requests' (off, all,"),
            ("tracing_instrumentations", "db_query", "there are no spans for 'db_query'"),
            ("tracing_sampling_rate", "1.5", "must be between 0 and 1, got '1.5'"),
            ("tracing_sampling_rate", "-1", "must be between 0 and 1, got '-1'"),
            ("tracing_endpoint", "https://collector/v1/traces", "TLS is not built"),
            ("tracing_endpoint", "collector:4318", "got 'collector:4318'"),
            ("tracing_endpoint", "http:///v1/traces", "got 'http:///v1/traces'"),
        ] {
            let (_, problems) = read(&[(property, text)]);
            assert!(matches!(&problems[..], [one] if one.contains(problem)), "{text}: {problems:?}");
        }
    }
}
