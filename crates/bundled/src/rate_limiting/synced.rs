//! Counters of this gateway, of which Redis is told every so often (`sync_rate`).
//!
//! A request waits for Redis only where nothing is known yet of what it counts. Meanwhile other gateways' requests are
//! unknown here: all together let through more than the limit by what comes within one pause.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::mem::take;
use std::sync::Arc;
use std::time::Duration;

use polygate_telemetry::log;
use tokio::sync::watch;
use tokio::time::sleep;

use crate::counters::{Key, Limit, Moment};
use crate::redis::{Redis, RedisError, Window};
use crate::shards::Shards;
use crate::shared::Shared;

/// Windows that Redis is told of at a time.
const BATCH: usize = 1_000;
/// Windows of a part that may wait for Redis; what is counted in others meanwhile is known here alone.
const MOST_OWED: usize = 2048;

/// What was counted here, and not yet there.
type Owed = HashMap<Window, f64>;

pub struct Synced {
    ledger: Arc<Ledger>,
    /// Closed with the configuration.
    _in_use: watch::Sender<()>,
}

struct Ledger {
    redis: Redis,
    shared: Arc<Shared>,
    owed: Shards<Owed>,
}

impl Synced {
    /// What is owed when the configuration or the process ends is still told.
    pub fn start(redis: Redis, shared: &Arc<Shared>, pause: Duration) -> Self {
        let ledger = Arc::new(Ledger::new(redis, shared));
        let (in_use, mut gone) = watch::channel(());
        if let Some((alive, mut closing)) = shared.senders.join() {
            let ledger = ledger.clone();
            shared.services.spawn(Box::new(move || {
                Box::pin(async move {
                    let mut goes_on = true;
                    while goes_on {
                        goes_on = tokio::select! {
                            () = sleep(pause) => true,
                            _ = gone.changed() => false,
                            _ = closing.changed() => false,
                        };
                        ledger.tell().await;
                    }
                    drop(alive);
                })
            }));
        }
        Self { ledger, _in_use: in_use }
    }

    /// As [`Counters::admit`](crate::counters::Counters::admit).
    pub async fn admit(
        &self,
        key: &Key,
        limits: &[Limit],
        amount: f64,
        now: Moment,
    ) -> Result<(bool, Vec<f64>), RedisError> {
        let Ledger { redis, shared, .. } = &*self.ledger;
        if shared.counters.used(key, limits, now).iter().all(|used| *used == 0.0) {
            let (_, used) = redis.admit(key, limits, 0.0, now).await?;
            for (limit, used) in limits.iter().zip(used) {
                shared.counters.learn(key, limit.period, now.start_of(limit.period), used);
            }
        }
        let (fits, used) = shared.counters.admit(key, limits, amount, now);
        if fits && amount != 0.0 {
            self.ledger.owe(limits.iter().map(|limit| (Window::of(key, limit.period, now), amount)));
        }
        Ok((fits, used))
    }
}

impl Ledger {
    fn new(redis: Redis, shared: &Arc<Shared>) -> Self {
        Self { redis, shared: shared.clone(), owed: Shards::default() }
    }

    fn owe(&self, amounts: impl IntoIterator<Item = (Window, f64)>) {
        let mut refused = 0;
        for (window, amount) in amounts {
            let mut owed = self.owed.of(&window);
            if owed.len() < MOST_OWED || owed.contains_key(&window) {
                *owed.entry(window).or_default() += amount;
            } else {
                refused += 1;
            }
        }
        if refused > 0 {
            log!(Error, "rate limits: too many counters wait for Redis, {refused} are counted here alone");
        }
    }

    /// Tells Redis what is owed, and learns what others counted.
    async fn tell(&self) {
        let owed: Vec<_> = self.owed.iter().flat_map(|mut owed| take(&mut *owed)).collect();
        for (at, batch) in owed.chunks(BATCH).enumerate() {
            match self.redis.add(batch).await {
                Ok(counts) => self.learn(batch, &counts),
                Err(error) => {
                    log!(
                        Warn,
                        "rate limits: {} counters are not told to Redis: {error}",
                        owed.len() - at * BATCH
                    );
                    // Redis may still count what it did not answer, and is not to do so twice.
                    let told = at + usize::from(matches!(error, RedisError::Late { is_sent: true, .. }));
                    let now = Moment::now();
                    let rest = owed.into_iter().skip(told * BATCH);
                    return self.owe(rest.filter(|(window, _)| window.end() > now.0));
                }
            }
        }
    }

    fn learn(&self, told: &[(Window, f64)], counts: &[f64]) {
        for ((window, _), count) in told.iter().zip(counts) {
            let since = self.owed.of(window).get(window).copied().unwrap_or_default();
            self.shared.counters.learn(&window.key, window.period, window.start, count + since);
        }
    }
}
