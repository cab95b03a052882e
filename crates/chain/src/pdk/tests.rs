//! Every function through its typed form alone: no value goes in, and no shell is between.

use std::collections::HashSet;
use std::fmt::Debug;

use bytes::Bytes;
use http::Method;
use serde_json::json;

use super::headers::Change;
use super::*;
use crate::exchange::{Authenticated, ServiceResponse};
use crate::session::Tls;
use crate::{Connection, Exchange, HeldBody, Phase, RequestBody, Session, Value};

/// What was called, and what it answered.
#[derive(Default)]
struct Table(HashSet<Function>);

impl Table {
    fn row<T: PartialEq<E> + Debug, E: Debug>(&mut self, name: &str, answer: T, expected: E) {
        let function = Function::from_name(name).unwrap_or_else(|| panic!("no function {name}"));
        assert_eq!(answer, expected, "of {name}");
        self.0.insert(function);
    }
}

fn object(value: serde_json::Value) -> Value {
    Value::from(&value)
}

fn request() -> Exchange {
    let mut exchange = fixture::routed("/api/x?a=1&b");
    exchange.request.headers = fixture::headers(&[("host", "client.test"), ("X-A", "1")]);
    exchange.request_body = RequestBody::new(r#"{"k": 1}"#);
    exchange
}

fn with_tls() -> Exchange {
    let mut exchange = request();
    let (peer, local) = (exchange.session.connection.peer, exchange.session.connection.local);
    let tls = Tls {
        version: "TLSv1.3",
        cipher: "c".to_owned(),
        sni: Some("client.test".to_owned()),
        client_chain: Some("PEM".to_owned()),
        is_resumed: true,
    };
    exchange.session.connection = Connection::new(peer, local, Some(tls), 1).into();
    exchange
}

fn answered() -> Exchange {
    let mut exchange = request();
    exchange.session.phase = Phase::Response;
    exchange.proxied = true;
    exchange.response.status = 201;
    exchange.response.headers = fixture::headers(&[("X-Out", "o")]);
    exchange.service_response = Some(ServiceResponse {
        status: 200,
        headers: fixture::headers(&[("Content-Type", "application/json"), ("X-Up", "u")]),
        body: Some(Bytes::from_static(b"[1]")),
    });
    exchange
}

#[test]
fn every_function_has_a_typed_form() {
    let mut table = Table::default();
    of_connections(&mut table);
    of_requests(&mut table);
    of_responses(&mut table);
    of_upstreams(&mut table);
    of_services(&mut table);
    let left: Vec<_> = Function::ALL.iter().filter(|it| !table.0.contains(it)).map(|it| it.name()).collect();
    assert!(left.is_empty(), "functions without a row: {left:?}");
}

fn of_connections(table: &mut Table) {
    let exchange = &mut with_tls();
    let session = &mut exchange.session;
    table.row("kong.client.get_ip", client::get_ip(session), "127.0.0.1");
    table.row("kong.client.get_forwarded_ip", client::get_forwarded_ip(session), "203.0.113.9");
    table.row("kong.client.get_port", client::get_port(session), 40_000);
    table.row("kong.client.get_forwarded_port", client::get_forwarded_port(session), Some(50_000));
    table.row("kong.request.get_port", request::get_port(session), 8000);
    table.row("kong.ip.is_trusted", ip::is_trusted(session, Some("127.9.9.9")), true);
    table.row("kong.nginx.get_tls1_version_str", nginx::get_tls1_version_str(session), Some("TLSv1.3"));
    table.row("kong.nginx.get_subsystem", nginx::get_subsystem(session), "http");
    let statistics = nginx::get_statistics(session);
    table.row("kong.nginx.get_statistics", statistics.get("total_requests"), &Value::Int(0));
    client_tls::request_client_certificate(session);
    client_tls::disable_session_reuse(session);
    let wishes = session.handshake;
    table.row("kong.client.tls.request_client_certificate", wishes.request_client_certificate, true);
    table.row("kong.client.tls.disable_session_reuse", wishes.disable_session_reuse, true);
    let chain = client_tls::get_full_client_certificate_chain(exchange);
    table.row("kong.client.tls.get_full_client_certificate_chain", chain, Some("PEM"));
    client_tls::set_client_verify(exchange, "NONE").unwrap();
    let verdict = nginx::get_var(exchange, "ssl_client_verify".into());
    table.row("kong.client.tls.set_client_verify", verdict, Value::from("NONE"));
}

fn of_requests(table: &mut Table) {
    let exchange = &mut request();
    table.row("kong.request.get_scheme", request::get_scheme(exchange), "http");
    table.row("kong.request.get_host", request::get_host(exchange), "client.test");
    table.row("kong.request.get_forwarded_scheme", request::get_forwarded_scheme(exchange), "http");
    table.row("kong.request.get_forwarded_host", request::get_forwarded_host(exchange), "client.test");
    table.row("kong.request.get_forwarded_port", request::get_forwarded_port(exchange), 8000);
    table.row("kong.request.get_forwarded_path", request::get_forwarded_path(exchange), b"/api/x");
    let prefix = request::get_forwarded_prefix(exchange);
    table.row("kong.request.get_forwarded_prefix", prefix, Some(b"/api".as_slice()));
    table.row("kong.request.get_http_version", request::get_http_version(exchange), 1.1);
    table.row("kong.request.get_method", request::get_method(exchange), "GET");
    table.row("kong.request.get_path", request::get_path(exchange), "/api/x");
    table.row("kong.request.get_raw_path", request::get_raw_path(exchange), b"/api/x");
    table.row("kong.request.get_path_with_query", request::get_path_with_query(exchange), "/api/x?a=1&b");
    table.row("kong.request.get_raw_query", request::get_raw_query(exchange), "a=1&b");
    table.row("kong.request.get_query_arg", request::get_query_arg(exchange, b"a"), Value::from("1"));
    let query = request::get_query(exchange, None).to_json();
    table.row("kong.request.get_query", query, json!({"a": "1", "b": true}));
    table.row("kong.request.get_header", request::get_header(exchange, b"x_a"), Some(b"1".as_slice()));
    let headers = request::get_headers(exchange, Some(2)).to_json();
    table.row("kong.request.get_headers", headers, json!({"host": "client.test", "x-a": "1"}));
    let body = request::get_raw_body(exchange, None).unwrap();
    table.row("kong.request.get_raw_body", body.len(), 8);
    assert!(matches!(body, HeldBody::Memory(_)));
    let body = request::get_body(exchange, Some("application/json".into()), None, None);
    table.row("kong.request.get_body", body.unwrap().to_json(), json!({"k": 1}));
    let start = exchange.session.timings.unix_ms(exchange.session.timings.start);
    table.row("kong.request.get_start_time", request::get_start_time(exchange), start);
    table.row("kong.nginx.req_start_time", nginx::req_start_time(&exchange.session), start as f64 / 1000.0);
    let captures = request::get_uri_captures(exchange).to_json();
    table.row("kong.request.get_uri_captures", captures, json!({"unnamed": [], "named": {}}));
    table.row("kong.nginx.get_var", nginx::get_var(exchange, "arg_a".into()), Value::from("1"));
    nginx::set_ctx(&mut exchange.session, "k".into(), &true.into());
    table.row("kong.nginx.set_ctx", exchange.session.nginx_ctx.len(), 1);
    table.row("kong.nginx.get_ctx", nginx::get_ctx(exchange, Some("k".into())), Value::Bool(true));
    ctx_shared::set(&mut exchange.session, "k".into(), &true.into());
    table.row("kong.ctx.shared.set", exchange.session.shared.len(), 1);
    let shared = ctx_shared::get(&exchange.session, Some("k".into()));
    table.row("kong.ctx.shared.get", shared, Some(&Value::Bool(true)));

    let alice = client::load_consumer(&exchange.session, "alice", Some(true)).unwrap().unwrap().clone();
    table.row("kong.client.load_consumer", alice.id, fixture::CONSUMER);
    let credential = object(json!({"id": "c"}));
    let consumer = Authenticated::Known(alice);
    client::authenticate(exchange, Some(consumer), Some(credential.clone())).unwrap();
    table.row("kong.client.authenticate", exchange.known_consumer().is_some(), true);
    let consumer = client::get_consumer(exchange).unwrap();
    table.row("kong.client.get_consumer", consumer.get("username"), &Value::from("alice"));
    table.row("kong.client.get_credential", client::get_credential(exchange), Some(credential));
    table.row("kong.client.get_protocol", client::get_protocol(exchange, false), Ok("http"));
    table.row("kong.router.get_route", router::get_route(&exchange.session).is_some(), true);
    let service = router::get_service(&exchange.session).unwrap();
    table.row("kong.router.get_service", service.host.as_str(), "service.test");
}

fn of_responses(table: &mut Table) {
    let exchange = &mut answered();
    table.row("kong.response.get_status", response::get_status(exchange), 201);
    table.row("kong.response.get_header", response::get_header(exchange, b"x-out"), Some(b"o".as_slice()));
    let headers = response::get_headers(exchange, None).to_json();
    table.row("kong.response.get_headers", headers, json!({"x-out": "o"}));
    table.row("kong.response.get_source", response::get_source(exchange), "service");
    table.row("kong.service.response.get_status", service_response::get_status(exchange), Some(200));
    let header = service_response::get_header(exchange, b"x-up");
    table.row("kong.service.response.get_header", header, Some(b"u".as_slice()));
    let headers = service_response::get_headers(exchange, Some(1)).to_json();
    table.row("kong.service.response.get_headers", headers, json!({"content-type": "application/json"}));
    table.row("kong.service.response.get_raw_body", service_response::get_raw_body(exchange).unwrap(), "[1]");
    let body = service_response::get_body(exchange, None, None).unwrap().to_json();
    table.row("kong.service.response.get_body", body, json!([1]));

    table.row("kong.response.set_status", response::set_status(exchange, 202), Ok(()));
    table.row("kong.response.set_header", response::set_header(exchange, Change::line("X-A", "1")), Ok(()));
    table.row("kong.response.add_header", response::add_header(exchange, Change::line("X-A", "2")), Ok(()));
    let changes = vec![Change::line("X-B", "1"), Change::line("X-C", "1")];
    table.row("kong.response.set_headers", response::set_headers(exchange, changes), Ok(()));
    table.row("kong.response.clear_header", response::clear_header(exchange, "X-Out"), Ok(()));
    let headers = response::get_headers(exchange, None).to_json();
    assert_eq!(headers, json!({"x-a": ["1", "2"], "x-b": "1", "x-c": "1"}));
    assert_eq!(exchange.response.status, 202);

    let exited = response::exit(exchange, 403, Content::Text("no".into()), vec![Change::line("X-D", "1")]);
    table.row("kong.response.exit", exited, Ok(()));
    let answer = exchange.session.answer.as_ref().unwrap();
    assert_eq!((answer.status, &*answer.body), (403, b"no".as_slice()));
    let failed = response::error(&mut request(), 400, Content::Nothing, Vec::new());
    table.row("kong.response.error", failed, Ok(()));

    exchange.session.phase = Phase::Log;
    let mode = object(json!({"mode": "set"}));
    let edited = log::set_serialize_value(&mut exchange.session, "a.b", &Value::Int(1), Some(&mode));
    table.row("kong.log.set_serialize_value", edited, Ok(()));
    let record: serde_json::Value = serde_json::from_slice(&log::serialize(exchange)).unwrap();
    table.row("kong.log.serialize", &record["a"]["b"], &json!(1));
}

fn of_upstreams(table: &mut Table) {
    let exchange = &mut request();
    table.row("kong.service.request.set_scheme", service_request::set_scheme(exchange, "https"), Ok(()));
    table.row("kong.service.request.set_path", service_request::set_path(exchange, b"/p q"), Ok(()));
    table.row("kong.service.request.set_method", service_request::set_method(exchange, "POST"), Ok(()));
    let query = service_request::set_query(exchange, &object(json!({"b": "2", "a": "1"})));
    table.row("kong.service.request.set_query", query, Ok(()));
    table.row(
        "kong.service.request.clear_query_arg",
        service_request::clear_query_arg(exchange, b"a"),
        Ok(()),
    );
    assert_eq!(exchange.request.query.as_deref(), Some(b"b=2".as_slice()));
    table.row("kong.service.request.set_raw_query", service_request::set_raw_query(exchange, b"c"), Ok(()));
    let set = service_request::set_header(exchange, Change::line("X-A", "2"));
    table.row("kong.service.request.set_header", set, Ok(()));
    let added = service_request::add_header(exchange, Change::line("X-A", "3"));
    table.row("kong.service.request.add_header", added, Ok(()));
    let set = service_request::set_headers(exchange, vec![Change::line("X-B", "1")]);
    table.row("kong.service.request.set_headers", set, Ok(()));
    service_request::clear_header(exchange, "x-b");
    table.row("kong.service.request.clear_header", exchange.request.headers.contains("x-b"), false);
    service_request::set_raw_body(exchange, &Bytes::from_static(b"raw"));
    let length = request::get_header(exchange, b"content-length");
    table.row("kong.service.request.set_raw_body", length, Some(b"3".as_slice()));
    let set = service_request::set_body(exchange, &object(json!({"k": 1})), Some("application/json"));
    table.row("kong.service.request.set_body", set, Ok(()));
    service_request::enable_buffering(exchange);
    table.row("kong.service.request.enable_buffering", exchange.buffering, true);

    let headers = headers::all(&exchange.request.headers, 100).to_json();
    let expected = json!({
        "host": "client.test", "x-a": ["2", "3"], "content-length": "7", "content-type": "application/json",
    });
    assert_eq!(headers, expected);
    assert_eq!(exchange.request.method, Method::POST);
    let upstream = &exchange.session.upstream;
    assert_eq!((upstream.scheme.as_deref(), upstream.path.as_deref()), (Some("https"), Some("/p%20q")));

    table.row("kong.service.set_upstream", service::set_upstream(exchange, "none").is_err(), true);
    service::set_retries(exchange, 3);
    table.row("kong.service.set_retries", exchange.session.upstream.retries, Some(3));
    service::set_timeouts(exchange, 1, 2, 3);
    table.row("kong.service.set_timeouts", exchange.session.upstream.timeouts, Some([1, 2, 3]));
    let session = &mut exchange.session;
    table.row("kong.service.set_target", service::set_target(session, "a.test", 81), Ok(()));
    assert_eq!(session.upstream.target, Some(("a.test".to_owned(), 81)));
    service::set_tls_verify(session, true);
    table.row("kong.service.set_tls_verify", session.upstream.tls_verify, Some(true));
    service::set_tls_verify_depth(session, 2);
    table.row("kong.service.set_tls_verify_depth", session.upstream.tls_verify_depth, Some(2));
    service_request::enable_tls(session);
    table.row("kong.service.request.enable_tls", session.upstream.scheme.as_deref(), Some("tls"));
    service_request::disable_tls(session);
    table.row("kong.service.request.disable_tls", session.upstream.scheme.as_deref(), Some("tcp"));
}

fn of_services(table: &mut Table) {
    let exchange = &mut request();
    let session = &mut exchange.session;
    let plugin = session.plugin.as_ref().map(|plugin| plugin.id.to_string());
    table.row("kong.plugin.get_id", plugin::get_id(session), plugin);
    table.row("kong.cluster.get_id", cluster::get_id(session), None::<String>);
    table.row("kong.node.get_id", node::get_id(session), "00000000-0000-0000-0000-000000000000");
    table.row("kong.node.get_hostname", node::get_hostname(session), "node.test");
    let stats = node::get_memory_stats(session, Some("m"), Some(1)).unwrap();
    table.row("kong.node.get_memory_stats", stats.get("workers_lua_vms").type_name(), "table");
    table.row("kong.telemetry.log", telemetry::log(session, &[]).is_err(), true);
    type Level = fn(&Session, &[Value]);
    for (name, line) in [
        ("kong.log", log::notice as Level),
        ("kong.log.emerg", log::emerg),
        ("kong.log.alert", log::alert),
        ("kong.log.crit", log::crit),
        ("kong.log.err", log::err),
        ("kong.log.warn", log::warn),
        ("kong.log.notice", log::notice),
        ("kong.log.info", log::info),
        ("kong.log.debug", log::debug),
        ("kong.log.inspect", log::inspect),
        ("kong.log.deprecation", log::deprecation),
    ] {
        line(session, &["a line".into()]);
        table.row(name, log::tagged(session, "x").contains("client: 203.0.113.9"), true);
    }

    const REFERENCE: &str = "{vault://env/polygate-no-such}";
    table.row("kong.vault.get", vault::get(session, REFERENCE).is_err(), true);
    table.row("kong.vault.is_reference", vault::is_reference(session, Some(REFERENCE)), true);
    let parsed = vault::parse_reference(session, REFERENCE).unwrap();
    table.row("kong.vault.parse_reference", parsed.get("name"), &Value::from("env"));
    let options = object(json!({"a": "b"}));
    table.row("kong.vault.update", vault::update(session, &options), options);
}
