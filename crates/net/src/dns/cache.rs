//! What is known about each name, and for how long.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::dns::address::{Address, DnsError};
use crate::dns::servers::{Found, Host};
use crate::dns::settings::{DnsSettings, RecordKind};

/// Names come from the configuration, but plugins can ask for any; this many are kept.
const MAX_NAMES: usize = 10_000;

/// Time that can be added to any instant and stands for "always".
const LONG: Duration = Duration::from_secs(365 * 24 * 3600);

#[derive(Debug, Default)]
pub struct Cache {
    names: Mutex<HashMap<Box<str>, Arc<Entry>>>,
}

impl Cache {
    pub fn entry(&self, name: &str) -> Arc<Entry> {
        let mut names = lock(&self.names);
        if let Some(entry) = names.get(name) {
            return entry.clone();
        }
        if names.len() >= MAX_NAMES {
            names.retain(|_, entry| entry.usable().is_some());
        }
        if names.len() >= MAX_NAMES {
            names.clear();
        }
        names.entry(name.into()).or_insert_with(|| Arc::new(Entry::new(name))).clone()
    }
}

/// One name.
#[derive(Debug)]
pub struct Entry {
    name: Box<str>,
    /// Held by the one who asks the servers.
    pub asking: Arc<tokio::sync::Mutex<()>>,
    state: Mutex<State>,
    /// Whose turn it is among the addresses.
    turn: AtomicUsize,
}

#[derive(Debug, Default)]
struct State {
    known: Option<Known>,
    last_kind: Option<RecordKind>,
}

/// What the servers said about a name.
#[derive(Debug, Clone)]
pub struct Known {
    hosts: Result<Arc<[Host]>, DnsError>,
    fresh_until: Instant,
    usable_until: Instant,
}

impl Known {
    /// Otherwise it may be used, but it is time to ask again.
    pub fn is_fresh(&self) -> bool {
        Instant::now() < self.fresh_until
    }
}

impl Entry {
    fn new(name: &str) -> Self {
        Self { name: name.into(), asking: Arc::default(), state: Mutex::default(), turn: AtomicUsize::new(0) }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn last_kind(&self) -> Option<RecordKind> {
        lock(&self.state).last_kind
    }

    /// What may be used without asking.
    pub fn usable(&self) -> Option<Known> {
        let now = Instant::now();
        lock(&self.state).known.clone().filter(|known| now < known.usable_until)
    }

    /// Takes in what the servers said. Their failure does not take away an answer that may still be used;
    /// their word that there is nothing does.
    pub fn store(&self, found: Result<Found, DnsError>, settings: &DnsSettings) -> Known {
        let now = Instant::now();
        let mut state = lock(&self.state);
        let known = match found {
            Ok(found) => {
                state.last_kind = Some(found.kind);
                let fresh_until = now + settings.valid_ttl.unwrap_or(found.ttl).min(LONG);
                let usable_until = fresh_until + settings.stale_ttl.min(LONG);
                Known { hosts: Ok(found.hosts.into()), fresh_until, usable_until }
            }
            Err(error) => {
                let is_failure = matches!(error, DnsError::Other(_));
                let ttl = if is_failure { settings.error_ttl } else { settings.not_found_ttl };
                let until = now + ttl.min(LONG);
                let stale = state
                    .known
                    .take()
                    .filter(|old| is_failure && old.hosts.is_ok() && now < old.usable_until);
                match stale {
                    Some(old) => Known { fresh_until: until.min(old.usable_until), ..old },
                    None => Known { hosts: Err(error), fresh_until: until, usable_until: until },
                }
            }
        };
        state.known = Some(known.clone());
        known
    }

    /// The addresses in the order in which to try them this time.
    pub fn addresses(&self, known: &Known, default_port: u16) -> Result<Vec<Address>, DnsError> {
        let hosts = known.hosts.as_ref().map_err(Clone::clone)?;
        let ttl = known.fresh_until.saturating_duration_since(Instant::now());
        let address = |host: &Host| Address {
            addr: SocketAddr::new(host.ip, host.port.unwrap_or(default_port)),
            weight: host.weight,
            srv_target: host.srv_target.clone(),
            ttl: Some(ttl),
        };
        let (behind, front) = hosts.split_at(self.first(hosts));
        Ok(front.iter().chain(behind).map(address).collect())
    }

    /// The position of the host whose turn it is; each has as many turns in a row as its weight says.
    fn first(&self, hosts: &[Host]) -> usize {
        let weights = hosts.iter().map(|host| usize::from(host.weight.unwrap_or(1)));
        let total: usize = weights.clone().sum();
        let mut turn = self.turn.fetch_add(1, Relaxed) % total.max(1);
        for (position, weight) in weights.enumerate() {
            match turn.checked_sub(weight) {
                Some(rest) => turn = rest,
                None => return position,
            }
        }
        0
    }
}

/// Nothing here panics while it holds a lock, so what a poisoned one guards is sound.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
