//! The stream router: connections by server name and addresses.

use std::cmp::Reverse;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use ipnet::IpNet;
use polygate_model::entities::Endpoint;
use polygate_model::{Protocol, Route, Service, Written};

use crate::error::RouterError;
use crate::priority::stream_priority;
use crate::rule::{NamePattern, any, label, server_name_matches};
use crate::served::ServedRoute;

/// The parts of a connection that stream routes look at.
#[derive(Debug, Clone, Copy)]
pub struct StreamQuery<'a> {
    pub kind: StreamKind,
    /// The TLS server name, terminated or peeked at.
    pub sni: Option<&'a str>,
    pub source: SocketAddr,
    /// The local address, its port mapped to the one clients see.
    pub destination: SocketAddr,
}

/// What comes in; a route takes what its protocols name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamKind {
    Tcp,
    /// To be terminated or passed through.
    Tls,
    Udp,
}

impl StreamKind {
    fn of(protocol: Protocol) -> Option<Self> {
        match protocol {
            Protocol::Tcp => Some(Self::Tcp),
            Protocol::Tls | Protocol::TlsPassthrough => Some(Self::Tls),
            Protocol::Udp => Some(Self::Udp),
            Protocol::Http | Protocol::Https | Protocol::Grpc | Protocol::Grpcs => None,
        }
    }
}

/// The outcome of [`StreamRouter::select`].
#[derive(Debug, Clone)]
pub struct StreamMatch {
    pub route: Arc<Written<Route>>,
    pub service: Option<Arc<Written<Service>>>,
}

/// The stream routes of one configuration, tried one by one, best first: they are few, since each costs
/// a listener, an address or a name.
#[derive(Debug, Default)]
pub struct StreamRouter {
    rules: Vec<(Rule, StreamMatch)>,
}

#[derive(Debug)]
struct Rule {
    kinds: Vec<StreamKind>,
    snis: Vec<NamePattern>,
    sources: Vec<AddressPattern>,
    destinations: Vec<AddressPattern>,
}

#[derive(Debug)]
struct AddressPattern {
    network: Option<IpNet>,
    port: Option<u16>,
}

impl StreamRouter {
    /// Compiles the stream routes among `routes`; HTTP routes are passed over.
    pub fn build(routes: &[ServedRoute]) -> Result<Self, RouterError> {
        let is_stream = |route: &Route| route.protocols.first().is_some_and(|p| !p.is_http());
        let mut rules = Vec::new();
        for (route, service) in routes.iter().filter(|(route, _)| is_stream(route)) {
            rules.push((Rule::new(route)?, StreamMatch { route: route.clone(), service: service.clone() }));
        }
        rules.sort_by_key(|(_, target)| Reverse((stream_priority(&target.route), target.route.id)));
        Ok(Self { rules })
    }

    /// The best route for a connection.
    pub fn select(&self, query: &StreamQuery<'_>) -> Option<StreamMatch> {
        self.rules.iter().find(|(rule, _)| rule.matches(query)).map(|(_, target)| target.clone())
    }
}

impl Rule {
    fn new(route: &Route) -> Result<Self, RouterError> {
        Ok(Self {
            kinds: route.protocols.iter().copied().filter_map(StreamKind::of).collect(),
            snis: route.snis.iter().flatten().map(|sni| NamePattern::server_name(sni)).collect(),
            sources: address_patterns(route, "sources", &route.sources)?,
            destinations: address_patterns(route, "destinations", &route.destinations)?,
        })
    }

    fn matches(&self, query: &StreamQuery<'_>) -> bool {
        self.kinds.contains(&query.kind)
            && (query.kind != StreamKind::Tls || server_name_matches(&self.snis, query.sni))
            && any(&self.sources, |pattern| pattern.matches(query.source))
            && any(&self.destinations, |pattern| pattern.matches(query.destination))
    }
}

impl AddressPattern {
    fn matches(&self, address: SocketAddr) -> bool {
        // An IPv4 client of a dual-stack listener shows as ::ffff:a.b.c.d.
        self.network.is_none_or(|network| network.contains(&address.ip().to_canonical()))
            && self.port.is_none_or(|port| port == address.port())
    }
}

fn address_patterns(
    route: &Route,
    field: &'static str,
    endpoints: &Option<Vec<Endpoint>>,
) -> Result<Vec<AddressPattern>, RouterError> {
    let pattern = |endpoint: &Endpoint| {
        let network = endpoint.ip.as_deref().map(|ip| parse_network(route, field, ip)).transpose()?;
        Ok(AddressPattern { network, port: endpoint.port })
    };
    endpoints.iter().flatten().map(pattern).collect()
}

fn parse_network(route: &Route, field: &'static str, text: &str) -> Result<IpNet, RouterError> {
    let parsed =
        if text.contains('/') { text.parse().ok() } else { text.parse::<IpAddr>().ok().map(IpNet::from) };
    parsed.ok_or_else(|| RouterError::Address { route: label(route), field, value: text.to_owned() })
}

#[cfg(test)]
mod tests;
