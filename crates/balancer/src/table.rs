//! What a balancer chooses from: targets with their addresses, and one peer for each address.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use polygate_model::entities::Healthchecks;
use polygate_model::{Id, Target, Upstream};

use crate::health::Verdict;
use crate::peer::Peer;
use crate::selector::{Random, Selector, Slot};

/// An address that a target's host resolved to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetAddress {
    pub addr: SocketAddr,
    /// Of an SRV record, in place of the target's.
    pub weight: Option<u16>,
    /// The host that an SRV record names.
    pub srv_target: Option<Arc<str>>,
}

/// See [`crate::Balancer::health`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetHealth {
    pub target: Id,
    pub state: TargetState,
    /// Its addresses are those of SRV records.
    pub is_srv: bool,
    pub addresses: Vec<AddressHealth>,
}

impl TargetHealth {
    /// The state of one of its addresses.
    pub fn state_of(&self, address: &AddressHealth) -> TargetState {
        match (self.state, address.is_healthy) {
            (TargetState::HealthchecksOff, _) => TargetState::HealthchecksOff,
            (_, true) => TargetState::Healthy,
            (_, false) => TargetState::Unhealthy,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TargetState {
    Healthy,
    Unhealthy,
    HealthchecksOff,
    DnsError,
}

impl TargetState {
    pub const ALL: [Self; 4] = [Self::Healthy, Self::Unhealthy, Self::HealthchecksOff, Self::DnsError];

    /// As the Admin API shows it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "HEALTHY",
            Self::Unhealthy => "UNHEALTHY",
            Self::HealthchecksOff => "HEALTHCHECKS_OFF",
            Self::DnsError => "DNS_ERROR",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressHealth {
    pub addr: SocketAddr,
    pub weight: u32,
    pub is_healthy: bool,
    /// What came of its probes.
    pub probes: [(Verdict, u64); Verdict::ALL.len()],
    /// How often it became unhealthy, by what did that.
    pub ejections: [(Verdict, u64); Verdict::ALL.len()],
}

/// It is replaced as a whole.
#[derive(Debug)]
pub struct Table {
    pub targets: Vec<TargetEntry>,
    pub slots: Vec<Slot>,
    pub selector: Selector,
    pub is_checked: bool,
}

#[derive(Debug, Clone)]
pub struct TargetEntry {
    pub target: Arc<Target>,
    pub host: Arc<str>,
    pub port: u16,
    pub addresses: Vec<TargetAddress>,
    /// One for each address.
    pub slots: Vec<Slot>,
}

impl Table {
    pub fn new(targets: Vec<TargetEntry>, upstream: &Upstream, random: &Random) -> Self {
        let slots: Vec<_> = targets.iter().flat_map(|entry| entry.slots.iter().cloned()).collect();
        let selector = Selector::new(upstream.algorithm, &slots, random);
        Self { targets, slots, selector, is_checked: is_checked(&upstream.healthchecks) }
    }

    /// Whether it may be used but for its weight. What nobody checks cannot be out.
    pub fn is_available(&self, slot: &Slot) -> bool {
        !self.is_checked || slot.peer.is_healthy()
    }

    pub fn health(&self) -> Vec<TargetHealth> {
        self.targets.iter().map(|entry| entry.health(self.is_checked)).collect()
    }

    /// Whether more than `threshold` percent of the weight is available.
    pub fn has_enough(&self, threshold: f64) -> bool {
        // Without a threshold, finding no peer says the same.
        if threshold == 0.0 {
            return true;
        }
        let total: u64 = self.targets.iter().map(TargetEntry::weight).sum();
        total > 0 && self.available_weight() as f64 / total as f64 * 100.0 > threshold
    }

    pub fn available_weight(&self) -> u64 {
        self.slots.iter().filter(|slot| self.is_available(slot)).map(|slot| u64::from(slot.weight)).sum()
    }
}

/// Whether anything but an operator can make a target unhealthy: the reference's rule of what health checks are.
fn is_checked(checks: &Healthchecks) -> bool {
    let failures = &checks.passive.unhealthy;
    let limits = [failures.http_failures, failures.tcp_failures, failures.timeouts];
    checks.active.is_on() || limits.into_iter().any(|limit| limit > 0)
}

/// A target added without a port has this one.
const DEFAULT_PORT: u16 = 8000;

impl TargetEntry {
    pub fn new(target: Arc<Target>, use_srv_name: bool) -> Self {
        let (host, port) = split_target(&target.target);
        let mut entry = Self { host: host.into(), port, addresses: Vec::new(), slots: Vec::new(), target };
        if let Some(ip) = entry.ip() {
            let addr = SocketAddr::new(ip, entry.port);
            entry.set(&[TargetAddress { addr, weight: None, srv_target: None }], use_srv_name);
        }
        entry
    }

    pub fn ip(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }

    pub fn set(&mut self, addresses: &[TargetAddress], use_srv_name: bool) {
        self.addresses = sorted(addresses);
        self.slots = self.addresses.iter().map(|address| self.slot(address, use_srv_name)).collect();
    }

    fn slot(&self, address: &TargetAddress, use_srv_name: bool) -> Slot {
        let host = address.srv_target.as_ref().filter(|_| use_srv_name).unwrap_or(&self.host);
        let known = self.slots.iter().map(|slot| &slot.peer);
        let known = known.into_iter().find(|peer| peer.address == address.addr && peer.host == *host);
        let peer =
            known.cloned().unwrap_or_else(|| Arc::new(Peer::new(self.target.id, address.addr, host.clone())));
        let weight = match address.weight {
            // A record may say that it is not to be preferred, but only the target can be switched off.
            Some(weight) if self.target.weight > 0 => u32::from(weight.max(1)),
            _ => self.target.weight,
        };
        Slot { peer, weight }
    }

    /// Of all addresses; what cannot be resolved is not available but counts.
    fn weight(&self) -> u64 {
        if self.slots.is_empty() {
            return self.target.weight.into();
        }
        self.slots.iter().map(|slot| u64::from(slot.weight)).sum()
    }

    fn health(&self, is_checked: bool) -> TargetHealth {
        let address = |slot: &Slot| AddressHealth {
            addr: slot.peer.address,
            weight: slot.weight,
            is_healthy: !is_checked || slot.peer.is_healthy(),
            probes: slot.peer.probes.counts(),
            ejections: slot.peer.ejections.counts(),
        };
        let addresses: Vec<_> = self.slots.iter().map(address).collect();
        let state = if addresses.is_empty() {
            TargetState::DnsError
        } else if !is_checked {
            TargetState::HealthchecksOff
        } else if addresses.iter().any(|address| address.is_healthy) {
            TargetState::Healthy
        } else {
            TargetState::Unhealthy
        };
        let is_srv = self.addresses.iter().any(|address| address.weight.is_some());
        TargetHealth { target: self.target.id, state, is_srv, addresses }
    }
}

/// Names rotate their addresses; only what is in the set matters.
pub fn sorted(addresses: &[TargetAddress]) -> Vec<TargetAddress> {
    let mut sorted = addresses.to_vec();
    sorted.sort_by_key(|address| address.addr);
    sorted.dedup_by_key(|address| address.addr);
    sorted
}

/// `host:port`, where an IPv6 host is in brackets.
fn split_target(target: &str) -> (&str, u16) {
    let split = target.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
    let (host, port) = match split {
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => (host, port),
        _ => (target, DEFAULT_PORT),
    };
    (host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host), port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_split_into_host_and_port() {
        for (text, expected) in [
            ("a.com:80", ("a.com", 80)),
            ("a.com", ("a.com", 8000)),
            ("10.0.0.1:80", ("10.0.0.1", 80)),
            ("[::1]:80", ("::1", 80)),
            ("[::1]", ("::1", 8000)),
            ("::1", ("::1", 8000)),
            ("a.com:port", ("a.com:port", 8000)),
        ] {
            assert_eq!(split_target(text), expected, "{text}");
        }
    }
}
