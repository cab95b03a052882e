//! The balancer of one upstream entity.

use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use polygate_model::{Id, Target, Upstream};
use polygate_telemetry::log;

use crate::health::{Health, Outcome, Rules, Verdict};
use crate::peer::Peer;
use crate::probe::{self, Due, Intervals, Probe};
use crate::selector::{Random, Request, Slot};
use crate::table::{Table, TargetAddress, TargetEntry, TargetHealth, sorted};

/// No target can take a request: there are none, all have weight zero or no address, all are unhealthy,
/// or less weight is available than `healthchecks.threshold` asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("failure to get a peer from the ring-balancer")]
pub struct NoPeer;

/// A target whose host is a name: someone has to resolve it, again and again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnresolvedTarget {
    pub id: Id,
    pub host: Arc<str>,
    pub port: u16,
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
    /// health, latency, connections and when they were probed.
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
        if !previous.is_checked {
            let table = self.table();
            self.change_health(table.slots.iter(), true, "there were no health checks before");
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
        let usable = |slot: &Slot| slot.weight > 0 && table.is_available(slot);
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
        let is_healthy = verdict == Verdict::Success;
        let why = format_args!("{check} checks counted {limit} x {label} in a row ({outcome})");
        self.log_change(peer, is_healthy, why);
        if !is_healthy {
            peer.ejections.add(verdict);
        }
    }

    /// One line for every change of a state.
    fn log_change(&self, peer: &Peer, is_healthy: bool, why: impl fmt::Display) {
        let (upstream, host, address) = (&self.upstream.name, &peer.host, peer.address);
        match is_healthy {
            true => log!(Notice, "upstream '{upstream}': target {host} ({address}) is healthy: {why}"),
            false => log!(Warn, "upstream '{upstream}': target {host} ({address}) is unhealthy: {why}"),
        }
    }

    /// Takes in how long a peer took to answer, for the `latency` algorithm.
    pub fn observe(&self, pick: &Pick, latency: Duration, now: Instant) {
        pick.peer.observe(latency, now);
    }

    /// Sets the state of all addresses of a target, or of one, as an operator asked for. It counts where health checks
    /// are on.
    pub fn set_health(&self, target: Id, addr: Option<SocketAddr>, is_healthy: bool) {
        let table = self.table();
        let slots = table.slots.iter().filter(|slot| slot.peer.target == target);
        let slots = slots.filter(|slot| addr.is_none_or(|addr| addr == slot.peer.address));
        self.change_health(slots, is_healthy, "an operator said so");
    }

    fn change_health<'s>(&self, slots: impl Iterator<Item = &'s Slot>, is_healthy: bool, why: &str) {
        for Slot { peer, .. } in slots {
            if peer.change_health(|health| *health = Health::new(is_healthy)) {
                self.log_change(peer, is_healthy, why);
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
        self.table().health()
    }

    fn table(&self) -> Arc<Table> {
        self.table.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests;
