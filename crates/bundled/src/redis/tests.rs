use std::future::pending;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use polygate_chain::LocalFuture;
use polygate_chain::services::{Job, Stream};
use polygate_model::Id;
use tokio::time::sleep;

use super::*;
use crate::counters::Period;

/// Long enough for what is asked meanwhile on a loaded machine.
const PATIENCE: Duration = Duration::from_millis(1_000);

/// Takes connections up and never finishes the handshake.
#[derive(Default)]
struct Silent {
    asked: AtomicUsize,
}

impl Services for Silent {
    fn connect<'a>(&'a self, _: &'a Remote) -> LocalFuture<'a, io::Result<Box<dyn Stream>>> {
        self.asked.fetch_add(1, Relaxed);
        Box::pin(pending())
    }

    fn send_datagram<'a>(&'a self, _: &'a str, _: u16, _: &'a [u8]) -> LocalFuture<'a, io::Result<()>> {
        Box::pin(pending())
    }

    fn send_local_datagram<'a>(&'a self, _: &'a str, _: &'a [u8]) -> LocalFuture<'a, io::Result<()>> {
        Box::pin(pending())
    }

    fn spawn(&self, _: Job) {}
}

#[tokio::test]
async fn one_that_is_silent_is_asked_again_only_after_a_rest() {
    let silent = Arc::new(Silent::default());
    let config = RedisConfig {
        host: Some("redis.test".into()),
        timeout: Some(PATIENCE.as_millis() as u64),
        ..RedisConfig::default()
    };
    let redis = Redis::new(config, silent.clone());
    let key = Key { plugin: Id::nil(), name: String::new(), identifier: "a".into() };
    let limits = [Limit { period: Period::Year, most: 1.0 }];
    let ask = async || redis.admit(&key, &limits, 1.0, Moment(1_000)).await.unwrap_err();
    assert!(matches!(ask().await, RedisError::Late { .. }));
    for _ in 0..10 {
        assert!(matches!(ask().await, RedisError::Resting { .. }));
    }
    assert_eq!(silent.asked.load(Relaxed), 1);
    sleep(PATIENCE).await;
    assert!(matches!(ask().await, RedisError::Late { .. }));
    assert_eq!(silent.asked.load(Relaxed), 2);
}
