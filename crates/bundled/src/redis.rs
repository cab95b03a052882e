//! Counters in Redis, which several gateways share.
//!
//! A script does what [`Counters::admit`](crate::counters::Counters::admit) does, in one step of the server and one round
//! trip. Each worker has a connection, on which requests of the same moment share system calls.

#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use polygate_chain::services::{Remote, RemoteTls, Services};
use redis::aio::MultiplexedConnection;
use redis::{RedisConnectionInfo, Script};
use serde::Deserialize;
use tokio::sync::oneshot;
use tokio::task::spawn_local;
use tokio::time::timeout;

use crate::counters::{Key, Limit, Moment};

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

/// What tells connections apart.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Place {
    remote: Remote,
    username: Option<String>,
    password: Option<String>,
    database: i64,
}

#[derive(Debug, thiserror::Error)]
pub enum RedisError {
    #[error("redis {host}:{port}: {cause}")]
    Failed { host: String, port: u16, cause: String },
    #[error("redis {host}:{port}: no answer within {} ms", patience.as_millis())]
    Late { host: String, port: u16, patience: Duration },
    #[error("redis {host}:{port}: not asked, it did not answer a moment ago")]
    Resting { host: String, port: u16 },
}

thread_local! {
    /// Of this worker.
    static CONNECTIONS: RefCell<HashMap<Place, MultiplexedConnection>> = RefCell::default();
    /// Until when this worker does not ask those that let a request wait in vain.
    static RESTING: RefCell<HashMap<Place, Instant>> = RefCell::default();
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
        if self.is_resting() {
            let Remote { host, port, .. } = self.place.remote.clone();
            return Err(RedisError::Resting { host, port });
        }
        let mut call = ADMIT.prepare_invoke();
        call.arg(amount);
        for limit in limits {
            let Key { plugin, name, identifier } = key;
            let (period, start) = (limit.period.as_str(), now.start_of(limit.period));
            call.key(format!("ratelimit:{plugin}:{name}:{identifier}:{start}:{period}"));
            call.arg(limit.most).arg(now.until_end_of(limit.period) + 1);
        }
        let asked = async {
            let mut connection = self.connection().await?;
            let answered: Result<(u8, Vec<f64>), _> = call.invoke_async(&mut connection).await;
            if answered.is_err() {
                self.forget();
            }
            answered.map_err(|cause| self.failed(cause))
        };
        match timeout(self.timeout, asked).await {
            Ok(answered) => answered.map(|(fits, used)| (fits == 1, used)),
            Err(_) => {
                self.forget();
                self.rest();
                let Remote { host, port, .. } = self.place.remote.clone();
                Err(RedisError::Late { host, port, patience: self.timeout })
            }
        }
    }

    /// The worker's connection, made anew if there is none.
    async fn connection(&self) -> Result<MultiplexedConnection, RedisError> {
        let known = CONNECTIONS.with_borrow(|connections| connections.get(&self.place).cloned());
        if let Some(connection) = known {
            return Ok(connection);
        }
        let stream = self.services.connect(&self.place.remote).await.map_err(|cause| self.failed(cause))?;
        let mut info = RedisConnectionInfo::default().set_db(self.place.database);
        if let Some(username) = &self.place.username {
            info = info.set_username(username);
        }
        if let Some(password) = &self.place.password {
            info = info.set_password(password);
        }
        let (made, connection) = oneshot::channel();
        spawn_local(async move {
            // Whoever asked may have lost patience.
            match MultiplexedConnection::new(&info, stream).await {
                Ok((connection, driver)) => {
                    let _ = made.send(Ok(connection));
                    driver.await;
                }
                Err(error) => drop(made.send(Err(error))),
            }
        });
        let connection = connection.await.map_err(|cause| self.failed(cause))?;
        let connection = connection.map_err(|cause| self.failed(cause))?;
        CONNECTIONS.with_borrow_mut(|all| all.insert(self.place.clone(), connection.clone()));
        Ok(connection)
    }

    fn is_resting(&self) -> bool {
        RESTING.with_borrow_mut(|resting| {
            resting.retain(|_, until| Instant::now() < *until);
            resting.contains_key(&self.place)
        })
    }

    fn rest(&self) {
        let until = Instant::now() + self.timeout;
        RESTING.with_borrow_mut(|resting| resting.insert(self.place.clone(), until));
    }

    fn forget(&self) {
        CONNECTIONS.with_borrow_mut(|connections| connections.remove(&self.place));
    }

    fn failed(&self, cause: impl ToString) -> RedisError {
        let Remote { host, port, .. } = self.place.remote.clone();
        RedisError::Failed { host, port, cause: cause.to_string() }
    }
}
