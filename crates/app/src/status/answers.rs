//! One function per path.

use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use polygate_chain::pdk::node::{Unit, memory};
use polygate_entities::declarative::EMPTY_HASH;
use polygate_plugin_host::ServerStatus;
use serde_json::{Value, json};

use super::metrics;
use super::upstreams::Upstreams;
use crate::control::Control;

/// Of the body of `POST /status/ready`, bytes.
const LARGEST_BODY: usize = 64 * 1024;

/// What the control socket answers: everything.
pub async fn control(control: &Control, request: Request<Incoming>) -> Response<Full<Bytes>> {
    match (request.method(), request.uri().path()) {
        (&Method::GET, "/plugin-servers") => json(StatusCode::OK, &plugin_servers(control)),
        (&Method::GET, "/reload") => json(StatusCode::OK, &loads(control)),
        _ => status(control, request).await,
    }
}

/// What the status listeners answer.
pub async fn status(control: &Control, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let (path, query) = (request.uri().path(), request.uri().query().unwrap_or_default());
    let path = path.strip_suffix('/').unwrap_or(path);
    let segments: Vec<_> = path.split('/').skip(1).collect();
    match (request.method(), &segments[..]) {
        (&Method::GET | &Method::HEAD, ["status"]) => json(StatusCode::OK, &node_status(control)),
        (&Method::GET | &Method::HEAD, ["status", "ready"]) => ready(control),
        (&Method::POST, ["status", "ready"]) => drain(control, request).await,
        (&Method::GET | &Method::HEAD, ["status", "dns"]) => {
            message(StatusCode::NOT_IMPLEMENTED, "not implemented with the legacy DNS client")
        }
        (&Method::GET | &Method::HEAD, ["metrics"]) => text(metrics::render(control)),
        (
            &Method::GET | &Method::HEAD,
            ["upstreams", key, "targets"] | ["upstreams", key, "targets", "all"],
        ) => upstreams(control, |upstreams| upstreams.targets(key, path, query)),
        (&Method::GET | &Method::HEAD, ["upstreams", key, "health"]) => {
            upstreams(control, |upstreams| upstreams.health(key, path, query))
        }
        (
            _,
            ["status"]
            | ["status", "ready" | "dns"]
            | ["metrics"]
            | ["upstreams", _, "targets" | "health"]
            | ["upstreams", _, "targets", "all"],
        ) => message(StatusCode::METHOD_NOT_ALLOWED, "Method not allowed"),
        _ => message(StatusCode::NOT_FOUND, "Not found"),
    }
}

fn upstreams(
    control: &Control,
    answer: impl FnOnce(&Upstreams) -> (StatusCode, Value),
) -> Response<Full<Bytes>> {
    let Some(current) = control.current() else { return message(StatusCode::NOT_FOUND, "Not found") };
    let gateway = &current.gateway;
    let (entities, balancers) = (&gateway.environment.entities, &gateway.balancers);
    let (status, body) = answer(&Upstreams { entities, balancers, node: control.node.id });
    json(status, &body)
}

fn ready(control: &Control) -> Response<Full<Bytes>> {
    match unready(control) {
        None => message(StatusCode::OK, "ready"),
        Some(why) => message(StatusCode::SERVICE_UNAVAILABLE, why),
    }
}

/// Why requests should not be sent here.
fn unready(control: &Control) -> Option<&'static str> {
    if control.is_draining.get() {
        return Some("draining");
    }
    match control.current() {
        None => Some("no configuration available (configuration hash is not initialized)"),
        Some(current) if current.hash == EMPTY_HASH => {
            Some("no configuration available (empty configuration present)")
        }
        Some(_) => None,
    }
}

async fn drain(control: &Control, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let body = Limited::new(request.into_body(), LARGEST_BODY).collect().await;
    let wish = body.ok().and_then(|body| serde_json::from_slice::<Value>(&body.to_bytes()).ok());
    if wish.as_ref().and_then(|wish| wish.get("status")) != Some(&json!("draining")) {
        return message(StatusCode::BAD_REQUEST, "the body must be {\"status\":\"draining\"}");
    }
    control.is_draining.set(true);
    let mut response = Response::new(Full::default());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

fn node_status(control: &Control) -> Value {
    let statistics = &control.node.statistics;
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let (accepted, active) = (count(&statistics.connections_accepted), count(&statistics.connections_active));
    let busy = count(&statistics.requests_active);
    let hash = control.current().map(|current| current.hash.clone());
    json!({
        "server": {
            "connections_accepted": accepted,
            "connections_handled": accepted,
            "connections_active": active,
            // A request being read and one being answered are not told apart.
            "connections_reading": 0,
            "connections_writing": busy,
            "connections_waiting": active.saturating_sub(busy),
            "total_requests": count(&statistics.requests_total),
        },
        "memory": memory(Unit::MEBIBYTES, 2).to_json(),
        "configuration_hash": hash,
    })
}

/// What the host says of each process, and how often it was started again.
fn plugin_servers(control: &Control) -> Value {
    let servers = control.current().map(|current| current.plugin_servers.status()).unwrap_or_default();
    let with_restarts = |server: &ServerStatus| {
        let mut value = json!(server);
        value["restarts"] = server.starts.saturating_sub(1).into();
        value
    };
    servers.iter().map(with_restarts).collect()
}

fn loads(control: &Control) -> Value {
    let loads = control.loads.borrow();
    json!({ "generation": loads.generation, "error": loads.error, "problems": control.problems() })
}

fn message(status: StatusCode, text: &str) -> Response<Full<Bytes>> {
    json(status, &json!({ "message": text }))
}

fn json(status: StatusCode, value: &Value) -> Response<Full<Bytes>> {
    respond(status, "application/json; charset=utf-8", value.to_string())
}

fn text(body: String) -> Response<Full<Bytes>> {
    respond(StatusCode::OK, "text/plain; charset=UTF-8", body)
}

fn respond(status: StatusCode, content_type: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
