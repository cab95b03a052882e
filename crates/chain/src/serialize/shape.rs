//! What the record consists of, in the order in which it is written.

use std::time::Duration;

use polygate_http1::Headers;
use polygate_model::entities::DEFAULT_WORKSPACE;

use super::json::{Object, list, text, value};
use crate::exchange::AuthenticatedBy;
use crate::facts::{client_verify, upstream_statuses, upstream_uri};
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
        None => record.numbers("upstream_status", upstream_statuses(exchange)),
    }
    response_part(record.object("response"), exchange);
    latencies(record.object("latencies"), session);
    record.plain("source", if exchange.source() == Source::Service { "upstream" } else { "kong" });
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
    let (host, mut port) = (forwarded::host_name(exchange), itoa::Buffer::new());
    let port = port.format(forwarded::outside_port(exchange));
    let [scheme, host, port] = [session.scheme(), &host, port].map(str::as_bytes);
    part.plain("id", &session.id);
    part.plain("method", request.method.as_str());
    part.text("uri", &request.target);
    part.pieces("url", &[scheme, b"://", host, b":", port, &request.target]);
    arguments(part.object("querystring"), request::get_raw_query(exchange), limits.uri_args);
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
        part.plain("version", tls.version);
        part.text("cipher", &tls.cipher);
        part.text("client_verify", client_verify(session, tls));
    }
}

/// At most so many of the arguments.
fn arguments(mut table: Object<'_>, query: &[u8], limit: usize) {
    let given: Vec<_> = query::arguments(query, limit).collect();
    for (name, first, others) in grouped(&given, true, |one, other| one == other) {
        one_or_list(table.foreign_member(name), first, others, |out, value| match value {
            Some(value) => text(out, value),
            None => out.extend_from_slice(b"true"),
        });
    }
}

/// At most so many lines.
fn headers(mut table: Object<'_>, headers: &Headers, limit: usize, redacted: &[&str]) {
    let lines: Vec<_> = headers.lines().take(limit).collect();
    let is_same = |one: &&[u8], other: &&[u8]| one.eq_ignore_ascii_case(other);
    for (name, first, others) in grouped(&lines, headers.has_repeats(), is_same) {
        let out = table.header_member(name);
        match redacted.iter().any(|it| it.as_bytes().eq_ignore_ascii_case(name)) {
            true => text(out, b"REDACTED"),
            false => one_or_list(out, first, others, |out, line| text(out, line)),
        }
    }
}

/// Each name where it first stands, with its first value and the others; without `repeats` there are none.
fn grouped<N, V>(
    members: &[(N, V)],
    repeats: bool,
    is_same: impl Fn(&N, &N) -> bool + Copy,
) -> impl Iterator<Item = (&N, &V, impl Iterator<Item = &V>)> {
    members.iter().enumerate().filter_map(move |(at, (name, first))| {
        let (before, behind) =
            if repeats { (&members[..at], &members[at + 1..]) } else { Default::default() };
        let is_new = !before.iter().any(|(earlier, _)| is_same(earlier, name));
        let others = behind.iter().filter(move |(later, _)| is_same(later, name));
        is_new.then(|| (name, first, others.map(|(_, value)| value)))
    })
}

fn one_or_list<T>(
    out: &mut Vec<u8>,
    first: T,
    others: impl Iterator<Item = T>,
    mut write: impl FnMut(&mut Vec<u8>, T),
) {
    let mut others = others.peekable();
    match others.peek() {
        None => write(out, first),
        Some(_) => list(out, std::iter::once(first).chain(others), write),
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
    part.address("ip", attempt.address.ip());
    part.number("port", attempt.address.port());
    if let Some((state, code)) = attempt.failure {
        part.plain("state", state);
        part.number("code", code);
    }
}

fn credential_part(mut part: Object<'_>, credential: &AuthenticatedBy) {
    match credential {
        AuthenticatedBy::Known(credential) => part.id("id", credential.id),
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
    record.plain("client_ip", &session.client_ip());
    // Milliseconds since 1970.
    record.number("started_at", session.timings.unix_ms(session.timings.start));
    record.id("workspace", DEFAULT_WORKSPACE);
    record.plain("workspace_name", "default");
}

fn milliseconds(time: Duration) -> i64 {
    time.as_millis() as i64
}
