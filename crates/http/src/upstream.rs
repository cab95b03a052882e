//! Reaching the service: choosing a peer, connecting, sending, trying again.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, COOKIE, HOST, SET_COOKIE};
use http::{Extensions, HeaderMap, HeaderValue, Method, Request, Uri};
use http_body::Body as _;
use hyper::client::conn::http1::{self, SendRequest};
use polygate_balancer::{Balancer, HashSource, Outcome, Pick, hash_key};
use polygate_chain::context::{SentRequest, Try};
use polygate_chain::{Body, RequestBody, RequestContext, Value, body};
use polygate_net::dns::{Address, DnsError};
use polygate_router::path;
use polygate_telemetry::{clock, log};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::io::TokioIo;
use crate::response_body::UpstreamBody;
use crate::{Gateway, Worker, forwarding, tracing};

/// The upstream's answer, its body still on the way.
pub struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    pub extensions: Extensions,
    pub body: UpstreamBody,
}

/// Why there is none.
pub enum SendError {
    /// The balancer's or the resolver's decision: status and text.
    Decision(u16, String),
    /// The connection failed: 502 or 504, or what was wrong with the client's body.
    Proxy(u16),
}

/// Idle connections of one worker, by peer.
#[derive(Default)]
pub struct Pool(HashMap<SocketAddr, Vec<Idle>>);

struct Idle {
    sender: SendRequest<Body>,
    since: Instant,
    served: u64,
}

/// A connection in use. Dropped without [`Lease::give_back`] it is closed.
pub struct Lease {
    address: SocketAddr,
    sender: SendRequest<Body>,
    served: u64,
    worker: Rc<Worker>,
    limits: PoolLimits,
    /// Counts as an open connection of its target while the exchange lasts.
    _pick: Option<Rc<Pick>>,
}

#[derive(Clone, Copy)]
struct PoolLimits {
    size: usize,
    requests: u64,
    idle: Duration,
}

impl Lease {
    pub fn give_back(self) {
        let exhausted = self.limits.requests > 0 && self.served >= self.limits.requests;
        if exhausted || self.sender.is_closed() {
            return;
        }
        let mut pool = self.worker.pool.borrow_mut();
        let idle = pool.0.entry(self.address).or_default();
        if idle.len() < self.limits.size {
            idle.push(Idle { sender: self.sender, since: Instant::now(), served: self.served });
        }
    }
}

impl Pool {
    /// The connection used last, if it still lives.
    fn take(&mut self, address: SocketAddr, limits: PoolLimits) -> Option<Idle> {
        let idle = self.0.get_mut(&address)?;
        while let Some(connection) = idle.pop() {
            let fresh = limits.idle.is_zero() || connection.since.elapsed() < limits.idle;
            if fresh && !connection.sender.is_closed() {
                return Some(connection);
            }
        }
        None
    }
}

/// Where the tries of one request go.
enum Peers {
    Balanced { balancer: Arc<Balancer>, key: Vec<u8> },
    Resolved(Vec<Address>),
}

/// How one try failed, and whether another may follow.
struct Broken {
    status: u16,
    /// Nothing of the request reached the peer.
    unsent: bool,
    message: String,
}

/// Sends the request, trying other peers as often as the service says.
pub async fn send(
    context: &mut RequestContext,
    extensions: Extensions,
    worker: &Rc<Worker>,
    gateway: &Gateway,
) -> Result<Reply, SendError> {
    refuse_tls(context)?;
    context.timings.balancer.begin();
    let peers = find_peers(context, worker, gateway).await?;
    let retries = context.upstream.retries.or(context.service().map(|service| service.retries)).unwrap_or(5);
    let headers = forwarding::upstream_headers(context, gateway);
    let mut tried = Vec::new();
    for attempt in 0..=retries {
        let begun = Instant::now();
        let (address, name, pick) = peers.choose(&tried, usize::from(attempt))?;
        context.timings.balancer.finish();
        context.tries.push(Try {
            address,
            balancer_start_ns: clock::unix_now().as_nanos() as u64,
            balancer_latency_ns: begun.elapsed().as_nanos() as u64,
            failure: None,
        });
        tried.push(address);
        let mut request = build(context, headers.clone(), extensions.clone(), name.as_deref(), address)?;
        let span = tracing::begin_try(context, address, attempt);
        if let Some(trace) = &context.trace {
            trace.propagate(span.as_ref(), request.headers_mut());
        }
        let replayable = context.request_body.bytes().is_some();
        context.timings.upstream.begin();
        let pick = pick.map(Rc::new);
        let outcome = exchange(context, request, address, pick.clone(), worker, gateway).await;
        context.timings.upstream.finish();
        report(&peers, pick.as_deref(), &outcome);
        tracing::end_try(
            span,
            outcome.as_ref().map(|it| it.status).map_err(|it| (it.status, it.message.as_str())),
        );
        let broken = match outcome {
            Ok(reply) => return Ok(reply),
            Err(broken) => broken,
        };
        log!(
            Error,
            "upstream {address}: {}, client: {}, request_id: \"{}\"",
            broken.message,
            context.client.ip(),
            context.request_id
        );
        let idempotent = !matches!(context.request.method.as_str(), "POST" | "LOCK" | "PATCH");
        let again = attempt < retries && replayable && (broken.unsent || idempotent);
        if let Some(last) = context.tries.last_mut() {
            last.failure = Some((if again { "next" } else { "failed" }, broken.status));
        }
        if !again {
            return Err(SendError::Proxy(broken.status));
        }
    }
    Err(SendError::Proxy(502))
}

/// What must be encrypted is never sent in the clear.
fn refuse_tls(context: &RequestContext) -> Result<(), SendError> {
    let of_service = context.service().map_or("http", |service| service.protocol.as_str());
    match context.upstream.scheme.as_deref().unwrap_or(of_service) {
        "http" => Ok(()),
        other => Err(SendError::Decision(502, format!("services over {other} are not supported yet"))),
    }
}

fn report(peers: &Peers, pick: Option<&Pick>, outcome: &Result<Reply, Broken>) {
    let (Peers::Balanced { balancer, .. }, Some(pick)) = (peers, pick) else { return };
    balancer.report(
        pick,
        match outcome {
            Ok(reply) => Outcome::Status(reply.status),
            Err(Broken { status: 504, .. }) => Outcome::Timeout,
            Err(_) => Outcome::TcpFailure,
        },
    );
}

async fn find_peers(
    context: &mut RequestContext,
    worker: &Worker,
    gateway: &Gateway,
) -> Result<Peers, SendError> {
    let (host, port) = destination(context);
    if let Some(balancer) = gateway.balancers.get(&host) {
        let key = hash_key(balancer.upstream(), &RequestHash(context));
        if let Some(cookie) = key.set_cookie.and_then(|cookie| HeaderValue::try_from(cookie).ok()) {
            context.response.headers.append(SET_COOKIE, cookie);
        }
        return Ok(Peers::Balanced { balancer: balancer.clone(), key: key.key.into_bytes() });
    }
    let resolved = worker.resolver.resolve(&host, port).await;
    resolved.map(Peers::Resolved).map_err(|error| match error {
        DnsError::NameError | DnsError::Empty => SendError::Decision(503, "name resolution failed".into()),
        DnsError::Other(reason) => SendError::Decision(
            500,
            format!("failed the initial dns/balancer resolve for '{host}' with: {reason}"),
        ),
    })
}

/// Host and port before resolution: a plugin's choice, else the service's.
fn destination(context: &RequestContext) -> (String, u16) {
    let service = context.service();
    let port = service.map_or(80, |service| service.port);
    if let Some((host, port)) = &context.upstream.target {
        return (host.clone(), *port);
    }
    let host = context.upstream.upstream.clone();
    (host.or_else(|| Some(service?.host.clone())).unwrap_or_default(), port)
}

type Choice = (SocketAddr, Option<Arc<str>>, Option<Pick>);

impl Peers {
    /// The peer of the next try, the name it goes by if that is not the service's host, and its claim.
    fn choose(&self, tried: &[SocketAddr], attempt: usize) -> Result<Choice, SendError> {
        match self {
            Peers::Balanced { balancer, key } => {
                let pick = balancer
                    .pick(key, tried, Instant::now())
                    .map_err(|no_peer| SendError::Decision(503, no_peer.to_string()))?;
                let name = match &balancer.upstream().host_header {
                    Some(header) => Arc::from(header.as_str()),
                    None => pick.host().clone(),
                };
                Ok((pick.addr(), Some(name), Some(pick)))
            }
            Peers::Resolved(addresses) => {
                let address = &addresses[attempt % addresses.len()];
                Ok((address.addr, None, None))
            }
        }
    }
}

/// The request as this try sends it.
fn build(
    context: &mut RequestContext,
    mut headers: HeaderMap,
    extensions: Extensions,
    target_name: Option<&str>,
    address: SocketAddr,
) -> Result<Request<Body>, SendError> {
    let host = host_header(context, target_name, address.port());
    let uri = upstream_uri(context);
    // Encoding makes a path longer, and plugins add to it. Another target is never sent in its place.
    let too_long = |_| SendError::Decision(414, "the request target is too long for the upstream".into());
    let target: Uri = uri.parse().map_err(too_long)?;
    headers.extend(HeaderValue::from_str(&host).map(|value| (HOST, value)));
    if let Some(value) = headers.get_all(HOST).iter().next_back().cloned() {
        headers.insert(HOST, value);
    }
    let method = context.request.method.clone();
    let body = match std::mem::replace(&mut context.request_body, RequestBody::Gone) {
        RequestBody::Bytes(bytes) => {
            let expected = matches!(method, Method::POST | Method::PUT | Method::PATCH);
            if expected || !bytes.is_empty() || headers.contains_key(CONTENT_LENGTH) {
                headers.insert(CONTENT_LENGTH, HeaderValue::from(bytes.len()));
            }
            context.request_body = RequestBody::Bytes(bytes.clone());
            body::full(bytes)
        }
        RequestBody::Stream(stream) => {
            if stream.size_hint().exact().is_none() {
                headers.remove(CONTENT_LENGTH);
            }
            stream
        }
        RequestBody::Gone => body::full(Bytes::new()),
    };
    let scheme = if context.upstream.scheme.as_deref() == Some("https") { "https" } else { "http" };
    context.upstream.sent = Some(SentRequest { scheme, host, uri });
    let mut request = Request::new(body);
    *request.method_mut() = method;
    *request.uri_mut() = target;
    *request.headers_mut() = headers;
    *request.extensions_mut() = extensions;
    Ok(request)
}

/// `Host` for the upstream. The port is named unless it is the scheme's own.
fn host_header(context: &RequestContext, target_name: Option<&str>, peer_port: u16) -> String {
    if let Some(host) = &context.upstream.host_header {
        return host.clone();
    }
    if let Some((host, _)) = &context.upstream.target {
        return host.clone();
    }
    let preserve = context.route().is_some_and(|route| route.preserve_host);
    let given = context.request.headers.get(HOST).and_then(|host| host.to_str().ok());
    if let Some(given) = given.filter(|_| preserve) {
        return given.to_owned();
    }
    let (host, port) = match (target_name, context.service()) {
        (Some(name), _) => (name, peer_port),
        (None, Some(service)) => (service.host.as_str(), service.port),
        (None, None) => ("", 80),
    };
    let host = match host.parse::<IpAddr>() {
        Ok(IpAddr::V6(_)) => format!("[{host}]"),
        _ => host.to_owned(),
    };
    let default_port =
        if context.service().is_some_and(|it| it.protocol.as_str().ends_with('s')) { 443 } else { 80 };
    if port == default_port { host } else { format!("{host}:{port}") }
}

fn upstream_uri(context: &RequestContext) -> String {
    let path = context.upstream.path.clone().unwrap_or_else(|| {
        let Some(matched) = &context.matched else { return "/".into() };
        let base = matched.service.as_ref().and_then(|service| service.path.as_deref());
        let prefix = (!matched.prefix.is_empty()).then_some(matched.prefix.as_str());
        let path = path::upstream_path(base, &matched.route, &context.request.path, prefix);
        path::encode_for_upstream(&path).into_owned()
    });
    match &context.request.query {
        Some(query) => format!("{path}?{query}"),
        None => path,
    }
}

/// One try: a kept connection or a new one, the request, the head of the answer.
async fn exchange(
    context: &RequestContext,
    mut request: Request<Body>,
    address: SocketAddr,
    pick: Option<Rc<Pick>>,
    worker: &Rc<Worker>,
    gateway: &Gateway,
) -> Result<Reply, Broken> {
    let [connect, _, read] = timeouts(context);
    let settings = &gateway.settings;
    let limits = PoolLimits {
        size: settings.upstream_pool_size,
        requests: settings.upstream_max_requests,
        idle: settings.upstream_idle,
    };
    loop {
        let kept = worker.pool.borrow_mut().take(address, limits);
        let reused = kept.is_some();
        let (mut sender, served) = match kept {
            Some(idle) => (idle.sender, idle.served),
            None => (open(address, connect).await?, 0),
        };
        if sender.ready().await.is_err() && reused {
            continue;
        }
        let sent = timeout(read, sender.try_send_request(request)).await.map_err(|_| Broken {
            status: 504,
            unsent: false,
            message: format!("no response head within {} ms", read.as_millis()),
        })?;
        let mut error = match sent {
            Ok(response) => {
                let (parts, incoming) = response.into_parts();
                let lease = Lease {
                    address,
                    sender,
                    served: served + 1,
                    worker: worker.clone(),
                    limits,
                    _pick: pick,
                };
                return Ok(Reply {
                    status: parts.status.as_u16(),
                    headers: parts.headers,
                    extensions: parts.extensions,
                    body: UpstreamBody::new(incoming, lease, read),
                });
            }
            Err(error) => error,
        };
        match error.take_message() {
            // The peer closed the kept connection before it saw the request.
            Some(unsent) if reused => request = unsent,
            unsent => {
                let unsent = unsent.is_some();
                // A kept connection that dies without an answer was most likely closed by the peer while
                // the request was on its way; the caller may try again if the request allows it.
                return Err(Broken { status: 502, unsent, message: error.into_error().to_string() });
            }
        }
    }
}

async fn open(address: SocketAddr, patience: Duration) -> Result<SendRequest<Body>, Broken> {
    let failed = |status, message| Broken { status, unsent: true, message };
    let stream = timeout(patience, TcpStream::connect(address))
        .await
        .map_err(|_| failed(504, format!("no connection within {} ms", patience.as_millis())))?
        .map_err(|error| failed(502, format!("cannot connect: {error}")))?;
    let _ = stream.set_nodelay(true);
    let (sender, connection) = http1::Builder::new()
        .preserve_header_case(true)
        .title_case_headers(true)
        .handshake(TokioIo(stream))
        .await
        .map_err(|error| failed(502, error.to_string()))?;
    tokio::task::spawn_local(async move {
        if let Err(error) = connection.await {
            log!(Debug, "upstream {address} closed: {error}");
        }
    });
    Ok(sender)
}

/// Connect, write, read: a plugin's, else the service's.
fn timeouts(context: &RequestContext) -> [Duration; 3] {
    let service = context.service();
    let own = service.map_or([60_000; 3], |it| [it.connect_timeout, it.write_timeout, it.read_timeout]);
    context.upstream.timeouts.unwrap_or(own).map(|ms| Duration::from_millis(u64::from(ms)))
}

struct RequestHash<'c>(&'c RequestContext);

impl HashSource for RequestHash<'_> {
    fn consumer(&self) -> Option<String> {
        let consumer = &self.0.consumer;
        let id = |value: &Option<Value>| value.as_ref()?.get("id").as_str().map(str::to_owned);
        id(&consumer.consumer).or_else(|| id(&consumer.credential))
    }

    fn ip(&self) -> Option<String> {
        Some(self.0.client.ip().to_string())
    }

    fn header(&self, name: &str) -> Option<String> {
        let values = self.0.request.headers.get_all(name);
        let text: String = values.iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
        (!text.is_empty()).then_some(text)
    }

    fn cookie(&self, name: &str) -> Option<String> {
        let lines = self.0.request.headers.get_all(COOKIE);
        lines.iter().filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(';')).find_map(|pair| {
            let (key, value) = pair.trim().split_once('=')?;
            (key == name).then(|| value.to_owned())
        })
    }

    fn path(&self) -> Option<String> {
        Some(self.0.request.path.clone())
    }

    fn query_arg(&self, name: &str) -> Vec<String> {
        let query = self.0.request.query.as_deref().unwrap_or_default();
        query
            .split('&')
            .filter_map(|pair| {
                let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
                (path::normalize(key) == name).then(|| path::normalize(value).into_owned())
            })
            .collect()
    }

    fn uri_capture(&self, name: &str) -> Option<String> {
        let captures = &self.0.matched.as_ref()?.captures;
        match name.parse::<usize>() {
            Ok(index) => captures.unnamed.get(index).cloned(),
            Err(_) => captures.named.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone()),
        }
    }

    fn new_uuid(&self) -> String {
        uuid::Uuid::new_v4().to_string()
    }
}
