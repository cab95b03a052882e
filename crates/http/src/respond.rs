//! Responses that the gateway makes itself.

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderName, HeaderValue};
use polygate_chain::{Answer, Failure, RequestContext, Source};

/// Names the kind of a plugin's failure for machines.
pub const REASON: HeaderName = HeaderName::from_static("x-polygate-reason");

/// A decision of the gateway (no route, no service, balancer): formatted by `Accept`, JSON by default.
pub fn decide(context: &mut RequestContext, source: Source, status: u16, message: &str) {
    let accept = context.request.headers.get(ACCEPT).map(HeaderValue::as_bytes);
    let page =
        context.environment.error_pages.render(status, Some(message), &context.request_id, accept, None);
    set(context, source, status, page);
}

/// An error of the proxy itself (bad request, upstream unreachable): formatted by `Accept`, else by the
/// request's content type, else by `error_default_type`. 494 is an inner status and goes out as 400.
pub fn proxy_error(context: &mut RequestContext, status: u16) {
    let headers = &context.request.headers;
    let accept = headers.get(ACCEPT).map(HeaderValue::as_bytes);
    let content_type = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    let page =
        context.environment.error_pages.render_proxy(status, &context.request_id, accept, content_type);
    set(context, Source::Error, if status == 494 { 400 } else { status }, page);
}

/// A plugin that could not do its work.
pub fn plugin_failure(context: &mut RequestContext, failure: &Failure) {
    failure.log(&context.request_id);
    if context.service_response.is_some() {
        // They tell of the upstream's body, and may hold what the plugin was to keep back.
        context.response.headers.clear();
    }
    let page = context.environment.error_pages.render(failure.status, None, &context.request_id, None, None);
    set(context, Source::Error, failure.status, page);
    context.response.headers.insert(REASON, HeaderValue::from_static(failure.reason));
}

fn set(
    context: &mut RequestContext,
    source: Source,
    status: u16,
    (body, content_type): (Bytes, &'static str),
) {
    let headers = &mut context.response.headers;
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    context.response.status = status;
    context.answer = Some(Answer { source, body });
}
