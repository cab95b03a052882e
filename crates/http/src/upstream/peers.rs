//! Where the tries of one request go.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use polygate_balancer::{Balancer, Outcome, Pick, hash_key};
use polygate_chain::Exchange;
use polygate_model::Id;
use polygate_net::dns::{self, Address, DnsError};
use polygate_telemetry::log;

use crate::failure::{Blame, Failure};
use crate::upstream::hash::RequestHash;
use crate::{Gateway, Worker};

pub enum Peers {
    Balanced {
        balancer: Arc<Balancer>,
        key: Vec<u8>,
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

impl Peers {
    pub async fn find(exchange: &mut Exchange, worker: &Worker, gateway: &Gateway) -> Result<Self, Failure> {
        let service = exchange.session.service().cloned();
        let port = service.as_ref().map_or(80, |service| service.port);
        // A plugin's choice, else the service's.
        let (host, port) = match (&exchange.session.upstream.target, &exchange.session.upstream.upstream) {
            (Some((host, port)), _) => (host.as_str(), *port),
            (None, Some(upstream)) => (upstream.as_str(), port),
            (None, None) => (service.as_ref().map_or("", |service| &service.host), port),
        };
        if let Some(balancer) = gateway.balancers.get(host) {
            let key = hash_key(balancer.upstream(), &RequestHash(exchange));
            if let Some(cookie) = key.set_cookie {
                exchange.response.headers.append("Set-Cookie", cookie);
            }
            return Ok(Self::Balanced { balancer: balancer.clone(), key: key.key.into_bytes() });
        }
        if let Some(ip) = dns::literal(host) {
            return Ok(Self::Address(SocketAddr::new(ip, port)));
        }
        worker.resolver.resolve(host, port).await.map(Self::Resolved).map_err(|error| match error {
            DnsError::NameError | DnsError::Empty => Failure::NoPeer(503, "name resolution failed".into()),
            DnsError::Other(reason) => {
                let text = format!("failed the initial dns/balancer resolve for '{host}' with: {reason}");
                Failure::NoPeer(500, text)
            }
        })
    }

    /// The peer of the next try.
    pub fn choose(&self, tried: &[SocketAddr], now: Instant) -> Result<Peer, Failure> {
        let (address, name, balanced) = match self {
            Peers::Balanced { balancer, key } => {
                let pick = balancer
                    .pick(key, tried, now)
                    .map_err(|no_peer| Failure::NoPeer(503, no_peer.to_string()))?;
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

    /// What the upstream entity is to be shown.
    pub fn client_certificate(&self) -> Option<Id> {
        match self {
            Self::Balanced { balancer, .. } => {
                balancer.upstream().client_certificate.map(|certificate| certificate.id)
            }
            Self::Resolved(_) | Self::Address(_) => None,
        }
    }
}

impl Balanced {
    /// Tells the balancer what the peer did, and how long it took for a response.
    pub fn report(&self, outcome: Outcome, took: Duration) {
        if let Outcome::Status(_) = outcome {
            self.balancer.observe(&self.pick, took, Instant::now());
        }
        self.balancer.report(&self.pick, outcome);
    }
}

/// One line for what an upstream did wrong.
pub fn log_failure(exchange: &Exchange, failure: &Failure, address: SocketAddr) {
    if failure.blame() == Blame::Upstream {
        let (client, id) = (exchange.session.client.ip(), &exchange.session.id);
        log!(Error, "upstream {address}: {failure}, client: {client}, request_id: \"{id}\"");
    }
}
