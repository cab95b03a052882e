//! The log phase, which runs after the client has got everything.

use std::cell::RefCell;
use std::future::{Future as _, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Poll;

use polygate_chain::{Collected, Exchange, Session};
use polygate_telemetry::log;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::{JoinHandle, JoinSet};

use crate::metrics::METRICS;

/// Log phases that wait or run at a time; more are dropped and counted.
const QUEUE: usize = 16_384;
const RUNNING: usize = 1_024;

/// Those of one worker thread.
pub struct LogPhases {
    /// `None` once the worker drains.
    queue: RefCell<Option<Sender<Job>>>,
    runner: RefCell<Runner>,
}

/// What handlers are shown: the state at the end, which nobody else changes.
pub enum Snapshot {
    Request(Box<Exchange>),
    Stream(Box<Session>),
}

type Job = (Snapshot, Collected);

enum Runner {
    Waiting(Receiver<Job>),
    Started(JoinHandle<()>),
    Done,
}

impl Default for LogPhases {
    fn default() -> Self {
        let (queue, jobs) = channel(QUEUE);
        Self { queue: RefCell::new(Some(queue)), runner: RefCell::new(Runner::Waiting(jobs)) }
    }
}

impl LogPhases {
    /// Has the `log` handlers run, detached from the request.
    pub fn enqueue(&self, snapshot: Snapshot, collected: Collected) {
        let queued = match &*self.queue.borrow() {
            Some(queue) => queue.try_send((snapshot, collected)).is_ok(),
            None => false,
        };
        if !queued {
            METRICS.count_dropped_log();
            log!(Error, "log phase dropped: the queue is full or the gateway stops");
        }
    }

    /// Runs queued log phases for as long as the worker lives; the first call starts the runner. Inside a `LocalSet`.
    pub fn start(&self) {
        let mut runner = self.runner.borrow_mut();
        *runner = match std::mem::replace(&mut *runner, Runner::Done) {
            Runner::Waiting(jobs) => Runner::Started(tokio::task::spawn_local(run(jobs))),
            started => started,
        };
    }

    /// Takes no further log phases and waits for those that are queued or running. Deadlines of the
    /// handlers bound the wait.
    pub async fn drain(&self) {
        self.queue.take();
        if let Runner::Started(runner) = self.runner.replace(Runner::Done) {
            // The runner only fails by a panic, which is reported where it happens.
            let _ = runner.await;
        }
    }
}

async fn run(mut jobs: Receiver<Job>) {
    let mut running = JoinSet::new();
    while let Some((mut snapshot, collected)) = jobs.recv().await {
        while running.try_join_next().is_some() {}
        if running.len() >= RUNNING {
            running.join_next().await;
        }
        let mut phase = Box::pin(async move {
            match &mut snapshot {
                Snapshot::Request(exchange) => collected.log(&mut **exchange).await,
                Snapshot::Stream(session) => collected.log(&mut **session).await,
            }
        });
        // Plugins of this process are done at once, and need no task.
        let begun = poll_fn(|cx| {
            let polled = catch_unwind(AssertUnwindSafe(|| phase.as_mut().poll(cx)));
            // A panic is reported where it happens, and the end of that phase alone.
            Poll::Ready(polled.unwrap_or(Poll::Ready(())))
        });
        if begun.await.is_pending() {
            running.spawn_local(phase);
        }
    }
    while running.join_next().await.is_some() {}
}
