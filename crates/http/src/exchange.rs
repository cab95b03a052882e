//! One request, from its head to the response's.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use http::header::{CONNECTION, CONTENT_LENGTH, HOST, UPGRADE};
use http::{Extensions, HeaderValue, Method, Response, StatusCode, Version};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use polygate_chain::context::{Captures, Matched, Request, ServiceResponse};
use polygate_chain::{BodyError, Collected, Connection, Failure, Head, RequestContext, Source};
use polygate_model::Protocol;
use polygate_router::{Query, path};
use tokio::sync::oneshot;

use crate::response_body::{Content, ResponseBody};
use crate::{Gateway, Worker, client_body, forwarding, respond, tracing, upstream};

type Reply = Response<ResponseBody>;

/// What the upstream's answer leaves to send.
struct Proxied {
    content: Content,
    extensions: Extensions,
}

pub async fn run(
    request: hyper::Request<Incoming>,
    serial: u64,
    connection: Arc<Connection>,
    worker: Rc<Worker>,
    gateway: Arc<Gateway>,
    client: &oneshot::Sender<Reply>,
) -> Reply {
    let (mut context, mut extensions) = open(request, serial, connection, &worker, &gateway);
    let mut collected = gateway.plan.collect_globals();
    let content = match steps(&mut context, &mut extensions, &mut collected, &worker, &gateway, client).await
    {
        Some(proxied) => {
            extensions = proxied.extensions;
            proxied.content
        }
        None => {
            let body = context.answer.as_ref().map(|answer| answer.body.clone()).unwrap_or_default();
            extensions = Extensions::new();
            Content::Bytes(body)
        }
    };
    finish(content, extensions, context, collected, worker, &gateway, serial)
}

/// The list of steps. `None` means that the context's answer is the response.
async fn steps(
    context: &mut RequestContext,
    extensions: &mut Extensions,
    collected: &mut Collected,
    worker: &Rc<Worker>,
    gateway: &Gateway,
    client: &oneshot::Sender<Reply>,
) -> Option<Proxied> {
    check(context, gateway)?;
    rewrite(context, gateway).await?;
    route(context, gateway)?;
    access(context, collected, gateway).await?;
    if context.service().is_none() {
        respond::decide(context, Source::Exit, 503, "no Service found with those values");
        return None;
    }
    if client.is_closed() {
        // Nobody waits any more: nothing goes upstream. The status is only for the log.
        respond::proxy_error(context, 499);
        return None;
    }
    prepare_body(context).await?;
    context.proxied = true;
    let reply = match upstream::send(context, std::mem::take(extensions), worker, gateway).await {
        Ok(reply) => reply,
        Err(failure) => {
            match failure {
                upstream::SendError::Decision(status, message) => {
                    respond::decide(context, Source::Error, status, &message);
                }
                upstream::SendError::Proxy(status) => respond::proxy_error(context, status),
            }
            return None;
        }
    };
    let buffered = context.buffering || collected.wants_response();
    take_head(context, &reply, buffered);
    let extensions = reply.extensions;
    context.timings.receive.begin();
    if !buffered {
        return Some(Proxied { content: Content::Upstream(reply.body), extensions });
    }
    let body = buffer(context, reply.body).await?;
    context.timings.response.begin();
    let outcome = collected.response(context).await;
    context.timings.response.finish();
    settle(context, outcome)?;
    Some(Proxied { content: Content::Bytes(body), extensions })
}

/// The context of a request as it was received.
fn open(
    request: hyper::Request<Incoming>,
    serial: u64,
    connection: Arc<Connection>,
    worker: &Worker,
    gateway: &Gateway,
) -> (Box<RequestContext>, Extensions) {
    let (parts, body) = request.into_parts();
    let target =
        parts.uri.path_and_query().map_or_else(|| parts.uri.to_string(), |it| it.as_str().to_owned());
    let settings = &gateway.settings;
    let body = client_body::request_body(body, settings.client_max_body_size, settings.client_body_timeout);
    let mut headers = parts.headers;
    if let (None, Some(authority)) = (headers.get(HOST), parts.uri.authority()) {
        // An absolute request target names the host (RFC 9112, section 3.2.2).
        headers.extend(HeaderValue::from_str(authority.as_str()).map(|value| (HOST, value)));
    }
    let size = forwarding::head_size(target.len() + 16, &headers);
    let request = Request {
        method: parts.method,
        path: path::normalize(target.split('?').next().unwrap_or("/")).into_owned(),
        query: target.split_once('?').map(|(_, query)| query.to_owned()),
        target,
        version: parts.version,
        headers,
        size,
        serial,
    };
    let client = forwarding::client_address(&request.headers, connection.peer, gateway);
    let statistics = &gateway.environment.node.statistics;
    statistics.requests_total.fetch_add(1, Relaxed);
    statistics.requests_active.fetch_add(1, Relaxed);
    let id = uuid::Uuid::new_v4().simple().to_string();
    let trace = tracing::begin(worker, &request.method, &request.headers);
    let mut context =
        Box::new(RequestContext::new(gateway.environment.clone(), connection, client, id, request, body));
    context.trace = trace;
    (context, parts.extensions)
}

/// What no plugin gets to see: requests that HTTP itself refuses.
fn check(context: &mut RequestContext, gateway: &Gateway) -> Option<()> {
    let request = &context.request;
    let limit = gateway.settings.client_max_body_size;
    let length = request.headers.get(CONTENT_LENGTH).and_then(|it| it.to_str().ok()?.parse::<u64>().ok());
    let refusal = if request.version == Version::HTTP_11 && !request.headers.contains_key(HOST) {
        400
    } else if request.method == Method::TRACE || request.method == Method::CONNECT {
        405
    } else if limit > 0 && length.is_some_and(|length| length > limit) {
        413
    } else {
        return Some(());
    };
    respond::proxy_error(context, refusal);
    None
}

async fn rewrite(context: &mut RequestContext, gateway: &Gateway) -> Option<()> {
    context.timings.rewrite.begin();
    let outcome = gateway.plan.rewrite(context).await;
    context.timings.rewrite.finish();
    settle(context, outcome)
}

fn route(context: &mut RequestContext, gateway: &Gateway) -> Option<()> {
    let request = &context.request;
    let host = context.upstream.host_header.as_deref();
    let host = host.or_else(|| request.headers.get(HOST)?.to_str().ok()).unwrap_or_default();
    let local = context.connection.local;
    let found = gateway.router.select(&Query {
        method: request.method.as_str(),
        host,
        path: &request.path,
        headers: &request.headers,
        is_tls: context.connection.tls.is_some(),
        sni: context.connection.tls.as_ref().and_then(|tls| tls.sni.as_deref()),
        source: Some(context.client),
        destination: Some(SocketAddr::new(local.ip(), context.environment.outside_port(local.port()))),
    });
    let Some(found) = found else {
        respond::decide(context, Source::Exit, 404, "no Route matched with those values");
        return None;
    };
    // What rewrite said about these two gives way to the router.
    context.upstream.path = None;
    context.upstream.scheme = None;
    let captures = found.captures.map(|it| Captures { unnamed: it.unnamed, named: it.named });
    context.matched = Some(Matched {
        route: found.route,
        service: found.service,
        prefix: found.matched_prefix.as_deref().unwrap_or_default().to_owned(),
        captures: captures.unwrap_or_default(),
    });
    forwarding::debug_headers(context, gateway);
    require_https(context)
}

/// A route for https only answers plain requests with 426 or a redirect.
fn require_https(context: &mut RequestContext) -> Option<()> {
    let route = context.route()?.clone();
    let https_only = route.protocols.contains(&Protocol::Https) && !route.protocols.contains(&Protocol::Http);
    if !https_only || forwarding::forwarded_scheme(context) == "https" {
        return Some(());
    }
    if route.https_redirect_status_code == 426 {
        respond::decide(context, Source::Exit, 426, "Please use HTTPS protocol");
        let headers = &mut context.response.headers;
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("TLS/1.2, HTTP/1.1"));
    } else {
        forwarding::redirect_to_https(context, route.https_redirect_status_code);
    }
    None
}

async fn access(context: &mut RequestContext, collected: &mut Collected, gateway: &Gateway) -> Option<()> {
    context.timings.access.begin();
    let (chosen, outcome) = gateway.plan.access(context).await;
    context.timings.access.finish();
    *collected = chosen;
    settle(context, outcome)
}

/// Turns a failure into the answer; `None` when the request is decided.
fn settle(context: &mut RequestContext, outcome: Result<(), Failure>) -> Option<()> {
    if let Err(failure) = outcome {
        respond::plugin_failure(context, &failure);
    }
    context.answer.is_none().then_some(())
}

/// Reads a small body ahead, so that it can be sent again and has a length.
async fn prepare_body(context: &mut RequestContext) -> Option<()> {
    let buffering = context.route().is_some_and(|route| route.request_buffering);
    let read = if context.buffering {
        context.request_body.read().await.map(drop)
    } else if buffering {
        client_body::read_ahead(&mut context.request_body).await
    } else {
        Ok(())
    };
    let status = match read {
        Ok(()) => return Some(()),
        Err(BodyError::TooLarge) => 413,
        Err(BodyError::Timeout) => 408,
        Err(BodyError::Broken(_)) => 400,
    };
    respond::proxy_error(context, status);
    None
}

fn take_head(context: &mut RequestContext, reply: &upstream::Reply, buffered: bool) {
    let preset = std::mem::take(&mut context.response.headers);
    let mut headers = reply.headers.clone();
    forwarding::clean_response(&mut headers);
    forwarding::merge_preset(&mut headers, preset, buffered);
    context.response = Head { status: reply.status, headers };
    context.service_response =
        Some(ServiceResponse { status: reply.status, headers: reply.headers.clone(), body: None });
}

/// Holds the whole response back. A body that breaks off is the upstream's fault.
async fn buffer(
    context: &mut RequestContext,
    body: crate::response_body::UpstreamBody,
) -> Option<bytes::Bytes> {
    match body.collect().await {
        Ok(body) => {
            let body = body.to_bytes();
            if let Some(response) = &mut context.service_response {
                response.body = Some(body.clone());
            }
            Some(body)
        }
        Err(error) => {
            let status = if matches!(error, BodyError::Timeout) { 504 } else { 502 };
            context.response.headers.clear();
            respond::proxy_error(context, status);
            None
        }
    }
}

/// Adds the gateway's own headers and hands the body its ending.
fn finish(
    content: Content,
    extensions: Extensions,
    mut context: Box<RequestContext>,
    collected: Collected,
    worker: Rc<Worker>,
    gateway: &Gateway,
    serial: u64,
) -> Reply {
    forwarding::response_headers(&mut context, gateway);
    let length = match &content {
        Content::Bytes(body) => Some(body.len()),
        Content::Upstream(_) => None,
    };
    forwarding::frame_response(&mut context, length);
    context.bytes_sent = forwarding::head_size(24, &context.response.headers);
    let mut response = Response::new(());
    *response.status_mut() =
        StatusCode::from_u16(context.response.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    *response.headers_mut() = context.response.headers.clone();
    *response.extensions_mut() = extensions;
    if serial >= gateway.settings.keepalive_requests {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    let body = ResponseBody::new(content, context, collected, worker);
    response.map(|()| body)
}
