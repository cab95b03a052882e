//! Active health checks: one task per upstream that has them, for the whole gateway.
//!
//! The balancer says which peers are due and what an outcome does to them; here they are asked.

mod probe;

use std::sync::Arc;
use std::time::Instant;

use polygate_balancer::{Balancer, Probe};
use polygate_http::Gateway;
use polygate_telemetry::log;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::probes::probe::Question;

/// Probes under way at a time, over all upstreams: they share descriptors with requests.
const MOST: usize = 256;

/// The tasks, which end with this value; what is under way then is not counted.
pub struct Probes {
    _tasks: JoinSet<()>,
}

impl Probes {
    pub fn start(gateway: &Gateway) -> Self {
        let mut tasks = JoinSet::new();
        let places = Arc::new(Semaphore::new(MOST));
        let upstreams = gateway.balancers.values().map(|balancer| (balancer, balancer.upstream()));
        for (balancer, upstream) in upstreams.filter(|(_, upstream)| upstream.healthchecks.active.is_on()) {
            match Question::of(upstream, &gateway.upstream_tls) {
                Ok(question) => _ = tasks.spawn(follow(balancer.clone(), question, places.clone())),
                Err(why) => log!(Error, "upstream '{}': its targets are not probed: {why}", upstream.name),
            }
        }
        Self { _tasks: tasks }
    }
}

async fn follow(balancer: Arc<Balancer>, question: Question, places: Arc<Semaphore>) {
    let question = Arc::new(question);
    let concurrency = balancer.upstream().healthchecks.active.concurrency as usize;
    let mut running = JoinSet::new();
    while let Some(due) = balancer.due_probes(Instant::now(), concurrency - running.len()) {
        for probe in due.probes {
            running.spawn(run(balancer.clone(), question.clone(), probe, places.clone()));
        }
        tokio::select! {
            Some(_) = running.join_next() => {}
            () = sleep(due.pause) => {}
        }
    }
}

async fn run(balancer: Arc<Balancer>, question: Arc<Question>, probe: Probe, places: Arc<Semaphore>) {
    // Nobody closes it.
    let _place = places.acquire().await;
    let outcome = question.ask(probe.addr(), probe.host()).await;
    balancer.report_probe(&probe, outcome);
}
