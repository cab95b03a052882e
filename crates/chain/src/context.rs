//! The state of one request, owned in one place from accept to log.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Version};
use indexmap::IndexMap;
use polygate_http1::Headers;
use polygate_model::{Consumer, Id, Plugin, Route, Service};
use polygate_telemetry::trace::Trace;
use smallvec::SmallVec;

use crate::timings::Timings;
use crate::{Answer, Environment, Phase, RequestBody, Source, Value, forwarded};

/// Everything about one request. The PDK's functions are methods in [`crate::pdk`].
pub struct RequestContext {
    pub environment: Arc<Environment>,
    /// 32 lower-case hex digits.
    pub request_id: String,
    pub connection: Arc<Connection>,
    /// Whether the peer's forwarding headers count.
    pub peer_is_trusted: bool,
    /// The client's address after real-ip processing.
    pub client: SocketAddr,
    pub timings: Timings,
    /// `None` when tracing is off.
    pub trace: Option<Box<Trace>>,
    /// The phase that runs now.
    pub phase: Phase,
    /// The configuration whose handler runs now.
    pub plugin: Option<Arc<Plugin>>,

    /// The request as it stands: plugins change it in place, the gateway's own headers are added
    /// when it goes upstream.
    pub request: Request,
    /// What the client said of the way so far.
    pub arrival: Arrival,
    /// The client sent HEAD: whatever a plugin makes of the method, the response has no body.
    pub head_only: bool,
    pub request_body: RequestBody,

    pub matched: Option<Matched>,
    /// What the upstream is told of the way so far: see [`crate::forwarded`]. `None` before routing.
    pub forwarded: Option<Headers>,
    pub consumer: Authenticated,
    pub upstream: UpstreamChoice,

    /// The head of the response to the client; before proxying only what plugins set.
    pub response: Head,
    /// Set once somebody other than the upstream decided the response.
    pub answer: Option<Answer>,
    /// Whether the request went (or was about to go) to the upstream.
    pub proxied: bool,
    /// What the upstream sent.
    pub service_response: Option<ServiceResponse>,
    /// A plugin asked for `kong.service.request.enable_buffering`.
    pub buffering: bool,

    /// `kong.ctx.shared`.
    pub shared: IndexMap<String, Value>,
    /// What `kong.nginx.set_ctx` stored.
    pub nginx_ctx: IndexMap<String, Value>,
    pub log_edits: Vec<LogEdit>,
    /// `kong.client.tls.set_client_verify`.
    pub client_verify: Option<String>,
    pub handshake: Handshake,
    pub bytes_sent: u64,
    pub body_bytes_sent: u64,
    pub tries: SmallVec<[Try; 1]>,
}

/// One downstream connection; shared by its requests.
#[derive(Debug)]
pub struct Connection {
    /// The TCP peer; the client may be another one behind it.
    pub peer: SocketAddr,
    pub local: SocketAddr,
    pub tls: Option<Tls>,
    /// Counts over the life of the process.
    pub serial: u64,
    /// [`Connection::peer_ip`].
    peer_ip: Box<str>,
}

impl Connection {
    pub fn new(peer: SocketAddr, local: SocketAddr, tls: Option<Tls>, serial: u64) -> Self {
        Self { peer, local, tls, serial, peer_ip: peer.ip().to_canonical().to_string().into() }
    }

    /// The peer's address in letters. IPv4 addresses that came in through an IPv6 socket are shown as IPv4.
    pub fn peer_ip(&self) -> &str {
        &self.peer_ip
    }
}

#[derive(Debug)]
pub struct Tls {
    /// `TLSv1.3`.
    pub version: &'static str,
    pub cipher: String,
    pub sni: Option<String>,
    /// PEM, leaf first.
    pub client_chain: Option<String>,
}

/// What plugins want of the TLS handshake that is under way, in the certificate phase.
#[derive(Debug, Clone, Copy, Default)]
pub struct Handshake {
    pub request_client_certificate: bool,
    pub disable_session_reuse: bool,
}

/// The request line and headers. The `Host` line is the one home of the request's host: an absolute target's authority
/// has taken its place (RFC 9112, section 3.2.2).
#[derive(Debug)]
pub struct Request {
    pub method: Method,
    /// Path and query as received, without the authority that an absolute target has; never changes.
    pub target: Bytes,
    /// The path in the form that routes match: see the router's normalisation.
    pub path: String,
    /// Without `?`; `None` when there is no `?`.
    pub query: Option<Bytes>,
    pub version: Version,
    pub headers: Headers,
    /// Bytes received: the head, and the body as far as it was read.
    pub size: u64,
    /// How many requests the connection has carried, this one included.
    pub serial: u64,
}

/// Of the request's headers as the client sent them: plugins that run before routing may have changed those, but the
/// upstream is told the client's way and not theirs.
#[derive(Debug, Default)]
pub struct Arrival {
    pub forwarded_for: Option<Bytes>,
    pub via: Option<Bytes>,
}

impl Arrival {
    fn of(headers: &Headers) -> Self {
        let first = |name| headers.get(name).map(Bytes::copy_from_slice);
        Self { forwarded_for: first(forwarded::FOR), via: first(forwarded::VIA) }
    }
}

/// What routing found.
#[derive(Debug, Clone)]
pub struct Matched {
    pub route: Arc<Route>,
    pub service: Option<Arc<Service>>,
    /// The part of the path which the route's `strip_path` takes off; empty if none.
    pub prefix: Arc<str>,
    pub captures: Captures,
}

#[derive(Debug, Clone, Default)]
pub struct Captures {
    /// Index 0 is the whole match.
    pub unnamed: Vec<String>,
    pub named: Vec<(String, String)>,
}

/// Consumer and credential as a plugin gave them; the id is known when it is a UUID.
#[derive(Debug, Default)]
pub struct Authenticated {
    pub consumer: Option<Value>,
    pub credential: Option<Value>,
    pub consumer_id: Option<Id>,
}

impl Authenticated {
    pub fn set_consumer(&mut self, consumer: Option<Value>) {
        self.consumer_id = consumer.as_ref().and_then(|it| it.get("id").as_str()?.parse().ok());
        self.consumer = consumer;
    }
}

/// Where and how the request goes upstream: the service's values, and what plugins put in their place.
#[derive(Debug, Default)]
pub struct UpstreamChoice {
    /// `http` or `https`: the service's, once it is known, or a plugin's.
    pub scheme: Option<Cow<'static, str>>,
    /// Already encoded: what service and route make of the request's, once they are known, or a plugin's.
    pub path: Option<String>,
    /// A `Host` header that a plugin set.
    pub host_header: Option<String>,
    pub target: Option<(String, u16)>,
    /// Name of an Upstream.
    pub upstream: Option<String>,
    pub retries: Option<u16>,
    /// Connect, write and read, milliseconds.
    pub timeouts: Option<[u32; 3]>,
    pub tls_verify: Option<bool>,
    pub tls_verify_depth: Option<u32>,
    /// What was sent in the end: `Host`, path and query.
    pub sent: Option<SentRequest>,
}

#[derive(Debug, Clone)]
pub struct SentRequest {
    pub host: String,
    /// With the query.
    pub uri: Bytes,
}

#[derive(Debug, Default)]
pub struct Head {
    /// 0 until somebody set it.
    pub status: u16,
    pub headers: Headers,
}

#[derive(Debug)]
pub struct ServiceResponse {
    pub status: u16,
    pub headers: Headers,
    /// The whole body, when proxying is buffered.
    pub body: Option<Bytes>,
}

/// One attempt to reach the upstream.
#[derive(Debug, Clone)]
pub struct Try {
    pub address: SocketAddr,
    /// When the peer was chosen, nanoseconds since the Unix epoch.
    pub balancer_start_ns: u64,
    /// How long choosing it took.
    pub balancer_latency_ns: u64,
    /// `next` (another peer was tried) or `failed`, with the status it stands for.
    pub failure: Option<(&'static str, u16)>,
}

#[derive(Debug, Clone)]
pub struct LogEdit {
    pub key: String,
    pub value: Value,
    pub mode: LogEditMode,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogEditMode {
    Set,
    Add,
    Replace,
}

impl RequestContext {
    pub fn new(
        environment: Arc<Environment>,
        connection: Arc<Connection>,
        client: SocketAddr,
        request_id: String,
        request: Request,
        request_body: RequestBody,
    ) -> Self {
        Self {
            peer_is_trusted: environment.trusted_ips.contains(connection.peer.ip()),
            environment,
            request_id,
            connection,
            client,
            timings: Timings::start_now(),
            trace: None,
            phase: Phase::Rewrite,
            plugin: None,
            arrival: Arrival::of(&request.headers),
            head_only: request.method == Method::HEAD,
            request,
            request_body,
            matched: None,
            forwarded: None,
            consumer: Authenticated::default(),
            upstream: UpstreamChoice::default(),
            response: Head::default(),
            answer: None,
            proxied: false,
            service_response: None,
            buffering: false,
            shared: IndexMap::new(),
            nginx_ctx: IndexMap::new(),
            log_edits: Vec::new(),
            client_verify: None,
            handshake: Handshake::default(),
            bytes_sent: 0,
            body_bytes_sent: 0,
            tries: SmallVec::new(),
        }
    }

    /// The client's address in letters, as [`Connection::peer_ip`].
    pub fn client_ip(&self) -> Cow<'_, str> {
        match self.client.ip() == self.connection.peer.ip() {
            true => self.connection.peer_ip().into(),
            false => self.client.ip().to_canonical().to_string().into(),
        }
    }

    /// `http` or `https`, of the downstream connection.
    pub fn scheme(&self) -> &'static str {
        if self.connection.tls.is_some() { "https" } else { "http" }
    }

    pub fn route(&self) -> Option<&Arc<Route>> {
        self.matched.as_ref().map(|matched| &matched.route)
    }

    pub fn service(&self) -> Option<&Arc<Service>> {
        self.matched.as_ref()?.service.as_ref()
    }

    /// The authenticated consumer, if it is one of the configuration's.
    pub fn known_consumer(&self) -> Option<&Arc<Consumer>> {
        self.environment.consumer(self.consumer.consumer_id?)
    }

    /// Who made the response that goes to the client.
    pub fn source(&self) -> Source {
        match &self.answer {
            Some(answer) => answer.source,
            None if self.proxied => Source::Service,
            None => Source::Error,
        }
    }
}
