//! What one worker thread keeps between requests. Nothing here is shared, so nothing is locked.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use arc_swap::{ArcSwap, Cache};
use polygate_chain::{Collected, Exchange};
use polygate_net::dns::Resolver;
use polygate_telemetry::trace::Tracer;
use polygate_telemetry::{LogBuffer, log};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::{JoinHandle, JoinSet};

use crate::under_way::UnderWay;
use crate::upstream::{Connection, Http2Connection, Pool};
use crate::{Gateway, METRICS};

/// Log phases that wait or run at a time; more are dropped and counted.
const LOG_QUEUE: usize = 16_384;
const LOG_RUNNING: usize = 1_024;

pub struct Worker {
    pub(crate) resolver: Resolver,
    pub(crate) pool: RefCell<Pool<Connection>>,
    pub(crate) http2_pool: RefCell<Pool<Http2Connection>>,
    pub(crate) handshakes: UnderWay,
    pub(crate) access_log: Option<LogBuffer>,
    pub(crate) tracer: Option<Arc<Tracer>>,
    gateway: RefCell<Cache<Arc<ArcSwap<Gateway>>, Arc<Gateway>>>,
    random: RefCell<fastrand::Rng>,
    /// `None` once the worker drains.
    log_queue: RefCell<Option<Sender<LogJob>>>,
    log_runner: RefCell<LogRunner>,
    next_connection: Cell<u64>,
}

type LogJob = (Box<Exchange>, Collected);

enum LogRunner {
    Waiting(Receiver<LogJob>),
    Started(JoinHandle<()>),
    Done,
}

impl Worker {
    /// `access_log` and `tracer` are `None` when they are switched off.
    pub fn new(
        gateway: Arc<ArcSwap<Gateway>>,
        resolver: Resolver,
        access_log: Option<LogBuffer>,
        tracer: Option<Arc<Tracer>>,
    ) -> Rc<Self> {
        let (log_queue, log_jobs) = channel(LOG_QUEUE);
        Rc::new(Self {
            resolver,
            pool: RefCell::default(),
            http2_pool: RefCell::default(),
            handshakes: UnderWay::default(),
            access_log,
            tracer,
            gateway: RefCell::new(Cache::new(gateway)),
            random: RefCell::new(fastrand::Rng::new()),
            log_queue: RefCell::new(Some(log_queue)),
            log_runner: RefCell::new(LogRunner::Waiting(log_jobs)),
            next_connection: Cell::new(1),
        })
    }

    /// The configuration in use; whoever begins something with it keeps it to the end.
    pub(crate) fn gateway(&self) -> Arc<Gateway> {
        self.gateway.borrow_mut().load().clone()
    }

    pub(crate) fn connection_serial(&self) -> u64 {
        self.next_connection.replace(self.next_connection.get() + 1)
    }

    /// 32 lower-case hex digits that no other request has. They are no secret, so that they need not come from the
    /// system.
    pub(crate) fn request_id(&self) -> String {
        let bits = self.random.borrow_mut().u128(..);
        (0..32).rev().map(|at| char::from(b"0123456789abcdef"[(bits >> (at * 4)) as usize & 15])).collect()
    }

    /// Has the `log` handlers run, detached from the request. The exchange is their snapshot.
    pub(crate) fn enqueue_log(&self, exchange: Box<Exchange>, collected: Collected) {
        let queued = match &*self.log_queue.borrow() {
            Some(queue) => queue.try_send((exchange, collected)).is_ok(),
            None => false,
        };
        if !queued {
            METRICS.count_dropped_log();
            log!(Error, "log phase dropped: the queue is full or the gateway stops");
        }
    }

    /// Runs queued log phases for as long as the worker lives; the first call starts the runner.
    pub(crate) fn start_log_runner(&self) {
        let mut runner = self.log_runner.borrow_mut();
        *runner = match std::mem::replace(&mut *runner, LogRunner::Done) {
            LogRunner::Waiting(jobs) => LogRunner::Started(tokio::task::spawn_local(run_logs(jobs))),
            started => started,
        };
    }

    /// Takes no further log phases and waits for those that are queued or running. Deadlines of the
    /// handlers bound the wait.
    pub async fn drain_logs(&self) {
        self.log_queue.take();
        if let LogRunner::Started(runner) = self.log_runner.replace(LogRunner::Done) {
            // The runner only fails by a panic, which is reported where it happens.
            let _ = runner.await;
        }
    }
}

async fn run_logs(mut jobs: Receiver<LogJob>) {
    let mut running = JoinSet::new();
    while let Some((mut exchange, collected)) = jobs.recv().await {
        while running.try_join_next().is_some() {}
        if running.len() >= LOG_RUNNING {
            running.join_next().await;
        }
        running.spawn_local(async move { collected.log(&mut exchange).await });
    }
    while running.join_next().await.is_some() {}
}
