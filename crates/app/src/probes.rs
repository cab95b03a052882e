//! Active health checks: one task per upstream that has them, for the whole gateway.
//!
//! The balancer says which peers are due and what an outcome does to them; here they are asked.

mod probe;

use std::sync::Arc;
use std::time::Instant;

use polygate_balancer::{Balancer, Probe};
use polygate_model::entities::CheckKind;
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
    pub fn start<'b>(balancers: impl Iterator<Item = &'b Arc<Balancer>>) -> Self {
        let mut tasks = JoinSet::new();
        let places = Arc::new(Semaphore::new(MOST));
        for balancer in balancers {
            let checks = &balancer.upstream().healthchecks.active;
            if checks.is_on() && is_built(checks.kind) {
                tasks.spawn(follow(balancer.clone(), places.clone()));
            }
        }
        Self { _tasks: tasks }
    }
}

/// Whether targets can be probed like that.
pub fn is_built(kind: CheckKind) -> bool {
    matches!(kind, CheckKind::Tcp | CheckKind::Http)
}

async fn follow(balancer: Arc<Balancer>, places: Arc<Semaphore>) {
    let question = Arc::new(Question::of(balancer.upstream()));
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
