//! Heads that are refused: they get an error page, and are logged and counted as requests.

use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Version};
use polygate_chain::exchange::Request;
use polygate_chain::{RequestBody, Source};
use polygate_http1::{Headers, Refused, RequestHead};
use polygate_telemetry::log;

use crate::client::Client;
use crate::downstream::{After, Downstream};
use crate::{Gateway, METRICS, receive, respond};

/// Answers a head that breaks a rule. The connection ends then, as nobody knows where the next request begins.
pub async fn of_head(
    refused: Refused,
    serial: u64,
    client: Rc<dyn Client>,
    downstream: &Downstream,
    gateway: Arc<Gateway>,
) -> After {
    let fault = refused.fault;
    log!(
        Notice,
        "client {}: refused a request: {fault} ({})",
        downstream.connection.peer,
        fault.rule().source
    );
    METRICS.count_refused(fault.label());
    let request = Request {
        method: refused.method.unwrap_or_default(),
        path: "/".into(),
        query: None,
        target: refused.target.into(),
        version: refused.version,
        headers: refused.headers,
        size: refused.length as u64,
        serial,
    };
    answer(fault.status(), request, refused.line, client, downstream, gateway).await
}

/// Answers a head of which only `length` bytes came in time.
pub async fn of_late_head(
    length: usize,
    serial: u64,
    client: Rc<dyn Client>,
    downstream: &Downstream,
    gateway: Arc<Gateway>,
) -> After {
    log!(Info, "client {}: no whole head within client_header_timeout", downstream.connection.peer);
    METRICS.count_refused("head_timeout");
    let request = Request {
        method: Method::GET,
        path: "/".into(),
        query: None,
        target: Bytes::new(),
        version: Version::HTTP_11,
        headers: Headers::new(),
        size: length as u64,
        serial,
    };
    answer(408, request, Vec::new(), client, downstream, gateway).await
}

/// Answers a request that came in the clear to a listener of TLS; it was not looked at any further.
pub async fn of_plain(
    head: RequestHead,
    client: Rc<dyn Client>,
    downstream: &Downstream,
    gateway: Arc<Gateway>,
) {
    METRICS.count_refused("plain_to_tls");
    let mut way = receive::receive(head, 1, client, downstream, gateway);
    way.keep_alive = false;
    let message = "The plain HTTP request was sent to HTTPS port";
    respond::decide(&mut way.exchange, Source::Error, 400, message);
    let content = way.answer();
    way.finish(content).await;
}

async fn answer(
    status: u16,
    request: Request,
    line: Vec<u8>,
    client: Rc<dyn Client>,
    downstream: &Downstream,
    gateway: Arc<Gateway>,
) -> After {
    let (received, sent) = client.traffic();
    let before = (received - request.size, sent);
    let body = RequestBody::new(Bytes::new());
    let mut way = receive::begin(request, body, false, before, client, downstream, gateway);
    way.refused_line = Some(line);
    way.refuse(status);
    let content = way.answer();
    way.finish(content).await
}
