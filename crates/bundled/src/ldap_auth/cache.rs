//! Outcomes of logins that the directory need not be asked for again, shared by all workers.

use std::time::Duration;

use quick_cache::sync::Cache;
use ring::hmac::{self, HMAC_SHA256};
use ring::rand::SystemRandom;
use tokio::time::Instant;

/// Some megabytes.
const MOST: usize = 20_000;

/// Of a login, under a secret: whoever gets hold of it alone cannot try passwords with it.
type Hash = [u8; 32];

/// What an outcome belongs to.
pub struct Login<'a> {
    /// The directory.
    pub place: &'a str,
    pub name: &'a str,
    pub password: &'a [u8],
}

pub struct Outcomes {
    /// Of this process; without randomness nothing is kept.
    secret: Option<hmac::Key>,
    outcomes: Cache<Hash, Kept>,
}

#[derive(Clone)]
struct Kept {
    is_known: bool,
    until: Instant,
}

impl Default for Outcomes {
    fn default() -> Self {
        let secret = hmac::Key::generate(HMAC_SHA256, &SystemRandom::new()).ok();
        Self { secret, outcomes: Cache::new(MOST) }
    }
}

impl Outcomes {
    pub fn key(&self, login: &Login<'_>) -> Option<Hash> {
        let mut context = hmac::Context::with_key(self.secret.as_ref()?);
        // Each with its length, so that no two logins are the same text.
        for part in [login.place.as_bytes(), login.name.as_bytes(), login.password] {
            context.update(&part.len().to_be_bytes());
            context.update(part);
        }
        context.sign().as_ref().try_into().ok()
    }

    pub fn get(&self, key: &Option<Hash>) -> Option<bool> {
        let kept = self.outcomes.get(key.as_ref()?)?;
        (Instant::now() < kept.until).then_some(kept.is_known)
    }

    pub fn put(&self, key: Option<Hash>, is_known: bool, ttl: Duration) {
        let until = Instant::now().checked_add(ttl);
        if let (Some(key), Some(until)) = (key, until) {
            self.outcomes.insert(key, Kept { is_known, until });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_room_for_so_many() {
        let outcomes = Outcomes::default();
        for number in 0..2 * MOST {
            let mut key = [0; 32];
            key[..8].copy_from_slice(&number.to_be_bytes());
            outcomes.put(Some(key), true, Duration::from_secs(60));
        }
        assert!((MOST / 2..=MOST).contains(&outcomes.outcomes.len()));
    }
}
