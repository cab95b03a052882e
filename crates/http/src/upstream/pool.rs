//! Idle upstream connections of one worker.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::upstream::target::Target;

/// A connection that can carry one request after the other.
pub trait Reusable {
    fn target(&self) -> &Target;

    /// How many requests it has carried.
    fn served(&self) -> u64;

    /// Whether it still lives while it is idle.
    fn is_alive(&mut self) -> bool;
}

#[derive(Debug, Clone, Copy)]
pub struct PoolLimits {
    /// Idle connections per target; 0 = no reuse.
    pub size: usize,
    /// Requests per connection; 0 = no limit.
    pub requests: u64,
    /// Zero = no limit.
    pub idle: Duration,
}

pub struct Pool<C> {
    idle: BTreeMap<Target, Vec<Idle<C>>>,
    is_swept: bool,
}

impl<C> Default for Pool<C> {
    fn default() -> Self {
        Self { idle: BTreeMap::new(), is_swept: false }
    }
}

struct Idle<C> {
    connection: Box<C>,
    since: Instant,
    limit: Duration,
}

impl<C: Reusable> Idle<C> {
    fn is_usable(&mut self, now: Instant) -> bool {
        (self.limit.is_zero() || now.duration_since(self.since) < self.limit) && self.connection.is_alive()
    }
}

impl<C: Reusable> Pool<C> {
    /// The connection used last, if it still lives.
    pub fn take(&mut self, target: &Target) -> Option<Box<C>> {
        let idle = self.idle.get_mut(target)?;
        let now = Instant::now();
        while let Some(mut kept) = idle.pop() {
            if kept.is_usable(now) {
                return Some(kept.connection);
            }
        }
        None
    }

    /// Keeps a connection; of too many the one that lay idle for longest goes. Answers whether sweeping must begin.
    pub fn put(&mut self, connection: Box<C>, limits: PoolLimits) -> bool {
        if limits.size == 0 || (limits.requests > 0 && connection.served() >= limits.requests) {
            return false;
        }
        let idle = self.idle.entry(connection.target().clone()).or_default();
        if idle.len() >= limits.size {
            idle.remove(0);
        }
        idle.push(Idle { connection, since: Instant::now(), limit: limits.idle });
        !std::mem::replace(&mut self.is_swept, true)
    }

    /// Closes what has lain idle for too long, or was closed by the peer; answers whether anything is left.
    pub fn sweep(&mut self) -> bool {
        let now = Instant::now();
        self.idle.retain(|_, idle| {
            idle.retain_mut(|kept| kept.is_usable(now));
            !idle.is_empty()
        });
        self.is_swept = !self.idle.is_empty();
        self.is_swept
    }
}
