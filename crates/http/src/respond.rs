//! Responses that the gateway makes itself.

use bytes::Bytes;
use polygate_chain::{Answer, Exchange, Failure, Source};
use polygate_http1::write;

/// Names the kind of a plugin's failure for machines.
pub const REASON: &str = "X-Polygate-Reason";

/// A decision of the gateway (no route, no service, balancer): formatted by `Accept`, JSON by default.
pub fn decide(context: &mut Exchange, source: Source, status: u16, message: &str) {
    let accept = context.request.headers.joined("Accept");
    let page = context.session.environment.error_pages.render(
        status,
        Some(message),
        &context.session.id,
        accept.as_deref(),
        None,
    );
    set(context, source, status, page);
}

/// An error of the proxy itself (bad request, upstream unreachable): formatted by `Accept`, else by the
/// request's content type, else by `error_default_type`. 494 is an inner status and goes out as 400.
pub fn proxy_error(context: &mut Exchange, status: u16) {
    if matches!(status, 501 | 505) {
        return plain_page(context, Source::Error, status, "text/html; charset=UTF-8");
    }
    let headers = &context.request.headers;
    let accept = headers.joined("Accept");
    let content_type = headers.get("Content-Type");
    let page = context.session.environment.error_pages.render_proxy(
        status,
        &context.session.id,
        accept.as_deref(),
        content_type,
    );
    set(context, Source::Error, if status == 494 { 400 } else { status }, page);
}

/// The response in the server's own words, for statuses that the reference has no page for.
pub fn plain_page(context: &mut Exchange, source: Source, status: u16, content_type: &'static str) {
    let title = match status {
        302 => "Found",
        _ => write::reason(status),
    };
    let body = format!(
        "<html>\r\n<head><title>{status} {title}</title></head>\r\n<body>\r\n<center><h1>{status} {title}</h1></center>\r\n\
         </body>\r\n</html>\r\n"
    );
    set(context, source, status, (body.into(), content_type));
}

/// A plugin that could not do its work.
pub fn plugin_failure(context: &mut Exchange, failure: &Failure) {
    failure.log(&context.session.id);
    if context.service_response.is_some() {
        // They tell of the upstream's body, and may hold what the plugin was to keep back.
        context.response.headers.clear();
    }
    let page =
        context.session.environment.error_pages.render(failure.status, None, &context.session.id, None, None);
    set(context, Source::Error, failure.status, page);
    context.response.headers.insert(REASON, failure.reason);
}

fn set(context: &mut Exchange, source: Source, status: u16, (body, content_type): (Bytes, &'static str)) {
    let headers = &mut context.response.headers;
    headers.insert("Content-Type", content_type);
    headers.insert("Content-Length", body.len().to_string());
    context.response.status = status;
    context.session.answer = Some(Answer { source, body });
}
