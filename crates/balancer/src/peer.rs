//! One address of one target: its connections, its latency, its health, its probes.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use polygate_model::Id;

use crate::health::{Health, Tally};
use crate::schedule::Schedule;

/// How fast a latency is forgotten.
const DECAY: Duration = Duration::from_secs(10);

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
    schedule: Mutex<Schedule>,
    /// What came of its probes.
    pub probes: Tally,
    /// How often it became unhealthy, by what did that.
    pub ejections: Tally,
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
            schedule: Mutex::default(),
            probes: Tally::default(),
            ejections: Tally::default(),
        }
    }

    pub fn is_healthy(&self) -> bool {
        self.is_healthy.load(Relaxed)
    }

    /// Answers whether the state is another one now.
    pub fn change_health(&self, change: impl FnOnce(&mut Health)) -> bool {
        let mut health = lock(&self.health);
        change(&mut health);
        self.is_healthy.swap(health.is_healthy, Relaxed) != health.is_healthy
    }

    pub fn schedule(&self) -> MutexGuard<'_, Schedule> {
        lock(&self.schedule)
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

    /// What a request is expected to take here, in seconds; `None` before the first response.
    pub fn latency(&self, now: Instant) -> Option<f64> {
        lock(&self.latency).map(|latency| latency.decayed(now))
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
        assert_eq!(peer.latency(Instant::now()), None);
        let start = Instant::now();
        let second = |seconds| start + Duration::from_secs(seconds);
        peer.observe(Duration::from_millis(10), start);
        peer.observe(Duration::from_millis(500), start);
        assert_eq!(peer.latency(start), Some(0.5));
        peer.observe(Duration::from_millis(10), second(1));
        let after = peer.latency(second(1)).unwrap();
        assert!(after > 0.4 && after < 0.5, "{after}");
        let idle = peer.latency(second(61)).unwrap();
        assert!(idle < 0.002, "an idle peer gets another chance: {idle}");
    }
}
