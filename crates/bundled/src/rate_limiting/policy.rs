//! Where counters are.

use std::sync::Arc;

use polygate_chain::pdk::PdkError;
use polygate_chain::{Exchange, Value, pdk};
use serde::Deserialize;

use crate::counters::{Key, Limit, Moment};
use crate::redis::{Redis, RedisConfig, RedisError};
use crate::shared::Shared;

#[derive(Deserialize)]
pub struct PolicyConfig {
    policy: Option<Kind>,
    fault_tolerant: bool,
    redis: RedisConfig,
}

#[derive(Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Local,
    Redis,
}

pub struct Policy {
    shared: Arc<Shared>,
    /// `None` for the gateway's own counters.
    redis: Option<Redis>,
    fault_tolerant: bool,
}

/// Whether a request fits, and what was counted before it; `None` if nobody knows and it goes on all the same.
type Admitted = Option<(bool, Vec<f64>)>;

impl Policy {
    pub fn new(config: PolicyConfig, shared: &Arc<Shared>) -> Self {
        let redis = config.policy.filter(|kind| *kind == Kind::Redis);
        let redis = redis.map(|_| Redis::new(config.redis, shared.services.clone()));
        Self { shared: shared.clone(), redis, fault_tolerant: config.fault_tolerant }
    }

    /// Counts a request, if all limits have room for it.
    pub async fn admit(
        &self,
        exchange: &Exchange,
        key: &Key,
        limits: &[Limit],
        now: Moment,
    ) -> Result<Admitted, PdkError> {
        match &self.redis {
            None => Ok(Some(self.shared.counters.admit(key, limits, 1.0, now))),
            Some(redis) => self.tolerate(exchange, redis.admit(key, limits, 1.0, now).await),
        }
    }

    /// What was counted; `None` if nobody knows and the request goes on all the same.
    pub async fn used(
        &self,
        exchange: &Exchange,
        key: &Key,
        limits: &[Limit],
        now: Moment,
    ) -> Result<Option<Vec<f64>>, PdkError> {
        match &self.redis {
            None => Ok(Some(self.shared.counters.used(key, limits, now))),
            Some(redis) => {
                let used = redis.admit(key, limits, 0.0, now).await.map(|(_, used)| used);
                self.tolerate(exchange, used)
            }
        }
    }

    /// Adds to what was counted, if all limits have room; what the counters of this gateway answer, or `None` where they
    /// are elsewhere.
    pub fn add_here(&self, key: &Key, limits: &[Limit], amount: f64, now: Moment) -> Option<bool> {
        match &self.redis {
            None => Some(self.shared.counters.admit(key, limits, amount, now).0),
            Some(_) => None,
        }
    }

    /// The same where the counters are elsewhere.
    pub async fn add_there(
        &self,
        exchange: &Exchange,
        key: &Key,
        limits: &[Limit],
        amount: f64,
        now: Moment,
    ) {
        if let Some(redis) = &self.redis {
            let added = redis.admit(key, limits, amount, now).await;
            // Logged; the answer is long on its way.
            let _ = self.tolerate(exchange, added);
        }
    }

    fn tolerate<T>(
        &self,
        exchange: &Exchange,
        outcome: Result<T, RedisError>,
    ) -> Result<Option<T>, PdkError> {
        match outcome {
            Ok(counted) => Ok(Some(counted)),
            Err(error) if self.fault_tolerant => {
                let message = format!("failed to get usage: {error}");
                pdk::log::err(&exchange.session, &[Value::str(message)]);
                Ok(None)
            }
            Err(error) => Err(PdkError::thrown(format!("failed to get usage: {error}"))),
        }
    }
}
