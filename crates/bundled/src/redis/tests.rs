use std::future::pending;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use polygate_chain::LocalFuture;
use polygate_chain::services::{Job, Stream};
use polygate_model::Id;
use tokio::task::{JoinSet, LocalSet, yield_now};
use tokio::time::{Instant, sleep};

use super::*;

const PATIENCE: Duration = Duration::from_millis(1_000);

/// Takes connections up and never finishes the handshake.
#[derive(Default)]
struct Silent {
    asked: AtomicUsize,
    open: Arc<AtomicUsize>,
}

struct Open(Arc<AtomicUsize>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

impl Services for Silent {
    fn connect<'a>(&'a self, _: &'a Remote) -> LocalFuture<'a, io::Result<Box<dyn Stream>>> {
        self.asked.fetch_add(1, Relaxed);
        self.open.fetch_add(1, Relaxed);
        let open = Open(self.open.clone());
        Box::pin(async move {
            let _open = open;
            pending().await
        })
    }

    fn encrypt<'a>(
        &'a self,
        _: Box<dyn Stream>,
        _: &'a Remote,
    ) -> LocalFuture<'a, io::Result<Box<dyn Stream>>> {
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

/// A server that is silent, and one who asks it.
fn silent() -> (Arc<Silent>, Arc<Redis>) {
    let silent = Arc::new(Silent::default());
    let config = RedisConfig {
        host: Some("redis.test".into()),
        timeout: Some(PATIENCE.as_millis() as u64),
        ..RedisConfig::default()
    };
    (silent.clone(), Arc::new(Redis::new(config, silent)))
}

async fn ask(redis: &Redis) -> RedisError {
    let key = Key { plugin: Id::nil(), name: String::new(), identifier: "a".into() };
    let limits = [Limit { period: Period::Year, most: 1.0 }];
    redis.admit(&key, &limits, 1.0, Moment(1_000)).await.unwrap_err()
}

#[tokio::test(start_paused = true)]
async fn one_that_is_silent_is_asked_again_only_after_a_rest() {
    let (silent, redis) = silent();
    let test = async {
        assert!(matches!(ask(&redis).await, RedisError::Late { .. }));
        for _ in 0..10 {
            assert!(matches!(ask(&redis).await, RedisError::Resting { .. }));
        }
        assert_eq!(silent.asked.load(Relaxed), 1);
        sleep(PATIENCE).await;
        assert!(matches!(ask(&redis).await, RedisError::Late { .. }));
        assert_eq!(silent.asked.load(Relaxed), 2);
    };
    LocalSet::new().run_until(test).await;
}

#[tokio::test(start_paused = true)]
async fn those_who_ask_at_a_time_make_one_connection_and_leave_none() {
    let (silent, redis) = silent();
    let test = async {
        let began = Instant::now();
        let mut asking = JoinSet::new();
        for _ in 0..100 {
            let redis = redis.clone();
            asking.spawn_local(async move { ask(&redis).await });
        }
        for error in asking.join_all().await {
            assert!(matches!(error, RedisError::Late { .. }), "{error}");
        }
        // Nobody waited longer than for his own time.
        assert!(began.elapsed() < 2 * PATIENCE);
        assert_eq!(silent.asked.load(Relaxed), 1);
        yield_now().await;
        assert_eq!(silent.open.load(Relaxed), 0);
    };
    LocalSet::new().run_until(test).await;
}
