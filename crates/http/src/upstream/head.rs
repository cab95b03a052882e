//! The head of a request as it goes upstream.

use std::fmt::Write as _;
use std::net::SocketAddr;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, TE};
use http::uri::{PathAndQuery, Scheme};
use http::{HeaderName, HeaderValue, Method, Request, Uri};
use polygate_chain::session::SentRequest;
use polygate_chain::{Exchange, forwarded};
use polygate_http1::{Headers, items, write};

use crate::names::NameSet;

/// Bytes of a request line's target; servers take no longer ones.
const LONGEST_TARGET: usize = 64 * 1024;

/// The gateway's own lines, and those that concern one connection (RFC 9110, section 7.6.1). The reference answers
/// `Expect` itself, drops `Proxy` (it becomes `HTTP_PROXY` in CGI programs).
const OWN: NameSet<20> = NameSet::new([
    "Host",
    "Connection",
    "Content-Length",
    "Transfer-Encoding",
    "Keep-Alive",
    "Proxy-Connection",
    "Proxy",
    "Upgrade",
    "Expect",
    "TE",
    "HTTP2-Settings",
    forwarded::VIA,
    forwarded::FOR,
    forwarded::PROTO,
    forwarded::HOST,
    forwarded::PORT,
    forwarded::PATH,
    forwarded::PREFIX,
    forwarded::REAL_IP,
    "X-Kong-Request-Id",
]);

/// The trace context: one line without the other says nothing.
const TRACE: NameSet<2> = NameSet::new(["traceparent", "tracestate"]);

/// How the body behind a head is delimited.
#[derive(Debug, Clone, Copy)]
pub enum BodyFraming {
    None,
    Length(u64),
    Chunked,
}

/// Path and query as they go upstream; `None` when that is too long.
pub fn target(exchange: &Exchange) -> Option<Bytes> {
    let path = exchange.session.upstream.path.as_deref().unwrap_or("/");
    let query = exchange.request.query.as_deref();
    let length = path.len() + query.map_or(0, |query| query.len() + 1);
    if length > LONGEST_TARGET {
        return None;
    }
    let mut target = BytesMut::with_capacity(length);
    target.extend_from_slice(path.as_bytes());
    if let Some(query) = query {
        target.extend_from_slice(b"?");
        target.extend_from_slice(query);
    }
    Some(target.freeze())
}

/// How the body of this request is delimited: by its own length, whatever a plugin or the client said of it, since an
/// upstream that believes another one takes the rest of the body for the next request.
pub fn framing(exchange: &Exchange) -> BodyFraming {
    match exchange.request_body.length() {
        None => BodyFraming::Chunked,
        Some(0) => {
            let announced = ["Content-Length", "Transfer-Encoding"];
            match announced.iter().any(|name| exchange.request.headers.contains(name)) {
                true => BodyFraming::Length(0),
                false => BodyFraming::None,
            }
        }
        Some(length) => BodyFraming::Length(length),
    }
}

/// Writes the head, in the order in which the reference has the lines. `trace` are those of the trace context.
pub fn write(
    out: &mut Vec<u8>,
    exchange: &Exchange,
    sent: &SentRequest,
    body: BodyFraming,
    trace: &Headers,
    with_request_id: bool,
) {
    let headers = &exchange.request.headers;
    write::request_line(out, &exchange.request.method, &sent.uri);
    if headers.lists("TE", "trailers") {
        write::line(out, "TE", b"trailers");
    }
    if let Some(via) = via(exchange) {
        write::line(out, forwarded::VIA, via);
    }
    write::line(out, "Host", sent.host.as_bytes());
    if exchange.websocket {
        write::line(out, "Upgrade", b"websocket");
    }
    write::line(out, "Connection", if exchange.websocket { b"keep-alive, Upgrade" } else { b"keep-alive" });
    told(exchange, with_request_id, &mut |name, value| write::line(out, name, value));
    match body {
        BodyFraming::None => {}
        BodyFraming::Length(length) => {
            out.extend_from_slice(b"Content-Length: ");
            write::number(out, length);
            out.extend_from_slice(b"\r\n");
        }
        BodyFraming::Chunked => write::line(out, "Transfer-Encoding", b"chunked"),
    }
    passed(exchange, trace, &mut |name, value| write::line(out, name, value));
    out.extend_from_slice(b"\r\n");
}

/// The head as HTTP/2 has it; `is_tls` is whether it goes within TLS.
pub fn http2(
    exchange: &Exchange,
    sent: &SentRequest,
    body: BodyFraming,
    trace: &Headers,
    with_request_id: bool,
    is_tls: bool,
) -> Option<Request<()>> {
    let scheme = if is_tls { Scheme::HTTPS } else { Scheme::HTTP };
    let target = PathAndQuery::from_maybe_shared(sent.uri.clone()).ok()?;
    let uri =
        Uri::builder().scheme(scheme).authority(sent.host.as_str()).path_and_query(target).build().ok()?;
    let mut request = Request::new(());
    (*request.method_mut(), *request.uri_mut()) = (exchange.request.method.clone(), uri);
    let headers = request.headers_mut();
    headers.insert(TE, HeaderValue::from_static("trailers"));
    if let BodyFraming::Length(length) = body {
        headers.insert(CONTENT_LENGTH, length.into());
    }
    let mut add = |name: &[u8], value: &[u8]| {
        // What HTTP/1 takes and HTTP/2 does not cannot be said.
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value)) {
            headers.append(name, value);
        }
    };
    if let Some(via) = via(exchange) {
        add(forwarded::VIA.as_bytes(), via);
    }
    told(exchange, with_request_id, &mut add);
    passed(exchange, trace, &mut add);
    Some(request)
}

fn via(exchange: &Exchange) -> Option<&[u8]> {
    exchange.forwarded.as_ref()?.get(forwarded::VIA)
}

/// What the upstream is told of the way so far, but for `Via`.
fn told(exchange: &Exchange, with_request_id: bool, add: &mut impl FnMut(&[u8], &[u8])) {
    if let Some(lines) = &exchange.forwarded {
        for (name, value) in lines.lines().filter(|(name, _)| *name != forwarded::VIA.as_bytes()) {
            add(name, value);
        }
    }
    if with_request_id {
        add(b"X-Kong-Request-Id", exchange.session.id.as_bytes());
    }
}

/// The client's own lines, and those of the trace.
fn passed(exchange: &Exchange, trace: &Headers, add: &mut impl FnMut(&[u8], &[u8])) {
    let headers = &exchange.request.headers;
    // What the client's `Connection` lists is meant for the gateway alone (RFC 9110, section 7.6.1).
    let listed: Vec<&[u8]> = headers.get_all("Connection").flat_map(items).collect();
    for (name, value) in headers.lines() {
        let is_left_out = OWN.contains(name)
            || listed.iter().any(|item| item.eq_ignore_ascii_case(name))
            || (!trace.is_empty() && TRACE.contains(name));
        if !is_left_out {
            add(name, value);
        }
    }
    trace.lines().for_each(|(name, value)| add(name, value));
}

/// `Host` for the upstream. The port is named unless it is the scheme's own.
pub fn host(exchange: &Exchange, peer_name: Option<&str>, peer: SocketAddr) -> String {
    if let Some(host) = &exchange.session.upstream.host_header {
        return host.clone();
    }
    if let Some((host, _)) = &exchange.session.upstream.target {
        return host.clone();
    }
    let preserves = exchange.session.route().is_some_and(|route| route.preserve_host);
    if let Some(given) = exchange.request.headers.text("Host").filter(|host| preserves && !host.is_empty()) {
        return given.to_owned();
    }
    let (host, port) = match (peer_name, exchange.session.service()) {
        (Some(name), _) => (name, peer.port()),
        (None, Some(service)) => (service.host.as_str(), service.port),
        (None, None) => ("", 80),
    };
    let is_tls = exchange.session.upstream.scheme.as_deref().is_some_and(|scheme| scheme.ends_with('s'));
    // Of hosts only an IPv6 address has colons.
    let (open, close) = if host.contains(':') && !host.starts_with('[') { ("[", "]") } else { ("", "") };
    let mut text = String::with_capacity(host.len() + "[]:65535".len());
    text.extend([open, host, close]);
    if port != if is_tls { 443 } else { 80 } {
        // Writing to memory does not fail.
        let _ = write!(text, ":{port}");
    }
    text
}

/// A host without its port and brackets.
pub fn host_name(host: &str) -> &str {
    match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((inside, _)) => inside,
        // Of hosts only an IPv6 address has more than one.
        None if host.matches(':').count() > 1 => host,
        None => host.split_once(':').map_or(host, |(name, _)| name),
    }
}

/// Methods that may be repeated although something of the request was sent (gateway.md, section 6.3).
pub fn is_idempotent(method: &Method) -> bool {
    !matches!(method.as_str(), "POST" | "LOCK" | "PATCH")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_named_without_their_ports() {
        for (host, name) in [
            ("a.test", "a.test"),
            ("a.test:443", "a.test"),
            ("[::1]:443", "::1"),
            ("[::1]", "::1"),
            ("::1", "::1"),
        ] {
            assert_eq!(host_name(host), name, "{host}");
        }
    }
}
