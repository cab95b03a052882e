//! What the record consists of, in the order in which it is written.

use std::time::Duration;

use polygate_http1::Headers;
use polygate_model::entities::DEFAULT_WORKSPACE;
use uuid::fmt::Hyphenated;

use super::json::{Object, list, text, value};
use crate::exchange::AuthenticatedBy;
use crate::facts::{client_verify, upstream_status, upstream_uri};
use crate::pdk::{query, request};
use crate::session::{Stream, Transport, Try};
use crate::{Exchange, Session, Source, forwarded};

/// Request headers whose values are not shown.
const REDACTED: [&str; 2] = ["authorization", "proxy-authorization"];

pub fn of_request(record: &mut Object<'_>, exchange: &Exchange) {
    let session = &exchange.session;
    request_part(record.object("request"), exchange);
    record.text("upstream_uri", upstream_uri(exchange));
    // The one that came last where the response was held back, else those of all tries.
    match exchange.service_response.as_ref().filter(|response| response.body.is_some()) {
        Some(held) => record.number("upstream_status", held.status),
        None => record.text("upstream_status", upstream_status(exchange)),
    }
    response_part(record.object("response"), exchange);
    latencies(record.object("latencies"), session);
    record.text("source", if exchange.source() == Source::Service { "upstream" } else { "kong" });
    tries(record, session);
    if let Some(credential) = &exchange.credential {
        credential_part(record.object("authenticated_entity"), credential);
    }
    entities(record, session);
    if let Some(consumer) = &exchange.consumer {
        record.other("consumer", consumer);
    }
    ending(record, session);
}

pub fn of_stream(record: &mut Object<'_>, session: &Session) {
    let stream = session.stream.clone().unwrap_or(Stream::new(Transport::Tcp));
    stream_part(record.object("session"), session, &stream);
    let mut upstream = record.object("upstream");
    upstream.number("received", stream.upstream_received);
    upstream.number("sent", stream.upstream_sent);
    drop(upstream);
    let mut latencies = record.object("latencies");
    latencies.number("kong", own_latency(session));
    latencies.number("session", milliseconds(session.timings.total()));
    drop(latencies);
    tries(record, session);
    entities(record, session);
    ending(record, session);
}

fn request_part(mut part: Object<'_>, exchange: &Exchange) {
    let (request, session) = (&exchange.request, &exchange.session);
    let limits = &session.environment.limits;
    let (host, port) = (forwarded::host_name(exchange), forwarded::outside_port(exchange).to_string());
    let url = [session.scheme(), "://", &host, ":", &port].map(str::as_bytes);
    part.text("id", &session.id);
    part.text("method", request.method.as_str());
    part.text("uri", &request.target);
    part.text("url", [&url.concat(), &request.target[..]].concat());
    let arguments = query::to_table(request::get_raw_query(exchange), limits.uri_args);
    value(part.member("querystring"), &arguments);
    headers(part.object("headers"), &request.headers, limits.request_headers, &REDACTED);
    part.number("size", request.size);
    tls(&mut part, session);
}

fn response_part(mut part: Object<'_>, exchange: &Exchange) {
    let response = &exchange.response;
    part.number("status", response.status);
    let limit = exchange.session.environment.limits.response_headers;
    headers(part.object("headers"), &response.headers, limit, &[]);
    part.number("size", exchange.bytes_sent);
}

fn stream_part(mut part: Object<'_>, session: &Session, stream: &Stream) {
    part.number("received", stream.received);
    part.number("sent", stream.sent);
    part.number("status", stream.status);
    part.number("server_port", session.destination().port());
    tls(&mut part, session);
}

fn tls(part: &mut Object<'_>, session: &Session) {
    if let Some(tls) = &session.connection.tls {
        let mut part = part.object("tls");
        part.text("version", tls.version);
        part.text("cipher", &tls.cipher);
        part.text("client_verify", client_verify(session, tls));
    }
}

/// Lower-case name to string, or to a list where the header is repeated; at most so many lines.
fn headers(mut table: Object<'_>, headers: &Headers, limit: usize, redacted: &[&str]) {
    for (at, (name, line)) in headers.lines().take(limit).enumerate() {
        let mut places = headers.places(name).take_while(|&place| place < limit);
        if places.next() != Some(at) {
            // It was written where the first of its name stands.
            continue;
        }
        let out = table.foreign_member(&name.to_ascii_lowercase());
        let mut others =
            places.filter_map(|place| headers.lines().nth(place)).map(|(_, line)| line).peekable();
        if redacted.iter().any(|it| it.as_bytes().eq_ignore_ascii_case(name)) {
            text(out, b"REDACTED");
        } else if others.peek().is_none() {
            text(out, line);
        } else {
            list(out, std::iter::once(line).chain(others), text);
        }
    }
}

/// Milliseconds.
fn latencies(mut part: Object<'_>, session: &Session) {
    let timings = &session.timings;
    part.number("kong", own_latency(session));
    part.number("proxy", timings.upstream.duration().map_or(-1, milliseconds));
    part.number("request", milliseconds(timings.total()));
    part.number("receive", milliseconds(timings.receive.duration().unwrap_or_default()));
}

/// Until the upstream was chosen, or all of it when none was.
fn own_latency(session: &Session) -> i64 {
    milliseconds(session.timings.until_proxied().unwrap_or(session.timings.total()))
}

/// Without a route there was nothing to try.
fn tries(record: &mut Object<'_>, session: &Session) {
    if session.matched.is_some() {
        list(record.member("tries"), &session.tries, |out, attempt| try_part(Object::new(out), attempt));
    }
}

fn try_part(mut part: Object<'_>, attempt: &Try) {
    part.number("balancer_start", attempt.balancer_start_ns / 1_000_000);
    part.number("balancer_start_ns", attempt.balancer_start_ns);
    part.number("balancer_latency", attempt.balancer_latency_ns / 1_000_000);
    part.number("balancer_latency_ns", attempt.balancer_latency_ns);
    part.text("ip", attempt.address.ip().to_string());
    part.number("port", attempt.address.port());
    if let Some((state, code)) = attempt.failure {
        part.text("state", state);
        part.number("code", code);
    }
}

fn credential_part(mut part: Object<'_>, credential: &AuthenticatedBy) {
    match credential {
        AuthenticatedBy::Known(credential) => part.text("id", credential.id.to_string()),
        // A plugin gave it.
        AuthenticatedBy::Given(credential) => {
            for name in ["id", "consumer_id"] {
                let given = credential.get(name);
                if !given.is_nil() {
                    value(part.member(name), given);
                }
            }
        }
    }
}

fn entities(record: &mut Object<'_>, session: &Session) {
    if let Some(route) = session.route() {
        record.member("route").extend_from_slice(route.json().as_bytes());
    }
    if let Some(service) = session.service() {
        record.member("service").extend_from_slice(service.json().as_bytes());
    }
}

fn ending(record: &mut Object<'_>, session: &Session) {
    record.text("client_ip", &*session.client_ip());
    // Milliseconds since 1970.
    record.number("started_at", session.timings.unix_ms(session.timings.start));
    record.text("workspace", &*DEFAULT_WORKSPACE.hyphenated().encode_lower(&mut [0; Hyphenated::LENGTH]));
    record.text("workspace_name", "default");
}

fn milliseconds(time: Duration) -> i64 {
    time.as_millis() as i64
}
