//! Responses that the gateway makes itself.

use bytes::Bytes;
use polygate_chain::pdk::grpc;
use polygate_chain::{Answer, Exchange, Failure, Source, error_page};

/// Names the kind of a plugin's failure for machines.
pub const REASON: &str = "X-Polygate-Reason";

/// A decision of the gateway (no route, no service, balancer): formatted by `Accept`, JSON by default. For clients of gRPC
/// it is the name of the status, as in the reference.
pub fn decide(exchange: &mut Exchange, source: Source, status: u16, message: &str) {
    if grpc::is_request(exchange) {
        return grpc(exchange, source, status, None);
    }
    let accept = exchange.request.headers.joined("Accept");
    let page = exchange.session.environment.error_pages.render(
        status,
        Some(message),
        &exchange.session.id,
        accept.as_deref(),
        None,
    );
    set(exchange, source, status, page);
}

/// An error of the proxy itself (bad request, upstream unreachable): formatted by `Accept`, else by the
/// request's content type, else by `error_default_type`. 494 is an inner status and goes out as 400.
pub fn proxy_error(exchange: &mut Exchange, status: u16) {
    if grpc::is_request(exchange) {
        return grpc(exchange, Source::Error, status, Some(&error_page::default_message(status)));
    }
    if matches!(status, 501 | 505) {
        return plain_page(exchange, Source::Error, status, error_page::PLAIN_PAGE_TYPE);
    }
    let headers = &exchange.request.headers;
    let accept = headers.joined("Accept");
    let content_type = headers.get("Content-Type");
    let page = exchange.session.environment.error_pages.render_proxy(
        status,
        &exchange.session.id,
        accept.as_deref(),
        content_type,
    );
    set(exchange, Source::Error, if status == 494 { 400 } else { status }, page);
}

/// The response in the server's own words, for statuses that the reference has no page for.
pub fn plain_page(exchange: &mut Exchange, source: Source, status: u16, content_type: &'static str) {
    set(exchange, source, status, (error_page::plain(status), content_type));
}

/// A plugin that could not do its work.
pub fn plugin_failure(exchange: &mut Exchange, failure: &Failure) {
    failure.log(&exchange.session.id);
    if exchange.service_response.is_some() {
        // They tell of the upstream's body, and may hold what the plugin was to keep back.
        exchange.response.headers.clear();
    }
    if grpc::is_request(exchange) {
        grpc(exchange, Source::Error, failure.status, None);
    } else {
        let pages = &exchange.session.environment.error_pages;
        let page = pages.render(failure.status, None, &exchange.session.id, None, None);
        set(exchange, Source::Error, failure.status, page);
    }
    if failure.is_shown {
        exchange.response.headers.insert(REASON, failure.reason);
    }
}

/// A response to a client of gRPC: what there is to say are headers.
pub fn grpc(exchange: &mut Exchange, source: Source, status: u16, message: Option<&str>) {
    let status = if status == 494 { 400 } else { status };
    let headers = &mut exchange.response.headers;
    headers.remove("Content-Length");
    grpc::describe(headers, status, message);
    exchange.response.status = status;
    exchange.session.answer = Some(Answer { source, status, body: Bytes::new() });
}

fn set(exchange: &mut Exchange, source: Source, status: u16, (body, content_type): (Bytes, &'static str)) {
    let headers = &mut exchange.response.headers;
    headers.insert("Content-Type", content_type);
    headers.insert("Content-Length", body.len().to_string());
    exchange.response.status = status;
    exchange.session.answer = Some(Answer { source, status, body });
}
