//! Where counters are.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use polygate_chain::pdk::PdkError;
use polygate_chain::{Exchange, Value, pdk};
use serde::Deserialize;

use crate::counters::{Key, Limit, Moment};
use crate::rate_limiting::synced::Synced;
use crate::redis::{Redis, RedisConfig, RedisError};
use crate::shared::Shared;

#[derive(Deserialize)]
pub struct PolicyConfig {
    policy: Option<Kind>,
    fault_tolerant: bool,
    redis: RedisConfig,
    /// Seconds between two times that Redis is told of what was counted here; without it, or when negative, each request
    /// is counted there.
    sync_rate: Option<f64>,
}

#[derive(Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Local,
    Redis,
}

pub struct Policy {
    shared: Arc<Shared>,
    uncounted: Arc<AtomicU64>,
    place: Place,
    fault_tolerant: bool,
}

enum Place {
    Here,
    There(Redis),
    Both(Synced),
}

/// Whether a request fits, and what was counted before it.
type Admitted = (bool, Vec<f64>);

impl Policy {
    pub fn new(config: PolicyConfig, plugin: &'static str, shared: &Arc<Shared>) -> Self {
        let redis = || Redis::new(config.redis, shared.services.clone());
        let pause = config.sync_rate.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        let place = match (config.policy, pause) {
            (Some(Kind::Redis), None) => Place::There(redis()),
            (Some(Kind::Redis), Some(pause)) => Place::Both(Synced::start(redis(), shared, pause)),
            _ => Place::Here,
        };
        let uncounted = shared.uncounted.of(plugin);
        Self { shared: shared.clone(), uncounted, place, fault_tolerant: config.fault_tolerant }
    }

    /// Counts a request, if all limits have room for it; `None` if nobody knows and it goes on all the same.
    pub async fn admit(
        &self,
        exchange: &Exchange,
        key: &Key,
        limits: &[Limit],
        now: Moment,
    ) -> Result<Option<Admitted>, PdkError> {
        self.add(exchange, key, limits, 1.0, now).await
    }

    /// What was counted; `None` if nobody knows and the request goes on all the same.
    pub async fn used(
        &self,
        exchange: &Exchange,
        key: &Key,
        limits: &[Limit],
        now: Moment,
    ) -> Result<Option<Vec<f64>>, PdkError> {
        Ok(self.add(exchange, key, limits, 0.0, now).await?.map(|(_, used)| used))
    }

    /// Adds to what was counted, if all limits have room; what the counters of this gateway answer, or `None` where they
    /// are elsewhere.
    pub fn add_here(&self, key: &Key, limits: &[Limit], amount: f64, now: Moment) -> Option<bool> {
        match &self.place {
            Place::Here => Some(self.shared.counters.admit(key, limits, amount, now).0),
            Place::There(_) | Place::Both(_) => None,
        }
    }

    /// The same wherever the counters are.
    pub async fn add(
        &self,
        exchange: &Exchange,
        key: &Key,
        limits: &[Limit],
        amount: f64,
        now: Moment,
    ) -> Result<Option<Admitted>, PdkError> {
        let outcome = match &self.place {
            Place::Here => Ok(self.shared.counters.admit(key, limits, amount, now)),
            // What waits for a network is on the heap, so that what does not stays small.
            Place::There(redis) => Box::pin(redis.admit(key, limits, amount, now)).await,
            Place::Both(synced) => Box::pin(synced.admit(key, limits, amount, now)).await,
        };
        self.tolerate(exchange, outcome)
    }

    fn tolerate(
        &self,
        exchange: &Exchange,
        outcome: Result<Admitted, RedisError>,
    ) -> Result<Option<Admitted>, PdkError> {
        match outcome {
            Ok(counted) => Ok(Some(counted)),
            Err(error) if self.fault_tolerant => {
                self.uncounted.fetch_add(1, Relaxed);
                let message = format!("failed to get usage: {error}");
                pdk::log::err(&exchange.session, &[Value::str(message)]);
                Ok(None)
            }
            Err(error) => Err(PdkError::thrown(format!("failed to get usage: {error}"))),
        }
    }
}
