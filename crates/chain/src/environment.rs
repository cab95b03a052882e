//! What a request may ask about the gateway around it: one immutable value per loaded configuration.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use ipnet::IpNet;
use polygate_model::{Consumer, Entities, Id, Vaults};

use crate::error_page::ErrorPages;

pub struct Environment {
    pub entities: Arc<Entities>,
    pub node: Arc<Node>,
    pub trusted_ips: TrustedIps,
    pub limits: Limits,
    /// Listening port to the port that the outside world uses for it.
    pub port_maps: HashMap<u16, u16>,
    pub error_pages: ErrorPages,
    pub vaults: Vaults,
    upstream_names: HashSet<String>,
}

impl Environment {
    pub fn new(entities: Arc<Entities>, node: Arc<Node>) -> Self {
        let upstream_names = entities.upstreams.values().map(|upstream| upstream.name.clone()).collect();
        Self {
            vaults: Vaults::env(""),
            entities,
            node,
            trusted_ips: TrustedIps::default(),
            limits: Limits::default(),
            port_maps: HashMap::new(),
            error_pages: ErrorPages::default(),
            upstream_names,
        }
    }

    pub fn has_upstream(&self, name: &str) -> bool {
        self.upstream_names.contains(name)
    }

    pub fn consumer(&self, id: Id) -> Option<&Arc<Consumer>> {
        self.entities.consumers.get(id)
    }

    pub fn consumer_by_username(&self, username: &str) -> Option<&Arc<Consumer>> {
        self.entities.consumers.by_username(username)
    }

    pub fn consumer_by_custom_id(&self, custom_id: &str) -> Option<&Arc<Consumer>> {
        self.entities.consumers.by_custom_id(custom_id)
    }

    /// The outside port that leads to the listening port `inside`.
    pub fn outside_port(&self, inside: u16) -> u16 {
        self.port_maps.get(&inside).copied().unwrap_or(inside)
    }
}

/// How many headers and arguments the getters return when not told otherwise (1 to 1000 each).
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub request_headers: usize,
    pub response_headers: usize,
    pub uri_args: usize,
    pub post_args: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { request_headers: 100, response_headers: 100, uri_args: 100, post_args: 100 }
    }
}

/// The peers whose forwarding headers are believed.
#[derive(Debug, Clone, Default)]
pub struct TrustedIps {
    ranges: Vec<IpNet>,
}

impl TrustedIps {
    pub fn new(ranges: Vec<IpNet>) -> Self {
        Self { ranges }
    }

    /// IPv4 addresses count as such, also when they came in through an IPv6 socket.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.ranges.iter().any(|range| range.contains(&address))
    }

    pub fn ranges(&self) -> &[IpNet] {
        &self.ranges
    }
}

/// This process.
#[derive(Debug)]
pub struct Node {
    pub id: Id,
    pub hostname: String,
    pub statistics: Statistics,
}

/// Counters over the life of the process, over all workers.
#[derive(Debug, Default)]
pub struct Statistics {
    pub connections_accepted: AtomicU64,
    pub connections_active: AtomicU64,
    /// Of the active ones: those with a request under way, reading it or answering it.
    pub requests_active: AtomicU64,
    pub requests_total: AtomicU64,
}
