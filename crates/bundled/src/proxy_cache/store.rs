//! The answers that are kept: so many bytes of them, shared by all workers.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use polygate_http1::Headers;
use quick_cache::Weighter;
use quick_cache::sync::Cache;

/// Bytes of all answers together.
const CAPACITY: u64 = 128 << 20;
/// Bytes of one body.
pub const LARGEST: usize = 8 << 20;
/// About so many bytes an answer has, for the cache's first tables.
const USUAL: u64 = 16 << 10;

/// An answer as the upstream gave it.
pub struct Stored {
    pub status: u16,
    pub headers: Headers,
    pub body: Bytes,
    pub since: SystemTime,
    /// For how long it is fresh.
    pub ttl: Duration,
    pub kept_for: Duration,
}

impl Stored {
    pub fn age(&self) -> Duration {
        self.since.elapsed().unwrap_or_default()
    }
}

pub struct Store(Cache<String, Arc<Stored>, Size>);

#[derive(Clone)]
struct Size;

impl Weighter<String, Arc<Stored>> for Size {
    fn weight(&self, key: &String, stored: &Arc<Stored>) -> u64 {
        (key.len() + stored.headers.wire_length() + stored.body.len()) as u64
    }
}

impl Default for Store {
    fn default() -> Self {
        Self(Cache::with_weighter((CAPACITY / USUAL) as usize, CAPACITY, Size))
    }
}

impl Store {
    pub fn get(&self, key: &str) -> Option<Arc<Stored>> {
        let stored = self.0.get(key)?;
        if stored.age() > stored.kept_for {
            self.0.remove(key);
            return None;
        }
        Some(stored)
    }

    pub fn put(&self, key: String, stored: Stored) {
        self.0.insert(key, Arc::new(stored));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_forgets_what_is_too_much() {
        let store = Store::default();
        let stored = |size: usize| Stored {
            status: 200,
            headers: Headers::new(),
            body: vec![0; size].into(),
            since: SystemTime::now(),
            ttl: Duration::from_secs(9),
            kept_for: Duration::from_secs(9),
        };
        for number in 0..40 {
            store.put(number.to_string(), stored(LARGEST));
        }
        let kept = (0..40).filter(|number| store.get(&number.to_string()).is_some()).count();
        assert!((1..=16).contains(&kept), "{kept}");
    }
}
