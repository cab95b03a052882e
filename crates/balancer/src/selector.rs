//! The algorithms: which of the peers that may be used.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Instant;

use polygate_model::entities::Algorithm;
use xxhash_rust::xxh32::xxh32;

use crate::peer::Peer;

/// A peer and its share of the traffic; weight zero never gets any.
#[derive(Debug, Clone)]
pub struct Slot {
    pub peer: Arc<Peer>,
    pub weight: u32,
}

/// What a choice depends on besides the peers.
pub struct Request<'a> {
    pub key: &'a [u8],
    pub now: Instant,
    pub random: &'a Random,
}

/// One algorithm, prepared for a list of slots; what it stores are positions in that list.
#[derive(Debug)]
pub enum Selector {
    RoundRobin(Wheel),
    LeastConnections,
    ConsistentHashing(Ring),
    Latency,
}

impl Selector {
    pub fn new(algorithm: Algorithm, slots: &[Slot], random: &Random) -> Self {
        match algorithm {
            Algorithm::RoundRobin => Self::RoundRobin(Wheel::new(slots, random)),
            Algorithm::LeastConnections => Self::LeastConnections,
            Algorithm::ConsistentHashing => Self::ConsistentHashing(Ring::new(slots)),
            Algorithm::Latency => Self::Latency,
        }
    }

    /// A slot among those that `usable` accepts.
    pub fn select<'s>(
        &self,
        slots: &'s [Slot],
        request: &Request<'_>,
        usable: impl Fn(&Slot) -> bool,
    ) -> Option<&'s Slot> {
        match self {
            Self::RoundRobin(wheel) => wheel.select(slots, usable),
            Self::LeastConnections => least_connections(slots, request.random, usable),
            Self::ConsistentHashing(ring) => ring.select(slots, request.key, usable),
            Self::Latency => least_latency(slots, request, usable),
        }
    }
}

/// Positions in shuffled order, each as often as its weight says.
#[derive(Debug)]
pub struct Wheel {
    spokes: Vec<u32>,
    next: AtomicUsize,
}

/// Weights that have no common divisor are rounded to keep the wheel this small.
const MAX_SPOKES: u64 = 65_536;

impl Wheel {
    fn new(slots: &[Slot], random: &Random) -> Self {
        let divisor = slots.iter().fold(0, |divisor, slot| gcd(divisor, slot.weight)).max(1);
        let total: u64 = slots.iter().map(|slot| u64::from(slot.weight / divisor)).sum();
        let mut spokes = Vec::new();
        for (position, slot) in (0..).zip(slots) {
            let mut share = u64::from(slot.weight / divisor);
            if total > MAX_SPOKES && share > 0 {
                share = (share * MAX_SPOKES / total).max(1);
            }
            spokes.extend((0..share).map(|_| position));
        }
        for end in (1..spokes.len()).rev() {
            spokes.swap(end, random.below(end + 1));
        }
        Self { spokes, next: AtomicUsize::new(0) }
    }

    fn select<'s>(&self, slots: &'s [Slot], usable: impl Fn(&Slot) -> bool) -> Option<&'s Slot> {
        let turn = || self.spokes[self.next.fetch_add(1, Relaxed) % self.spokes.len()] as usize;
        (0..self.spokes.len()).map(|_| &slots[turn()]).find(|slot| usable(slot))
    }
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// Points on a circle; a key belongs to the first point after its hash.
#[derive(Debug)]
pub struct Ring {
    points: Vec<(u32, u32)>,
}

/// Of a slot with an average weight.
const POINTS_PER_SLOT: u64 = 160;

impl Ring {
    /// The same peers give the same ring everywhere, in whatever order they are listed.
    fn new(slots: &[Slot]) -> Self {
        let used = slots.iter().filter(|slot| slot.weight > 0).count() as u64;
        let total: u64 = slots.iter().map(|slot| u64::from(slot.weight)).sum();
        let mut points: Vec<(u32, SocketAddr, u32)> = Vec::new();
        for (position, slot) in (0..).zip(slots).filter(|(_, slot)| slot.weight > 0) {
            let share = (u64::from(slot.weight) * used * POINTS_PER_SLOT / total).max(1);
            let address = slot.peer.address;
            points.extend(
                (0..share).map(|point| (hash(format!("{address}#{point}").as_bytes()), address, position)),
            );
        }
        points.sort_unstable();
        Self { points: points.into_iter().map(|(point, _, position)| (point, position)).collect() }
    }

    fn select<'s>(&self, slots: &'s [Slot], key: &[u8], usable: impl Fn(&Slot) -> bool) -> Option<&'s Slot> {
        let start = self.points.partition_point(|(point, _)| *point < hash(key));
        let (before, after) = self.points.split_at(start);
        let clockwise = after.iter().chain(before);
        clockwise.map(|(_, position)| &slots[*position as usize]).find(|slot| usable(slot))
    }
}

fn hash(bytes: &[u8]) -> u32 {
    xxh32(bytes, 0)
}

/// Starts anywhere, so that equals share.
fn least_connections<'s>(
    slots: &'s [Slot],
    random: &Random,
    usable: impl Fn(&Slot) -> bool,
) -> Option<&'s Slot> {
    let load = |slot: &Slot| (slot.peer.connections() + 1) as f64 / f64::from(slot.weight);
    let (before, after) = slots.split_at(random.below(slots.len().max(1)));
    let candidates = after.iter().chain(before).filter(|slot| usable(slot));
    candidates.min_by(|a, b| load(a).total_cmp(&load(b)))
}

/// The better of two picked at random: nearly as good as the best, without everyone rushing to it.
fn least_latency<'s>(
    slots: &'s [Slot],
    request: &Request<'_>,
    usable: impl Fn(&Slot) -> bool,
) -> Option<&'s Slot> {
    let mut candidates: Vec<_> = slots.iter().filter(|slot| usable(slot)).collect();
    let mut draw =
        || (!candidates.is_empty()).then(|| candidates.swap_remove(request.random.below(candidates.len())));
    let first = draw()?;
    let Some(second) = draw() else { return Some(first) };
    let latency = |slot: &Slot| slot.peer.latency(request.now);
    let cost = |slot: &Slot| {
        // A newcomer is taken for one like the others, not for the quickest.
        let seconds = latency(slot).unwrap_or_else(|| mean(slots.iter().filter_map(latency)));
        seconds * (slot.peer.connections() + 1) as f64 / f64::from(slot.weight)
    };
    Some(if cost(second) < cost(first) { second } else { first })
}

/// What a request is expected to take, in seconds, while nobody has answered one.
const UNKNOWN_LATENCY: f64 = 0.001;

fn mean(latencies: impl Iterator<Item = f64>) -> f64 {
    let (count, sum) = latencies.fold((0, 0.0), |(count, sum), seconds| (count + 1, sum + seconds));
    if count == 0 { UNKNOWN_LATENCY } else { sum / f64::from(count) }
}

/// SplitMix64: good enough to spread load, and needs no lock.
#[derive(Debug)]
pub struct Random(AtomicU64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    /// A number below `limit`, which is not zero.
    pub fn below(&self, limit: usize) -> usize {
        let mut bits = self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Relaxed);
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((bits ^ (bits >> 31)) % limit as u64) as usize
    }
}

#[cfg(test)]
mod tests;
