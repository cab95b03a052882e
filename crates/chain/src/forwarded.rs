//! What the upstream is told of the way that a request took: `X-Forwarded-*`, `X-Real-IP` and `Via`.
//!
//! The lines are made once, after routing and before any plugin's `access` (gateway.md, sections 2.1 and 5.2), so
//! that a plugin's `Host` is not taken for the client's; of what the client says of the way before, no plugin's word
//! counts at all. The upstream gets them, and `kong.nginx` shows them. The
//! functions are also what `kong.request.get_forwarded_*` answer. A trusted peer's values count, those of others
//! are replaced; only `X-Forwarded-For` is continued whoever sent it.

mod names;

use std::borrow::Cow;

use http::Version;
use memchr::{memchr, memrchr};
use polygate_http1::Headers;

use crate::Exchange;

pub use names::{FOR, HOST, OWN_VIA, PATH, PORT, PREFIX, PROTO, REAL_IP, SERVER_NAME, SERVER_TOKEN, VIA};

/// All lines, in the order in which the reference writes them. A trusted peer can have one left out by an empty value.
pub fn lines(exchange: &Exchange) -> Headers {
    let mut lines = Headers::with_capacity(320, 8);
    let client = exchange.session.client_ip();
    // Of several lines the first counts, as in the reference.
    match &exchange.arrival.forwarded_for {
        Some(before) => {
            lines.append(FOR, [before, &b", "[..], exchange.session.connection.peer_ip().as_bytes()].concat())
        }
        None => lines.append(FOR, client.as_bytes()),
    }
    lines.append(PROTO, told(exchange, PROTO).unwrap_or(exchange.session.scheme().as_bytes()));
    lines.append(HOST, host_and_port(exchange).as_bytes());
    match told(exchange, PORT) {
        Some(port) => lines.append(PORT, port),
        None => lines.append_number(PORT, outside_port(exchange).into()),
    }
    lines.append(PATH, told(exchange, PATH).unwrap_or(path_of(&exchange.request.target)));
    if let Some(prefix) = prefix(exchange) {
        lines.append(PREFIX, prefix);
    }
    lines.append(REAL_IP, client.as_bytes());
    let via = own_via(exchange.request.version);
    match &exchange.arrival.via {
        Some(before) => lines.append(VIA, [before, &b", "[..], via.as_bytes()].concat()),
        None => lines.append(VIA, via.as_bytes()),
    }
    lines.retain(|_, value| !value.is_empty());
    lines
}

/// `http` or `https`, or whatever a trusted peer says.
pub fn scheme(exchange: &Exchange) -> &str {
    told_text(exchange, PROTO).unwrap_or(exchange.session.scheme())
}

/// The host as links to this request have it: a trusted peer's, port included, else the request's.
pub fn host_and_port(exchange: &Exchange) -> Cow<'_, str> {
    told_text(exchange, HOST).map_or_else(|| host_name(exchange), Cow::Borrowed)
}

/// The host that the client asked for: lower case, without port.
pub fn host(exchange: &Exchange) -> String {
    let told = told_text(exchange, HOST).map(|host| split_port(host).0.to_ascii_lowercase());
    told.filter(|host| !host.is_empty()).unwrap_or_else(|| host_name(exchange).into_owned())
}

pub fn port(exchange: &Exchange) -> u16 {
    let valid = |text: &str| text.trim().parse::<u16>().ok().filter(|&port| port > 0);
    told_text(exchange, PORT)
        .and_then(valid)
        .or_else(|| split_port(told_text(exchange, HOST)?).1.and_then(valid))
        .unwrap_or_else(|| outside_port(exchange))
}

/// The path that a trusted peer says the client asked for.
pub fn path(exchange: &Exchange) -> Option<&[u8]> {
    told(exchange, PATH).filter(|path| !path.is_empty())
}

/// A trusted peer's, else what the route strips; none when it strips nothing.
pub fn prefix(exchange: &Exchange) -> Option<&[u8]> {
    told(exchange, PREFIX).or_else(|| {
        let matched = exchange.session.matched.as_ref()?;
        (matched.route.strip_path && matched.prefix.len() > 1).then_some(matched.prefix.as_bytes())
    })
}

/// The request's own host: lower case, without port and without the dot at the end of a full name.
pub fn host_name(exchange: &Exchange) -> Cow<'_, str> {
    let host = exchange.request.headers.text("Host").map_or("", |host| split_port(host).0);
    match host.strip_suffix('.').unwrap_or(host) {
        "" => SERVER_NAME.into(),
        host if host.bytes().any(|byte| byte.is_ascii_uppercase()) => host.to_ascii_lowercase().into(),
        host => host.into(),
    }
}

/// The path of a request target.
pub fn path_of(target: &[u8]) -> &[u8] {
    memchr(b'?', target).map_or(target, |at| &target[..at])
}

/// The port by which the outside reaches the listener.
pub fn outside_port(exchange: &Exchange) -> u16 {
    exchange.session.environment.outside_port(exchange.session.connection.local.port())
}

/// This hop: the version in which the message came, and who took it (RFC 9110, section 7.6.3). The reference writes 1
/// for HTTP/1.0.
fn own_via(version: Version) -> Cow<'static, str> {
    match version {
        Version::HTTP_10 => format!("1 {SERVER_TOKEN}").into(),
        Version::HTTP_2 => format!("2 {SERVER_TOKEN}").into(),
        _ => OWN_VIA.into(),
    }
}

/// The first value of a forwarding header, if the peer may set it.
fn told<'c>(exchange: &'c Exchange, name: &str) -> Option<&'c [u8]> {
    exchange.request.headers.get(name).filter(|_| exchange.session.peer_is_trusted)
}

fn told_text<'c>(exchange: &'c Exchange, name: &str) -> Option<&'c str> {
    told(exchange, name).and_then(|value| str::from_utf8(value).ok()).filter(|value| !value.is_empty())
}

/// Host and port of `user@host:port`; an IPv6 address keeps its brackets.
fn split_port(authority: &str) -> (&str, Option<&str>) {
    let authority = memrchr(b'@', authority.as_bytes()).map_or(authority, |at| &authority[at + 1..]);
    match memrchr(b':', authority.as_bytes()).map(|at| (&authority[..at], &authority[at + 1..])) {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (authority, None),
    }
}

#[cfg(test)]
mod tests;
