//! Headers between the two sides: what goes upstream, what comes back, and what the gateway says of
//! itself.

use std::net::SocketAddr;

use http::header::{
    CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, HOST, LOCATION, SERVER, TE, TRAILER, TRANSFER_ENCODING,
    UPGRADE, VIA,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use http_body::Body as _;
use polygate_chain::{Answer, RequestBody, RequestContext, Source};

use crate::{Gateway, SERVER_TOKEN};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
const FORWARDED_PATH: HeaderName = HeaderName::from_static("x-forwarded-path");
const FORWARDED_PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");
const REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-kong-request-id");
const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY: HeaderName = HeaderName::from_static("proxy");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");

/// Of these a response has one; the upstream's wins over what a plugin set before proxying.
const SINGLE: [&str; 8] = [
    "content-type",
    "content-length",
    "content-encoding",
    "date",
    "etag",
    "last-modified",
    "location",
    "server",
];

/// Types that nginx, and so the reference, gives a charset.
const CHARSET_TYPES: [&str; 6] = [
    "text/html",
    "text/xml",
    "text/plain",
    "text/vnd.wap.wml",
    "application/javascript",
    "application/rss+xml",
];

/// The client's address: the peer's, or what a trusted peer says it is.
pub fn client_address(headers: &HeaderMap, peer: SocketAddr, gateway: &Gateway) -> SocketAddr {
    let settings = &gateway.settings;
    let values = headers.get_all(settings.real_ip_header.as_str()).iter().map(HeaderValue::as_bytes);
    let trusted = gateway.environment.trusted_ips.ranges();
    polygate_net::real_ip::client_address(peer.ip(), trusted, values, settings.real_ip_recursive)
        .map_or(peer, |client| SocketAddr::new(client.ip, client.port.unwrap_or(0)))
}

/// The client's scheme, as far as a trusted peer tells.
pub fn forwarded_scheme(context: &RequestContext) -> String {
    let told = context.request.headers.get(FORWARDED_PROTO).filter(|_| context.peer_is_trusted());
    told.and_then(|it| it.to_str().ok()).map_or_else(|| context.scheme().to_owned(), str::to_ascii_lowercase)
}

/// The host the client asked for: lower case, without port.
fn request_host(context: &RequestContext) -> String {
    let host = context.request.headers.get(HOST).and_then(|it| it.to_str().ok()).unwrap_or_default();
    polygate_router::split_host_port(host).0.to_ascii_lowercase()
}

pub fn redirect_to_https(context: &mut RequestContext, status: u16) {
    let told = context.request.headers.get(FORWARDED_HOST).filter(|_| context.peer_is_trusted());
    let told = told.and_then(|it| it.to_str().ok().map(str::to_owned));
    let host = told.unwrap_or_else(|| request_host(context));
    let location = format!("https://{host}{}", context.request.target);
    let headers = &mut context.response.headers;
    headers.extend(HeaderValue::try_from(location).map(|location| (LOCATION, location)));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(0));
    context.response.status = status;
    context.answer = Some(Answer { source: Source::Exit, body: bytes::Bytes::new() });
}

/// `Kong-Route-Id` and its like, for those who ask when `allow_debug_header` is on.
pub fn debug_headers(context: &mut RequestContext, gateway: &Gateway) {
    let Some(matched) = &context.matched else { return };
    if !gateway.settings.debug_header || !context.request.headers.contains_key("kong-debug") {
        return;
    }
    let route = &matched.route;
    let service = matched.service.as_ref();
    let headers = &mut context.response.headers;
    for (name, value) in [
        ("kong-route-id", Some(route.id.to_string())),
        ("kong-route-name", route.name.clone()),
        ("kong-service-id", service.map(|service| service.id.to_string())),
        ("kong-service-name", service.and_then(|service| service.name.clone())),
    ] {
        let value = value.and_then(|value| HeaderValue::try_from(value).ok());
        headers.extend(value.map(|value| (HeaderName::from_static(name), value)));
    }
}

/// Takes away what concerns one connection only (RFC 9110, section 7.6.1).
fn remove_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse::<HeaderName>().ok())
        .filter(|name| *name != KEEP_ALIVE && *name != UPGRADE && name.as_str() != "close")
        .collect();
    for name in
        named.iter().chain([&CONNECTION, &KEEP_ALIVE, &PROXY_CONNECTION, &UPGRADE, &TRANSFER_ENCODING])
    {
        headers.remove(name);
    }
}

/// The headers of the request as it goes upstream, `Host` apart.
pub fn upstream_headers(context: &RequestContext, gateway: &Gateway) -> HeaderMap {
    let mut headers = context.request.headers.clone();
    let trailers = headers.get_all(TE).iter().any(|it| it.as_bytes().eq_ignore_ascii_case(b"trailers"));
    remove_hop_by_hop(&mut headers);
    for name in [&EXPECT, &PROXY, &TE, &TRAILER] {
        headers.remove(name);
    }
    if trailers {
        headers.insert(TE, HeaderValue::from_static("trailers"));
    }
    headers.insert(CONNECTION, HeaderValue::from_static("keep-alive"));
    frame_request(&mut headers, &context.request_body);
    forwarded_headers(context, &mut headers);
    let via = format!("1.1 {SERVER_TOKEN}");
    append_to_list(&mut headers, VIA, &via);
    if gateway.settings.request_id_upstream {
        set(&mut headers, REQUEST_ID, &context.request_id);
    }
    headers
}

/// The length is that of the body, whatever a plugin said: an upstream that believes another one takes the rest
/// of the body for the next request.
fn frame_request(headers: &mut HeaderMap, body: &RequestBody) {
    let length = match body {
        RequestBody::Stream(body) => body.size_hint().exact(),
        RequestBody::Bytes(bytes) => Some(bytes.len() as u64),
        RequestBody::Gone => Some(0),
    };
    let announced = headers.remove(CONTENT_LENGTH).is_some();
    match length {
        Some(length) if announced => drop(headers.insert(CONTENT_LENGTH, HeaderValue::from(length))),
        // hyper adds it where it is needed.
        Some(_) => {}
        // Without it hyper takes for granted that a GET has no body.
        None => drop(headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"))),
    }
}

/// `X-Forwarded-*` and `X-Real-IP`: a trusted peer's values stay, others are replaced.
fn forwarded_headers(context: &RequestContext, headers: &mut HeaderMap) {
    let trusted = context.peer_is_trusted();
    let request = &context.request;
    let port = context.environment.outside_port(context.connection.local.port()).to_string();
    let original_path = request.target.split('?').next().unwrap_or("/").to_owned();
    for (name, value) in [
        (FORWARDED_PROTO, context.scheme().to_owned()),
        (FORWARDED_HOST, request_host(context)),
        (FORWARDED_PORT, port),
        (FORWARDED_PATH, original_path),
    ] {
        if !(trusted && headers.contains_key(&name)) {
            set(headers, name, &value);
        }
    }
    if !(trusted && headers.contains_key(FORWARDED_PREFIX)) {
        let stripped = context.matched.as_ref().filter(|it| it.route.strip_path && it.prefix.len() > 1);
        match stripped {
            Some(matched) => set(headers, FORWARDED_PREFIX, &matched.prefix),
            None => drop(headers.remove(FORWARDED_PREFIX)),
        }
    }
    let hop = match headers.contains_key(FORWARDED_FOR) {
        true => context.connection.peer.ip(),
        false => context.client.ip(),
    };
    append_to_list(headers, FORWARDED_FOR, &hop.to_string());
    set(headers, REAL_IP, &context.client.ip().to_string());
}

/// Joins all lines of `name` and `item` into one.
fn append_to_list(headers: &mut HeaderMap, name: HeaderName, item: &str) {
    let mut list = Vec::new();
    for value in headers.get_all(&name) {
        list.extend_from_slice(value.as_bytes());
        list.extend_from_slice(b", ");
    }
    list.extend_from_slice(item.as_bytes());
    headers.extend(HeaderValue::from_bytes(&list).map(|value| (name.clone(), value)));
    // `extend` appends; what was there before is now part of the last line.
    if let Some(value) = headers.get_all(&name).iter().next_back().cloned() {
        headers.insert(name, value);
    }
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    match HeaderValue::from_str(value) {
        Ok(value) => drop(headers.insert(name, value)),
        Err(_) => drop(headers.remove(name)),
    }
}

/// Takes away what the upstream said about its own connection.
pub fn clean_response(headers: &mut HeaderMap) {
    remove_hop_by_hop(headers);
    let controls: Vec<_> =
        headers.keys().filter(|name| name.as_str().starts_with("x-accel-")).cloned().collect();
    for name in controls {
        headers.remove(name);
    }
}

/// Adds the headers that plugins set before proxying. In a buffered response the upstream's value takes
/// their place; otherwise both are sent, except for headers that there is only one of. A length is never the
/// plugin's, as the body is not.
pub fn merge_preset(headers: &mut HeaderMap, preset: HeaderMap, buffered: bool) {
    let kept: Vec<HeaderName> = preset
        .keys()
        .filter(|name| *name != CONTENT_LENGTH)
        .filter(|name| !headers.contains_key(*name) || !(buffered || SINGLE.contains(&name.as_str())))
        .cloned()
        .collect();
    for name in kept {
        for value in preset.get_all(&name) {
            headers.append(name.clone(), value.clone());
        }
    }
}

/// The gateway's own response headers, last of all: plugins cannot change them.
pub fn response_headers(context: &mut RequestContext, gateway: &Gateway) {
    let tokens = gateway.settings.response_tokens;
    let timings = context.timings;
    let from_service = context.answer.is_none();
    let ms = |duration: std::time::Duration| HeaderValue::from(duration.as_millis() as u64);
    let upstream_status = context.service_response.as_ref().map(|response| response.status);
    let headers = &mut context.response.headers;
    if from_service {
        if tokens.via {
            append_to_list(headers, VIA, &format!("1.1 {SERVER_TOKEN}"));
        }
        if tokens.server && !headers.contains_key(SERVER) {
            headers.insert(SERVER, HeaderValue::from_static(SERVER_TOKEN));
        }
        add_charset(headers, gateway.settings.charset.as_deref());
    } else {
        match tokens.server {
            true => drop(headers.insert(SERVER, HeaderValue::from_static(SERVER_TOKEN))),
            false => drop(headers.remove(SERVER)),
        }
        if tokens.response_latency && !context.proxied {
            headers.insert("x-kong-response-latency", ms(timings.elapsed()));
        }
    }
    if context.proxied {
        if let Some(latency) = timings.until_proxied().filter(|_| tokens.proxy_latency) {
            headers.insert("x-kong-proxy-latency", ms(latency));
        }
        if let Some(latency) = timings.upstream.duration().filter(|_| tokens.upstream_latency) {
            headers.insert("x-kong-upstream-latency", ms(latency));
        }
    }
    if let Some(status) = upstream_status.filter(|_| tokens.upstream_status) {
        headers.insert("x-kong-upstream-status", HeaderValue::from(status));
    }
    if tokens.request_id {
        set(headers, REQUEST_ID, &context.request_id);
    }
}

/// Makes the length that of the body, whatever plugins said. `length` is that of a body in memory; one that comes
/// from upstream brings its own.
pub fn frame_response(context: &mut RequestContext, length: Option<usize>) {
    let headers = &mut context.response.headers;
    // These tell of a body that is not there: a length that goes with none stays.
    let told = context.head_only || context.response.status == 304;
    match length {
        // No body and no length (RFC 9110, section 8.6).
        _ if context.response.status == 204 => drop(headers.remove(CONTENT_LENGTH)),
        Some(0) if told => {}
        Some(length) => drop(headers.insert(CONTENT_LENGTH, HeaderValue::from(length))),
        // A plugin made a HEAD of it: the client waits for a body that the upstream only told of.
        None if context.request.method == Method::HEAD && !told => {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(0));
        }
        None => {}
    }
}

fn add_charset(headers: &mut HeaderMap, charset: Option<&str>) {
    let Some(charset) = charset else { return };
    let Some(current) = headers.get(CONTENT_TYPE).and_then(|it| it.to_str().ok()) else { return };
    if CHARSET_TYPES.contains(&current.trim()) {
        let value = format!("{}; charset={charset}", current.trim());
        set(headers, CONTENT_TYPE, &value);
    }
}

/// Bytes of a head on the wire, given those of its first line.
pub fn head_size(first_line: usize, headers: &HeaderMap) -> u64 {
    let lines: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    (first_line + lines + 2) as u64
}
