//! What is told of a request: names and attributes are those of the reference, which precede OpenTelemetry's conventions.

use std::time::Instant;

use http::Version;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{Span, Status};
use polygate_chain::session::Try;
use polygate_chain::{Exchange, Session, forwarded};
use prost::Message as _;

use super::otlp::attribute;
use super::trace::{Trace, Tracing};
use crate::trace_context::new_span_id;

/// Encoded: the request's, that of routing and those of the tries, as far as they are to be seen.
pub fn of(exchange: &Exchange, trace: &Trace, tracing: &Tracing) -> Vec<Vec<u8>> {
    let session = &exchange.session;
    let mut spans = vec![request(exchange, trace)];
    if tracing.router {
        spans.push(router(session, trace));
    }
    if let Some(id) = trace.balancer {
        let count = session.tries.len();
        let tries = session.tries.iter().enumerate();
        spans.extend(tries.map(|(at, attempt)| {
            let id = if at + 1 == count { id } else { new_span_id() };
            self::attempt(session, trace, id, at, attempt)
        }));
    }
    spans.iter().map(|span| span.encode_to_vec()).collect()
}

fn request(exchange: &Exchange, trace: &Trace) -> Span {
    let (request, session) = (&exchange.request, &exchange.session);
    let (host, scheme) = (forwarded::host_name(exchange), session.scheme());
    let route = session.route().and_then(|route| route.paths.as_ref()?.first().cloned());
    let url = format!("{scheme}://{host}{}", String::from_utf8_lossy(&request.target));
    let flavor = match request.version {
        Version::HTTP_10 => "1.0",
        Version::HTTP_2 => "2.0",
        _ => "1.1",
    };
    let attributes = vec![
        text("http.method", request.method.as_str()),
        text("http.url", url),
        text("http.host", host),
        text("http.scheme", scheme),
        text("http.flavor", flavor),
        text("http.client_ip", session.client_ip()),
        text("net.peer.ip", session.connection.peer_ip()),
        text("kong.request.id", session.id.as_str()),
        attribute("http.status_code", Value::IntValue(exchange.response.status.into())),
        text("http.route", route.unwrap_or_default()),
    ];
    Span {
        parent_span_id: trace.parent.map(|id| id.to_be_bytes().to_vec()).unwrap_or_default(),
        attributes,
        ..span(
            trace,
            trace.root,
            "kong",
            SpanKind::Server,
            nanos(session, session.timings.start),
            end(session),
        )
    }
}

/// Nothing but routing is between the phases.
fn router(session: &Session, trace: &Trace) -> Span {
    let timings = &session.timings;
    let begin = timings.rewrite.end.unwrap_or(timings.start);
    let end = timings.access.start.unwrap_or(begin);
    let (begin, end) = (nanos(session, begin), nanos(session, end));
    span(trace, new_span_id(), "kong.router", SpanKind::Internal, begin, end)
}

/// The last one ends with the request.
fn attempt(session: &Session, trace: &Trace, id: u64, at: usize, attempt: &Try) -> Span {
    let begin = attempt.balancer_start_ns;
    let end = match session.tries.get(at + 1) {
        Some(next) => next.balancer_start_ns,
        None => end(session),
    };
    let mut span = span(trace, id, "kong.balancer", SpanKind::Client, begin, end);
    span.attributes = vec![
        number("try_count", (at + 1) as f64),
        text("net.peer.ip", attempt.address.ip().to_canonical().to_string()),
        number("net.peer.port", attempt.address.port().into()),
    ];
    if let Some(host) = host(session) {
        span.attributes.push(text("net.peer.name", host));
    }
    if let Some((_, status)) = attempt.failure {
        span.attributes.push(attribute("http.status_code", Value::IntValue(status.into())));
        span.status = Some(Status { code: StatusCode::Error.into(), ..Status::default() });
    }
    span
}

/// A child of the request's.
fn span(trace: &Trace, id: u64, name: &str, kind: SpanKind, begin: u64, end: u64) -> Span {
    Span {
        trace_id: trace.id.bytes().to_vec(),
        span_id: id.to_be_bytes().to_vec(),
        parent_span_id: trace.root.to_be_bytes().to_vec(),
        name: name.to_owned(),
        kind: kind.into(),
        start_time_unix_nano: begin,
        end_time_unix_nano: end.max(begin),
        ..Span::default()
    }
}

fn nanos(session: &Session, moment: Instant) -> u64 {
    session.timings.unix(moment).as_nanos() as u64
}

fn end(session: &Session) -> u64 {
    nanos(session, session.timings.log.unwrap_or(session.timings.latest))
}

/// The name of the host that was tried.
fn host(session: &Session) -> Option<&str> {
    let chosen = session.upstream.target.as_ref().map(|(host, _)| host.as_str());
    chosen.or_else(|| Some(&session.service()?.host))
}

fn text(name: &str, value: impl Into<String>) -> KeyValue {
    attribute(name, Value::StringValue(value.into()))
}

/// All numbers of the reference are such, but statuses.
fn number(name: &str, value: f64) -> KeyValue {
    attribute(name, Value::DoubleValue(value))
}
