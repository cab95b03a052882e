//! One generation: from a server that cannot be reached yet to one that is lost.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use polygate_telemetry::log;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep, timeout};

use crate::channel::Channel;
use crate::event;
use crate::generation::{Flavor, Generation, Reached};
use crate::notice::{Notice, Suspicion};
use crate::replica::{Replica, State};
use crate::usage;
use crate::wire::Connection;

/// For the first answer of a new process, and for starting one instance.
const START_LIMIT: Duration = Duration::from_secs(30);
/// When it is worth a line that a socket is still not there.
const SLOW_START: Duration = Duration::from_secs(10);
/// How often a process with limits is looked at.
const CHECK: Duration = Duration::from_secs(1);
/// How long a server whose handler has raised may take for an answer.
const RAISED: Duration = Duration::from_secs(1);
/// How long one with a thread for every request may.
const PROMPT: Duration = Duration::from_secs(2);
/// How long the others may: a handler that computes keeps a JavaScript or gevent process, and sometimes one with
/// Python threads, from answering anything. Three seconds of that are ordinary, and nothing tells an endless loop
/// from a long one; but every other event of the process has to wait with it.
const COMPUTING: Duration = Duration::from_secs(10);
/// How long the end of a process may take to be seen.
const END_PATIENCE: Duration = Duration::from_millis(100);

/// How a generation ended, other than with its process.
pub(super) enum Outcome {
    /// The process is gone, or another one listens.
    Lost,
    /// It does not answer any more.
    Wedged,
    /// It has served enough; it still serves.
    Spent { generation: Arc<Generation>, why: String },
}

/// A connection to the socket, as soon as the server listens on it and the file is `wanted`.
pub(super) async fn reach(replica: &Replica, wanted: impl Fn(&Path) -> bool) -> Channel {
    let started = Instant::now();
    let mut pause = Duration::from_millis(5);
    let mut told = false;
    loop {
        let opened = match wanted(&replica.socket) {
            true => Channel::open(&replica.socket).await,
            false => Err(io::ErrorKind::NotFound.into()),
        };
        let error = match opened {
            Ok(channel) => return channel,
            Err(error) => error,
        };
        if !told && started.elapsed() > SLOW_START {
            told = true;
            log!(
                Warn,
                "[pluginserver] pluginserver '{}' cannot be reached on {} for {} s: {error}; check that it listens there",
                replica.name,
                replica.socket.display(),
                SLOW_START.as_secs()
            );
        }
        sleep(pause).await;
        pause = (pause * 2).min(Duration::from_millis(200));
    }
}

/// Serves one generation; `watch` is an idle connection to it. `published` is called when requests use
/// it. Dropped when the process ends first.
pub(super) async fn serve(
    replica: &Arc<Replica>,
    notices: &mut UnboundedReceiver<Notice>,
    reached: Reached,
    watch: Channel,
    published: impl FnOnce(&Arc<Generation>),
) -> Outcome {
    let started = Instant::now();
    let mut watch = replica.wire.over(watch);
    let flavor = match timeout(START_LIMIT, greet(replica, &mut watch)).await {
        Ok(Some(flavor)) => flavor,
        Ok(None) => return Outcome::Lost,
        Err(_) => return Outcome::Wedged,
    };
    let generation = Arc::new(Generation::new(reached, flavor, &replica.settings, replica.notices.clone()));
    if !start_instances(replica, &generation, &mut watch).await {
        return Outcome::Lost;
    }
    replica.set_state(State::Ready(generation.clone()));
    published(&generation);
    let mut check = interval_at(Instant::now() + CHECK, CHECK);
    check.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let outcome = tokio::select! {
            () = watch.closed() => Some(Outcome::Lost),
            notice = notices.recv() => heed(replica, &generation, notice).await,
            () = traceback(&generation) => {
                generation.suspect(Suspicion::Raised);
                None
            }
            _ = check.tick(), if generation.managed.is_some() => outgrown(replica, &generation, started.elapsed())
                .map(|why| Outcome::Spent { generation: generation.clone(), why }),
        };
        if let Some(outcome) = outcome {
            return outcome;
        }
    }
}

/// Starts every instance that some configuration uses. Whether the process survived it.
async fn start_instances(
    replica: &Arc<Replica>,
    generation: &Arc<Generation>,
    watch: &mut Connection,
) -> bool {
    for instance in replica.instances() {
        // Dropped with this future when the process ends, which is a strike.
        let attempt = instance.attempt();
        let deadline = Instant::now() + START_LIMIT;
        if let Err(error) = event::start_instance(replica, generation, &instance, deadline).await {
            log!(Error, "[pluginserver] {}: plugin {}: {error}", replica.name, instance.plugin);
            if timeout(END_PATIENCE, watch.closed()).await.is_ok() {
                return false;
            }
        }
        attempt.survived();
    }
    true
}

/// Acts on what a worker told.
async fn heed(replica: &Replica, generation: &Arc<Generation>, notice: Option<Notice>) -> Option<Outcome> {
    let current = generation.number;
    match notice {
        None => Some(Outcome::Lost),
        Some(Notice::Lost { generation }) if generation == current => Some(Outcome::Lost),
        Some(Notice::Suspect { generation: number, suspicion }) if number == current => {
            let is_wedged = !answers(replica, generation, suspicion).await;
            is_wedged.then(|| {
                generation.condemn();
                Outcome::Wedged
            })
        }
        Some(Notice::Spent { generation: number }) if number == current && generation.managed.is_some() => {
            let why = format!("it has served {} events", replica.settings.max_events?);
            Some(Outcome::Spent { generation: generation.clone(), why })
        }
        Some(Notice::Unused { epoch, id }) if epoch == generation.epoch() => {
            close_instance(replica, generation, id).await;
            None
        }
        // About an earlier generation, or a process that somebody else runs and has to replace.
        Some(_) => None,
    }
}

/// Why a process is to be replaced, if it is.
fn outgrown(replica: &Replica, generation: &Generation, age: Duration) -> Option<String> {
    let settings = &replica.settings;
    if settings.max_age.is_some_and(|limit| age >= limit) {
        return Some(format!("it has run for {} s", age.as_secs()));
    }
    // Python in `-m` mode loses one with each `kong.response.exit`, and hangs when there are no more.
    let (open, limit) = generation.pid.and_then(usage::descriptors).unwrap_or_default();
    if open > limit / 2 {
        return Some(format!("it has {open} of {limit} file descriptors open"));
    }
    let limit = settings.max_memory?;
    let resident = generation.usage().resident;
    (resident > limit).then(|| format!("it takes {resident} bytes of memory, more than {limit}"))
}

/// `None` when the server went away.
async fn greet(replica: &Replica, connection: &mut Connection) -> Option<Flavor> {
    match connection.greet(&replica.sample).await {
        Ok(flavor) => Some(flavor),
        Err(error) => {
            log!(Error, "[pluginserver] pluginserver '{}' gave no answer: {error}", replica.name);
            // The process may be alive and closing every connection: do not spin.
            sleep(Duration::from_millis(200)).await;
            None
        }
    }
}

/// Waits until a handler has raised in a way that the server may not survive.
async fn traceback(generation: &Generation) {
    match &generation.managed {
        Some(managed) => managed.stderr.traceback().await,
        None => std::future::pending().await,
    }
}

/// Whether the server is of use still. Who is merely silent has to answer anything. After a traceback, or an
/// event that exceeded its time, it has to take events.
async fn answers(replica: &Replica, generation: &Generation, suspicion: Suspicion) -> bool {
    generation.looked_at();
    let Some(connection) = connect(replica, generation).await else { return true };
    let probe = connection.probe(&replica.sample, suspicion != Suspicion::Silent);
    let limit = match (suspicion, generation.flavor) {
        (Suspicion::Raised, _) => RAISED,
        (_, Flavor::Go) => PROMPT,
        _ => COMPUTING,
    };
    timeout(limit.min(replica.settings.patience()), probe).await.is_ok()
}

/// Lets the server forget an instance.
async fn close_instance(replica: &Replica, generation: &Generation, id: u32) {
    if let Some(connection) = connect(replica, generation).await {
        tokio::spawn(connection.close(id));
    }
}

/// A new connection, beside those that serve; `None` when the process is gone, which others find out.
async fn connect(replica: &Replica, generation: &Generation) -> Option<Connection> {
    Channel::open(generation.address.path()).await.ok().map(|channel| replica.wire.over(channel))
}
