//! Where the tries of one request go.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use polygate_balancer::{Balancer, Outcome, Pick, hash_key};
use polygate_chain::RequestContext;
use polygate_net::dns::{Address, DnsError};

use crate::failure::Failure;
use crate::upstream::hash::RequestHash;
use crate::{Gateway, Worker};

pub enum Peers {
    Balanced { balancer: Arc<Balancer>, key: Vec<u8> },
    Resolved(Vec<Address>),
}

/// The peer of one try.
pub struct Peer {
    pub address: SocketAddr,
    /// The name it goes by, if that is not the service's host.
    pub name: Option<Arc<str>>,
    pub pick: Option<Pick>,
    /// When choosing it began, and how long that took.
    pub begun: Instant,
    pub took: Duration,
}

impl Peers {
    pub async fn find(
        context: &mut RequestContext,
        worker: &Worker,
        gateway: &Gateway,
    ) -> Result<Self, Failure> {
        let (host, port) = destination(context);
        if let Some(balancer) = gateway.balancers.get(&*host) {
            let key = hash_key(balancer.upstream(), &RequestHash(context));
            if let Some(cookie) = key.set_cookie {
                context.response.headers.append("Set-Cookie", cookie);
            }
            return Ok(Self::Balanced { balancer: balancer.clone(), key: key.key.into_bytes() });
        }
        worker.resolver.resolve(&host, port).await.map(Self::Resolved).map_err(|error| match error {
            DnsError::NameError | DnsError::Empty => Failure::NoPeer(503, "name resolution failed".into()),
            DnsError::Other(reason) => {
                let text = format!("failed the initial dns/balancer resolve for '{host}' with: {reason}");
                Failure::NoPeer(500, text)
            }
        })
    }

    /// The peer of the next try.
    pub fn choose(&self, tried: &[SocketAddr]) -> Result<Peer, Failure> {
        let begun = Instant::now();
        let (address, name, pick) = match self {
            Peers::Balanced { balancer, key } => {
                let pick = balancer
                    .pick(key, tried, begun)
                    .map_err(|no_peer| Failure::NoPeer(503, no_peer.to_string()))?;
                let name = match &balancer.upstream().host_header {
                    Some(header) => Arc::from(header.as_str()),
                    None => pick.host().clone(),
                };
                (pick.addr(), Some(name), Some(pick))
            }
            Peers::Resolved(addresses) => (addresses[tried.len() % addresses.len()].addr, None, None),
        };
        Ok(Peer { address, name, pick, begun, took: begun.elapsed() })
    }

    /// Tells the balancer what became of a try and how long the peer took; `outcome` is `None` when what happened was
    /// not the peer's doing.
    pub fn report(&self, peer: &Peer, outcome: Option<Outcome>, took: Duration) {
        let (Peers::Balanced { balancer, .. }, Some(pick), Some(outcome)) = (self, &peer.pick, outcome)
        else {
            return;
        };
        if let Outcome::Status(_) = outcome {
            balancer.observe(pick, took, Instant::now());
        }
        balancer.report(pick, outcome);
    }
}

/// Host and port before resolution: a plugin's choice, else the service's.
fn destination(context: &RequestContext) -> (Arc<str>, u16) {
    let service = context.service();
    let port = service.map_or(80, |service| service.port);
    match (&context.upstream.target, &context.upstream.upstream) {
        (Some((host, port)), _) => (host.as_str().into(), *port),
        (None, Some(upstream)) => (upstream.as_str().into(), port),
        (None, None) => (service.map_or("", |service| &service.host).into(), port),
    }
}
