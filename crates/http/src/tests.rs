//! Requests on their whole way, over connections in memory and with a clock that stands still while anybody works.

pub mod network;
mod peer;
pub mod pipe;
mod plugin;
mod world;

mod chaos;
mod client_clocks;
mod client_leaves;
mod early_answers;
mod ends;
mod filters;
mod framing;
mod grpc;
mod health;
mod http2;
mod keep_alive;
mod leave_to_send;
mod plugin_bodies;
mod plugins;
mod pool;
mod refusals;
mod reload;
mod retries;
mod splits;
mod stale;
mod upgrades;
mod upstream_clocks;

use std::future::Future;
use std::time::Duration;

use tokio::task::LocalSet;
use tokio::time::{Instant, timeout};

pub use network::{Door, Upstream};
pub use plugin::{broken, holding, pdk, plugin};
pub use world::{Setup, World, settle, setup};

/// Runs a test. Time goes on only when nothing else can.
pub fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    let day = Duration::from_secs(24 * 60 * 60);
    LocalSet::new().block_on(&runtime.unwrap(), async {
        timeout(day, test).await.expect("the test waits for what never comes");
    });
}

pub fn secs(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// How many seconds something takes.
pub async fn seconds<T>(act: impl Future<Output = T>) -> (u64, T) {
    let start = Instant::now();
    let outcome = act.await;
    (start.elapsed().as_secs_f64().round() as u64, outcome)
}

/// What an upstream answers when it does not matter.
pub const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
/// What a client sends then.
pub const GET: &str = "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n";
