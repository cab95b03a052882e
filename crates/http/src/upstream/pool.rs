//! Idle upstream connections of one worker.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::upstream::connection::Connection;
use crate::upstream::target::Target;

#[derive(Debug, Clone, Copy)]
pub struct PoolLimits {
    /// Idle connections per target; 0 = no reuse.
    pub size: usize,
    /// Requests per connection; 0 = no limit.
    pub requests: u64,
    /// Zero = no limit.
    pub idle: Duration,
}

#[derive(Default)]
pub struct Pool {
    idle: BTreeMap<Target, Vec<Idle>>,
    is_swept: bool,
}

struct Idle {
    connection: Box<Connection>,
    since: Instant,
    limit: Duration,
}

impl Idle {
    fn is_usable(&mut self, now: Instant) -> bool {
        (self.limit.is_zero() || now.duration_since(self.since) < self.limit) && self.connection.is_alive()
    }
}

impl Pool {
    /// The connection used last, if it still lives.
    pub fn take(&mut self, target: &Target) -> Option<Box<Connection>> {
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
    pub fn put(&mut self, connection: Box<Connection>, limits: PoolLimits) -> bool {
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
