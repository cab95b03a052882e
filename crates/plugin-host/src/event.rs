//! One run of one phase of one plugin configuration: from the first byte to the end of the handler.
//!
//! An event is tried a second time only while the plugin has made no PDK call: afterwards the first
//! try has left traces. All failures end up in [`crate::failure::conclude`].

mod call;
mod instance;
mod msgpack;
mod protobuf;

use std::sync::Arc;
use std::time::Duration;

use polygate_chain::{Phase, RequestContext};
use polygate_plugin_proto::Protocol;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout, timeout_at};

use crate::connection::Lease;
use crate::failure::{EventError, Reason};
use crate::instance::Instance;
use crate::server::{Generation, Server};

pub(crate) use instance::start_instance;

/// How much of a body a server is expected to take in per second, at the least.
const BYTES_PER_SECOND: u64 = 2 << 20;

/// A try that failed, and what may be done about it.
struct Failed {
    error: EventError,
    retry: Retry,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Retry {
    Never,
    /// Nothing has happened yet, but something may have: once.
    Once,
    /// Nothing was sent: as soon as the server is back, within the time for connecting.
    WhenReady,
}

/// The time an event has left. What the gateway itself takes does not count.
struct TimeLeft {
    deadline: Instant,
}

/// Runs the handler of `phase`.
pub(crate) async fn run(
    server: &Arc<Server>,
    instance: &Instance,
    phase: Phase,
    context: &mut RequestContext,
) -> Result<(), EventError> {
    let patience = Instant::now() + server.settings.connect_timeout;
    let mut retried = false;
    loop {
        let generation = server.ready(patience.saturating_duration_since(Instant::now())).await?;
        let one_try = Try { server, generation: &generation, instance, phase, fresh: retried };
        let outcome = match server.protocol {
            Protocol::MsgPack => msgpack::run(&one_try, context).await,
            Protocol::ProtoBuf => protobuf::run(&one_try, context).await,
        };
        let Err(failed) = outcome else { return Ok(()) };
        let again = match failed.retry {
            Retry::Never => false,
            Retry::Once => !std::mem::replace(&mut retried, true),
            Retry::WhenReady => Instant::now() < patience,
        };
        if !again {
            return Err(failed.error);
        }
    }
}

struct Try<'a> {
    server: &'a Arc<Server>,
    generation: &'a Arc<Generation>,
    instance: &'a Instance,
    phase: Phase,
    /// Whether to use no connection that served before.
    fresh: bool,
}

impl Try<'_> {
    /// Everything that is needed before the event can be sent: the instance's epoch and id, and a
    /// connection that has one of the server's places.
    async fn prepare(&self, time: &TimeLeft) -> Result<(u32, u32, Lease), Failed> {
        let permit = self.permit().await?;
        let deadline = time.deadline;
        let (epoch, id) = start_instance(self.server, self.generation, self.instance, deadline)
            .await
            .map_err(Failed::before_sending)?;
        let lease = Lease::take(self.server, self.generation, self.fresh, deadline, Some(permit))
            .await
            .map_err(Failed::before_sending)?;
        self.server.count_event(self.generation);
        Ok((epoch, id, lease))
    }

    /// One of the server's places for events.
    async fn permit(&self) -> Result<OwnedSemaphorePermit, Failed> {
        let slots = &self.server.slots;
        if let Ok(permit) = slots.clone().try_acquire_owned() {
            return Ok(permit);
        }
        let limit = self.server.settings.connect_timeout;
        match timeout(limit, slots.clone().acquire_owned()).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) | Err(_) => Err(Failed::never(Reason::Busy.error(format!(
                "plugin server \"{}\" had no free place among its {} within {} ms; raise max_concurrency if it \
                 can take more",
                self.server.name(),
                self.server.places(),
                limit.as_millis()
            )))),
        }
    }

    fn deadline_error(&self, lease: &Lease) -> EventError {
        let cut_off = match lease.incomplete() {
            0 => String::new(),
            n => format!(
                "; an answer broke off after {n} bytes (a Python server in gevent mode sends no more than about \
                 219 kB at a time)"
            ),
        };
        Reason::Deadline.error(format!(
            "plugin server \"{}\" did not end the event within {} ms{cut_off}",
            self.server.name(),
            self.server.settings.event_timeout.as_millis()
        ))
    }
}

impl Failed {
    fn never(error: EventError) -> Self {
        Self { error, retry: Retry::Never }
    }

    fn once(error: EventError) -> Self {
        Self { error, retry: Retry::Once }
    }

    /// No event was sent: if the server is away, it can be waited for.
    fn before_sending(error: EventError) -> Self {
        let retry = if error.reason == Reason::Unavailable { Retry::WhenReady } else { Retry::Never };
        Self { error, retry }
    }
}

impl TimeLeft {
    fn new(server: &Server) -> Self {
        Self { deadline: Instant::now() + server.settings.event_timeout }
    }

    /// Waits for the server; `None` when the time is up.
    async fn wait<T>(&self, answer: impl Future<Output = T>) -> Option<T> {
        timeout_at(self.deadline, answer).await.ok()
    }

    /// Runs a part that is the gateway's own.
    async fn stopped<T>(&mut self, own: impl Future<Output = T>) -> T {
        let start = Instant::now();
        let output = own.await;
        self.deadline += start.elapsed();
        output
    }

    /// Gives the server time for a body that it has to take in.
    fn allow_for(&mut self, bytes: usize) {
        self.deadline += Duration::from_millis(bytes as u64 * 1000 / BYTES_PER_SECOND);
    }
}
