//! The first steps: a request's exchange, and what HTTP itself refuses.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use bytes::Bytes;
use http::Method;
use polygate_chain::exchange::Request;
use polygate_chain::{Exchange, Phase, RequestBody, Session, forwarded};
use polygate_http1::{Framing, Headers, RequestHead};
use polygate_model::path;
use polygate_net::real_ip::{Peer, RealIp};
use polygate_telemetry::log;

use crate::client::Client;
use crate::downstream::Downstream;
use crate::way::{Early, Way};
use crate::{Gateway, tracing};

/// The exchange of a request as it was received, and the body ready to be read.
pub fn receive(
    head: RequestHead,
    serial: u64,
    client: Rc<dyn Client>,
    downstream: &Downstream,
    gateway: Arc<Gateway>,
) -> Way<'_> {
    if head.dropped > 0 {
        let peer = downstream.connection.peer;
        log!(Info, "client {peer}: {} header lines with invalid names left out", head.dropped);
    }
    let settings = &gateway.settings;
    client.begin_body(head.framing, settings.client_max_body_size, head.expects_continue);
    let body = match head.framing {
        Framing::Length(0) => RequestBody::new(Bytes::new()),
        _ => RequestBody::stream(client.clone().body(), settings.spool.clone()),
    };
    let (received, sent) = client.traffic();
    let traffic_before = (received - head.length as u64, sent);
    let target = Bytes::from(head.target);
    let request = Request {
        method: head.method,
        path: path::normalize(forwarded::path_of(&target)).into_owned(),
        query: target.iter().position(|&byte| byte == b'?').map(|at| target.slice(at + 1..)),
        target,
        version: head.version,
        headers: head.headers,
        size: head.length as u64,
        serial,
    };
    begin(request, body, head.keep_alive, traffic_before, client, downstream, gateway)
}

/// The way of a request, with what is known of it.
pub fn begin(
    request: Request,
    body: RequestBody,
    keep_alive: bool,
    traffic_before: (u64, u64),
    client: Rc<dyn Client>,
    downstream: &Downstream,
    gateway: Arc<Gateway>,
) -> Way<'_> {
    let worker = &downstream.worker;
    let address = client_address(&request.headers, &downstream.peer, &gateway);
    let statistics = &gateway.environment.node.statistics;
    statistics.requests_total.fetch_add(1, Relaxed);
    statistics.requests_active.fetch_add(1, Relaxed);
    let method = request.method.clone();
    let trace = tracing::begin(worker, &request.method, &request.headers);
    let mut session = Session::new(
        gateway.environment.clone(),
        downstream.connection.clone(),
        address,
        worker.thread.ids.request(),
        Phase::Rewrite,
    );
    session.trace = trace;
    let exchange = Box::new(Exchange::new(session, request, body));
    // Until others are chosen: whoever ends the request before that has these log it.
    let collected = gateway.plan.collect_globals();
    Way {
        exchange,
        collected,
        client,
        downstream,
        worker,
        gateway,
        keep_alive,
        traffic_before,
        reason: None,
        method,
        refused_line: None,
    }
}

/// The client's address; port 0 when a header named it without one.
pub fn client_address(headers: &Headers, peer: &Peer, gateway: &Gateway) -> SocketAddr {
    let settings = &gateway.settings;
    let real_ip = RealIp {
        trusted: gateway.environment.trusted_ips.ranges(),
        header: &settings.real_ip_header,
        recursive: settings.real_ip_recursive,
    };
    let header = real_ip.header().unwrap_or_default();
    // Of other headers than the list of hops the reference looks at the first line alone.
    let lines = if header.eq_ignore_ascii_case(forwarded::FOR) { usize::MAX } else { 1 };
    let values: Vec<&[u8]> = headers.get_all(header).take(lines).collect();
    real_ip.client(peer, values.into_iter()).address.socket()
}

/// What no plugin gets to see: requests that HTTP itself refuses, and those that nothing here can serve.
pub fn check(way: &mut Way<'_>) -> Result<(), Early> {
    let exchange = &mut *way.exchange;
    if let Err(fault) = path::check(forwarded::path_of(&exchange.request.target)) {
        // The reference stops at the request line: what the client accepts is not known then.
        exchange.request.headers.clear();
        return Err(refuse(way, 400, &fault.to_string()));
    }
    let request = &exchange.request;
    let limit = way.gateway.settings.client_max_body_size;
    let length = exchange.request_body.length();
    if request.method == Method::TRACE || request.method == Method::CONNECT {
        Err(refuse(way, 405, "the method is not served"))
    } else if limit > 0 && length.is_some_and(|length| length > limit) {
        Err(refuse(way, 413, "the request body is larger than client_max_body_size"))
    } else {
        Ok(())
    }
}

fn refuse(way: &mut Way<'_>, status: u16, why: &str) -> Early {
    let (client, id) = (way.exchange.session.client.ip(), &way.exchange.session.id);
    log!(Notice, "client {client}: refused with {status}: {why}, request_id: \"{id}\"");
    way.refuse(status)
}
