//! The step that reaches the service: choosing a peer, connecting, trying another one.

use std::net::SocketAddr;
use std::sync::Arc;

use polygate_balancer::{HashSource, Outcome};
use polygate_chain::Session;
use polygate_model::Protocol;
use polygate_net::clock::Clock;
use polygate_tls::Client;
use polygate_transport::Stream;
use polygate_transport::connect::{Tls, encrypt};
use polygate_transport::peers::{Balanced, Peer, Peers, log_failure};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::failure::{Blame, Failure};
use crate::way::Way;

/// Connects to the service, trying other peers as often as it says. What it takes in the balancer is taken until the
/// second value is dropped. `clock` limits each try.
pub async fn open(way: &mut Way, clock: &mut Clock) -> Result<(Box<dyn Stream>, Option<Balanced>), Failure> {
    let mut tries = Tries::of(way).await?;
    let tls = tls(way, &tries.peers)?;
    let proxy_header = way.gateway.settings.proxy_protocol.then(|| proxy_header(&way.session));
    let [patience, ..] = way.session.upstream_timeouts();
    let mut peer = tries.next(way)?;
    loop {
        let tls =
            tls.as_ref().map(|client| Tls { name: server_name(&way.session, &peer), client: client.clone() });
        let attempt = connect(peer.address, tls.as_ref(), proxy_header.as_deref());
        let outcome = clock.within(patience, attempt).await.unwrap_or(Err(Failure::ConnectTimeout(patience)));
        match outcome {
            Ok(stream) => {
                connected(way, &peer);
                return Ok((stream, peer.balanced));
            }
            Err(failure) => peer = tries.again(way, &peer, failure)?,
        }
    }
}

/// Where the tries of one stream go.
pub struct Tries {
    peers: Peers,
    /// Those of the tries before.
    tried: Vec<SocketAddr>,
    /// Further tries that are allowed.
    left: u16,
}

impl Tries {
    /// From here on the stream counts as proxied.
    pub async fn of(way: &mut Way) -> Result<Self, Failure> {
        let begun = way.session.timings.now();
        way.session.timings.balancer.begin(begun);
        let (balancers, resolver) = (&way.gateway.balancers, &way.worker.thread.resolver);
        let peers = Peers::find(&way.session, &StreamHash(&way.session), balancers, resolver).await?;
        Ok(Self { peers, tried: Vec::new(), left: way.session.retries() })
    }

    /// The peer of the next try, which begins with that.
    pub fn next(&mut self, way: &mut Way) -> Result<Peer, Failure> {
        let begun = way.session.timings.latest;
        let peer = self.peers.choose(&self.tried, begun)?;
        self.tried.push(peer.address);
        let timings = &mut way.session.timings;
        let now = timings.now();
        if timings.balancer.end.is_none() {
            timings.balancer.finish(now);
        }
        timings.upstream.begin(now);
        way.session.note_try(peer.address, begun);
        Ok(peer)
    }

    /// Takes in that a try has failed. The peer of the next one, or the failure, if it was the last.
    pub fn again(&mut self, way: &mut Way, peer: &Peer, failure: Failure) -> Result<Peer, Failure> {
        finish(way, peer, failure.outcome());
        if failure.blame() != Blame::Upstream {
            return Err(failure);
        }
        log_failure(&way.session, peer.address, &failure);
        if let Some(last) = way.session.tries.last_mut() {
            last.failure = Some(("failed", failure.status()));
        }
        if self.left == 0 {
            return Err(failure);
        }
        self.left -= 1;
        self.next(way)
    }
}

/// Takes in that a try has succeeded.
pub fn connected(way: &mut Way, peer: &Peer) {
    finish(way, peer, Some(Outcome::Connected));
}

fn finish(way: &mut Way, peer: &Peer, outcome: Option<Outcome>) {
    let now = way.session.timings.now();
    let upstream = &mut way.session.timings.upstream;
    upstream.finish(now);
    if let (Some(balanced), Some(outcome)) = (&peer.balanced, outcome) {
        balanced.report(outcome, upstream.duration().unwrap_or_default());
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
    let wanted = peers.wanted(&way.session, false);
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
