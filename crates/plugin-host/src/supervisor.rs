//! One task per process of a server: runs it, waits for its socket, starts the instances, publishes
//! the generation, and begins again when any of it ends.
//!
//! A generation is published only after its instances were started, so the first request finds them.
//! It ends when the idle connection that the supervisor keeps is closed by the other side: that tells
//! a restart within microseconds, also of processes that somebody else runs. A process that has
//! served enough is replaced with an overlap: it goes on until the next one is published, and stops
//! when its last event has ended.

mod backoff;
mod end;
mod generation;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use polygate_telemetry::log;
use tokio::sync::OwnedMutexGuard;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use crate::address::{Address, check_listener, is_new, remove_stale};
use crate::channel::Channel;
use crate::generation::{Generation, Managed, Reached, next_number};
use crate::lock::locked;
use crate::process::Process;
use crate::replica::{Replica, State};
use crate::server::Notices;
use crate::supervisor::backoff::Backoff;
use crate::supervisor::end::{End, Retiring};
use crate::supervisor::generation::{Outcome, reach};

/// Runs the replica until a stop is requested, and stops it then.
pub(crate) async fn run(replica: Arc<Replica>, notices: Notices) {
    match replica.settings.start_cmd.clone() {
        Some(command) => {
            remove_stale(&replica.socket);
            let (retiring, ending) = (None, JoinSet::new());
            Supervisor { replica: &replica, notices, retiring, ending, latest: None }.run(&command).await
        }
        None => run_external(&replica, notices).await,
    }
    replica.set_state(State::Stopped);
}

/// Somebody else runs the process: only watches for it.
async fn run_external(replica: &Arc<Replica>, mut notices: Notices) {
    loop {
        replica.set_state(State::Starting);
        let serve = async {
            let watch = reach(replica, |_| true).await;
            let address = Arc::new(Address::plain(replica.socket.clone()));
            let reached = Reached { number: next_number(), pid: watch.pid(), address, managed: None };
            generation::serve(replica, &mut notices, reached, watch, |_| {}).await
        };
        tokio::select! {
            outcome = serve => if matches!(outcome, Outcome::Wedged) {
                log!(
                    Error,
                    "[pluginserver] external pluginserver '{}' does not answer any more; restart it",
                    replica.name
                );
            },
            () = replica.stop_requested() => return,
        }
    }
}

/// A replica whose process the gateway runs.
struct Supervisor<'a> {
    replica: &'a Arc<Replica>,
    notices: Notices,
    retiring: Option<Box<Retiring>>,
    /// Predecessors that finish their events.
    ending: JoinSet<()>,
    /// What the latest process was published as.
    latest: Option<Arc<Generation>>,
}

impl Supervisor<'_> {
    async fn run(mut self, command: &str) {
        let mut backoff = Backoff::default();
        loop {
            self.set_idle_state(State::Starting);
            let started = Instant::now();
            match self.live(command).await {
                End::StopRequested => break,
                End::Spent(retiring) => {
                    self.retiring = Some(retiring);
                    self.latest = None;
                    continue;
                }
                end => end::report(self.replica, command, &end),
            }
            let has_served = self.latest.take().is_some_and(|generation| generation.has_served());
            let pause = backoff.ended(started.elapsed(), has_served);
            self.set_idle_state(if backoff.is_crash_loop() { State::CrashLoop } else { State::BackingOff });
            if !pause.is_zero() {
                log!(
                    Notice,
                    "[pluginserver] starting '{}' again in {} ms",
                    self.replica.name,
                    pause.as_millis()
                );
            }
            tokio::select! {
                () = sleep(pause) => {}
                () = self.replica.stop_requested() => break,
            }
        }
        if let Some(retiring) = self.retiring {
            stop(&self.replica.name, retiring.process).await;
        }
        self.ending.join_all().await;
    }

    /// The state while no new process serves; a predecessor may serve still.
    fn set_idle_state(&self, state: State) {
        let predecessor_serves = self.retiring.is_some() && self.replica.serving().is_some();
        if !predecessor_serves {
            self.replica.set_state(state);
        }
    }

    /// One process, from start to end.
    async fn live(&mut self, command: &str) -> End {
        let replica = self.replica;
        let name = &replica.name;
        let turn = tokio::select! {
            turn = replica.starting.clone().lock_owned() => turn,
            () = replica.stop_requested() => return End::StopRequested,
        };
        log!(Notice, "[pluginserver] starting pluginserver process for {name}");
        remove_stale_socket(replica);
        let mut number = next_number();
        let mut process = match Process::spawn(name, command, number, &replica.output) {
            Ok(process) => process,
            Err(error) => return End::Failed(error),
        };
        let group = process.pid();
        locked(&replica.history).starts += 1;
        log!(Notice, "[pluginserver] started, pid {group}");
        let mut door = Door { replica, turn: Some(turn), address: None };
        loop {
            let Self { notices, retiring, ending, latest, .. } = self;
            let published = |generation: &Arc<Generation>| {
                *latest = Some(generation.clone());
                if let Some(retiring) = retiring.take() {
                    ending.spawn(retire(replica.clone(), *retiring));
                }
            };
            let (stdout, stderr) = (process.stdout().clone(), process.stderr().clone());
            let serve = async {
                let (address, watch) = door.open().await?;
                let managed = Some(Managed { group, stdout, stderr });
                let reached = Reached { number, pid: watch.pid(), address, managed };
                Ok(generation::serve(replica, notices, reached, watch, published).await)
            };
            let outcome = tokio::select! {
                status = process.exited() => {
                    self.set_idle_state(State::Starting);
                    process.last_output().await;
                    return status.map_or_else(End::Failed, End::Exited);
                }
                () = replica.stop_requested() => {
                    stop(name, process).await;
                    return End::StopRequested;
                }
                outcome = serve => outcome,
            };
            match outcome {
                Ok(Outcome::Lost) => {
                    number = next_number();
                    self.set_idle_state(State::Starting);
                }
                Ok(Outcome::Spent { generation, why }) => {
                    log!(Notice, "[pluginserver] pluginserver '{name}' is replaced: {why}");
                    return End::Spent(Box::new(Retiring { process, generation }));
                }
                Ok(Outcome::Wedged) => {
                    self.set_idle_state(State::Starting);
                    log!(
                        Error,
                        "[pluginserver] pluginserver '{name}' does not answer any more and is replaced"
                    );
                    stop(name, process).await;
                    return End::Wedged;
                }
                Err(end) => {
                    stop(name, process).await;
                    return end;
                }
            }
        }
    }
}

/// The way to a process that the gateway runs.
struct Door<'a> {
    replica: &'a Replica,
    /// Until the process was reached no other one may put its socket in the same place.
    turn: Option<OwnedMutexGuard<()>>,
    address: Option<Arc<Address>>,
}

impl Door<'_> {
    /// Waits until the process listens, and gives its socket a name that lasts.
    async fn open(&mut self) -> Result<(Arc<Address>, Channel), End> {
        if let Some(address) = &self.address
            && let Ok(watch) = Channel::open(address.path()).await
        {
            return Ok((address.clone(), watch));
        }
        // A command that runs the server in a loop makes a new socket now and then.
        if self.turn.is_none() {
            self.turn = Some(self.replica.starting.clone().lock_owned().await);
        }
        let reached = timeout(self.replica.settings.start_timeout, reach(self.replica, is_new)).await;
        reached.map_err(|_| End::Silent)?;
        let address = Arc::new(Address::adopt(&self.replica.socket).map_err(End::NoAddress)?);
        let watch = Channel::open(address.path()).await.map_err(End::NoAddress)?;
        check_listener(watch.user(), watch.pid()).map_err(End::NoAddress)?;
        self.turn = None;
        self.address = Some(address.clone());
        Ok((address, watch))
    }
}

/// A socket that nobody listens on any more would only refuse connections.
fn remove_stale_socket(replica: &Replica) {
    match std::fs::remove_file(&replica.socket) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => log!(
            Warn,
            "[pluginserver] cannot remove the old socket {} of {}: {error}",
            replica.socket.display(),
            replica.name
        ),
    }
}

/// Stops a process whose successor was published, once its events have ended; an event that exceeds
/// its time is not waited for.
async fn retire(replica: Arc<Replica>, Retiring { process, generation }: Retiring) {
    let deadline = Instant::now() + replica.settings.patience();
    // Every event holds its generation.
    while Arc::strong_count(&generation) > 1 && Instant::now() < deadline {
        tokio::select! {
            () = sleep(Duration::from_millis(20)) => {}
            () = replica.stop_requested() => break,
        }
    }
    stop(&replica.name, process).await;
}

async fn stop(name: &str, process: Process) {
    let pid = process.pid();
    match process.stop().await {
        Ok(_) => log!(Notice, "[pluginserver] successfully stopped pluginserver '{name}', pid {pid}"),
        Err(error) => log!(Error, "[pluginserver] failed to stop pluginserver '{name}': {error}"),
    }
}
