//! What is to be sent away waits here, bounded, and is sent beside all requests (bundled-plugins.md, section 2).
//!
//! A queue belongs to one configuration. When the configuration goes, what is in its queue is still sent; at the end of the
//! process all queues are drained within a deadline.

mod counts;
mod senders;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use polygate_telemetry::log;
use serde::Deserialize;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

pub use self::counts::{Counts, QueueCounts};
pub use self::senders::Senders;
use crate::duration::seconds;
use crate::shared::Shared;

/// The `queue` member of configurations. Seconds.
#[derive(Deserialize, Debug, Clone)]
pub struct QueueConfig {
    max_batch_size: Option<usize>,
    max_coalescing_delay: Option<f64>,
    max_entries: Option<usize>,
    max_bytes: Option<usize>,
    max_retry_time: Option<f64>,
    initial_retry_delay: Option<f64>,
    max_retry_delay: Option<f64>,
    concurrency_limit: Option<i64>,
}

/// Where entries go. Sent one batch after the other, unless the configuration says that they may overtake each other.
pub trait Sink<E = Bytes>: Send + Sync + 'static {
    /// The error is for the log.
    fn send(&self, batch: &[E]) -> impl Future<Output = Result<(), String>>;
}

#[derive(Debug, Clone)]
struct Settings {
    batch: usize,
    coalescing: Duration,
    entries: usize,
    bytes: Option<usize>,
    retry_time: Duration,
    first_delay: Duration,
    last_delay: Duration,
    in_order: bool,
}

/// The end that entries go into. When the last one is dropped, the rest is sent and the sender ends.
pub struct Queue<E = Bytes> {
    waiting: Arc<Waiting<E>>,
}

/// What a queue holds.
pub trait Entry: Send + 'static {
    /// Bytes that it counts for.
    fn size(&self) -> usize;
}

/// A text that several queues may hold.
impl Entry for Bytes {
    fn size(&self) -> usize {
        self.len()
    }
}

impl Entry for Vec<u8> {
    fn size(&self) -> usize {
        self.len()
    }
}

struct Waiting<E> {
    plugin: &'static str,
    settings: Settings,
    state: Mutex<State<E>>,
    arrived: Notify,
    counts: Arc<QueueCounts>,
}

struct State<E> {
    entries: VecDeque<E>,
    bytes: usize,
    is_closed: bool,
    /// Something was dropped since the last batch; the log has been told.
    overflows: bool,
}

impl QueueConfig {
    /// For plugins without a `queue` member: entries are sent almost at once, so that those of a busy moment go together, and
    /// not again.
    pub fn plain() -> Self {
        Self {
            max_batch_size: Some(1000),
            max_coalescing_delay: Some(0.01),
            max_entries: None,
            max_bytes: None,
            max_retry_time: Some(0.0),
            initial_retry_delay: None,
            max_retry_delay: None,
            concurrency_limit: None,
        }
    }

    /// The size of batches under its older name, where it is given.
    pub fn with_older_size(mut self, size: Option<usize>) -> Self {
        self.max_batch_size = size.or(self.max_batch_size);
        self
    }

    /// The seconds that batches wait under their older name, where they are given.
    pub fn with_older_delay(mut self, delay: Option<f64>) -> Self {
        self.max_coalescing_delay = delay.or(self.max_coalescing_delay);
        self
    }

    /// Whether a batch may have several entries.
    pub fn batches(&self) -> bool {
        self.max_batch_size.is_some_and(|size| size > 1)
    }

    fn settings(&self) -> Settings {
        Settings {
            batch: self.max_batch_size.unwrap_or(1).max(1),
            coalescing: seconds(self.max_coalescing_delay.unwrap_or(1.0)),
            entries: self.max_entries.unwrap_or(10_000).max(1),
            bytes: self.max_bytes,
            retry_time: seconds(self.max_retry_time.unwrap_or(60.0)),
            first_delay: seconds(self.initial_retry_delay.unwrap_or(0.01)),
            last_delay: seconds(self.max_retry_delay.unwrap_or(60.0)),
            in_order: self.concurrency_limit != Some(-1),
        }
    }
}

impl<E: Entry> Queue<E> {
    pub fn start(plugin: &'static str, config: &QueueConfig, sink: impl Sink<E>, shared: &Shared) -> Self {
        let waiting = Arc::new(Waiting {
            plugin,
            settings: config.settings(),
            state: Mutex::new(State {
                entries: VecDeque::new(),
                bytes: 0,
                is_closed: false,
                overflows: false,
            }),
            arrived: Notify::new(),
            counts: shared.counts.of(plugin),
        });
        if let Some((alive, closing)) = shared.senders.join() {
            let waiting = waiting.clone();
            shared.services.spawn(Box::new(move || {
                Box::pin(async move {
                    Sender { waiting, sink: Arc::new(sink), closing }.run().await;
                    drop(alive);
                })
            }));
        }
        Self { waiting }
    }

    /// Adds an entry; the oldest ones make room for it.
    pub fn push(&self, entry: impl Into<E>) {
        let entry = entry.into();
        let length = entry.size();
        let (settings, counts) = (&self.waiting.settings, &self.waiting.counts);
        let mut state = self.waiting.state();
        if settings.bytes.is_some_and(|most| length > most) {
            drop(state);
            log!(
                Error,
                "[{}] an entry of {} bytes is larger than the queue: dropped",
                self.waiting.plugin,
                length
            );
            return counts.dropped_full(1);
        }
        let room = settings.bytes.map_or(usize::MAX, |most| most - length);
        let mut dropped = 0;
        while state.entries.len() >= settings.entries || state.bytes > room {
            let Some(oldest) = state.entries.pop_front() else { break };
            state.bytes -= oldest.size();
            dropped += 1;
        }
        state.bytes += length;
        state.entries.push_back(entry);
        let is_new = dropped > 0 && !std::mem::replace(&mut state.overflows, true);
        // The sender waits for the first one, and for a batch to be full; waking it costs more than all of this.
        let is_awaited = [1, settings.batch].contains(&state.entries.len());
        drop(state);
        counts.waiting(1 - dropped);
        counts.dropped_full(dropped as u64);
        if is_new {
            log!(Error, "[{}] the queue is full: the oldest entries are dropped", self.waiting.plugin);
        }
        if is_awaited {
            self.waiting.arrived.notify_one();
        }
    }
}

impl<E> Drop for Queue<E> {
    fn drop(&mut self) {
        self.waiting.state().is_closed = true;
        self.waiting.arrived.notify_one();
    }
}

impl<E> Waiting<E> {
    fn state(&self) -> MutexGuard<'_, State<E>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn len(&self) -> (usize, bool) {
        let state = self.state();
        (state.entries.len(), state.is_closed)
    }

    fn take(&self) -> Vec<E>
    where
        E: Entry,
    {
        let mut state = self.state();
        let count = state.entries.len().min(self.settings.batch);
        let batch: Vec<_> = state.entries.drain(..count).collect();
        state.bytes -= batch.iter().map(Entry::size).sum::<usize>();
        state.overflows = false;
        batch
    }
}

struct Sender<E, S> {
    waiting: Arc<Waiting<E>>,
    sink: Arc<S>,
    closing: watch::Receiver<bool>,
}

impl<E: Entry, S: Sink<E>> Sender<E, S> {
    async fn run(mut self) {
        let mut under_way = JoinSet::new();
        while self.batch_is_due().await {
            let batch = self.waiting.take();
            let (waiting, sink, closing) = (self.waiting.clone(), self.sink.clone(), self.closing.clone());
            let sending = async move { send(&waiting, &*sink, batch, closing).await };
            match self.waiting.settings.in_order {
                true => sending.await,
                false => drop(under_way.spawn_local(sending)),
            }
            while under_way.try_join_next().is_some() {}
        }
        under_way.join_all().await;
    }

    /// Waits until there is a batch to send; false when nothing can come any more.
    async fn batch_is_due(&mut self) -> bool {
        let mut until = None;
        loop {
            let is_closing = *self.closing.borrow();
            match self.waiting.len() {
                (0, is_closed) if is_closed || is_closing => return false,
                (0, _) => {}
                (count, is_closed) => {
                    let due = *until.get_or_insert_with(|| Instant::now() + self.waiting.settings.coalescing);
                    if count >= self.waiting.settings.batch
                        || is_closed
                        || is_closing
                        || due <= Instant::now()
                    {
                        return true;
                    }
                }
            }
            let timer = async {
                match until {
                    Some(due) => sleep_until(due).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = self.waiting.arrived.notified() => {}
                _ = self.closing.changed() => {}
                () = timer => {}
            }
        }
    }
}

/// Tries until it is sent or the time for tries is over.
async fn send<E>(
    waiting: &Waiting<E>,
    sink: &impl Sink<E>,
    batch: Vec<E>,
    mut closing: watch::Receiver<bool>,
) {
    let settings = &waiting.settings;
    let count = batch.len();
    let (begin, mut delay) = (Instant::now(), settings.first_delay);
    let outcome = loop {
        match sink.send(&batch).await {
            Ok(()) => break Ok(()),
            // Who ends has a deadline for all queues together.
            Err(why) if begin.elapsed() + delay > settings.retry_time || *closing.borrow() => break Err(why),
            Err(why) => {
                let seconds = delay.as_secs_f64();
                log!(Warn, "[{}] {why}; {count} entries are tried again in {seconds} s", waiting.plugin);
            }
        }
        tokio::select! {
            () = sleep(delay) => {}
            _ = closing.changed() => {}
        }
        delay = (delay * 2).min(settings.last_delay);
    };
    waiting.counts.waiting(-(count as i64));
    match outcome {
        Ok(()) => waiting.counts.sent(count as u64),
        Err(why) => {
            waiting.counts.dropped_unsent(count as u64);
            log!(Error, "[{}] {why}; {count} entries dropped", waiting.plugin);
        }
    }
}
