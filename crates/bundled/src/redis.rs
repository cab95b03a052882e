//! Counters in Redis, which several gateways share.
//!
//! A script does what [`Counters::admit`](crate::counters::Counters::admit) does, in one step of the server and one round
//! trip. Each worker has a connection, on which requests of the same moment share system calls.

mod connections;
#[cfg(test)]
mod tests;

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use polygate_chain::services::{Remote, RemoteTls, Services};
use redis::aio::MultiplexedConnection;
use redis::{RedisResult, Script};
use serde::Deserialize;
use tokio::time::timeout;

use self::connections::Place;
use crate::counters::{Key, Limit, Moment, Period};

/// Counts `ARGV[1]` under each key unless one has reached its limit; answers whether it did and what was counted before.
/// Behind the amount come limit and time to live, seconds, of each key.
static ADMIT: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "local fits, used = 1, {}
        for i, key in ipairs(KEYS) do
            local count = tonumber(redis.call('GET', key) or '0')
            used[i] = tostring(count)
            if tonumber(ARGV[2 * i]) - count <= 0 then fits = 0 end
        end
        if fits == 1 and tonumber(ARGV[1]) ~= 0 then
            for i, key in ipairs(KEYS) do
                redis.call('INCRBYFLOAT', key, ARGV[1])
                redis.call('EXPIRE', key, ARGV[2 * i + 1])
            end
        end
        return {fits, used}",
    )
});

#[derive(Deserialize, Default)]
pub struct RedisConfig {
    host: Option<String>,
    port: Option<u16>,
    /// Milliseconds.
    timeout: Option<u64>,
    username: Option<String>,
    password: Option<String>,
    database: Option<i64>,
    ssl: Option<bool>,
    ssl_verify: Option<bool>,
    server_name: Option<String>,
}

pub struct Redis {
    place: Place,
    timeout: Duration,
    services: Arc<dyn Services>,
}

/// What has a counter of its own.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Window {
    pub key: Key,
    pub period: Period,
    /// Seconds since 1970.
    pub start: u64,
}

#[derive(Debug, thiserror::Error)]
pub enum RedisError {
    #[error("redis {host}:{port}: {cause}")]
    Failed { host: String, port: u16, cause: String },
    #[error("redis {host}:{port}: no answer within {} ms", patience.as_millis())]
    Late {
        host: String,
        port: u16,
        patience: Duration,
        /// Whether there was a connection, so that it may be carried out all the same.
        is_sent: bool,
    },
    #[error("redis {host}:{port}: not asked, it did not answer a moment ago")]
    Resting { host: String, port: u16 },
}

impl Redis {
    pub fn new(config: RedisConfig, services: Arc<dyn Services>) -> Self {
        let tls = config.ssl.unwrap_or_default().then(|| RemoteTls {
            server_name: config.server_name,
            verify: config.ssl_verify.unwrap_or_default(),
        });
        let remote = Remote { host: config.host.unwrap_or_default(), port: config.port.unwrap_or(6379), tls };
        let place = Place {
            remote,
            username: config.username,
            password: config.password.filter(|password| !password.is_empty()),
            database: config.database.unwrap_or_default(),
        };
        Self { place, timeout: Duration::from_millis(config.timeout.unwrap_or(2000)), services }
    }

    /// As [`Counters::admit`](crate::counters::Counters::admit). When there was no answer within the time-out, the worker
    /// asks again only after as long a time: requests that come meanwhile fail at once instead of waiting in vain, too.
    pub async fn admit(
        &self,
        key: &Key,
        limits: &[Limit],
        amount: f64,
        now: Moment,
    ) -> Result<(bool, Vec<f64>), RedisError> {
        if self.place.is_resting() {
            let Remote { host, port, .. } = self.place.remote.clone();
            return Err(RedisError::Resting { host, port });
        }
        let mut call = ADMIT.prepare_invoke();
        call.arg(amount);
        for limit in limits {
            call.key(Window::of(key, limit.period, now).name())
                .arg(limit.most)
                .arg(now.until_end_of(limit.period) + 1);
        }
        let answered = self.ask(async |mut connection| call.invoke_async(&mut connection).await).await;
        if let Err(RedisError::Late { .. }) = answered {
            self.place.rest(self.timeout);
        }
        answered.map(|(fits, used): (u8, Vec<f64>)| (fits == 1, used))
    }

    /// Adds to windows, whatever their limits; answers what is counted in each then. No request waits for it, so it is
    /// tried even when requests would not.
    pub async fn add(&self, amounts: &[(Window, f64)]) -> Result<Vec<f64>, RedisError> {
        let mut calls = redis::pipe();
        for (window, amount) in amounts {
            let name = window.name();
            calls.cmd("INCRBYFLOAT").arg(&name).arg(amount);
            calls.cmd("EXPIREAT").arg(&name).arg(window.end() + 1).ignore();
        }
        self.ask(async |mut connection| calls.query_async(&mut connection).await).await
    }

    async fn ask<T>(
        &self,
        call: impl AsyncFnOnce(MultiplexedConnection) -> RedisResult<T>,
    ) -> Result<T, RedisError> {
        let Remote { host, port, .. } = &self.place.remote;
        let (host, port, patience) = (host.clone(), *port, self.timeout);
        let mut is_sent = false;
        let asked = async {
            let connection = self.place.connection(&self.services).await?;
            is_sent = true;
            call(connection).await.map_err(|cause| cause.to_string())
        };
        match timeout(patience, asked).await {
            Ok(answered) => answered.map_err(|cause| RedisError::Failed { host, port, cause }),
            Err(_) => {
                self.place.forget();
                Err(RedisError::Late { host, port, patience, is_sent })
            }
        }
    }
}

impl Window {
    pub fn of(key: &Key, period: Period, now: Moment) -> Self {
        Self { key: key.clone(), period, start: now.start_of(period) }
    }

    /// Seconds since 1970.
    pub fn end(&self) -> u64 {
        self.start + Moment(self.start).until_end_of(self.period)
    }

    fn name(&self) -> String {
        let Key { plugin, name, identifier } = &self.key;
        format!("ratelimit:{plugin}:{name}:{identifier}:{}:{}", self.start, self.period.as_str())
    }
}
