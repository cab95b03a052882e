//! Counts in windows of the calendar, shared by all workers.
//!
//! What is counted together has one entry, under a lock that few others share: whether a request fits into all its windows
//! and its counting are one step.

#[cfg(test)]
mod tests;
mod uncounted;
pub mod window;

use std::collections::HashMap;

use foldhash::quality::RandomState;
use polygate_model::Id;
use polygate_telemetry::log;

pub use self::uncounted::Uncounted;
pub use self::window::{Moment, Period};
use crate::shards::Shards;

/// Entries of a shard beyond which windows that have passed are looked for.
const SWEEP_FROM: usize = 1024;
/// As many entries as a shard holds: one that callers can invent names for must not grow for a year. All shards take some
/// 150 MB then.
const MOST_ENTRIES: usize = 8192;

/// What is counted together.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key {
    /// The configuration.
    pub plugin: Id,
    /// Of what the configuration counts several things of; empty else.
    pub name: String,
    /// Of whom.
    pub identifier: String,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limit {
    pub period: Period,
    pub most: f64,
}

#[derive(Default)]
pub struct Counters {
    shards: Shards<Shard>,
}

#[derive(Default)]
struct Shard {
    entries: HashMap<Key, Entry, RandomState>,
    /// How many entries may be there before the next sweep.
    sweep_at: usize,
}

#[derive(Default)]
struct Entry {
    /// Seconds since 1970.
    last_seen: u64,
    /// Where the window of each period begins, and the count in it.
    windows: [(u64, f64); Period::ALL.len()],
}

impl Counters {
    /// Adds `amount` to the windows of all limits, if none of them is used up; answers what was counted in each before.
    pub fn admit(&self, key: &Key, limits: &[Limit], amount: f64, now: Moment) -> (bool, Vec<f64>) {
        let mut shard = self.shards.of(key);
        shard.sweep(now);
        let entry = match shard.entries.get_mut(key) {
            Some(entry) => entry,
            None => shard.entries.entry(key.clone()).or_default(),
        };
        entry.last_seen = now.0;
        let used: Vec<_> = limits.iter().map(|limit| entry.count(limit.period, now)).collect();
        let fits = limits.iter().zip(&used).all(|(limit, used)| limit.most - used > 0.0);
        if fits {
            limits.iter().for_each(|limit| entry.add(limit.period, now, amount));
        }
        (fits, used)
    }

    /// What was counted in the windows of the limits.
    pub fn used(&self, key: &Key, limits: &[Limit], now: Moment) -> Vec<f64> {
        let shard = self.shards.of(key);
        let entry = shard.entries.get(key);
        limits.iter().map(|limit| entry.map_or(0.0, |entry| entry.count(limit.period, now))).collect()
    }

    /// Takes over what was counted elsewhere in the window that began at `start`, where that is more.
    pub fn learn(&self, key: &Key, period: Period, start: u64, count: f64) {
        let mut shard = self.shards.of(key);
        let known = &mut shard.entries.entry(key.clone()).or_default().windows[period as usize];
        if known.0 < start || known.0 == start && known.1 < count {
            *known = (start, count);
        }
    }
}

impl Shard {
    /// Forgets entries of which all windows have passed, whenever their number has doubled since the last time.
    fn sweep(&mut self, now: Moment) {
        if self.entries.len() < self.sweep_at.max(SWEEP_FROM) {
            return;
        }
        self.entries.retain(|_, entry| entry.is_current(now));
        if self.entries.len() >= MOST_ENTRIES {
            self.forget_half();
        }
        self.sweep_at = (2 * self.entries.len()).min(MOST_ENTRIES);
    }

    /// Forgets those that were not seen for the longest time.
    fn forget_half(&mut self) {
        let mut seen: Vec<u64> = self.entries.values().map(|entry| entry.last_seen).collect();
        let half = seen.len() / 2;
        let (_, &mut middle, _) = seen.select_nth_unstable(half);
        let mut forgotten = 0;
        self.entries.retain(|_, entry| {
            let goes = forgotten < half && entry.last_seen <= middle;
            forgotten += usize::from(goes);
            !goes
        });
        log!(
            Warn,
            "rate limits: too many callers, the counts of {forgotten} that were seen long ago are forgotten"
        );
    }
}

impl Entry {
    fn count(&self, period: Period, now: Moment) -> f64 {
        let (start, count) = self.windows[period as usize];
        if start == now.start_of(period) { count } else { 0.0 }
    }

    fn add(&mut self, period: Period, now: Moment, amount: f64) {
        let count = self.count(period, now) + amount;
        self.windows[period as usize] = (now.start_of(period), count);
    }

    fn is_current(&self, now: Moment) -> bool {
        Period::ALL.into_iter().any(|period| {
            let (start, count) = self.windows[period as usize];
            count != 0.0 && start == now.start_of(period)
        })
    }
}
