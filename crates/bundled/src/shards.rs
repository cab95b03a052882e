//! A table in parts, each under a lock of its own, so that not all requests take one.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, MutexGuard, PoisonError};

pub const SHARDS: usize = 64;

pub struct Shards<T>([Mutex<T>; SHARDS]);

impl<T: Default> Default for Shards<T> {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Mutex::default()))
    }
}

impl<T> Shards<T> {
    /// The part that a key belongs to.
    pub fn of(&self, key: &impl Hash) -> MutexGuard<'_, T> {
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        lock(&self.0[hasher.finish() as usize % SHARDS])
    }

    /// All parts, one after the other.
    pub fn iter(&self) -> impl Iterator<Item = MutexGuard<'_, T>> {
        self.0.iter().map(lock)
    }
}

fn lock<T>(shard: &Mutex<T>) -> MutexGuard<'_, T> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}
