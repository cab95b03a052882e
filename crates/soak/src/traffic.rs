//! A steady load on the route of each gate: most requests have the right key, every fourth has a wrong one.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use polygate_testkit::Request;

use crate::client::{Client, Trouble};
use crate::gates::{Gate, KEY};
use crate::report::Report;

const CONNECTIONS: usize = 2;
/// Between two requests of a connection: a gateway that refuses quickly must not take the processor from servers
/// that start.
const PACE: Duration = Duration::from_millis(1);
/// While nobody listens.
const CONNECT_PACE: Duration = Duration::from_millis(10);

pub struct Traffic {
    lanes: Vec<Arc<Lane>>,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

/// The load on one route.
pub struct Lane {
    pub gate: Gate,
    /// Requests with the key that got through.
    pub through: AtomicU64,
    /// Requests without it that were refused by the plugin.
    pub refused: AtomicU64,
    /// Requests that the gateway failed: 5xx.
    pub failed: AtomicU64,
    /// Requests with the key that were sent, or half sent, and never answered.
    pub unanswered: AtomicU64,
    wrong: Mutex<Vec<String>>,
    /// Since when an answer is waited for.
    awaited: Mutex<Option<Instant>>,
    recoveries: Mutex<Vec<Duration>>,
}

impl Traffic {
    pub fn start(to: SocketAddr, gates: &[Gate]) -> Self {
        let lanes: Vec<_> = gates.iter().map(|gate| Arc::new(Lane::new(*gate))).collect();
        let stop = Arc::new(AtomicBool::new(false));
        let all = lanes.iter().flat_map(|lane| (0..CONNECTIONS).map(move |_| Arc::clone(lane)));
        let threads = all.map(|lane| {
            let stop = Arc::clone(&stop);
            thread::spawn(move || lane.run(to, &stop))
        });
        Self { threads: threads.collect(), lanes, stop }
    }

    pub fn lanes(&self) -> &[Arc<Lane>] {
        &self.lanes
    }

    /// Ends the load; every request under way is answered first.
    pub fn stop(self) -> Vec<Arc<Lane>> {
        self.stop.store(true, Ordering::Relaxed);
        self.threads.into_iter().for_each(|thread| thread.join().expect("a load thread does not panic"));
        self.lanes
    }
}

impl Lane {
    fn new(gate: Gate) -> Self {
        Self {
            gate,
            through: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            unanswered: AtomicU64::new(0),
            wrong: Mutex::default(),
            awaited: Mutex::default(),
            recoveries: Mutex::default(),
        }
    }

    /// From now on the time to the next request that gets through is measured.
    pub fn expect_recovery(&self) {
        *locked(&self.awaited) = Some(Instant::now());
    }

    pub fn has_recovered(&self) -> bool {
        locked(&self.awaited).is_none()
    }

    pub fn recoveries(&self) -> Vec<Duration> {
        locked(&self.recoveries).clone()
    }

    /// A line of figures.
    pub fn figures(&self) -> String {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        format!(
            "{:<8} through {}, refused {}, failed {}, unanswered {}",
            self.gate.name(),
            count(&self.through),
            count(&self.refused),
            count(&self.failed),
            count(&self.unanswered)
        )
    }

    /// Every answer was one that the request may get, and some of each kind came.
    pub fn check(&self, report: &mut Report) {
        let name = self.gate.name();
        locked(&self.wrong).iter().for_each(|wrong| report.fail(format!("{name}: {wrong}")));
        report.check(self.through.load(Ordering::Relaxed) > 0, format!("{name}: no request got through"));
        report.check(self.refused.load(Ordering::Relaxed) > 0, format!("{name}: no request was refused"));
    }

    fn run(&self, to: SocketAddr, stop: &AtomicBool) {
        let path = format!("/{}/x", self.gate.name());
        let valid = Request::get(&path).header("X-Key", KEY);
        let invalid = Request::get(&path).header("X-Key", "wrong");
        let mut client = Client::new(to);
        for number in 0_u64.. {
            if stop.load(Ordering::Relaxed) {
                return;
            }
            let is_valid = number % 4 != 3;
            let begun = Instant::now();
            match client.send(if is_valid { &valid } else { &invalid }) {
                Ok(answer) => self.note(is_valid, answer.status, begun),
                Err(Trouble::NotConnected(_)) => thread::sleep(CONNECT_PACE),
                Err(Trouble::Unanswered(_)) => {
                    self.unanswered.fetch_add(u64::from(is_valid), Ordering::Relaxed);
                }
            }
            thread::sleep(PACE);
        }
    }

    fn note(&self, is_valid: bool, status: u16, begun: Instant) {
        match (is_valid, status) {
            (true, 200) => {
                self.through.fetch_add(1, Ordering::Relaxed);
                let mut awaited = locked(&self.awaited);
                if let Some(since) = awaited.filter(|since| begun >= *since) {
                    *awaited = None;
                    locked(&self.recoveries).push(since.elapsed());
                }
            }
            (false, 401) => drop(self.refused.fetch_add(1, Ordering::Relaxed)),
            (_, 500..=599) => drop(self.failed.fetch_add(1, Ordering::Relaxed)),
            (true, status) => locked(&self.wrong).push(format!("{status} for the right key")),
            (false, status) => locked(&self.wrong).push(format!("{status} for a wrong key")),
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
