//! The response's head: from the upstream's, or the gateway's own, to what the client gets.

use std::time::Duration;

use http::Version;
use polygate_chain::exchange::ServiceResponse;
use polygate_chain::{Exchange, Head, forwarded};
use polygate_http1::{Headers, ResponseHead};

use crate::client::{BodyFraming, FinalHead};
use crate::lines::{SINGLE, clean};
use crate::upstream::{Exchanged, Reply};
use crate::way::{Content, Way};
use crate::{SERVER_TOKEN, date};

/// Types that nginx, and so the reference, gives a charset.
const CHARSET_TYPES: [&str; 6] = [
    "text/html",
    "text/xml",
    "text/plain",
    "text/vnd.wap.wml",
    "application/javascript",
    "application/rss+xml",
];

/// Whether the body may have no end that is worth waiting for: events (HTML, section 9.2) and messages of gRPC. Handlers of
/// the response see its head alone then.
pub fn is_endless(head: &ResponseHead) -> bool {
    let kind = head.headers.text("Content-Type").unwrap_or_default();
    ["text/event-stream", "application/grpc"]
        .iter()
        .any(|endless| kind.get(..endless.len()).is_some_and(|start| start.eq_ignore_ascii_case(endless)))
}

/// Makes the upstream's head the response's, with what plugins set before.
pub fn take_head(way: &mut Way<'_>, reply: Reply, is_buffered: bool) -> Exchanged {
    let exchange = &mut *way.exchange;
    let head = reply.head;
    // Handlers of these phases can ask for what the upstream said.
    let is_shown = is_buffered || way.collected.wants_log();
    let shown = if is_shown { head.headers.clone() } else { Headers::new() };
    exchange.service_response = Some(ServiceResponse { status: head.status, headers: shown, body: None });
    let mut headers = head.headers;
    clean(&mut headers, &exchange.request.headers);
    if is_buffered {
        headers = with_dashes(headers);
    }
    let preset = std::mem::replace(&mut exchange.response, Head { status: head.status, headers });
    merge_preset(&mut exchange.response.headers, &preset.headers, is_buffered);
    way.reason = Some((head.status, head.reason));
    reply.exchanged
}

/// The lines of an answer that is held back have the names that plugins can give: with `-` for `_`, as in the reference.
fn with_dashes(headers: Headers) -> Headers {
    let is_plain = |name: &[u8]| !name.contains(&b'_');
    if headers.lines().all(|(name, _)| is_plain(name)) {
        return headers;
    }
    let mut dashed = Headers::with_capacity(headers.wire_length(), headers.len());
    for (name, value) in headers.lines() {
        let name: Vec<u8> = name.iter().map(|&byte| if byte == b'_' { b'-' } else { byte }).collect();
        dashed.append(name, value);
    }
    dashed
}

/// Adds the headers that plugins set before proxying. In a buffered response the upstream's value takes their place;
/// otherwise both are sent, except for headers that there is only one of. A length is never the plugin's, as the body
/// is not.
fn merge_preset(headers: &mut Headers, preset: &Headers, is_buffered: bool) {
    let upstreams = headers.len();
    let is_taken = |headers: &Headers, name: &[u8]| {
        (is_buffered || SINGLE.contains(name))
            && headers.places(name).next().is_some_and(|first| first < upstreams)
    };
    for (name, value) in preset.lines() {
        if !is_taken(headers, name) && !name.eq_ignore_ascii_case(b"Content-Length") {
            headers.append(name, value);
        }
    }
}

/// Completes the head, decides what becomes of the connection, and queues the head for the client. After this the
/// exchange's response is what was sent, but for a `Date` of the gateway's: plugins see the upstream's only.
///
/// Also answers how many bytes the client's connection will have carried at the end of the head.
pub fn finish_head(way: &mut Way<'_>, content: &Content) -> (BodyFraming, u64) {
    let framing = frame(way, content);
    own_lines(way, content);
    let response = &way.exchange.response;
    let is_upstreams = way.exchange.session.answer.is_none();
    let reason = way.reason.as_ref().filter(|(status, _)| *status == response.status && is_upstreams);
    let timings = way.exchange.session.timings;
    let queue = |date: Option<&str>| {
        let reason = reason.map(|(_, reason)| &**reason);
        let head = FinalHead { status: response.status, reason, date, headers: &response.headers };
        way.client.queue_head(&head, framing)
    };
    // A server with a clock has to say when it made the response (RFC 9110, section 6.6.1).
    let head_end = match response.headers.contains("Date") {
        true => queue(None),
        false => date::now(timings.unix(timings.latest), |date| queue(Some(date))),
    };
    (framing, head_end)
}

/// The lines that delimit the body and say what becomes of the connection. The length is that of the body, whatever
/// plugins said.
fn frame(way: &mut Way<'_>, content: &Content) -> BodyFraming {
    let exchange = &mut *way.exchange;
    let headers = &mut exchange.response.headers;
    let length = match content {
        Content::Bytes(body) => Some(body.len() as u64),
        Content::Upstream(exchanged, filters) => exchanged.body.remaining().filter(|_| filters.keep_length()),
        Content::Tunnel(_) => {
            headers.insert("Connection", "upgrade");
            headers.insert("Upgrade", "websocket");
            way.keep_alive = false;
            return BodyFraming::None;
        }
    };
    // These tell of a body that is not there: a length that goes with none stays.
    let is_told = exchange.head_only || exchange.response.status == 304;
    let framing = match length {
        // No body, no type and no length (RFC 9110, section 8.6). Upstreams say 0, and the reference lets them.
        _ if exchange.response.status == 204 => {
            let is_upstreams = exchange.session.answer.is_none();
            headers.remove("Content-Type");
            headers.retain(|name, value| {
                !name.eq_ignore_ascii_case(b"Content-Length") || is_upstreams && value == b"0"
            });
            BodyFraming::None
        }
        Some(0) if is_told => {
            if let Some(length) = headers.get("Content-Length").map(<[u8]>::to_vec) {
                headers.insert("Content-Length", length);
            }
            BodyFraming::None
        }
        Some(length) => {
            headers.insert_number("Content-Length", length);
            if is_told { BodyFraming::None } else { BodyFraming::Plain }
        }
        None if is_told => BodyFraming::None,
        None if exchange.request.version == Version::HTTP_10 => {
            way.keep_alive = false;
            BodyFraming::Plain
        }
        None if exchange.request.version == Version::HTTP_2 => BodyFraming::Plain,
        None => {
            headers.insert("Transfer-Encoding", "chunked");
            BodyFraming::Chunked
        }
    };
    if exchange.request.version == Version::HTTP_2 {
        // Its frames say both, and no response ends the connection.
        return framing;
    }
    let settings = &way.gateway.settings;
    way.keep_alive &= !way.downstream.is_stopping()
        && !settings.keepalive_timeout.is_zero()
        && exchange.request.serial < settings.keepalive_requests
        && !way.client.waits_for_leave();
    if !headers.contains("Connection") || !way.keep_alive {
        headers.insert("Connection", if way.keep_alive { "keep-alive" } else { "close" });
    }
    framing
}

/// The gateway's own lines, last of all: plugins cannot change them.
fn own_lines(way: &mut Way<'_>, content: &Content) {
    let exchange = &mut *way.exchange;
    let settings = &way.gateway.settings;
    let tokens = settings.response_tokens;
    let timings = exchange.session.timings;
    let is_upstreams = exchange.session.answer.is_none();
    // A plugin's answer in the place of an upstream's has that one's headers, unless it brings its own.
    let has_upstreams = exchange.service_response.is_some();
    let headers = &mut exchange.response.headers;
    if has_upstreams {
        add_charset(headers, settings.charset.as_deref());
    }
    if !is_upstreams && tokens.response_latency && !exchange.proxied {
        headers.insert_number("X-Kong-Response-Latency", ms(timings.latest - timings.start));
    }
    match (has_upstreams, tokens.server) {
        (true, true) if headers.contains("Server") => {}
        (_, true) => headers.insert("Server", SERVER_TOKEN),
        (true, false) => {}
        (false, false) => drop(headers.remove("Server")),
    }
    if exchange.proxied {
        if tokens.upstream_latency {
            headers.insert_number(
                "X-Kong-Upstream-Latency",
                ms(timings.upstream.duration().unwrap_or_default()),
            );
        }
        if let Some(latency) = timings.until_proxied().filter(|_| tokens.proxy_latency) {
            headers.insert_number("X-Kong-Proxy-Latency", ms(latency));
        }
        if tokens.via {
            continue_via(headers, !matches!(content, Content::Bytes(_)));
        }
    }
    if tokens.upstream_status && exchange.proxied {
        let status = upstream_status(exchange);
        exchange.response.headers.insert_number("X-Kong-Upstream-Status", status.into());
    }
    if tokens.request_id {
        exchange.response.headers.insert("X-Kong-Request-Id", &exchange.session.id);
    }
}

fn ms(duration: Duration) -> u64 {
    duration.as_millis() as u64
}

/// Continues the upstream's `Via`. An answer that is not relayed, as it was held back or made here, begins anew, as in the
/// reference; a gateway may (RFC 9110, section 7.6.3).
fn continue_via(headers: &mut Headers, is_relayed: bool) {
    match headers.joined("Via").filter(|_| is_relayed) {
        Some(before) => {
            let via = [&*before, b", ", forwarded::OWN_VIA.as_bytes()].concat();
            headers.insert("Via", via);
        }
        None => headers.insert("Via", forwarded::OWN_VIA),
    }
}

/// The status that the last try stands for.
fn upstream_status(exchange: &Exchange) -> u16 {
    let failed = || exchange.session.tries.last()?.failure.map(|(_, status)| status);
    exchange.service_response.as_ref().map(|response| response.status).or_else(failed).unwrap_or(502)
}

/// Tells clients of textual types that name no charset.
pub fn add_charset(headers: &mut Headers, charset: Option<&str>) {
    let Some(charset) = charset else { return };
    let Some(current) = headers.text("Content-Type") else { return };
    if CHARSET_TYPES.iter().any(|of| of.eq_ignore_ascii_case(current)) {
        let value = [current, "; charset=", charset].concat();
        headers.insert("Content-Type", value);
    }
}
