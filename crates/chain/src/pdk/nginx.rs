//! `kong.nginx`: what Kong's plugins know from the server it is built on, computed from the request.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use http::Version;
use polygate_http1::Headers;
use polygate_model::entities::DEFAULT_WORKSPACE;
use polygate_model::{Route, Written};
use polygate_telemetry::clock::{self, DateTime};

use crate::exchange::entity;
use crate::pdk::ctx_shared::store;
use crate::pdk::{client, headers, query, request};
use crate::session::Stream;
use crate::timings::{Span, Timings};
use crate::{
    Exchange, HeldBody, Key, Phase, Session, Source, Value, client_certificate, credentials, facts, forwarded,
};

/// A variable by its name in nginx; nil for unknown ones.
pub fn get_var(exchange: &Exchange, name: Cow<'_, str>) -> Value {
    let name = &name.to_ascii_lowercase();
    match request_variable(exchange, name) {
        Value::Nil => match connection_variable(&exchange.session, name) {
            Value::Nil => upstream_variable(exchange, name),
            value => value,
        },
        value => value,
    }
}

/// [`get_var`] where there is no request, and so none of its variables.
pub fn get_var_of_session(session: &Session, name: Cow<'_, str>) -> Value {
    let name = &name.to_ascii_lowercase();
    match &session.stream {
        Some(stream) => match stream_variable(session, stream, name) {
            Value::Nil => connection_variable(session, name),
            value => value,
        },
        None => connection_variable(session, name),
    }
}

/// `None` without TLS.
pub fn get_tls1_version_str(session: &Session) -> Option<&'static str> {
    session.connection.tls.as_ref().map(|tls| tls.version)
}

/// What [`set_ctx`] stored, else one of the values that Kong keeps there.
pub fn get_ctx(exchange: &Exchange, key: Option<Cow<'_, str>>) -> Value {
    let Some(key) = key else { return Value::Nil };
    stored(&exchange.session, &key).unwrap_or_else(|| internal(exchange, &key))
}

/// [`get_ctx`] where there is no request.
pub fn get_ctx_of_session(session: &Session, key: Option<Cow<'_, str>>) -> Value {
    let Some(key) = key else { return Value::Nil };
    stored(session, &key).unwrap_or_else(|| internal_of_session(session, &key))
}

/// A nil value removes the key.
pub fn set_ctx(session: &mut Session, key: Cow<'_, str>, value: &Value) {
    store(&mut session.nginx_ctx, key, value);
}

/// Unix seconds with milliseconds as their fraction.
pub fn req_start_time(session: &Session) -> f64 {
    let timings = &session.timings;
    timings.unix_ms(timings.start) as f64 / 1000.0
}

/// `http` or `stream`.
pub fn get_subsystem(session: &Session) -> &'static str {
    if session.stream.is_some() { "stream" } else { "http" }
}

pub fn get_statistics(session: &Session) -> Value {
    let statistics = &session.environment.node.statistics;
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
    Value::Map(
        counters.into_iter().map(|(name, count)| (Key::from(name), Value::Int(count as i64))).collect(),
    )
}

fn request_variable(exchange: &Exchange, name: &str) -> Value {
    let request = &exchange.request;
    let header = |name: &str| headers::first(&request.headers, name.as_bytes()).map(Value::str).into();
    match name {
        "host" => forwarded::host_name(exchange).as_ref().into(),
        "args" | "query_string" => request.query.clone().into(),
        "is_args" => match &request.query {
            Some(query) if !query.is_empty() => "?",
            _ => "",
        }
        .into(),
        "request" => {
            let (method, version) = (request.method.as_str(), protocol(request.version));
            Value::str([method.as_bytes(), b" ", &request.target, b" ", version.as_bytes()].concat())
        }
        "request_method" => request.method.as_str().into(),
        "request_uri" => request.target.clone().into(),
        "uri" | "document_uri" => Value::str(query::unescape(request.path.as_bytes(), false)),
        "server_protocol" => protocol(request.version).into(),
        "request_length" => request.size.to_string().into(),
        "request_time" => seconds(exchange.session.timings.elapsed()),
        "request_id" | "kong_request_id" => exchange.session.id.as_str().into(),
        "request_body" => match exchange.request_body.held() {
            Some(HeldBody::Memory(body)) if !body.is_empty() => body.clone().into(),
            _ => Value::Nil,
        },
        "request_body_file" => match exchange.request_body.held() {
            Some(HeldBody::File(file)) => file.path().to_string_lossy().as_ref().into(),
            _ => Value::Nil,
        },
        "request_completion" => if exchange.session.phase == Phase::Log { "OK" } else { "" }.into(),
        "remote_user" => credentials::basic_user(&request.headers).into(),
        "http2" => match (request.version, &exchange.session.connection.tls) {
            (Version::HTTP_2, Some(_)) => "h2",
            (Version::HTTP_2, None) => "h2c",
            _ => "",
        }
        .into(),
        "proxy_add_x_forwarded_for" => {
            let client = exchange.session.client.ip().to_canonical().to_string();
            match request.headers.joined(forwarded::FOR) {
                Some(before) => Value::str([&before, b", ".as_slice(), client.as_bytes()].concat()),
                None => client.into(),
            }
        }
        "content_type" | "content_length" => header(name),
        "status" => format!("{:03}", exchange.response.status).into(),
        "bytes_sent" => exchange.bytes_sent.to_string().into(),
        "body_bytes_sent" => exchange.body_bytes_sent.to_string().into(),
        "connection_requests" => request.serial.to_string().into(),
        _ => match split_family(name) {
            Some(("http", name)) => joined(&request.headers, name),
            Some(("sent_http", name)) => joined(&exchange.response.headers, name),
            Some(("arg", name)) => argument(request::get_raw_query(exchange), name),
            Some(("cookie", name)) => cookie(exchange, name),
            _ => Value::Nil,
        },
    }
}

/// Those of nginx's stream modules.
fn stream_variable(session: &Session, stream: &Stream, name: &str) -> Value {
    let bytes = |count: u64| count.to_string().into();
    match name {
        "protocol" => stream.transport.as_str().into(),
        "status" => format!("{:03}", stream.status).into(),
        "bytes_received" => bytes(stream.received),
        "bytes_sent" => bytes(stream.sent),
        "session_time" => seconds(session.timings.elapsed()),
        "upstream_bytes_received" => bytes(stream.upstream_received),
        "upstream_bytes_sent" => bytes(stream.upstream_sent),
        "upstream_connect_time" => session.timings.upstream.duration().map_or(Value::Nil, seconds),
        "upstream_addr" => upstream_addr(session),
        "ssl_preread_server_name" => stream.sni.as_deref().unwrap_or_default().into(),
        _ => Value::Nil,
    }
}

/// Those of all tries.
fn upstream_addr(session: &Session) -> Value {
    let tries = session.tries.iter().map(|attempt| attempt.address.to_string());
    Some(tries.collect::<Vec<_>>().join(", ")).filter(|it| !it.is_empty()).into()
}

fn connection_variable(session: &Session, name: &str) -> Value {
    let connection = &session.connection;
    let tls = connection.tls.as_ref();
    let leaf = || facts::leaf_certificate(tls?.client_chain.as_deref()?);
    match name {
        "remote_addr" => client::address(session.client.ip()),
        "remote_port" => match session.client.port() {
            0 => "".into(),
            port => port.to_string().into(),
        },
        "realip_remote_addr" => client::address(connection.peer.ip()),
        "realip_remote_port" => connection.peer.port().to_string().into(),
        "binary_remote_addr" => match session.client.ip().to_canonical() {
            IpAddr::V4(ip) => Value::str(ip.octets()),
            IpAddr::V6(ip) => Value::str(ip.octets()),
        },
        "server_addr" => client::address(connection.local.ip()),
        "server_port" => connection.local.port().to_string().into(),
        "server_name" => forwarded::SERVER_NAME.into(),
        "scheme" => session.scheme().into(),
        "https" => if tls.is_some() { "on" } else { "" }.into(),
        "hostname" => session.environment.node.hostname.as_str().into(),
        "connection" => connection.serial.to_string().into(),
        // Requests are never pipelined into one another, and no files are served.
        "pipe" => ".".into(),
        "document_root" => "".into(),
        "limit_rate" => "0".into(),
        "pid" => std::process::id().to_string().into(),
        "msec" => seconds(clock::unix_now()),
        "time_iso8601" => DateTime::now().iso8601().to_string().into(),
        "time_local" => DateTime::now().common_log().to_string().into(),
        "ssl_protocol" => tls.map(|tls| tls.version).into(),
        "ssl_cipher" => tls.map(|tls| tls.cipher.as_str()).into(),
        "ssl_server_name" => tls.and_then(|tls| tls.sni.as_deref()).into(),
        "ssl_client_verify" => tls.map(|tls| facts::client_verify(session, tls)).into(),
        "ssl_session_reused" => tls.map(|tls| if tls.is_resumed { "r" } else { "." }).into(),
        "ssl_client_raw_cert" => leaf().into(),
        "ssl_client_cert" => leaf().map(|pem| pem.trim_end().replace('\n', "\n\t")).into(),
        "ssl_client_escaped_cert" => leaf().map(|pem| query::escape(pem.as_bytes())).into(),
        _ if name.starts_with("ssl_client_") => {
            let text = leaf().and_then(|pem| client_certificate::variable(pem, name));
            text.filter(|text| !text.is_empty()).into()
        }
        _ => Value::Nil,
    }
}

/// What the upstream is told is the empty text until the request is routed, as in the reference.
fn upstream_variable(exchange: &Exchange, name: &str) -> Value {
    let (upstream, timings) = (&exchange.session.upstream, &exchange.session.timings);
    let is_routed = exchange.forwarded.is_some();
    let told = |name: &str| match &exchange.forwarded {
        Some(lines) => lines.get(name).map(Value::str).into(),
        None => "".into(),
    };
    let response = exchange.service_response.as_ref();
    let time = |span: Span| span.duration().map_or(Value::Nil, seconds);
    match name {
        "upstream_addr" => upstream_addr(&exchange.session),
        "upstream_status" => {
            let statuses: Vec<_> = facts::upstream_statuses(exchange).map(|it| it.to_string()).collect();
            Some(statuses.join(", ")).filter(|it| !it.is_empty()).into()
        }
        "upstream_header_time" => time(timings.upstream),
        "upstream_response_time" => {
            let body = timings.receive.duration().unwrap_or_default();
            timings.upstream.duration().map_or(Value::Nil, |head| seconds(head + body))
        }
        "upstream_response_length" => {
            response.and_then(|it| it.body.as_ref()).map(|body| body.len().to_string()).into()
        }
        "upstream_host" => upstream_host(exchange).into(),
        "upstream_uri" => facts::upstream_uri(exchange).into(),
        "upstream_scheme" if !is_routed => "".into(),
        "upstream_scheme" => upstream.scheme.as_deref().into(),
        "upstream_x_forwarded_for" => told(forwarded::FOR),
        "upstream_x_forwarded_proto" => told(forwarded::PROTO),
        "upstream_x_forwarded_host" => told(forwarded::HOST),
        "upstream_x_forwarded_port" => told(forwarded::PORT),
        "upstream_x_forwarded_path" => told(forwarded::PATH),
        "upstream_x_forwarded_prefix" => told(forwarded::PREFIX),
        "upstream_via" => told(forwarded::VIA),
        "upstream_upgrade" if is_routed && exchange.websocket => "websocket".into(),
        "upstream_te" if is_routed && exchange.request.headers.lists("te", "trailers") => "trailers".into(),
        "upstream_upgrade" | "upstream_te" => "".into(),
        "upstream_connection" => match is_routed {
            true if exchange.websocket => "keep-alive, Upgrade",
            true => "keep-alive",
            false => "",
        }
        .into(),
        "kong_proxy_mode" => {
            let is_streamed =
                |route: &Arc<Written<Route>>| !(route.request_buffering && route.response_buffering);
            // What is held back is asked for again in a way of its own.
            let is_held = response.is_some_and(|response| response.body.is_some());
            let route = exchange.session.route().filter(|_| is_routed && !is_held);
            if route.is_some_and(is_streamed) { "unbuffered" } else { "http" }.into()
        }
        _ => match (name.strip_prefix("upstream_http_"), response) {
            (Some(name), Some(response)) => joined(&response.headers, name),
            _ => Value::Nil,
        },
    }
}

/// What was sent; before that only what plugin or route say, since the rest is known when a target is chosen.
fn upstream_host(exchange: &Exchange) -> &str {
    let keeps_host = || exchange.session.route().is_some_and(|route| route.preserve_host);
    match (&exchange.session.upstream.sent, &exchange.session.upstream.host_header) {
        (Some(sent), _) => &sent.host,
        (None, Some(host)) => host,
        (None, None) if keeps_host() => exchange.request.headers.text("Host").unwrap_or_default(),
        (None, None) => "",
    }
}

fn stored(session: &Session, key: &str) -> Option<Value> {
    session.nginx_ctx.get(key).cloned()
}

/// The values of Kong's internal request context that plugins are known to read: moments in Unix
/// milliseconds, durations in milliseconds, and a few facts.
fn internal(exchange: &Exchange, key: &str) -> Value {
    if let Some(name) = key.strip_prefix("KONG_") {
        return timing(exchange, name);
    }
    let is_routed = exchange.forwarded.is_some();
    match key {
        "authenticated_consumer" => client::get_consumer(exchange).into(),
        "authenticated_credential" => client::get_credential(exchange).into(),
        "host_port" => Value::Int(forwarded::outside_port(exchange).into()),
        "scheme" if is_routed => exchange.session.scheme().into(),
        "request_uri" if is_routed => exchange.request.target.clone().into(),
        _ => internal_of_session(&exchange.session, key),
    }
}

fn internal_of_session(session: &Session, key: &str) -> Value {
    match key {
        "KONG_PREREAD_START" if session.phase == Phase::Preread => {
            session.timings.unix_ms(session.timings.access.start.unwrap_or(session.timings.start)).into()
        }
        "KONG_PROCESSING_START" => session.timings.unix_ms(session.timings.start).into(),
        "route" => session.route().map(entity).into(),
        "service" => session.service().map(entity).into(),
        "workspace" => DEFAULT_WORKSPACE.to_string().into(),
        "plugin_id" => session.plugin.as_ref().map(|plugin| plugin.id.to_string()).into(),
        _ => Value::Nil,
    }
}

fn timing(exchange: &Exchange, name: &str) -> Value {
    let timings: &Timings = &exchange.session.timings;
    let moment = |moment: Option<Instant>| moment.map(|moment| timings.unix_ms(moment)).into();
    let duration = |duration: Option<Duration>| duration.map(|it| it.as_millis() as i64).into();
    let short_circuited = exchange.session.answer.is_some() && !exchange.proxied;
    match name {
        "PROCESSING_START" => moment(Some(timings.start)),
        "REWRITE_START" => moment(timings.rewrite.start),
        "REWRITE_TIME" => duration(timings.rewrite.duration()),
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
        "PROXIED" if exchange.proxied => Value::Bool(true),
        "EXITED" if exchange.source() == Source::Exit => Value::Bool(true),
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

/// The values of all lines of a header as one text; nil without a line.
fn joined(headers: &Headers, name: &str) -> Value {
    let separator = if name == "cookie" { b"; ".as_slice() } else { b", " };
    let lines: Vec<_> = headers::lines(headers, name.as_bytes()).collect();
    if lines.is_empty() { Value::Nil } else { Value::str(lines.join(separator)) }
}

/// Not decoded, and names without regard to case: so nginx has it.
fn argument(query: &[u8], name: &str) -> Value {
    value_of(query.split(|&byte| byte == b'&'), name)
}

fn cookie(exchange: &Exchange, name: &str) -> Value {
    let lines = exchange.request.headers.get_all("cookie");
    value_of(lines.flat_map(|line| line.split(|&byte| byte == b';')).map(<[u8]>::trim_ascii), name)
}

fn value_of<'t>(mut pairs: impl Iterator<Item = &'t [u8]>, name: &str) -> Value {
    let value = |pair: &'t [u8]| {
        let (key, value) = pair.split_at_checked(name.len())?;
        value.strip_prefix(b"=").filter(|_| key.eq_ignore_ascii_case(name.as_bytes()))
    };
    pairs.find_map(value).map(Value::str).into()
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
    use crate::pdk::fixture::{self, call, thrown};
    use crate::session::SentRequest;
    use crate::{Connection, RequestBody, Tls};

    #[test]
    fn variables() {
        let exchange = &mut fixture::exchange(
            "GET",
            "/a%20b?Q=1%202&q=3",
            &[
                ("host", "Client.test:8000"),
                ("x-a-b", "v"),
                ("cookie", "c=1; d=2"),
                ("cookie", "e=3"),
                ("X-Dup", "h1"),
                ("x_dup", "h2"),
                ("authorization", "Basic YWxpY2U6cw=="),
                ("x-forwarded-for", "8.8.8.8"),
                ("x-forwarded-for", "9.9.9.9"),
            ],
        );
        exchange.response.headers = fixture::headers(&[("x-out", "o")]);
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
            ("is_args", Some("?")),
            ("request", Some("GET /a%20b?Q=1%202&q=3 HTTP/1.1")),
            ("uri", Some("/a b")),
            ("status", Some("000")),
            ("ssl_protocol", None),
            ("upstream_addr", None),
            ("no_such_variable", None),
            ("Http_Host", Some("Client.test:8000")),
            ("REMOTE_ADDR", Some("203.0.113.9")),
            ("cookie_C", Some("1")),
            ("http_x_dup", Some("h1, h2")),
            ("http_cookie", Some("c=1; d=2; e=3")),
            ("cookie_e", Some("3")),
            ("cookie_f", None),
            ("request_body", None),
            ("request_body_file", None),
            ("request_completion", Some("")),
            ("document_root", Some("")),
            ("pipe", Some(".")),
            ("http2", Some("")),
            ("remote_user", Some("alice")),
            ("proxy_add_x_forwarded_for", Some("8.8.8.8, 9.9.9.9, 203.0.113.9")),
            ("http_x_forwarded_for", Some("8.8.8.8, 9.9.9.9")),
        ] {
            let got = call(exchange, "kong.nginx.get_var", &[name.into()]).unwrap();
            // Latin-1, since one of them is raw bytes.
            let got = got.as_bytes().map(|bytes| bytes.iter().map(|&byte| byte as char).collect::<String>());
            assert_eq!(got.as_deref(), expected, "of {name}");
        }
        assert_eq!(call(exchange, "kong.nginx.get_var", &[]), thrown("name must be a string"));
        assert_eq!(call(exchange, "kong.nginx.get_var", &[Value::Int(5)]), Ok(Value::Nil));
        assert_eq!(call(exchange, "kong.nginx.get_ctx", &[]), Ok(Value::Nil));
        assert_eq!(call(exchange, "kong.nginx.set_ctx", &[]), thrown("key must be a string"));
        call(exchange, "kong.nginx.set_ctx", &[Value::Int(5), "v".into()]).unwrap();
        assert_eq!(call(exchange, "kong.nginx.get_ctx", &[Value::Int(5)]), Ok("v".into()));
    }

    fn variable(exchange: &mut Exchange, name: &str) -> Value {
        call(exchange, "kong.nginx.get_var", &[name.into()]).unwrap()
    }

    #[test]
    fn what_is_absent_is_nil() {
        for (target, args, is_args) in
            [("/", Value::Nil, ""), ("/?", "".into(), ""), ("/?a", "a".into(), "?")]
        {
            let exchange = &mut fixture::exchange("GET", target, &[]);
            assert_eq!(variable(exchange, "args"), args, "of {target}");
            assert_eq!(variable(exchange, "query_string"), args, "of {target}");
            assert_eq!(variable(exchange, "is_args"), is_args.into(), "of {target}");
        }
    }

    #[test]
    fn what_is_known_of_tls() {
        let exchange = &mut fixture::routed("/");
        let (peer, local) = (exchange.session.connection.peer, exchange.session.connection.local);
        for (is_resumed, reused) in [(false, "."), (true, "r")] {
            let tls = Tls {
                version: "TLSv1.3",
                cipher: "TLS_AES_128_GCM_SHA256".to_owned(),
                sni: Some("client.test".to_owned()),
                client_chain: None,
                is_resumed,
            };
            exchange.session.connection = Connection::new(peer, local, Some(tls), 1).into();
            for (name, expected) in [
                ("ssl_protocol", Some("TLSv1.3")),
                ("ssl_cipher", Some("TLS_AES_128_GCM_SHA256")),
                ("ssl_server_name", Some("client.test")),
                ("ssl_session_reused", Some(reused)),
                ("ssl_client_verify", Some("NONE")),
                ("ssl_client_s_dn", None),
                ("ssl_client_raw_cert", None),
            ] {
                assert_eq!(variable(exchange, name), expected.into(), "of {name}");
            }
        }
    }

    #[test]
    fn streaming_is_the_routes_and_known_when_it_is_routed() {
        for (request_buffering, response_buffering, expected) in
            [(true, true, "http"), (false, true, "unbuffered"), (true, false, "unbuffered")]
        {
            let exchange = &mut fixture::routed("/");
            fixture::change_route(exchange, |route| {
                (route.request_buffering, route.response_buffering) = (request_buffering, response_buffering);
            });
            exchange.forwarded = None;
            assert_eq!(variable(exchange, "kong_proxy_mode"), "http".into());
            exchange.forwarded = Some(Headers::new());
            assert_eq!(variable(exchange, "kong_proxy_mode"), expected.into());
        }
    }

    #[test]
    fn the_upstream_is_told_nothing_before_routing() {
        let exchange = &mut fixture::exchange("GET", "/", &[("via", "0.9 x")]);
        for name in ["host", "uri", "scheme", "connection", "upgrade", "te", "via"] {
            assert_eq!(variable(exchange, &format!("upstream_{name}")), "".into(), "of {name}");
        }
        for name in ["for", "proto", "host", "port", "path", "prefix"] {
            assert_eq!(variable(exchange, &format!("upstream_x_forwarded_{name}")), "".into(), "of {name}");
        }
    }

    #[test]
    fn the_upstream_is_told_the_way_and_not_what_plugins_say() {
        let exchange = &mut fixture::routed("/api/a%20b?x=1");
        exchange.session.upstream.path = Some("/base/a%20b".into());
        exchange.session.upstream.scheme = Some("http".into());
        for name in ["Host", "X-Forwarded-For", "X-Forwarded-Proto", "Via"] {
            fixture::dispatched(
                &mut *exchange,
                "kong.service.request.set_header",
                &[name.into(), "plugin".into()],
            )
            .unwrap();
        }
        for (name, expected) in [
            ("upstream_uri", "/base/a%20b"),
            ("upstream_scheme", "http"),
            ("upstream_host", "plugin"),
            ("upstream_connection", "keep-alive"),
            ("upstream_upgrade", ""),
            ("upstream_te", ""),
            ("upstream_via", "1.1 kong/3.10.0"),
            ("upstream_x_forwarded_for", "203.0.113.9"),
            ("upstream_x_forwarded_proto", "http"),
            ("upstream_x_forwarded_host", "client.test"),
            ("upstream_x_forwarded_port", "8000"),
            ("upstream_x_forwarded_path", "/api/a%20b"),
            ("upstream_x_forwarded_prefix", "/api"),
        ] {
            assert_eq!(variable(exchange, name), expected.into(), "of {name}");
        }
        fixture::dispatched(&mut *exchange, "kong.service.request.set_header", &["Host".into(), "".into()])
            .unwrap();
        assert_eq!(variable(exchange, "upstream_host"), "".into());
        exchange.session.phase = Phase::Log;
        assert_eq!(variable(exchange, "upstream_uri"), "/base/a%20b?x=1".into());
        let sent = SentRequest { host: "service.test".into(), uri: "/base/a%20b?x=1".into() };
        exchange.session.upstream.sent = Some(sent);
        assert_eq!(variable(exchange, "upstream_uri"), "/base/a%20b?x=1".into());
        assert_eq!(variable(exchange, "upstream_host"), "service.test".into());
    }

    #[test]
    fn bodies_are_shown_where_they_are() {
        let exchange = &mut fixture::routed("/");
        exchange.request_body = RequestBody::new("abc");
        assert_eq!(variable(exchange, "request_body"), "abc".into());
        exchange.request_body = fixture::upload("abc", Ok(()));
        assert_eq!(variable(exchange, "request_body_file"), Value::Nil, "nobody has read it");
        fixture::dispatched(&mut *exchange, "kong.request.get_raw_body", &[]).unwrap();
        assert_eq!(variable(exchange, "request_body"), Value::Nil);
        let path = variable(exchange, "request_body_file");
        assert_eq!(std::fs::read(path.as_str().unwrap()).unwrap(), b"abc");
    }

    #[test]
    fn context_values() {
        let exchange = &mut fixture::routed("/");
        let ctx =
            |exchange: &mut Exchange, key: &str| call(exchange, "kong.nginx.get_ctx", &[key.into()]).unwrap();
        assert_eq!(ctx(exchange, "KONG_ACCESS_START"), Value::Nil);
        let now = exchange.session.timings.now();
        exchange.session.timings.access.begin(now);
        let start = ctx(exchange, "KONG_ACCESS_START").as_int().unwrap();
        let processing = ctx(exchange, "KONG_PROCESSING_START").as_int().unwrap();
        assert!(start >= processing && processing > 1_600_000_000_000, "{start} {processing}");
        assert_eq!(ctx(exchange, "KONG_PROXIED"), Value::Nil);
        exchange.proxied = true;
        assert_eq!(ctx(exchange, "KONG_PROXIED"), Value::Bool(true));
        assert_eq!(ctx(exchange, "host_port"), Value::Int(8000));
        assert_eq!(ctx(exchange, "request_uri"), "/".into());
        exchange.forwarded = None;
        assert_eq!(ctx(exchange, "request_uri"), Value::Nil, "before routing");
        call(exchange, "kong.nginx.set_ctx", &["host_port".into(), "mine".into()]).unwrap();
        assert_eq!(ctx(exchange, "host_port"), "mine".into());
        call(exchange, "kong.nginx.set_ctx", &["host_port".into()]).unwrap();
        assert_eq!(ctx(exchange, "host_port"), Value::Int(8000));
        let seconds = call(exchange, "kong.nginx.req_start_time", &[]).unwrap();
        assert_eq!(seconds, Value::number(processing as f64 / 1000.0));
    }

    #[test]
    fn statistics_are_those_of_the_node() {
        let exchange = &mut fixture::routed("/");
        exchange.session.environment.node.statistics.connections_active.store(5, Ordering::Relaxed);
        exchange.session.environment.node.statistics.requests_active.store(2, Ordering::Relaxed);
        let statistics = call(exchange, "kong.nginx.get_statistics", &[]).unwrap();
        assert_eq!(statistics.get("connections_waiting"), &Value::Int(3));
        assert_eq!(statistics.get("connections_writing"), &Value::Int(2));
        assert_eq!(call(exchange, "kong.nginx.get_subsystem", &[]), Ok("http".into()));
    }
}
