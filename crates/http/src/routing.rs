//! The step that finds the route, and what follows from it before plugins see the request.

use std::borrow::Cow;

use polygate_chain::pdk::grpc;
use polygate_chain::session::{Captures, Matched};
use polygate_chain::{Exchange, Source, forwarded};
use polygate_model::{Protocol, path};
use polygate_router::Query;

use crate::way::{Early, Way};
use crate::{Gateway, respond};

/// Finds the route and computes what is fixed with it: the way so far, and where the request goes.
pub fn route(way: &mut Way<'_>) -> Result<(), Early> {
    let exchange = &mut *way.exchange;
    let Some(matched) = find(exchange, &way.gateway) else {
        respond::decide(exchange, Source::Exit, 404, "no Route matched with those values");
        return Err(Early::Answered);
    };
    exchange.session.upstream.path = Some(upstream_path(&matched, &exchange.request.path));
    exchange.session.upstream.scheme =
        matched.service.as_ref().map(|service| Cow::Borrowed(service.protocol.as_str()));
    exchange.session.matched = Some(matched);
    exchange.forwarded = Some(forwarded::lines(exchange));
    exchange.websocket = exchange.asks_for_websocket();
    debug_headers(exchange, &way.gateway);
    require_https(exchange)?;
    require_grpc(exchange)
}

fn find(exchange: &Exchange, gateway: &Gateway) -> Option<Matched> {
    let request = &exchange.request;
    // Routes are text; the reference finds none for any other path.
    if !path::is_text(&request.path) {
        return None;
    }
    let found = gateway.router.select(&Query {
        method: request.method.as_str(),
        host: exchange
            .session
            .upstream
            .host_header
            .as_deref()
            .or_else(|| request.headers.text("Host"))
            .unwrap_or_default(),
        path: &request.path,
        headers: &request.headers,
        is_tls: exchange.session.connection.tls.is_some(),
        sni: exchange.session.connection.tls.as_ref().and_then(|tls| tls.sni.as_deref()),
        source: Some(exchange.session.client),
        destination: Some(exchange.session.destination()),
    })?;
    let captures = found.captures.map(|it| Captures { unnamed: it.unnamed, named: it.named });
    Some(Matched {
        route: found.route,
        service: found.service,
        prefix: found.matched_prefix.unwrap_or_default(),
        captures: captures.unwrap_or_default(),
    })
}

/// What goes upstream as the path, unless a plugin says otherwise.
fn upstream_path(matched: &Matched, path: &str) -> String {
    let base = matched.service.as_ref().and_then(|service| service.path.as_deref());
    let prefix = (!matched.prefix.is_empty()).then_some(&*matched.prefix);
    let path = polygate_router::upstream_path(base, &matched.route, path, prefix);
    match path::encode_for_upstream(&path) {
        Cow::Borrowed(_) => path,
        Cow::Owned(encoded) => encoded,
    }
}

/// `Kong-Route-Id` and its like, for those who ask when `allow_debug_header` is on.
fn debug_headers(exchange: &mut Exchange, gateway: &Gateway) {
    let Some(matched) = &exchange.session.matched else { return };
    if !gateway.settings.debug_header || !exchange.request.headers.contains("Kong-Debug") {
        return;
    }
    let (route, service) = (&matched.route, matched.service.as_ref());
    for (name, value) in [
        ("Kong-Route-Id", Some(route.id.to_string())),
        ("Kong-Route-Name", route.name.clone()),
        ("Kong-Service-Id", service.map(|service| service.id.to_string())),
        ("Kong-Service-Name", service.and_then(|service| service.name.clone())),
    ] {
        exchange.response.headers.extend(value.map(|value| (name, value)));
    }
}

/// A route for https only answers plain requests with 426 or a redirect.
fn require_https(exchange: &mut Exchange) -> Result<(), Early> {
    let Some(route) = exchange.session.route() else { return Ok(()) };
    let https_only = route.protocols.contains(&Protocol::Https) && !route.protocols.contains(&Protocol::Http);
    if !https_only || forwarded::scheme(exchange) == "https" {
        return Ok(());
    }
    let status = route.https_redirect_status_code;
    if status == 426 {
        respond::decide(exchange, Source::Exit, 426, "Please use HTTPS protocol");
        exchange.response.headers.insert("Connection", "Upgrade");
        exchange.response.headers.insert("Upgrade", "TLS/1.2, HTTP/1.1");
    } else {
        let location =
            [b"https://", forwarded::host_and_port(exchange).as_bytes(), &exchange.request.target].concat();
        exchange.response.headers.insert("Location", location);
        let content_type = if status < 303 { "text/html" } else { "text/html; charset=UTF-8" };
        respond::plain_page(exchange, Source::Exit, status, content_type);
    }
    Err(Early::Answered)
}

/// A route for gRPC takes nothing else, and one for gRPC over TLS alone nothing in the clear (gateway.md, section 8.4).
fn require_grpc(exchange: &mut Exchange) -> Result<(), Early> {
    let Some(route) = exchange.session.route() else { return Ok(()) };
    let takes = |protocol| route.protocols.contains(&protocol);
    let (takes_plain, takes_tls) = (takes(Protocol::Grpc), takes(Protocol::Grpcs));
    if !takes_plain && !takes_tls {
        return Ok(());
    }
    if !grpc::has_grpc_type(&exchange.request.headers) {
        respond::decide(exchange, Source::Exit, 415, "Non-gRPC request matched gRPC route");
    } else if !grpc::is_request(exchange) {
        respond::decide(exchange, Source::Exit, 426, "Please use HTTP2 protocol");
        exchange.response.headers.insert("Connection", "Upgrade");
        exchange.response.headers.insert("Upgrade", "HTTP/2");
    } else if !takes_plain && forwarded::scheme(exchange) != "https" {
        exchange.response.headers.insert("grpc-status", "1");
        respond::grpc(exchange, Source::Exit, 200, Some("gRPC request matched gRPCs route"));
    } else {
        return Ok(());
    }
    Err(Early::Answered)
}
