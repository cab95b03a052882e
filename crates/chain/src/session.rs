//! The state of a connection that plugins see and change, whether or not there is a request on it.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use indexmap::IndexMap;
use polygate_model::{Plugin, Route, Service, Written};
use polygate_telemetry::trace::Trace;
use smallvec::SmallVec;

use crate::timings::Timings;
use crate::{Answer, Environment, Kept, Phase, Value};

/// What plugins see and change whether or not there is a request: all there is in the phases certificate and preread.
pub struct Session {
    pub environment: Arc<Environment>,
    /// 32 lower-case hex digits; a request's own.
    pub id: String,
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
    pub matched: Option<Matched>,
    pub upstream: UpstreamChoice,
    /// Set once somebody other than the upstream decided the response.
    pub answer: Option<Answer>,
    pub tries: SmallVec<[Try; 1]>,
    /// `kong.ctx.shared`.
    pub shared: IndexMap<String, Value>,
    /// What `kong.nginx.set_ctx` stored.
    pub nginx_ctx: IndexMap<String, Value>,
    pub kept: Kept,
    pub log_edits: Vec<LogEdit>,
    /// `kong.client.tls.set_client_verify`.
    pub client_verify: Option<String>,
    pub handshake: Handshake,
    /// What is in the place of requests; `None` where HTTP is spoken.
    pub stream: Option<Stream>,
}

/// What a stream is besides its connection.
#[derive(Debug, Clone)]
pub struct Stream {
    pub transport: Transport,
    /// Whether the client began with TLS.
    pub has_hello: bool,
    /// The server name that it asked for.
    pub sni: Option<String>,
    /// 200 for one that went its whole way; 0 until it has ended.
    pub status: u16,
    /// Bytes of the client's, and to it.
    pub received: u64,
    pub sent: u64,
    /// Bytes of the upstream's, and to it.
    pub upstream_received: u64,
    pub upstream_sent: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    Tcp,
    Udp,
}

impl Stream {
    pub fn new(transport: Transport) -> Self {
        Self {
            transport,
            has_hello: false,
            sni: None,
            status: 0,
            received: 0,
            sent: 0,
            upstream_received: 0,
            upstream_sent: 0,
        }
    }
}

impl Transport {
    /// `TCP` or `UDP`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
        }
    }
}

impl Session {
    pub fn new(
        environment: Arc<Environment>,
        connection: Arc<Connection>,
        client: SocketAddr,
        id: String,
        phase: Phase,
    ) -> Self {
        Self {
            peer_is_trusted: environment.trusted_ips.contains(connection.peer.ip()),
            environment,
            id,
            connection,
            client,
            timings: Timings::start_now(),
            trace: None,
            phase,
            plugin: None,
            matched: None,
            upstream: UpstreamChoice::default(),
            answer: None,
            tries: SmallVec::new(),
            shared: IndexMap::new(),
            nginx_ctx: IndexMap::new(),
            kept: Kept::default(),
            log_edits: Vec::new(),
            client_verify: None,
            handshake: Handshake::default(),
            stream: None,
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

    /// How long the upstream may take for connecting, between two writes and between two reads; a plugin's times, else
    /// the service's.
    pub fn upstream_timeouts(&self) -> [Duration; 3] {
        let service = self.service();
        let own = service.map_or([60_000; 3], |it| [it.connect_timeout, it.write_timeout, it.read_timeout]);
        self.upstream.timeouts.unwrap_or(own).map(|ms| Duration::from_millis(u64::from(ms)))
    }

    /// How often another peer is tried; a plugin's number, else the service's.
    pub fn retries(&self) -> u16 {
        self.upstream.retries.or(self.service().map(|service| service.retries)).unwrap_or(5)
    }

    /// What the client connected to, as it is seen from outside.
    pub fn destination(&self) -> SocketAddr {
        let local = self.connection.local;
        SocketAddr::new(local.ip(), self.environment.outside_port(local.port()))
    }

    /// Takes in that a peer was chosen just now; the choice began at `begun`.
    pub fn note_try(&mut self, address: SocketAddr, begun: Instant) {
        self.tries.push(Try {
            address,
            balancer_start_ns: self.timings.unix(begun).as_nanos() as u64,
            balancer_latency_ns: self.timings.latest.duration_since(begun).as_nanos() as u64,
            failure: None,
        });
    }

    pub fn route(&self) -> Option<&Arc<Written<Route>>> {
        self.matched.as_ref().map(|matched| &matched.route)
    }

    pub fn service(&self) -> Option<&Arc<Written<Service>>> {
        self.matched.as_ref()?.service.as_ref()
    }
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
    /// Whether the session is one of an earlier connection's.
    pub is_resumed: bool,
}

/// What plugins want of the TLS handshake that is under way, in the certificate phase.
#[derive(Debug, Clone, Copy, Default)]
pub struct Handshake {
    pub request_client_certificate: bool,
    pub disable_session_reuse: bool,
}

/// What routing found.
#[derive(Debug, Clone)]
pub struct Matched {
    pub route: Arc<Written<Route>>,
    pub service: Option<Arc<Written<Service>>>,
    /// The part of the path which the route's `strip_path` takes off; empty if none.
    pub prefix: Arc<str>,
    pub captures: Captures,
}

#[derive(Debug, Clone, Default)]
pub struct Captures {
    /// Index 0 is the whole match.
    pub unnamed: Vec<Option<String>>,
    pub named: Vec<(String, String)>,
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
