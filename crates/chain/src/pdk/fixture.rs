//! Requests for tests.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::{self, Poll, Waker};

use bytes::Bytes;
use http::{Method, Version};
use polygate_http1::Headers;
use polygate_model::{Consumer, Entities, Id, Plugin, Route, Service};
use serde_json::json;

use crate::exchange::Request;
use crate::pdk::{Context, Function, PdkError, Reply, dispatch};
use crate::session::{Captures, Matched, Stream, Transport};
use crate::{
    BodyError, BodySource, Connection, Environment, Exchange, Node, Phase, RequestBody, Session,
    SpoolSettings, Statistics, TrustedIps, Value, forwarded,
};

/// What a call answers, as a value.
pub type PdkResult = Result<Value, PdkError>;

pub const CONSUMER: Id = uuid::uuid!("5f1cf7a4-3a36-4a35-9a49-0a1f0d6c1001");

/// A request over a plain connection from the trusted peer 127.0.0.1:40000 to port 8000, in the access
/// phase, before any plugin. The client behind the peer is 203.0.113.9:50000.
pub fn exchange(method: &str, target: &str, fields: &[(&str, &str)]) -> Exchange {
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(Bytes::from(query.to_owned()))),
        None => (target, None),
    };
    let request = Request {
        method: Method::from_bytes(method.as_bytes()).unwrap(),
        target: target.to_owned().into(),
        path: path.to_owned(),
        query,
        version: Version::HTTP_11,
        headers: headers(fields),
        size: 100,
        serial: 1,
    };
    let connection = Connection::new(
        SocketAddr::from(([127, 0, 0, 1], 40_000)),
        SocketAddr::from(([127, 0, 0, 1], 8000)),
        None,
        7,
    );
    let client = SocketAddr::from(([203, 0, 113, 9], 50_000));
    let body = RequestBody::new("");
    let id = "0123456789abcdef0123456789abcdef".to_owned();
    let session = Session::new(Arc::new(environment()), Arc::new(connection), client, id, Phase::Access);
    Exchange::new(session, request, body)
}

/// A GET that matched a route `/api` with a service, while the plugin `sample` runs.
pub fn routed(target: &str) -> Exchange {
    let mut exchange = exchange("GET", target, &[("host", "client.test")]);
    let service: Service = entity(json!({
        "retries": 5, "protocol": "http", "host": "service.test", "port": 80, "connect_timeout": 60000,
        "write_timeout": 60000, "read_timeout": 60000, "enabled": true, "ws_id": Id::nil(),
    }));
    let route: Route = entity(json!({
        "protocols": ["http", "https"], "paths": ["/api"], "https_redirect_status_code": 426,
        "regex_priority": 0, "strip_path": true, "path_handling": "v0", "preserve_host": false,
        "request_buffering": true, "response_buffering": true, "ws_id": Id::nil(),
    }));
    let plugin: Plugin =
        entity(json!({"name": "sample", "config": {}, "protocols": ["http"], "enabled": true}));
    exchange.session.matched = Some(Matched {
        route: Arc::new(route.into()),
        service: Some(Arc::new(service.into())),
        prefix: "/api".into(),
        captures: Captures::default(),
    });
    exchange.session.plugin = Some(Arc::new(plugin));
    exchange.forwarded = Some(forwarded::lines(&exchange));
    exchange
}

/// A body that comes in one piece, of which nothing fits into memory, and then ends so.
pub fn upload(piece: &'static str, end: Result<(), BodyError>) -> RequestBody {
    let settings = SpoolSettings { memory: 0, ..SpoolSettings::default() };
    let pieces = vec![end.map(|()| None), Ok(Some(Bytes::from(piece)))];
    RequestBody::stream(Box::new(Upload(pieces)), Arc::new(settings))
}

/// What is still to come, the last first.
struct Upload(Vec<Result<Option<Bytes>, BodyError>>);

impl BodySource for Upload {
    fn poll_data(&mut self, _: &mut task::Context<'_>) -> Poll<Result<Option<Bytes>, BodyError>> {
        Poll::Ready(self.0.pop().unwrap_or(Ok(None)))
    }

    fn remaining(&self) -> Option<u64> {
        None
    }
}

/// A connection without a request.
pub fn session(phase: Phase) -> Session {
    Session { phase, ..exchange("GET", "/", &[]).session }
}

/// A stream that was proxied and is logged: 7 bytes of the client's and 11 to it, on [`routed`]'s route.
pub fn stream() -> Session {
    let mut session = Session { phase: Phase::Log, ..routed("/").session };
    session.stream = Some(Stream { status: 200, received: 7, sent: 11, ..Stream::new(Transport::Tcp) });
    let moment = session.timings.now();
    session.timings.balancer.begin(moment);
    session.timings.balancer.finish(moment);
    session
}

/// Calls a function with values, whatever the phase is.
pub fn call(exchange: &mut Exchange, name: &str, args: &[Value]) -> PdkResult {
    Function::from_name(name).unwrap().call(exchange.into(), args).map(value)
}

/// Calls a function as a plugin of another process does. Nothing in the fixtures makes it wait.
pub fn dispatched<'a>(exchange: impl Into<Context<'a>>, name: &str, args: &[Value]) -> PdkResult {
    let function = Function::from_name(name).unwrap();
    match pin!(dispatch(exchange, function, args)).poll(&mut task::Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result.map(value),
        Poll::Pending => panic!("{name} waits"),
    }
}

fn value(reply: Reply<'_>) -> Value {
    match reply {
        Reply::Bytes(bytes) => Value::str(bytes),
        Reply::Value(value) => value.into_owned(),
        Reply::File(file) => Value::str(format!("a file of {} bytes", file.len())),
    }
}

/// From now on no peer is trusted.
pub fn distrust(exchange: &mut Exchange) {
    let mut environment = environment();
    environment.trusted_ips = TrustedIps::default();
    exchange.session.environment = Arc::new(environment);
    exchange.session.peer_is_trusted = false;
}

pub fn headers(fields: &[(&str, &str)]) -> Headers {
    fields.iter().copied().collect()
}

pub fn thrown(message: &str) -> PdkResult {
    Err(PdkError::thrown(message))
}

fn environment() -> Environment {
    let mut entities = Entities::default();
    let consumer: Consumer = entity(json!({"username": "alice"}));
    entities.consumers.insert(Arc::new(Consumer { id: CONSUMER, ..consumer }));
    let node = Node { id: Id::nil(), hostname: "node.test".to_owned(), statistics: Statistics::default() };
    let mut environment = Environment::new(Arc::new(entities), Arc::new(node));
    environment.trusted_ips = TrustedIps::new(vec!["127.0.0.0/8".parse().unwrap()]);
    environment
}

/// Has a request match another route: the one that it matched, changed.
pub fn change_route(exchange: &mut Exchange, change: impl FnOnce(&mut Route)) {
    let matched = exchange.session.matched.as_mut().unwrap();
    let mut route = Route::clone(&matched.route);
    change(&mut route);
    matched.route = Arc::new(route.into());
}

/// An entity with the members that all kinds have.
fn entity<T: serde::de::DeserializeOwned>(mut members: serde_json::Value) -> T {
    members["id"] = json!(uuid::uuid!("5f1cf7a4-3a36-4a35-9a49-0a1f0d6c2002"));
    members["created_at"] = json!(1_700_000_000);
    members["updated_at"] = json!(1_700_000_000);
    serde_json::from_value(members).unwrap()
}
