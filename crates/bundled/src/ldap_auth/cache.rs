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
    /// `None` for a time that clocks do not reach.
    until: Option<Instant>,
}

impl Default for Outcomes {
    fn default() -> Self {
        let secret = hmac::Key::generate(HMAC_SHA256, &SystemRandom::new()).ok();
        Self { secret, outcomes: Cache::new(MOST) }
    }
}

impl Outcomes {
    /// What `ask` says of a login, unless somebody asked a moment ago; who wants to know meanwhile waits for the same answer.
    pub async fn know(
        &self,
        login: &Login<'_>,
        ttl: Duration,
        ask: impl Future<Output = Result<bool, String>>,
    ) -> Result<bool, String> {
        let Some(hash) = self.hash(login) else { return ask.await };
        match self.outcomes.get(&hash) {
            Some(kept) if !kept.is_over() => return Ok(kept.is_known),
            Some(_) => drop(self.outcomes.remove_if(&hash, Kept::is_over)),
            None => {}
        }
        let asked = async { Ok(Kept { is_known: ask.await?, until: Instant::now().checked_add(ttl) }) };
        self.outcomes.get_or_insert_async(&hash, asked).await.map(|kept| kept.is_known)
    }

    fn hash(&self, login: &Login<'_>) -> Option<Hash> {
        let mut context = hmac::Context::with_key(self.secret.as_ref()?);
        // Each with its length, so that no two logins are the same text.
        for part in [login.place.as_bytes(), login.name.as_bytes(), login.password] {
            context.update(&part.len().to_be_bytes());
            context.update(part);
        }
        context.sign().as_ref().try_into().ok()
    }
}

impl Kept {
    fn is_over(&self) -> bool {
        self.until.is_some_and(|until| until <= Instant::now())
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
            outcomes.outcomes.insert(key, Kept { is_known: true, until: None });
        }
        assert!((MOST / 2..=MOST).contains(&outcomes.outcomes.len()));
    }
}
