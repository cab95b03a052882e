//! What plugins do to a request: calls of PDK functions, one after another.
//!
//! After every call the request and its response must be ones that can be sent: no header, path or
//! query can break out of its line, a status is one, a refused call changed nothing, and nothing
//! changes an answer once it was given.

mod script;

use std::borrow::Cow;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::{Method, Version};
use polygate_chain::exchange::Request;
use polygate_chain::pdk::{self, Function, PdkError};
use polygate_chain::session::{Captures, Matched};
use polygate_chain::{
    Connection, Environment, Exchange, Node, Phase, RequestBody, Session, Statistics, TrustedIps, Value,
    forwarded, serialize,
};
use polygate_entities::declarative::{self, Syntax};
use polygate_http1::{Headers, is_name, is_value};
use polygate_model::schema::Schema;
use polygate_model::{Entities, Id};
use polygate_telemetry::{Level, log};

use script::Step;

static ENTITIES: LazyLock<Arc<Entities>> = LazyLock::new(|| {
    let text = r#"{"_format_version": "3.0", "consumers": [{"username": "alice"}],
        "upstreams": [{"name": "balanced"}], "services": [{"url": "http://service.test/base", "routes": [
        {"paths": ["/api"], "protocols": ["http", "https"]}]}]}"#;
    let plugins = HashMap::<String, Schema>::new();
    let set = declarative::load(text, Syntax::Json, &plugins, 1.0).expect("a configuration of our own");
    Arc::new(set.entities().clone())
});

/// A script: see the `script` module.
pub fn mutations(data: &[u8]) {
    // The emergency level cannot be switched off, and would fill the fuzzer's output.
    log::set_level(Level::Emerg);
    let mut exchange = exchange();
    for step in script::steps(data) {
        match step {
            Step::Phase(phase) => exchange.session.phase = phase,
            Step::Body(body) => exchange.request_body = RequestBody::new(body),
            Step::Call(Function::LogEmerg, _) => {}
            Step::Call(function, args) => run(&mut exchange, function, &args),
        }
    }
    let record = serialize::record(&exchange);
    serde_json::from_slice::<serde::de::IgnoredAny>(&record).expect("the log record is JSON");
}

fn run(exchange: &mut Exchange, function: Function, args: &[Value]) {
    let before = Heads::of(exchange);
    let result = call(exchange, function, args);
    let after = Heads::of(exchange);
    let say = || format!("after {} {args:?} with {result:?}", function.name());
    if result.is_err() {
        assert_eq!(after, before, "a refused call changed something {}", say());
    }
    if before.answer.is_some() {
        assert_eq!(after.answered(), before.answered(), "an answer changed {}", say());
    }
    after.can_be_sent(&say);
}

/// What is wrong with the call, if something is. Nothing here makes a function wait.
fn call(exchange: &mut Exchange, function: Function, args: &[Value]) -> Result<(), PdkError> {
    match pin!(pdk::dispatch(exchange, function, args)).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result.map(drop),
        Poll::Pending => panic!("{} waits", function.name()),
    }
}

/// What goes to the upstream and to the client.
#[derive(Debug, Clone, PartialEq)]
struct Heads {
    request: Headers,
    query: Option<Bytes>,
    path: Option<String>,
    host: Option<String>,
    scheme: Option<Cow<'static, str>>,
    target: Option<(String, u16)>,
    status: u16,
    response: Headers,
    answer: Option<Bytes>,
}

impl Heads {
    fn of(exchange: &Exchange) -> Self {
        let upstream = &exchange.session.upstream;
        Self {
            request: exchange.request.headers.clone(),
            query: exchange.request.query.clone(),
            path: upstream.path.clone(),
            host: upstream.host_header.clone(),
            scheme: upstream.scheme.clone(),
            target: upstream.target.clone(),
            status: exchange.response.status,
            response: exchange.response.headers.clone(),
            answer: exchange.session.answer.as_ref().map(|answer| answer.body.clone()),
        }
    }

    fn answered(&self) -> (u16, &Headers, &Option<Bytes>) {
        (self.status, &self.response, &self.answer)
    }

    fn can_be_sent(&self, say: &dyn Fn() -> String) {
        for head in [&self.request, &self.response] {
            head_can_be_sent(head, say);
        }
        let hosts = self.request.get_all("host").count();
        assert!(hosts <= 1, "{hosts} Host headers {}", say());
        for name in ["connection", "transfer-encoding", "upgrade"] {
            assert!(!self.response.contains(name), "{name} in the response {}", say());
        }
        let is_status = self.status == 0 && self.answer.is_none() || (200..=599).contains(&self.status);
        assert!(is_status, "status {} {}", self.status, say());

        let path = self.path.as_deref().unwrap_or("/");
        assert!(path.starts_with('/'), "path {path:?} {}", say());
        for part in [path.as_bytes(), self.query.as_deref().unwrap_or_default()] {
            let ends_target = |byte: u8| byte <= b' ' || byte == b'#' || byte == 0x7f;
            assert!(!part.iter().any(|&byte| ends_target(byte)), "request target {}", say());
            assert!(part.len() < 32 * 1024, "a long request target {}", say());
        }
        for host in self.host.iter().chain(self.target.as_ref().map(|(host, _)| host)) {
            let ends_host = |byte: u8| !byte.is_ascii_graphic() || b"/?#@\\".contains(&byte);
            assert!(!host.bytes().any(ends_host), "host {host:?} {}", say());
        }
        if let Some(scheme) = self.scheme.as_deref() {
            assert!(["http", "https", "tcp", "tls"].contains(&scheme), "scheme {scheme:?} {}", say());
        }
    }
}

/// Names are tokens (RFC 9110, section 5.6.2), values have no control characters but tabs (section 5.5), and
/// nobody can read two lengths (section 8.6).
fn head_can_be_sent(head: &Headers, say: &dyn Fn() -> String) {
    for (name, value) in head.iter() {
        assert!(is_name(name.as_bytes()), "header name {name:?} {}", say());
        assert!(is_value(value), "header value {value:?} {}", say());
    }
    let lengths: Vec<_> = head.get_all("content-length").collect();
    let is_number = |length: &[u8]| !length.is_empty() && length.iter().all(u8::is_ascii_digit);
    assert!(lengths.len() <= 1 && lengths.iter().all(|length| is_number(length)), "{lengths:?} {}", say());
}

/// A request from a trusted peer that matched a route and its service.
fn exchange() -> Exchange {
    let lines = [("host", "client.test"), ("accept", "text/html"), ("x-forwarded-for", "192.0.2.1")];
    let request = Request {
        method: Method::POST,
        target: "/api/x?a=1&b".into(),
        path: "/api/x".to_owned(),
        query: Some("a=1&b".into()),
        version: Version::HTTP_11,
        headers: lines.into_iter().collect(),
        size: 100,
        serial: 1,
    };
    let connection = Connection::new(
        SocketAddr::from(([127, 0, 0, 1], 40_000)),
        SocketAddr::from(([127, 0, 0, 1], 8000)),
        None,
        1,
    );
    let node = Node { id: Id::nil(), hostname: "node.test".to_owned(), statistics: Statistics::default() };
    let mut environment = Environment::new(ENTITIES.clone(), Arc::new(node));
    environment.trusted_ips = TrustedIps::new(vec!["127.0.0.0/8".parse().expect("a network")]);
    let client = SocketAddr::from(([203, 0, 113, 9], 50_000));
    let id = "0123456789abcdef0123456789abcdef".to_owned();
    let body = RequestBody::new("");
    let session = Session::new(Arc::new(environment), Arc::new(connection), client, id, Phase::Access);
    let mut exchange = Exchange::new(session, request, body);
    let route = ENTITIES.routes.values().next().expect("the configuration has a route").clone();
    let service = ENTITIES.services.values().next().cloned();
    exchange.session.matched =
        Some(Matched { route, service, prefix: "/api".into(), captures: Captures::default() });
    exchange.forwarded = Some(forwarded::lines(&exchange));
    exchange
}
