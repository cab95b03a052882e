//! Idle upstream connections of one worker.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use tokio::time::Instant;

use crate::Worker;
use crate::upstream::connection::is_alive;
use crate::wire::Wire;

/// How often idle connections are looked at: none outlives its time by more than this.
const SWEEP: Duration = Duration::from_secs(1);

/// What makes two connections exchangeable. With TLS its identity (server name, verification) will belong to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Target {
    pub address: SocketAddr,
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

#[derive(Default)]
pub struct Pool {
    idle: HashMap<Target, Vec<Idle>>,
    is_swept: bool,
}

struct Idle {
    wire: Wire,
    served: u64,
    since: Instant,
    limit: Duration,
}

impl Idle {
    fn is_usable(&mut self, now: Instant) -> bool {
        (self.limit.is_zero() || now.duration_since(self.since) < self.limit) && is_alive(&mut self.wire)
    }
}

impl Pool {
    /// The connection used last, if it still lives, with the number of its requests.
    pub fn take(&mut self, target: Target) -> Option<(Wire, u64)> {
        let idle = self.idle.get_mut(&target)?;
        let now = Instant::now();
        while let Some(mut connection) = idle.pop() {
            if connection.is_usable(now) {
                return Some((connection.wire, connection.served));
            }
        }
        None
    }

    /// Keeps a connection; of too many the one that lay idle for longest goes. Answers whether sweeping must begin.
    fn put(&mut self, target: Target, wire: Wire, served: u64, limits: PoolLimits) -> bool {
        if limits.size == 0 || (limits.requests > 0 && served >= limits.requests) {
            return false;
        }
        let idle = self.idle.entry(target).or_default();
        if idle.len() >= limits.size {
            idle.remove(0);
        }
        idle.push(Idle { wire, served, since: Instant::now(), limit: limits.idle });
        !std::mem::replace(&mut self.is_swept, true)
    }

    /// Closes what has lain idle for too long, or was closed by the peer; answers whether anything is left.
    fn sweep(&mut self) -> bool {
        let now = Instant::now();
        self.idle.retain(|_, idle| {
            idle.retain_mut(|connection| connection.is_usable(now));
            !idle.is_empty()
        });
        self.is_swept = !self.idle.is_empty();
        self.is_swept
    }
}

/// Keeps a connection for later requests of this worker.
pub fn give_back(worker: &Rc<Worker>, target: Target, (wire, served): (Wire, u64), limits: PoolLimits) {
    if worker.pool.borrow_mut().put(target, wire, served, limits) {
        let worker = Rc::downgrade(worker);
        tokio::task::spawn_local(async move {
            loop {
                tokio::time::sleep(SWEEP).await;
                match worker.upgrade() {
                    Some(worker) if worker.pool.borrow_mut().sweep() => {}
                    _ => break,
                }
            }
        });
    }
}
