//! Active health checks: which peers are to be probed, and when. The probing is somebody else's.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use polygate_model::entities::ActiveChecks;

use crate::peer::Peer;
use crate::selector::{Random, Slot};

/// Nobody is probed more often, whatever is configured.
const SHORTEST: Duration = Duration::from_millis(10);

/// A peer that is being probed; while it lives no other probe of that peer begins.
#[derive(Debug)]
pub struct Probe {
    peer: Arc<Peer>,
}

impl Probe {
    fn begin(peer: Arc<Peer>, now: Instant, random: &Random) -> Self {
        peer.schedule().begin(now, chance(random));
        Self { peer }
    }

    pub fn addr(&self) -> SocketAddr {
        self.peer.address
    }

    /// The host of the target, an IP address or a name; with `use_srv_name` the one that the SRV record names.
    pub fn host(&self) -> &str {
        &self.peer.host
    }

    pub(crate) fn peer(&self) -> &Peer {
        &self.peer
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        self.peer.schedule().end();
    }
}

/// What is to be done about probes.
#[derive(Debug)]
pub struct Due {
    pub probes: Vec<Probe>,
    /// When to ask again, if no probe ends before: states and addresses change meanwhile.
    pub pause: Duration,
}

/// Between two probes of one peer; `None` where a state is not probed.
#[derive(Debug, Clone, Copy)]
pub struct Intervals {
    healthy: Option<Duration>,
    unhealthy: Option<Duration>,
    shortest: Duration,
}

impl Intervals {
    /// `None` when active checks are off.
    pub fn of(checks: &ActiveChecks) -> Option<Self> {
        let interval = |seconds: Option<f64>| {
            let seconds = seconds.filter(|seconds| *seconds > 0.0)?;
            Some(Duration::try_from_secs_f64(seconds).ok()?.max(SHORTEST))
        };
        let (healthy, unhealthy) = (interval(checks.healthy.interval), interval(checks.unhealthy.interval));
        let shortest = healthy.into_iter().chain(unhealthy).min()?;
        Some(Self { healthy, unhealthy, shortest })
    }

    fn of_state(&self, is_healthy: bool) -> Option<Duration> {
        if is_healthy { self.healthy } else { self.unhealthy }
    }
}

/// See [`crate::Balancer::due_probes`].
pub fn due(slots: &[Slot], intervals: &Intervals, random: &Random, now: Instant, most: usize) -> Due {
    let mut pause = intervals.shortest;
    let mut overdue = Vec::new();
    for Slot { peer, .. } in slots.iter().filter(|slot| slot.weight > 0) {
        let Some(interval) = intervals.of_state(peer.is_healthy()) else { continue };
        match peer.schedule().due(interval, now, chance(random)) {
            Some(due) if due <= now => overdue.push((due, peer)),
            Some(due) => pause = pause.min(due - now),
            None => {}
        }
    }
    overdue.sort_by_key(|(due, _)| *due);
    let begin = |(_, peer): (Instant, &Arc<Peer>)| Probe::begin(peer.clone(), now, random);
    Due { probes: overdue.into_iter().take(most).map(begin).collect(), pause }
}

/// The part of an interval by which a probe is late, so that probes of many peers, and of many gateways, do not come
/// at the same time: a tenth at most.
fn chance(random: &Random) -> f64 {
    random.below(1_000) as f64 / 10_000.0
}
