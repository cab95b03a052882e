//! What spans say of a request, in the names of OpenTelemetry's HTTP conventions.
//!
//! The query is left out, as it often holds credentials.

use std::net::SocketAddr;

use http::{Method, Version};
use polygate_chain::session::Matched;
use polygate_chain::{Exchange, forwarded};
use polygate_http1::Headers;
use polygate_telemetry::trace::{KeyValue, Span, Step, Trace};

use crate::failure::Failure;
use crate::respond;

/// Begins the trace of a request; `None` when tracing is off.
pub fn begin(worker: &crate::Worker, method: &Method, headers: &Headers) -> Option<Box<Trace>> {
    Some(worker.tracer.as_ref()?.begin(headers, span_name(method)))
}

/// Ends the request's span, when the response was sent. Handlers of `log` still add theirs.
pub fn end(exchange: &mut Exchange) {
    let Some(mut trace) = exchange.session.trace.take_if(|trace| trace.is_sampled()) else { return };
    let span = &mut trace.root;
    span.set(request_attributes(exchange));
    if let Some(matched) = &exchange.session.matched {
        let route = matched_path(matched);
        if let Some(path) = route {
            span.rename(format!("{} {path}", span_name(&exchange.request.method)));
            span.set([KeyValue::new("http.route", path.to_owned())]);
        }
        span.set(matched_attributes(matched));
    }
    let status = exchange.response.status;
    span.set([KeyValue::new("http.response.status_code", i64::from(status))]);
    if status >= 500 {
        let reason =
            exchange.response.headers.text(respond::REASON).filter(|_| exchange.session.answer.is_some());
        let kind = reason.map_or_else(|| status.to_string(), str::to_owned);
        span.fail(kind, "");
    }
    span.end();
    exchange.session.trace = Some(trace);
}

/// Begins the span of one try to reach the service.
pub fn begin_try(exchange: &Exchange, peer: SocketAddr, attempt: usize) -> Option<Box<Span>> {
    let method = &exchange.request.method;
    let mut span = exchange.session.trace.as_ref()?.step(Step::Upstream, || span_name(method).to_owned())?;
    span.set([
        KeyValue::new("http.request.method", method_name(method)),
        KeyValue::new("server.address", peer.ip().to_string()),
        KeyValue::new("server.port", i64::from(peer.port())),
    ]);
    if attempt > 0 {
        span.set([KeyValue::new("http.request.resend_count", attempt as i64)]);
    }
    Some(Box::new(span))
}

/// Ends the span of a try with the status of the answer, or with why there is none.
pub fn end_try(span: Option<Box<Span>>, outcome: Result<u16, &Failure>) {
    let Some(mut span) = span else { return };
    match outcome {
        Ok(status) => {
            span.set([KeyValue::new("http.response.status_code", i64::from(status))]);
            if status >= 400 {
                span.fail(status.to_string(), "");
            }
        }
        Err(failure) if failure.status() == 504 => span.fail("timeout", failure.to_string()),
        Err(failure) => span.fail("connection", failure.to_string()),
    }
}

fn request_attributes(exchange: &Exchange) -> Vec<KeyValue> {
    let request = &exchange.request;
    let path = String::from_utf8_lossy(forwarded::path_of(&request.target)).into_owned();
    let version = match request.version {
        Version::HTTP_10 => "1.0",
        Version::HTTP_2 => "2",
        _ => "1.1",
    };
    let mut attributes = vec![
        KeyValue::new("http.request.method", method_name(&request.method)),
        KeyValue::new("url.scheme", exchange.session.scheme()),
        KeyValue::new("url.path", path),
        KeyValue::new("network.protocol.version", version),
        KeyValue::new("client.address", exchange.session.client.ip().to_string()),
        KeyValue::new("network.peer.address", exchange.session.connection.peer.ip().to_string()),
        KeyValue::new("polygate.request.id", exchange.session.id.clone()),
    ];
    if let Some(host) = request.headers.text("Host") {
        let (name, port) = polygate_router::split_host_port(host);
        attributes.push(KeyValue::new("server.address", name.to_owned()));
        attributes.extend(port.map(|port| KeyValue::new("server.port", i64::from(port))));
    }
    let agent = request.headers.text("User-Agent");
    attributes.extend(agent.map(|agent| KeyValue::new("user_agent.original", agent.to_owned())));
    attributes
}

fn matched_attributes(matched: &Matched) -> Vec<KeyValue> {
    let route = &matched.route;
    let mut attributes = vec![KeyValue::new("polygate.route.id", route.id.to_string())];
    attributes.extend(route.name.clone().map(|name| KeyValue::new("polygate.route", name)));
    if let Some(service) = &matched.service {
        let name = service.name.clone().unwrap_or_else(|| service.id.to_string());
        attributes.push(KeyValue::new("polygate.service", name));
    }
    attributes
}

/// The one of the route's paths that the request matched: as written, so that there are few of them.
fn matched_path(matched: &Matched) -> Option<&str> {
    let paths = matched.route.paths.as_deref()?;
    let literal = paths.iter().find(|path| path.as_str() == &*matched.prefix);
    let regex = || paths.iter().find(|path| path.starts_with('~'));
    literal.or_else(regex).or(paths.first()).map(String::as_str)
}

/// Names of spans must be few, whatever clients send.
fn span_name(method: &Method) -> &'static str {
    match method_name(method) {
        "_OTHER" => "HTTP",
        name => name,
    }
}

fn method_name(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        "TRACE" => "TRACE",
        "CONNECT" => "CONNECT",
        _ => "_OTHER",
    }
}
