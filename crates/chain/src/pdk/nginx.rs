//! `kong.nginx`: what Kong's plugins know from the server it is built on, computed from the request.

use std::net::IpAddr;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use http::Version;
use polygate_model::entities::DEFAULT_WORKSPACE;
use polygate_telemetry::clock::{self, DateTime};

use crate::pdk::{PdkResult, args, client, headers, query, request};
use crate::timings::{Span, Timings};
use crate::{Key, Phase, RequestContext, Source, Value, serialize};

/// A variable by its name in nginx; nil for unknown ones.
pub fn get_var(context: &mut RequestContext, args: &[Value]) -> PdkResult {
    let name = args::text(args, 0, "name")?;
    Ok(match request_variable(context, name) {
        Value::Nil => match connection_variable(context, name) {
            Value::Nil => upstream_variable(context, name)?,
            value => value,
        },
        value => value,
    })
}

/// Nil without TLS.
pub fn get_tls1_version_str(context: &mut RequestContext, _args: &[Value]) -> PdkResult {
    Ok(context.connection.tls.as_ref().map(|tls| tls.version).into())
}

/// What [`set_ctx`] stored, else one of the values that Kong keeps there.
pub fn get_ctx(context: &mut RequestContext, args: &[Value]) -> PdkResult {
    let key = args::text(args, 0, "key")?;
    Ok(match context.nginx_ctx.get(key) {
        Some(value) => value.clone(),
        None => internal(context, key),
    })
}

/// A nil value removes the key.
pub fn set_ctx(context: &mut RequestContext, args: &[Value]) -> PdkResult {
    super::store(&mut context.nginx_ctx, args::text(args, 0, "key")?, args::at(args, 1));
    Ok(Value::Nil)
}

/// Unix seconds with milliseconds as their fraction.
pub fn req_start_time(context: &mut RequestContext, _args: &[Value]) -> PdkResult {
    Ok(Value::number(context.timings.unix_ms(context.timings.start) as f64 / 1000.0))
}

/// `http` or `stream`.
pub fn get_subsystem(context: &mut RequestContext, _args: &[Value]) -> PdkResult {
    Ok(if serialize::is_stream(context) { "stream" } else { "http" }.into())
}

pub fn get_statistics(context: &mut RequestContext, _args: &[Value]) -> PdkResult {
    let statistics = &context.environment.node.statistics;
    let active = statistics.connections_active.load(Ordering::Relaxed);
    let busy = statistics.requests_active.load(Ordering::Relaxed);
    let accepted = statistics.connections_accepted.load(Ordering::Relaxed);
    let counters = [
        ("connections_active", active),
        ("connections_reading", 0),
        ("connections_writing", busy),
        ("connections_waiting", active.saturating_sub(busy)),
        ("connections_accepted", accepted),
        ("connections_handled", accepted),
        ("total_requests", statistics.requests_total.load(Ordering::Relaxed)),
    ];
    Ok(Value::Map(
        counters.into_iter().map(|(name, count)| (Key::from(name), Value::Int(count as i64))).collect(),
    ))
}

fn request_variable(context: &RequestContext, name: &str) -> Value {
    let request = &context.request;
    let header = |name: &str| headers::first(&request.headers, name.as_bytes());
    match name {
        "host" => request::host(context).into(),
        "args" | "query_string" => request::raw_query(context).into(),
        "is_args" => if request.query.is_some() { "?" } else { "" }.into(),
        "request" => format!("{} {} {}", request.method, request.target, protocol(request.version)).into(),
        "request_method" => request.method.as_str().into(),
        "request_uri" => request.target.as_str().into(),
        "uri" | "document_uri" => query::unescape(request.path.as_bytes(), false).into(),
        "server_protocol" => protocol(request.version).into(),
        "request_length" => request.size.to_string().into(),
        "request_time" => seconds(context.timings.elapsed()),
        "request_id" | "kong_request_id" => context.request_id.as_str().into(),
        "request_body" => context.request_body.bytes().cloned().into(),
        "content_type" | "content_length" => header(name),
        "status" => {
            Some(context.response.status).filter(|&status| status > 0).map(|it| it.to_string()).into()
        }
        "bytes_sent" => context.bytes_sent.to_string().into(),
        "body_bytes_sent" => context.body_bytes_sent.to_string().into(),
        "connection_requests" => request.serial.to_string().into(),
        _ => match split_family(name) {
            Some(("http", header_name)) => header(header_name),
            Some(("sent_http", name)) => headers::first(&context.response.headers, name.as_bytes()),
            Some(("arg", name)) => argument(request::raw_query(context), name),
            Some(("cookie", name)) => cookie(context, name),
            _ => Value::Nil,
        },
    }
}

fn connection_variable(context: &RequestContext, name: &str) -> Value {
    let connection = &context.connection;
    let tls = connection.tls.as_ref();
    let leaf = || serialize::leaf_certificate(tls?.client_chain.as_deref()?);
    match name {
        "remote_addr" => client::address(context.client.ip()),
        "remote_port" => context.client.port().to_string().into(),
        "realip_remote_addr" => client::address(connection.peer.ip()),
        "realip_remote_port" => connection.peer.port().to_string().into(),
        "binary_remote_addr" => match context.client.ip().to_canonical() {
            IpAddr::V4(ip) => Value::str(ip.octets()),
            IpAddr::V6(ip) => Value::str(ip.octets()),
        },
        "server_addr" => client::address(connection.local.ip()),
        "server_port" => connection.local.port().to_string().into(),
        "server_name" => request::SERVER_NAME.into(),
        "scheme" => context.scheme().into(),
        "https" => if tls.is_some() { "on" } else { "" }.into(),
        "hostname" => context.environment.node.hostname.as_str().into(),
        "connection" => connection.serial.to_string().into(),
        "pid" => std::process::id().to_string().into(),
        "msec" => seconds(clock::unix_now()),
        "time_iso8601" => DateTime::now().iso8601().to_string().into(),
        "time_local" => DateTime::now().common_log().to_string().into(),
        "ssl_protocol" => tls.map(|tls| tls.version).into(),
        "ssl_cipher" => tls.map(|tls| tls.cipher.as_str()).into(),
        "ssl_server_name" => tls.and_then(|tls| tls.sni.as_deref()).into(),
        "ssl_client_verify" => tls.map(|tls| serialize::client_verify(context, tls)).into(),
        "ssl_client_raw_cert" => leaf().into(),
        "ssl_client_cert" => leaf().map(|pem| pem.trim_end().replace('\n', "\n\t")).into(),
        "ssl_client_escaped_cert" => leaf().map(|pem| query::escape(pem.as_bytes())).into(),
        _ => Value::Nil,
    }
}

fn upstream_variable(context: &mut RequestContext, name: &str) -> PdkResult {
    match name {
        "upstream_x_forwarded_proto" => return request::get_forwarded_scheme(context, &[]),
        "upstream_x_forwarded_host" => return request::get_forwarded_host(context, &[]),
        "upstream_x_forwarded_port" => {
            return Ok(request::get_forwarded_port(context, &[])?
                .as_int()
                .map(|port| port.to_string())
                .into());
        }
        "upstream_x_forwarded_path" => return request::get_forwarded_path(context, &[]),
        "upstream_x_forwarded_prefix" => return request::get_forwarded_prefix(context, &[]),
        _ => {}
    }
    let (upstream, timings) = (&context.upstream, &context.timings);
    let sent = upstream.sent.as_ref();
    let response = context.service_response.as_ref();
    let tries = context.tries.iter().map(|attempt| attempt.address.to_string());
    let time = |span: Span| span.duration().map_or(Value::Nil, seconds);
    Ok(match name {
        "upstream_addr" => Some(tries.collect::<Vec<_>>().join(", ")).filter(|it| !it.is_empty()).into(),
        "upstream_status" => Some(serialize::upstream_status(context)).filter(|it| !it.is_empty()).into(),
        "upstream_header_time" => time(timings.upstream),
        "upstream_response_time" => {
            let body = timings.receive.duration().unwrap_or_default();
            timings.upstream.duration().map_or(Value::Nil, |head| seconds(head + body))
        }
        "upstream_response_length" => {
            response.and_then(|it| it.body.as_ref()).map(|body| body.len().to_string()).into()
        }
        "upstream_host" => sent.map(|sent| sent.host.as_str()).or(upstream.host_header.as_deref()).into(),
        "upstream_uri" => sent.map(|sent| sent.uri.as_str()).or(upstream.path.as_deref()).into(),
        "upstream_scheme" => sent.map(|sent| sent.scheme).or(upstream.scheme.as_deref()).into(),
        "upstream_x_forwarded_for" => forwarded_for(context),
        "upstream_upgrade" => headers::first(&context.request.headers, b"upgrade"),
        "upstream_connection" => {
            let upgrades = context.request.headers.contains_key("upgrade");
            if upgrades { "keep-alive, Upgrade" } else { "keep-alive" }.into()
        }
        "kong_proxy_mode" => "http".into(),
        _ => match (name.strip_prefix("upstream_http_"), response) {
            (Some(name), Some(response)) => headers::first(&response.headers, name.as_bytes()),
            _ => Value::Nil,
        },
    })
}

/// The values of Kong's internal request context that plugins are known to read: moments in Unix
/// milliseconds, durations in milliseconds, and a few facts.
fn internal(context: &RequestContext, key: &str) -> Value {
    if let Some(name) = key.strip_prefix("KONG_") {
        return timing(context, name);
    }
    let facts = &context.environment;
    match key {
        "authenticated_consumer" => context.consumer.consumer.clone().into(),
        "authenticated_credential" => context.consumer.credential.clone().into(),
        "route" => context.route().map(super::entity).into(),
        "service" => context.service().map(super::entity).into(),
        "host_port" => Value::Int(facts.outside_port(context.connection.local.port()).into()),
        "scheme" => context.scheme().into(),
        "host" => request::host(context).into(),
        "request_uri" => context.request.target.as_str().into(),
        "workspace" => DEFAULT_WORKSPACE.to_string().into(),
        "plugin_id" => context.plugin.as_ref().map(|plugin| plugin.id.to_string()).into(),
        "request_id" => context.request_id.as_str().into(),
        _ => Value::Nil,
    }
}

fn timing(context: &RequestContext, name: &str) -> Value {
    let timings: &Timings = &context.timings;
    let moment = |moment: Option<Instant>| moment.map(|moment| timings.unix_ms(moment)).into();
    let duration = |duration: Option<Duration>| duration.map(|it| it.as_millis() as i64).into();
    let short_circuited = context.answer.is_some() && !context.proxied;
    match name {
        "PROCESSING_START" => moment(Some(timings.start)),
        "REWRITE_START" => moment(timings.rewrite.start),
        "REWRITE_TIME" => duration(timings.rewrite.duration()),
        "PREREAD_START" if context.phase == Phase::Preread => {
            moment(timings.access.start.or(Some(timings.start)))
        }
        "ACCESS_START" => moment(timings.access.start),
        "ACCESS_ENDED_AT" => moment(timings.access.end),
        "ACCESS_TIME" => duration(timings.access.duration()),
        "BALANCER_START" => moment(timings.balancer.start),
        "BALANCER_ENDED_AT" => moment(timings.balancer.end),
        "BALANCER_TIME" => duration(timings.balancer.duration()),
        "RESPONSE_START" => moment(timings.response.start),
        "RESPONSE_ENDED_AT" => moment(timings.response.end),
        "RESPONSE_TIME" => duration(timings.response.duration()),
        "HEADER_FILTER_START" => moment(timings.upstream.end),
        "HEADER_FILTER_TIME" => {
            duration(timings.receive.start.zip(timings.upstream.end).map(|(to, from)| to - from))
        }
        "BODY_FILTER_START" => moment(timings.receive.start),
        "BODY_FILTER_ENDED_AT" => moment(timings.receive.end),
        "BODY_FILTER_TIME" | "RECEIVE_TIME" => duration(timings.receive.duration()),
        "LOG_START" => moment(timings.log),
        "WAITING_TIME" => duration(timings.upstream.duration()),
        "PROXY_LATENCY" => duration(timings.until_proxied()),
        "RESPONSE_LATENCY" if short_circuited => duration(Some(timings.elapsed())),
        "PROXIED" if context.proxied => Value::Bool(true),
        "EXITED" if context.source() == Source::Exit => Value::Bool(true),
        _ => Value::Nil,
    }
}

/// `http_x_y` is `x_y` of the family `http`.
fn split_family(name: &str) -> Option<(&'static str, &str)> {
    ["http", "sent_http", "arg", "cookie"].into_iter().find_map(|family| {
        let rest = name.strip_prefix(family)?.strip_prefix('_')?;
        Some((family, rest))
    })
}

/// Not decoded, and names without regard to case: so nginx has it.
fn argument(query: &str, name: &str) -> Value {
    let is_named = |key: &str| key.eq_ignore_ascii_case(name);
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.find(|(key, _)| is_named(key)).map(|(_, value)| value).into()
}

fn cookie(context: &RequestContext, name: &str) -> Value {
    let lines = context.request.headers.get_all("cookie").iter().filter_map(|line| line.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| value).into()
}

fn forwarded_for(context: &RequestContext) -> Value {
    let peer = context.connection.peer.ip().to_canonical();
    match headers::first(&context.request.headers, b"x-forwarded-for").as_str() {
        Some(before) if !before.is_empty() => format!("{before}, {peer}").into(),
        _ => peer.to_string().into(),
    }
}

fn protocol(version: Version) -> String {
    format!("{version:?}")
}

fn seconds(duration: Duration) -> Value {
    format!("{}.{:03}", duration.as_secs(), duration.subsec_millis()).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pdk::fixture::{self, thrown};

    #[test]
    fn variables() {
        let context = &mut fixture::context(
            "GET",
            "/a%20b?Q=1%202&q=3",
            &[("host", "Client.test:8000"), ("x-a-b", "v"), ("cookie", "c=1; d=2")],
        );
        context.response.headers = fixture::headers(&[("x-out", "o")]);
        for (name, expected) in [
            ("remote_addr", Some("203.0.113.9")),
            ("realip_remote_port", Some("40000")),
            ("binary_remote_addr", Some("\u{cb}\0q\t")),
            ("server_port", Some("8000")),
            ("host", Some("client.test")),
            ("https", Some("")),
            ("http_x_a_b", Some("v")),
            ("sent_http_x_out", Some("o")),
            ("arg_q", Some("1%202")),
            ("cookie_d", Some("2")),
            ("cookie_e", None),
            ("is_args", Some("?")),
            ("request", Some("GET /a%20b?Q=1%202&q=3 HTTP/1.1")),
            ("uri", Some("/a b")),
            ("status", None),
            ("ssl_protocol", None),
            ("upstream_addr", None),
            ("upstream_x_forwarded_port", Some("8000")),
            ("upstream_x_forwarded_for", Some("127.0.0.1")),
            ("no_such_variable", None),
        ] {
            let got = get_var(context, &[name.into()]).unwrap();
            // Latin-1, since one of them is raw bytes.
            let got = got.as_bytes().map(|bytes| bytes.iter().map(|&byte| byte as char).collect::<String>());
            assert_eq!(got.as_deref(), expected, "of {name}");
        }
        assert_eq!(get_var(context, &[]), thrown("name must be a string"));
    }

    #[test]
    fn context_values() {
        let context = &mut fixture::routed("/");
        let ctx = |context: &mut RequestContext, key: &str| get_ctx(context, &[key.into()]).unwrap();
        assert_eq!(ctx(context, "KONG_ACCESS_START"), Value::Nil);
        context.timings.access.begin();
        let start = ctx(context, "KONG_ACCESS_START").as_int().unwrap();
        let processing = ctx(context, "KONG_PROCESSING_START").as_int().unwrap();
        assert!(start >= processing && processing > 1_600_000_000_000, "{start} {processing}");
        assert_eq!(ctx(context, "KONG_PROXIED"), Value::Nil);
        context.proxied = true;
        assert_eq!(ctx(context, "KONG_PROXIED"), Value::Bool(true));
        assert_eq!(ctx(context, "host_port"), Value::Int(8000));
        set_ctx(context, &["host_port".into(), "mine".into()]).unwrap();
        assert_eq!(ctx(context, "host_port"), "mine".into());
        set_ctx(context, &["host_port".into()]).unwrap();
        assert_eq!(ctx(context, "host_port"), Value::Int(8000));
        let seconds = req_start_time(context, &[]).unwrap();
        assert_eq!(seconds, Value::number(processing as f64 / 1000.0));
    }

    #[test]
    fn statistics_are_those_of_the_node() {
        let context = &mut fixture::routed("/");
        context.environment.node.statistics.connections_active.store(5, Ordering::Relaxed);
        context.environment.node.statistics.requests_active.store(2, Ordering::Relaxed);
        let statistics = get_statistics(context, &[]).unwrap();
        assert_eq!(statistics.get("connections_waiting"), &Value::Int(3));
        assert_eq!(statistics.get("connections_writing"), &Value::Int(2));
        assert_eq!(get_subsystem(context, &[]), Ok("http".into()));
    }
}
