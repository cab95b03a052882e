//! What one worker thread keeps between requests. Nothing here is shared, so nothing is locked.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use polygate_chain::{Collected, RequestContext};
use polygate_net::dns::Resolver;
use polygate_telemetry::{LogFile, log};
use tokio::sync::mpsc::{Receiver, Sender, channel};

use crate::METRICS;
use crate::upstream::Pool;

/// Log phases that wait or run at a time; more are dropped and counted.
const LOG_QUEUE: usize = 16_384;
const LOG_RUNNING: usize = 1_024;

pub struct Worker {
    pub(crate) resolver: Resolver,
    pub(crate) pool: RefCell<Pool>,
    pub(crate) access_log: Option<Arc<LogFile>>,
    log_queue: Sender<LogJob>,
    log_jobs: RefCell<Option<Receiver<LogJob>>>,
    next_connection: Cell<u64>,
}

type LogJob = (Box<RequestContext>, Collected);

impl Worker {
    pub fn new(resolver: Resolver, access_log: Option<Arc<LogFile>>) -> Rc<Self> {
        let (log_queue, log_jobs) = channel(LOG_QUEUE);
        Rc::new(Self {
            resolver,
            pool: RefCell::default(),
            access_log,
            log_queue,
            log_jobs: RefCell::new(Some(log_jobs)),
            next_connection: Cell::new(1),
        })
    }

    pub(crate) fn connection_serial(&self) -> u64 {
        self.next_connection.replace(self.next_connection.get() + 1)
    }

    /// Has the `log` handlers run, detached from the request. The context is their snapshot.
    pub(crate) fn enqueue_log(&self, context: Box<RequestContext>, collected: Collected) {
        if let Err(error) = self.log_queue.try_send((context, collected)) {
            METRICS.count_dropped_log();
            log!(Error, "log phase dropped: {error}");
        }
    }

    /// Runs queued log phases for as long as the worker lives; the first caller becomes the runner.
    pub(crate) fn start_log_runner(&self) {
        let Some(mut jobs) = self.log_jobs.take() else { return };
        tokio::task::spawn_local(async move {
            let running = Arc::new(tokio::sync::Semaphore::new(LOG_RUNNING));
            while let Some((mut context, collected)) = jobs.recv().await {
                let Ok(permit) = running.clone().acquire_owned().await else { break };
                tokio::task::spawn_local(async move {
                    collected.log(&mut context).await;
                    drop(permit);
                });
            }
        });
    }
}
