//! The balancer of one upstream entity.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use polygate_model::{Id, Target, Upstream};
use polygate_telemetry::log;

use crate::health::{Health, Outcome, Rules, Verdict};
use crate::peer::Peer;
use crate::probe::{self, Due, Intervals, Probe};
use crate::selector::{Random, Request, Selector, Slot};

/// No target can take a request: there are none, all have weight zero or no address, all are unhealthy,
/// or less weight is available than `healthchecks.threshold` asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("failure to get a peer from the ring-balancer")]
pub struct NoPeer;

/// An address that a target's host resolved to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetAddress {
    pub addr: SocketAddr,
    /// Of an SRV record, in place of the target's.
    pub weight: Option<u16>,
    /// The host that an SRV record names.
    pub srv_target: Option<Arc<str>>,
}

/// A target whose host is a name: someone has to resolve it, again and again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnresolvedTarget {
    pub id: Id,
    pub host: Arc<str>,
    pub port: u16,
}

/// See [`Balancer::health`].
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

/// A peer chosen for one try. While it lives it counts as an open connection.
#[derive(Debug)]
pub struct Pick {
    peer: Arc<Peer>,
}

impl Pick {
    fn new(peer: Arc<Peer>) -> Self {
        peer.connect();
        Self { peer }
    }

    pub fn addr(&self) -> SocketAddr {
        self.peer.address
    }

    /// The host of the target, an IP address or a name; with `use_srv_name` the one that the SRV record
    /// names.
    pub fn host(&self) -> &Arc<str> {
        &self.peer.host
    }

    pub fn target(&self) -> Id {
        self.peer.target
    }
}

impl Drop for Pick {
    fn drop(&mut self) {
        self.peer.disconnect();
    }
}

#[derive(Debug)]
pub struct Balancer {
    upstream: Arc<Upstream>,
    random: Random,
    /// Replaced as a whole when addresses change; requests work on the one they got.
    table: RwLock<Arc<Table>>,
}

#[derive(Debug)]
struct Table {
    targets: Vec<TargetEntry>,
    slots: Vec<Slot>,
    selector: Selector,
}

#[derive(Debug, Clone)]
struct TargetEntry {
    target: Arc<Target>,
    host: Arc<str>,
    port: u16,
    addresses: Vec<TargetAddress>,
    /// One for each address.
    slots: Vec<Slot>,
}

impl Balancer {
    /// Targets that are IP addresses can be picked at once, the others when their addresses are set.
    pub fn new(upstream: Arc<Upstream>, targets: &[Arc<Target>], seed: u64) -> Self {
        let random = Random::new(seed);
        let use_srv_name = upstream.use_srv_name;
        let targets = targets.iter().map(|target| TargetEntry::new(target.clone(), use_srv_name)).collect();
        let table = RwLock::new(Arc::new(Table::new(targets, &upstream, &random)));
        Self { upstream, random, table }
    }

    /// Takes over what another one, of the configuration before, knows of the same targets: addresses,
    /// health, latency, connections and when they were probed. Without health checks all are healthy.
    pub fn inherit(&self, previous: &Self) {
        let previous = previous.table();
        self.change_targets(|targets| {
            for entry in targets {
                let same = |old: &&TargetEntry| {
                    old.target.id == entry.target.id && old.target.target == entry.target.target
                };
                if let Some(old) = previous.targets.iter().find(same) {
                    entry.slots = old.slots.clone();
                    entry.set(&old.addresses, self.upstream.use_srv_name);
                }
            }
        });
        if !self.is_checked() {
            let table = self.table();
            self.change_health(table.slots.iter(), true, "health checks were switched off");
        }
    }

    pub fn upstream(&self) -> &Arc<Upstream> {
        &self.upstream
    }

    /// The targets whose addresses have to be set, and kept up to date.
    pub fn names(&self) -> Vec<UnresolvedTarget> {
        let table = self.table();
        let names = table.targets.iter().filter(|entry| entry.ip().is_none());
        let name = |entry: &TargetEntry| UnresolvedTarget {
            id: entry.target.id,
            host: entry.host.clone(),
            port: entry.port,
        };
        names.map(name).collect()
    }

    /// Replaces the addresses of a target; an empty list says that its name does not resolve.
    ///
    /// An address that stays keeps its health, latency and connections; a list that changes nothing costs
    /// next to nothing.
    pub fn set_addresses(&self, target: Id, addresses: &[TargetAddress]) {
        let table = self.table();
        let known = table.targets.iter().find(|entry| entry.target.id == target);
        if known.is_none_or(|entry| entry.addresses == sorted(addresses)) {
            return;
        }
        self.change_targets(|targets| {
            let entry = targets.iter_mut().find(|entry| entry.target.id == target);
            entry.into_iter().for_each(|entry| entry.set(addresses, self.upstream.use_srv_name));
        });
    }

    fn change_targets(&self, change: impl FnOnce(&mut [TargetEntry])) {
        let mut current = self.table.write().unwrap_or_else(PoisonError::into_inner);
        let mut targets = current.targets.clone();
        change(&mut targets);
        *current = Arc::new(Table::new(targets, &self.upstream, &self.random));
    }

    /// A peer for the next try of a request.
    ///
    /// `key` is that of [`crate::hash_key`] and matters to consistent hashing only. Addresses in `tried`
    /// are taken again only when nothing else is left.
    pub fn pick(&self, key: &[u8], tried: &[SocketAddr], now: Instant) -> Result<Pick, NoPeer> {
        let table = self.table();
        if !table.has_enough(self.upstream.healthchecks.threshold) {
            return Err(NoPeer);
        }
        let request = Request { key, now, random: &self.random };
        let usable = |slot: &Slot| slot.weight > 0 && slot.peer.is_healthy();
        let untried = |slot: &Slot| usable(slot) && !tried.contains(&slot.peer.address);
        let found = table.selector.select(&table.slots, &request, untried);
        let found = match found {
            None if !tried.is_empty() => table.selector.select(&table.slots, &request, usable),
            found => found,
        };
        Ok(Pick::new(found.ok_or(NoPeer)?.peer.clone()))
    }

    /// Counts what became of a try, by the rules of passive health checks.
    pub fn report(&self, pick: &Pick, outcome: Outcome) {
        let rules = Rules::passive(&self.upstream.healthchecks.passive);
        let outcome = match outcome {
            // The reference, which cannot tell it from its own, takes every 504 for a time-out. Who counts no time-outs
            // may have it in a list.
            Outcome::Status(504) if rules.limit(Verdict::Timeout) > 0 => Outcome::Timeout,
            outcome => outcome,
        };
        self.count(&pick.peer, "passive", rules, outcome);
    }

    /// The peers that it is time to probe, `most` of them at most, the longest overdue in front. Those of weight zero
    /// are never probed. `None` when active health checks are off.
    pub fn due_probes(&self, now: Instant, most: usize) -> Option<Due> {
        let intervals = Intervals::of(&self.upstream.healthchecks.active)?;
        Some(probe::due(&self.table().slots, &intervals, &self.random, now, most))
    }

    /// Counts what became of a probe, by the rules of active health checks; `None` is nothing that the peer did.
    pub fn report_probe(&self, probe: &Probe, outcome: Option<Outcome>) {
        let Some(outcome) = outcome else { return };
        let rules = Rules::active(&self.upstream.healthchecks.active);
        probe.peer().probes.add(rules.verdict(outcome));
        self.count(probe.peer(), "active", rules, outcome);
    }

    fn count(&self, peer: &Peer, check: &str, rules: Rules<'_>, outcome: Outcome) {
        let verdict = rules.verdict(outcome);
        let limit = rules.limit(verdict);
        if limit == 0 || !peer.change_health(|health| health.count(verdict, limit)) {
            return;
        }
        let label = verdict.label();
        self.log_change(peer, format_args!("{check} checks counted {limit} x {label} in a row ({outcome})"));
        if verdict != Verdict::Success {
            peer.ejections.add(verdict);
        }
    }

    /// One line for every change of a state.
    fn log_change(&self, peer: &Peer, why: impl fmt::Display) {
        let (upstream, host, address) = (&self.upstream.name, &peer.host, peer.address);
        match peer.is_healthy() {
            true => log!(Notice, "upstream '{upstream}': target {host} ({address}) is healthy: {why}"),
            false => log!(Warn, "upstream '{upstream}': target {host} ({address}) is unhealthy: {why}"),
        }
    }

    /// Takes in how long a peer took to answer, for the `latency` algorithm.
    pub fn observe(&self, pick: &Pick, latency: Duration, now: Instant) {
        pick.peer.observe(latency, now);
    }

    /// Sets the state of all addresses of a target, or of one, as an operator asked for.
    pub fn set_health(&self, target: Id, addr: Option<SocketAddr>, is_healthy: bool) {
        let table = self.table();
        let slots = table.slots.iter().filter(|slot| slot.peer.target == target);
        let slots = slots.filter(|slot| addr.is_none_or(|addr| addr == slot.peer.address));
        self.change_health(slots, is_healthy, "an operator said so");
    }

    fn change_health<'s>(&self, slots: impl Iterator<Item = &'s Slot>, is_healthy: bool, why: &str) {
        for Slot { peer, .. } in slots {
            if peer.change_health(|health| *health = Health::new(is_healthy)) {
                self.log_change(peer, why);
            }
        }
    }

    /// Whether requests are served at all.
    pub fn is_healthy(&self) -> bool {
        let table = self.table();
        table.has_enough(self.upstream.healthchecks.threshold) && table.available_weight() > 0
    }

    /// The state of every target, in the order given.
    pub fn health(&self) -> Vec<TargetHealth> {
        let is_checked = self.is_checked();
        self.table().targets.iter().map(|entry| entry.health(is_checked)).collect()
    }

    /// Whether anything but an operator can make a target unhealthy.
    fn is_checked(&self) -> bool {
        let failures = &self.upstream.healthchecks.passive.unhealthy;
        let limits = [failures.http_failures, failures.tcp_failures, failures.timeouts];
        Intervals::of(&self.upstream.healthchecks.active).is_some()
            || limits.into_iter().any(|limit| limit > 0)
    }

    fn table(&self) -> Arc<Table> {
        self.table.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Table {
    fn new(targets: Vec<TargetEntry>, upstream: &Upstream, random: &Random) -> Self {
        let slots: Vec<_> = targets.iter().flat_map(|entry| entry.slots.iter().cloned()).collect();
        let selector = Selector::new(upstream.algorithm, &slots, random);
        Self { targets, slots, selector }
    }

    /// Whether more than `threshold` percent of the weight is available.
    fn has_enough(&self, threshold: f64) -> bool {
        // Without a threshold, finding no peer says the same.
        if threshold == 0.0 {
            return true;
        }
        let total: u64 = self.targets.iter().map(TargetEntry::weight).sum();
        total > 0 && self.available_weight() as f64 / total as f64 * 100.0 > threshold
    }

    fn available_weight(&self) -> u64 {
        self.slots.iter().filter(|slot| slot.peer.is_healthy()).map(|slot| u64::from(slot.weight)).sum()
    }
}

/// A target added without a port has this one.
const DEFAULT_PORT: u16 = 8000;

impl TargetEntry {
    fn new(target: Arc<Target>, use_srv_name: bool) -> Self {
        let (host, port) = split_target(&target.target);
        let mut entry = Self { host: host.into(), port, addresses: Vec::new(), slots: Vec::new(), target };
        if let Some(ip) = entry.ip() {
            let addr = SocketAddr::new(ip, entry.port);
            entry.set(&[TargetAddress { addr, weight: None, srv_target: None }], use_srv_name);
        }
        entry
    }

    fn ip(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }

    fn set(&mut self, addresses: &[TargetAddress], use_srv_name: bool) {
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
            is_healthy: slot.peer.is_healthy(),
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
fn sorted(addresses: &[TargetAddress]) -> Vec<TargetAddress> {
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
mod tests;
