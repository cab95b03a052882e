//! The connections of a worker: one to each place, made by the first who asks and shared by all who ask meanwhile.

use std::cell::RefCell;
use std::collections::HashMap;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use polygate_chain::services::{Remote, Services};
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, RedisConnectionInfo};
use tokio::sync::watch;
use tokio::task::spawn_local;
use tokio::time::Instant;

/// What tells connections apart.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Place {
    pub remote: Remote,
    pub username: Option<String>,
    pub password: Option<String>,
    pub database: i64,
}

/// `None` while the connection is made; the error is for the log.
type Outcome = Option<Result<MultiplexedConnection, String>>;

thread_local! {
    static CONNECTIONS: RefCell<HashMap<Place, watch::Receiver<Outcome>>> = RefCell::default();
    /// Until when those are not asked that let a request wait in vain.
    static RESTING: RefCell<HashMap<Place, Instant>> = RefCell::default();
}

impl Place {
    /// The worker's connection. The caller limits the wait.
    pub async fn connection(&self, services: &Arc<dyn Services>) -> Result<MultiplexedConnection, String> {
        let known = CONNECTIONS.with_borrow(|all| all.get(self).cloned());
        let mut outcome = known.unwrap_or_else(|| self.connect(services.clone()));
        match outcome.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(made)) => made.clone(),
            _ => Err("the connection was closed".to_owned()),
        }
    }

    /// The connection is known until it ends or is forgotten, but no longer than calls need it.
    fn connect(&self, services: Arc<dyn Services>) -> watch::Receiver<Outcome> {
        let (made, outcome) = watch::channel(None);
        CONNECTIONS.with_borrow_mut(|all| all.insert(self.clone(), outcome.clone()));
        let place = self.clone();
        spawn_local(async move {
            let login = place.login();
            let opened = tokio::select! {
                opened = place.open(&*services, &login) => opened,
                () = made.closed() => return,
            };
            match opened {
                Ok((connection, driver)) => {
                    made.send_replace(Some(Ok(connection)));
                    let mut driver = pin!(driver);
                    tokio::select! {
                        () = &mut driver => {}
                        () = made.closed() => {
                            drop(made);
                            return driver.await;
                        }
                    }
                }
                Err(cause) => drop(made.send_replace(Some(Err(cause)))),
            }
            let own = made.subscribe();
            place.forget_if(|other| other.same_channel(&own));
        });
        outcome
    }

    async fn open(
        &self,
        services: &dyn Services,
        login: &RedisConnectionInfo,
    ) -> Result<(MultiplexedConnection, impl Future<Output = ()>), String> {
        let stream = services.connect(&self.remote).await.map_err(|cause| cause.to_string())?;
        // Whoever asks limits the wait.
        let limits = AsyncConnectionConfig::new().set_response_timeout(None);
        let made = MultiplexedConnection::new_with_config(login, stream, limits).await;
        made.map_err(|cause| cause.to_string())
    }

    fn login(&self) -> RedisConnectionInfo {
        let mut login = RedisConnectionInfo::default().set_db(self.database);
        if let Some(username) = &self.username {
            login = login.set_username(username);
        }
        if let Some(password) = &self.password {
            login = login.set_password(password);
        }
        login
    }

    /// The next who asks gets another connection.
    pub fn forget(&self) {
        self.forget_if(|_| true);
    }

    fn forget_if(&self, is_it: impl Fn(&watch::Receiver<Outcome>) -> bool) {
        CONNECTIONS.with_borrow_mut(|all| {
            if all.get(self).is_some_and(is_it) {
                all.remove(self);
            }
        });
    }

    pub fn is_resting(&self) -> bool {
        RESTING.with_borrow_mut(|resting| {
            resting.retain(|_, until| Instant::now() < *until);
            resting.contains_key(self)
        })
    }

    pub fn rest(&self, span: Duration) {
        RESTING.with_borrow_mut(|resting| resting.insert(self.clone(), Instant::now() + span));
    }
}
