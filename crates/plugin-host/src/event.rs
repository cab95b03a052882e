//! One run of one phase of one plugin configuration: from the first byte to the end of the handler.
//!
//! An event is offered to a second process only when the first one provably never read it: whatever
//! ends one process must not end another. All failures end up in [`crate::failure::conclude`]; how the
//! server is spoken to is in [`crate::wire`].

mod instance;

use std::cell::Cell;
use std::sync::Arc;

use polygate_chain::Phase;
use polygate_chain::pdk::Context;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use crate::channel::CallError;
use crate::generation::{Generation, NoPlace};
use crate::instance::Instance;
use crate::pool::Lease;
use crate::reason::{EventError, Reason};
use crate::replica::Replica;
use crate::server::Server;
use crate::settings::ServerSettings;
use crate::wire::{Fault, Task};

pub(crate) use instance::start_instance;

/// How an event went.
#[derive(Debug)]
pub(crate) struct Ran {
    pub outcome: Result<(), EventError>,
    /// The number of the generation that had it last; 0 if none did.
    pub generation: u64,
    pub pdk_calls: u32,
}

/// A try that failed, and what may be done about it.
struct Failed {
    error: EventError,
    retry: Retry,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Retry {
    Never,
    /// The server may have forgotten the instance; it made no PDK call. Once, and in that very process.
    SameProcess,
    /// The server has read nothing: as soon as one is there, within the time for connecting.
    WhenReady,
}

/// Runs the handler of `phase`; `instances` has one for each replica.
pub(crate) async fn run(
    server: &Server,
    instances: &[Arc<Instance>],
    phase: Phase,
    context: &mut Context<'_>,
) -> Ran {
    let patience = Instant::now() + server.settings.connect_timeout;
    let pdk_calls = Cell::new(0);
    let mut latest = 0;
    let outcome = loop {
        let (index, generation) = match server.ready(patience.saturating_duration_since(Instant::now())).await
        {
            Ok(found) => found,
            Err(error) => break Err(error),
        };
        latest = generation.number;
        let (replica, instance) = (&server.replicas[index], &*instances[index]);
        let one_try =
            Try { replica, generation: &generation, instance, phase, fresh: false, pdk_calls: &pdk_calls };
        match one_try.run_twice(context).await {
            Err(Failed { retry: Retry::WhenReady, .. }) if Instant::now() < patience => {}
            outcome => break outcome.map_err(|failed| failed.error),
        }
    };
    Ran { outcome, generation: latest, pdk_calls: pdk_calls.get() }
}

struct Try<'a> {
    replica: &'a Arc<Replica>,
    generation: &'a Arc<Generation>,
    instance: &'a Instance,
    phase: Phase,
    /// Whether to use no connection that served before.
    fresh: bool,
    pdk_calls: &'a Cell<u32>,
}

impl Try<'_> {
    /// A second time in the same process, if that may help.
    async fn run_twice(self, context: &mut Context<'_>) -> Result<(), Failed> {
        let first = match self.run(context).await {
            Err(Failed { error, retry: Retry::SameProcess }) => error,
            outcome => return outcome,
        };
        let second = Try { fresh: true, ..self }.run(context).await;
        // A process that is gone now has ended over the first try.
        second.map_err(|failed| {
            Failed::never(if first.reason == Reason::Crashed { first } else { failed.error })
        })
    }

    async fn run(&self, context: &mut Context<'_>) -> Result<(), Failed> {
        let (epoch, id, mut lease) = self.prepare().await?;
        let mut task = Task::new(self.generation, self.settings(), self.phase, id, self.pdk_calls);
        let outcome = lease.event(&mut task, context).await;
        match outcome {
            Ok(()) => {
                self.generation.served();
                Ok(())
            }
            Err(Fault::Unread(error)) => Err(self.unread(&error)),
            Err(Fault::Forgotten(fault)) => {
                self.generation.forget_instances(epoch);
                Err(Failed { error: self.error(*fault, &lease), retry: Retry::SameProcess })
            }
            Err(fault) => Err(Failed::never(self.error(fault, &lease))),
        }
    }

    /// Everything that is needed before the event can be sent: the instance's epoch and id, and a
    /// connection that has one of the process's places.
    async fn prepare(&self) -> Result<(u32, u32, Lease), Failed> {
        let permit = self.place().await?;
        let deadline = Instant::now() + self.settings().patience();
        let (epoch, id) = start_instance(self.replica, self.generation, self.instance, deadline)
            .await
            .map_err(Failed::before_sending)?;
        let lease = Lease::take(self.replica, self.generation, self.fresh, deadline, Some(permit))
            .await
            .map_err(Failed::before_sending)?;
        self.replica.count_event(self.generation);
        Ok((epoch, id, lease))
    }

    /// One of the process's places for events.
    async fn place(&self) -> Result<OwnedSemaphorePermit, Failed> {
        let limit = self.settings().connect_timeout;
        let why = match self.generation.place(limit).await {
            Ok(permit) => return Ok(permit),
            Err(NoPlace::Ended) => {
                return Err(Failed::before_sending(self.replica.unavailable("its process ended")));
            }
            Err(NoPlace::QueueFull) => format!("{} events wait already", self.settings().max_queue),
            Err(NoPlace::TimedOut) => format!("none became free within {} ms", limit.as_millis()),
        };
        Err(Failed::never(Reason::Busy.error(format!(
            "plugin server \"{}\" has no free place among its {}: {why}; raise max_concurrency or replicas if it \
             can take more",
            self.replica.name, self.generation.places
        ))))
    }

    fn settings(&self) -> &ServerSettings {
        &self.replica.settings
    }

    /// What the fault of an event that the server had read means.
    fn error(&self, fault: Fault, lease: &Lease) -> EventError {
        match fault {
            Fault::Plugin(text) => Reason::Plugin.error(text),
            Fault::Protocol(text) => Reason::Protocol.error(text),
            Fault::Wedged => self.crashed("it did not answer any more"),
            // It was ended over that.
            Fault::Broken(_) if self.generation.is_condemned() => self.error(Fault::Wedged, lease),
            Fault::Broken(error) | Fault::Unread(error) => self.crashed(&error.to_string()),
            Fault::Forgotten(fault) => self.error(*fault, lease),
            Fault::Late => self.late(lease),
        }
    }

    fn crashed(&self, why: &str) -> EventError {
        let (name, number) = (&self.replica.name, self.generation.number);
        Reason::Crashed.error(format!("plugin server \"{name}\", generation {number}: {why}"))
    }

    /// The server has not read the event and closed the connection, which may have lain idle.
    fn unread(&self, error: &CallError) -> Failed {
        // Where process ids cannot be seen, this may be another process under the same ids.
        if self.generation.pid.is_none() {
            self.replica.lost(self.generation);
        }
        Failed { error: self.replica.unavailable(&error.to_string()), retry: Retry::WhenReady }
    }

    fn late(&self, lease: &Lease) -> EventError {
        let cut_off = match lease.input.len() {
            0 => String::new(),
            n => format!(
                "; an answer broke off after {n} bytes (a Python server in gevent mode sends no more than about \
                 219 kB at a time)"
            ),
        };
        let step = format!("sent nothing for {} ms", self.settings().step_timeout.as_millis());
        let limit = match self.settings().event_timeout {
            Some(event) if event <= self.settings().step_timeout => {
                format!("did not end the event within {} ms", event.as_millis())
            }
            Some(event) => format!("{step}, or did not end the event within {} ms", event.as_millis()),
            None => step,
        };
        Reason::Deadline.error(format!("plugin server \"{}\" {limit}{cut_off}", self.replica.name))
    }
}

impl Failed {
    fn never(error: EventError) -> Self {
        Self { error, retry: Retry::Never }
    }

    /// No event was sent: if the server is away, it can be waited for.
    fn before_sending(error: EventError) -> Self {
        let retry = if error.reason == Reason::Unavailable { Retry::WhenReady } else { Retry::Never };
        Self { error, retry }
    }
}
