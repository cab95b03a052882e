//! One address of one target: its connections, its latency, its health.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use polygate_model::Id;

use crate::health::Health;

/// How fast a latency is forgotten.
const DECAY: Duration = Duration::from_secs(10);

/// What a peer is expected to take before it has answered once.
const UNKNOWN_LATENCY: f64 = 0.001;

#[derive(Debug)]
pub struct Peer {
    pub target: Id,
    pub address: SocketAddr,
    /// The host of the target, or what its SRV record names.
    pub host: Arc<str>,
    connections: AtomicUsize,
    /// A copy of what `health` says, so that picking takes no lock.
    is_healthy: AtomicBool,
    health: Mutex<Health>,
    latency: Mutex<Option<Latency>>,
}

/// Seconds, as of an instant.
#[derive(Debug, Clone, Copy)]
struct Latency {
    seconds: f64,
    at: Instant,
}

impl Latency {
    fn decayed(self, now: Instant) -> f64 {
        let elapsed = now.saturating_duration_since(self.at);
        self.seconds * (-elapsed.as_secs_f64() / DECAY.as_secs_f64()).exp()
    }
}

impl Peer {
    pub fn new(target: Id, address: SocketAddr, host: Arc<str>) -> Self {
        Self {
            target,
            address,
            host,
            connections: AtomicUsize::new(0),
            is_healthy: AtomicBool::new(true),
            health: Mutex::new(Health::new(true)),
            latency: Mutex::new(None),
        }
    }

    pub fn is_healthy(&self) -> bool {
        self.is_healthy.load(Relaxed)
    }

    pub fn change_health(&self, change: impl FnOnce(&mut Health)) {
        let mut health = lock(&self.health);
        change(&mut health);
        self.is_healthy.store(health.is_healthy, Relaxed);
    }

    pub fn connections(&self) -> usize {
        self.connections.load(Relaxed)
    }

    pub fn connect(&self) {
        self.connections.fetch_add(1, Relaxed);
    }

    pub fn disconnect(&self) {
        self.connections.fetch_sub(1, Relaxed);
    }

    /// Takes in how long a response took: a rise counts at once, a fall by and by.
    pub fn observe(&self, latency: Duration, now: Instant) {
        let mut known = lock(&self.latency);
        let seconds = latency.as_secs_f64();
        let seconds = match *known {
            Some(before) => {
                let old = before.decayed(now);
                // What decayed meanwhile makes room for the new value.
                let kept = if before.seconds > 0.0 { old / before.seconds } else { 0.0 };
                seconds.max(old + seconds * (1.0 - kept))
            }
            None => seconds,
        };
        *known = Some(Latency { seconds, at: now });
    }

    /// What a request is expected to cost here, compared with other peers.
    pub fn cost(&self, now: Instant) -> f64 {
        let latency = lock(&self.latency).map_or(UNKNOWN_LATENCY, |latency| latency.decayed(now));
        latency * (self.connections() + 1) as f64
    }
}

/// Nothing here panics while it holds a lock, so what a poisoned one guards is sound.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latency_rises_at_once_and_falls_slowly() {
        let peer = Peer::new(Id::nil(), ([10, 0, 0, 1], 80).into(), "a".into());
        let start = Instant::now();
        let second = |seconds| start + Duration::from_secs(seconds);
        peer.observe(Duration::from_millis(10), start);
        peer.observe(Duration::from_millis(500), start);
        assert_eq!(peer.cost(start), 0.5);
        peer.observe(Duration::from_millis(10), second(1));
        let after = peer.cost(second(1));
        assert!(after > 0.4 && after < 0.5, "{after}");
        let idle = peer.cost(second(61));
        assert!(idle < 0.002, "an idle peer gets another chance: {idle}");
        peer.connect();
        assert_eq!(peer.cost(second(61)), idle * 2.0);
    }
}
