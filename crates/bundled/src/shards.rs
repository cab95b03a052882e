//! A table in parts, each under a lock of its own, so that not all requests take one.

use std::hash::{BuildHasher as _, Hash};
use std::sync::{Mutex, MutexGuard, PoisonError};

use foldhash::quality::RandomState;

pub const SHARDS: usize = 64;

pub struct Shards<T> {
    shards: [Mutex<T>; SHARDS],
    /// Not that of tables in the shards, in which all keys would be alike by it.
    hash: RandomState,
}

impl<T: Default> Default for Shards<T> {
    fn default() -> Self {
        Self { shards: std::array::from_fn(|_| Mutex::default()), hash: RandomState::default() }
    }
}

impl<T> Shards<T> {
    /// The part that a key belongs to.
    pub fn of(&self, key: &impl Hash) -> MutexGuard<'_, T> {
        lock(&self.shards[self.hash.hash_one(key) as usize % SHARDS])
    }

    /// All parts, one after the other.
    pub fn iter(&self) -> impl Iterator<Item = MutexGuard<'_, T>> {
        self.shards.iter().map(lock)
    }
}

fn lock<T>(shard: &Mutex<T>) -> MutexGuard<'_, T> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}
