//! Sessions that clients may resume: kept here or, as tickets, by the clients themselves.

use std::fmt;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::crypto::ring::Ticketer;
use rustls::server::{ProducesTickets, ServerSessionMemoryCache, StoresServerSessions};

/// Sessions that are kept for clients without tickets.
const MOST: usize = 32 * 1024;

/// They outlive configurations, so that clients resume them after a reload.
pub struct Sessions {
    kept: Arc<dyn StoresServerSessions>,
    /// None where the system has no randomness, which is to be taken for "no tickets".
    tickets: Option<Arc<dyn ProducesTickets>>,
}

pub static USUAL: LazyLock<Sessions> = LazyLock::new(Sessions::new);
/// Those of clients that were asked for a certificate, who resume a session in which they were.
pub static ASKING: LazyLock<Sessions> = LazyLock::new(Sessions::new);

impl Sessions {
    fn new() -> Self {
        Self { kept: ServerSessionMemoryCache::new(MOST), tickets: Ticketer::new().ok() }
    }

    /// Those that are younger than `timeout`.
    pub fn kept(&self, timeout: Duration) -> Arc<dyn StoresServerSessions> {
        Arc::new(Limited { inner: self.kept.clone(), timeout })
    }

    /// As [`Sessions::kept`]. The keys of tickets change every six hours, and one of more than two keys ago cannot be read.
    pub fn tickets(&self, timeout: Duration) -> Option<Arc<dyn ProducesTickets>> {
        Some(Arc::new(Limited { inner: self.tickets.clone()?, timeout }))
    }
}

/// Writes the moment before each session.
struct Limited<S: ?Sized> {
    timeout: Duration,
    inner: Arc<S>,
}

impl<S: ?Sized> Limited<S> {
    fn read(&self, dated: &[u8]) -> Option<Vec<u8>> {
        let (begun, session) = dated.split_first_chunk()?;
        let begun = Duration::from_millis(u64::from_be_bytes(*begun));
        // A clock that was set back makes nobody too old.
        (now().saturating_sub(begun) < self.timeout).then(|| session.to_vec())
    }
}

fn dated(session: &[u8]) -> Vec<u8> {
    [&(now().as_millis() as u64).to_be_bytes(), session].concat()
}

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

impl StoresServerSessions for Limited<dyn StoresServerSessions> {
    fn put(&self, key: Vec<u8>, session: Vec<u8>) -> bool {
        self.inner.put(key, dated(&session))
    }

    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.read(&self.inner.get(key)?)
    }

    fn take(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.read(&self.inner.take(key)?)
    }

    fn can_cache(&self) -> bool {
        self.inner.can_cache()
    }
}

impl ProducesTickets for Limited<dyn ProducesTickets> {
    fn enabled(&self) -> bool {
        self.inner.enabled()
    }

    fn lifetime(&self) -> u32 {
        self.inner.lifetime().min(u32::try_from(self.timeout.as_secs()).unwrap_or(u32::MAX))
    }

    fn encrypt(&self, session: &[u8]) -> Option<Vec<u8>> {
        self.inner.encrypt(&dated(session))
    }

    fn decrypt(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        self.read(&self.inner.decrypt(ticket)?)
    }
}

impl<S: ?Sized> fmt::Debug for Limited<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limited").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_end_with_their_time() {
        let (day, none) = (Duration::from_secs(86400), Duration::ZERO);
        let sessions = Sessions::new();
        assert!(sessions.kept(day).put(b"key".to_vec(), b"session".to_vec()));
        assert_eq!(sessions.kept(none).get(b"key"), None, "the time-out of now counts");
        assert_eq!(sessions.kept(day).get(b"key").unwrap(), b"session");
        assert_eq!(sessions.kept(day).take(b"key").unwrap(), b"session");
        assert_eq!(sessions.kept(day).take(b"key"), None);
        let (long, short) = (sessions.tickets(day).unwrap(), sessions.tickets(none).unwrap());
        let ticket = long.encrypt(b"session").unwrap();
        assert_eq!(long.decrypt(&ticket).unwrap(), b"session");
        assert_eq!(short.decrypt(&ticket), None);
        assert_eq!((long.lifetime(), short.lifetime()), (12 * 3600, 0));
    }
}
