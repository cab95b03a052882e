//! The step that reaches the service: choosing a peer, connecting, trying another one.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use polygate_balancer::{HashSource, Outcome};
use polygate_chain::Session;
use polygate_model::Protocol;
use polygate_telemetry::log;
use polygate_tls::{Client, Wanted};
use polygate_transport::Stream;
use polygate_transport::connect::{Tls, encrypt};
use polygate_transport::peers::{Balanced, Peer, Peers};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::failure::{Blame, Failure};
use crate::way::Way;

/// Connects to the service, trying other peers as often as it says. What it takes in the balancer is taken until the
/// second value is dropped.
pub async fn open(way: &mut Way) -> Result<(Box<dyn Stream>, Option<Balanced>), Failure> {
    let (peers, begun) = find(way).await?;
    let tls = tls(way, &peers)?;
    let proxy_header = way.gateway.settings.proxy_protocol.then(|| proxy_header(&way.session));
    let mut left = retries(&way.session);
    let mut tried = Vec::new();
    let mut peer = choose(way, &peers, &tried, begun)?;
    loop {
        let outcome = attempt(way, &peer, tls.as_ref(), proxy_header.as_deref()).await;
        match outcome {
            Ok(stream) => return Ok((stream, peer.balanced)),
            Err(failure) if left == 0 || failure.blame() != Blame::Upstream => return Err(failure),
            Err(failure) => log_failure(&way.session, &failure, peer.address),
        }
        left -= 1;
        tried.push(peer.address);
        let begun = way.session.timings.latest;
        peer = choose(way, &peers, &tried, begun)?;
    }
}

/// Where the stream is to go. From here on it counts as proxied.
pub async fn find(way: &mut Way) -> Result<(Peers, Instant), Failure> {
    let begun = way.session.timings.now();
    way.session.timings.balancer.begin(begun);
    let (balancers, resolver) = (&way.gateway.balancers, &way.worker.thread.resolver);
    let peers = Peers::find(&way.session, &StreamHash(&way.session), balancers, resolver).await?;
    Ok((peers, begun))
}

/// The peer of the next try, whose choice began at `begun`.
pub fn choose(way: &mut Way, peers: &Peers, tried: &[SocketAddr], begun: Instant) -> Result<Peer, Failure> {
    let peer = peers.choose(tried, begun)?;
    let timings = &mut way.session.timings;
    let now = timings.now();
    if timings.balancer.end.is_none() {
        timings.balancer.finish(now);
    }
    way.session.note_try(peer.address, begun);
    Ok(peer)
}

pub fn retries(session: &Session) -> u16 {
    session.upstream.retries.or(session.service().map(|service| service.retries)).unwrap_or(5)
}

/// One line for what an upstream did wrong.
pub fn log_failure(session: &Session, failure: &Failure, address: SocketAddr) {
    let (client, id) = (session.client.ip(), &session.id);
    log!(Error, "upstream {address}: {failure}, client: {client}, request_id: \"{id}\"");
}

/// Notes what became of a try, and tells the balancer.
pub fn report(way: &mut Way, peer: &Peer, outcome: Result<(), &Failure>) {
    let now = way.session.timings.now();
    way.session.timings.upstream.finish(now);
    let told = match outcome {
        Ok(()) => Some(Outcome::Connected),
        Err(failure) => failure.outcome(),
    };
    if let (Some(balanced), Some(told)) = (&peer.balanced, told) {
        balanced.report(told, way.session.timings.upstream.duration().unwrap_or_default());
    }
    let failed = outcome.err().filter(|failure| failure.blame() == Blame::Upstream);
    if let (Some(failure), Some(last)) = (failed, way.session.tries.last_mut()) {
        last.failure = Some(("failed", failure.status()));
    }
}

async fn attempt(
    way: &mut Way,
    peer: &Peer,
    tls: Option<&Arc<Client>>,
    proxy_header: Option<&str>,
) -> Result<Box<dyn Stream>, Failure> {
    way.session.timings.upstream.begin(way.session.timings.latest);
    let tls = tls.map(|client| Tls { name: server_name(&way.session, peer), client: client.clone() });
    let [patience, ..] = way.session.upstream_timeouts();
    let outcome = within(patience, connect(peer.address, tls.as_ref(), proxy_header)).await;
    report(way, peer, outcome.as_ref().map(|_| ()));
    outcome
}

/// Zero is no limit.
async fn within<T>(
    patience: Duration,
    attempt: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    match patience.is_zero() {
        true => attempt.await,
        false => timeout(patience, attempt).await.map_err(|_| Failure::ConnectTimeout(patience))?,
    }
}

async fn connect(
    address: SocketAddr,
    tls: Option<&Tls>,
    proxy_header: Option<&str>,
) -> Result<Box<dyn Stream>, Failure> {
    let mut stream = TcpStream::connect(address).await.map_err(Failure::of_connect)?;
    // Whatever comes is sent on at once; where it fails it waits for acknowledgements.
    let _ = stream.set_nodelay(true);
    if let Some(header) = proxy_header {
        stream.write_all(header.as_bytes()).await.map_err(Failure::NotConnected)?;
    }
    match tls {
        None => Ok(Box::new(stream)),
        Some(tls) => encrypt(Box::new(stream), tls, address).await.map_err(Failure::UpstreamHandshake),
    }
}

/// How the service is spoken to within TLS; `None` in the clear. What must be encrypted is never sent in the clear.
fn tls(way: &Way, peers: &Peers) -> Result<Option<Arc<Client>>, Failure> {
    let upstream = &way.session.upstream;
    let service = way.session.service();
    let is_tls = match (upstream.scheme.as_deref(), service.map(|service| service.protocol)) {
        (Some("tls"), _) => true,
        (Some(_), _) => false,
        (None, Some(Protocol::Tls)) => true,
        (None, Some(Protocol::Tcp | Protocol::TlsPassthrough)) => false,
        (None, other) => return Err(Failure::Unsupported(other.map_or("", Protocol::as_str))),
    };
    let wanted = Wanted {
        service: service.map(|service| &**service),
        certificate: peers.client_certificate(),
        verify: upstream.tls_verify,
        depth: upstream.tls_verify_depth,
        http2: false,
    };
    Ok(if is_tls { Some(way.gateway.upstream_tls.client(&wanted)?) } else { None })
}

/// Whom the peer is asked for: a plugin's name, the client's where the route keeps it, else the peer's or the service's.
fn server_name(session: &Session, peer: &Peer) -> String {
    let keeps_name = session.route().is_some_and(|route| route.preserve_host);
    let client = session.stream.as_ref().and_then(|stream| stream.sni.as_deref()).filter(|_| keeps_name);
    let service = session.service().map(|service| service.host.as_str());
    let given = session.upstream.host_header.as_deref().or(client);
    given.or(peer.name.as_deref()).or(service).unwrap_or_default().to_owned()
}

/// Version 1 of <https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt>.
fn proxy_header(session: &Session) -> String {
    let (client, local) = (session.client, session.connection.local);
    let (from, to) = (client.ip().to_canonical(), local.ip().to_canonical());
    if from.is_ipv4() != to.is_ipv4() {
        return "PROXY UNKNOWN\r\n".to_owned();
    }
    let family = if from.is_ipv4() { "TCP4" } else { "TCP6" };
    format!("PROXY {family} {from} {to} {} {}\r\n", client.port(), local.port())
}

/// A stream as it is hashed: it has an address, and nothing of what requests have.
struct StreamHash<'s>(&'s Session);

impl HashSource for StreamHash<'_> {
    fn consumer(&self) -> Option<String> {
        None
    }

    fn ip(&self) -> Option<String> {
        Some(self.0.client.ip().to_string())
    }

    fn header(&self, _: &str) -> Option<String> {
        None
    }

    fn cookie(&self, _: &str) -> Option<String> {
        None
    }

    fn path(&self) -> Option<String> {
        None
    }

    fn query_arg(&self, _: &str) -> Vec<String> {
        Vec::new()
    }

    fn uri_capture(&self, _: &str) -> Option<String> {
        None
    }

    /// For a cookie that nobody is sent.
    fn new_uuid(&self) -> String {
        String::new()
    }
}
