//! Where the tries of one request or stream go.

use std::collections::HashMap;
use std::fmt::Display;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use polygate_balancer::{Balancer, HashKey, HashSource, Outcome, Pick, hash_key};
use polygate_chain::Session;
use polygate_model::Id;
use polygate_net::dns::{self, Address, DnsError, Resolver};
use polygate_telemetry::log;
use polygate_tls::Wanted;

pub enum Peers {
    Balanced {
        balancer: Arc<Balancer>,
        key: HashKey,
    },
    Resolved(Vec<Address>),
    /// What needs no resolving.
    Address(SocketAddr),
}

/// The peer of one try.
pub struct Peer {
    pub address: SocketAddr,
    /// The name it goes by, if that is not the service's host.
    pub name: Option<Arc<str>>,
    /// `None` when names and addresses are used as they are.
    pub balanced: Option<Balanced>,
}

/// The choice of a balancer; while it lives it counts as an open connection of its target.
pub struct Balanced {
    balancer: Arc<Balancer>,
    pick: Pick,
}

/// Why there is none, in words for the client.
#[derive(Debug, thiserror::Error)]
#[error("{reason}")]
pub struct NoPeer {
    pub status: u16,
    pub reason: String,
}

/// By the name of the upstream entity.
pub type Balancers = HashMap<String, Arc<Balancer>>;

impl Peers {
    /// Where a session is to go. `source` is what consistent hashing looks at.
    pub async fn find(
        session: &Session,
        source: &dyn HashSource,
        balancers: &Balancers,
        resolver: &Resolver,
    ) -> Result<Self, NoPeer> {
        let service = session.service();
        let port = service.map_or(80, |service| service.port);
        // A plugin's choice, else the service's.
        let (host, port) = match (&session.upstream.target, &session.upstream.upstream) {
            (Some((host, port)), _) => (host.as_str(), *port),
            (None, Some(upstream)) => (upstream.as_str(), port),
            (None, None) => (service.map_or("", |service| &service.host), port),
        };
        if let Some(balancer) = balancers.get(host) {
            let key = hash_key(balancer.upstream(), source);
            return Ok(Self::Balanced { balancer: balancer.clone(), key });
        }
        if let Some(ip) = dns::literal(host) {
            return Ok(Self::Address(SocketAddr::new(ip, port)));
        }
        resolver.resolve(host, port).await.map(Self::Resolved).map_err(|error| match error {
            DnsError::NameError | DnsError::Empty => NoPeer::new(503, "name resolution failed"),
            DnsError::Other(reason) => {
                let text = format!("failed the initial dns/balancer resolve for '{host}' with: {reason}");
                NoPeer::new(500, text)
            }
        })
    }

    /// The cookie that brings a client back to its peer.
    pub fn set_cookie(&self) -> Option<&str> {
        match self {
            Self::Balanced { key, .. } => key.set_cookie.as_deref(),
            Self::Resolved(_) | Self::Address(_) => None,
        }
    }

    /// The peer of the next try.
    pub fn choose(&self, tried: &[SocketAddr], now: Instant) -> Result<Peer, NoPeer> {
        let (address, name, balanced) = match self {
            Peers::Balanced { balancer, key } => {
                let pick = balancer
                    .pick(key.key.as_bytes(), tried, now)
                    .map_err(|no_peer| NoPeer::new(503, no_peer.to_string()))?;
                let name = match &balancer.upstream().host_header {
                    Some(header) => Arc::from(header.as_str()),
                    None => pick.host().clone(),
                };
                (pick.addr(), Some(name), Some(Balanced { balancer: balancer.clone(), pick }))
            }
            Peers::Address(address) => (*address, None, None),
            Peers::Resolved(addresses) => (addresses[tried.len() % addresses.len()].addr, None, None),
        };
        Ok(Peer { address, name, balanced })
    }

    /// What TLS with a session's peers has to be like.
    pub fn wanted<'s>(&self, session: &'s Session, http2: bool) -> Wanted<'s> {
        Wanted {
            service: session.service().map(|service| &***service),
            certificate: self.client_certificate(),
            verify: session.upstream.tls_verify,
            depth: session.upstream.tls_verify_depth,
            http2,
        }
    }

    /// What the upstream entity is to be shown.
    fn client_certificate(&self) -> Option<Id> {
        match self {
            Self::Balanced { balancer, .. } => {
                balancer.upstream().client_certificate.map(|certificate| certificate.id)
            }
            Self::Resolved(_) | Self::Address(_) => None,
        }
    }
}

impl Balanced {
    /// Tells the balancer what the peer did, and how long it took for a response or a connection.
    pub fn report(&self, outcome: Outcome, took: Duration) {
        if let Outcome::Status(_) | Outcome::Connected = outcome {
            self.balancer.observe(&self.pick, took, Instant::now());
        }
        self.balancer.report(&self.pick, outcome);
    }
}

/// One line for what an upstream did wrong.
pub fn log_failure(session: &Session, address: SocketAddr, failure: &dyn Display) {
    let (client, id) = (session.client.ip(), &session.id);
    log!(Error, "upstream {address}: {failure}, client: {client}, request_id: \"{id}\"");
}

impl NoPeer {
    fn new(status: u16, reason: impl Into<String>) -> Self {
        Self { status, reason: reason.into() }
    }
}
