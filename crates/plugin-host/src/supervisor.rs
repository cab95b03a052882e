//! One task per server: runs the process, waits for the socket, starts the instances, publishes the
//! generation, and begins again when any of it ends.
//!
//! A generation is published only after its instances were started, so the first request finds them.
//! It ends when the idle connection that the supervisor keeps is closed by the other side: that tells
//! a restart within microseconds, also of processes that somebody else runs. A process that has
//! served enough is replaced with an overlap: it goes on until the next one is published, and stops
//! when its last event has ended.

mod backoff;
mod generation;
mod report;

use std::io;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use polygate_telemetry::log;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::process::Process;
use crate::server::{Generation, Notice, Server, State, locked};
use crate::supervisor::backoff::Backoff;
use crate::supervisor::generation::{Outcome, SocketFile};

/// How one process ended.
enum End {
    Exited(ExitStatus),
    /// It stopped answering and was killed.
    Wedged,
    Failed(io::Error),
    /// It has served enough and goes on until the next one is there.
    Spent(Box<Retiring>),
    StopRequested,
}

/// A process whose successor is being started.
struct Retiring {
    process: Process,
    generation: Arc<Generation>,
    /// The file it listens on; the successor puts another one in its place.
    socket: SocketFile,
}

/// Runs the server until a stop is requested, and stops it then.
pub(crate) async fn run(server: Arc<Server>, notices: UnboundedReceiver<Notice>) {
    match server.settings.start_cmd.clone() {
        Some(command) => {
            Supervisor { server: &server, notices, retiring: None, ending: JoinSet::new() }
                .run(&command)
                .await
        }
        None => run_external(&server, notices).await,
    }
    server.set_state(State::Stopped);
}

/// Somebody else runs the process: only watches for it.
async fn run_external(server: &Arc<Server>, mut notices: UnboundedReceiver<Notice>) {
    loop {
        server.set_state(State::Starting);
        tokio::select! {
            outcome = generation::serve(server, &mut notices, None, |_| {}) => {
                if matches!(outcome, Outcome::Wedged) {
                    log!(
                        Error,
                        "[pluginserver] external pluginserver '{}' does not answer any more; restart it",
                        server.name()
                    );
                }
            }
            () = server.stop_requested() => return,
        }
    }
}

/// A server whose process the gateway runs.
struct Supervisor<'a> {
    server: &'a Arc<Server>,
    notices: UnboundedReceiver<Notice>,
    retiring: Option<Box<Retiring>>,
    /// Predecessors that finish their events.
    ending: JoinSet<()>,
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
                    continue;
                }
                end => report::end(self.server, command, &end),
            }
            let pause = backoff.ended(started.elapsed());
            self.set_idle_state(if backoff.is_crash_loop() { State::CrashLoop } else { State::BackingOff });
            if !pause.is_zero() {
                log!(
                    Notice,
                    "[pluginserver] starting '{}' again in {} ms",
                    self.server.name(),
                    pause.as_millis()
                );
            }
            tokio::select! {
                () = sleep(pause) => {}
                () = self.server.stop_requested() => break,
            }
        }
        if let Some(retiring) = self.retiring {
            stop(self.server.name(), retiring.process).await;
        }
        self.ending.join_all().await;
    }

    /// The state while no new process serves; a predecessor may serve still.
    fn set_idle_state(&self, state: State) {
        let predecessor_serves = self.retiring.is_some() && matches!(self.server.state(), State::Ready(_));
        if !predecessor_serves {
            self.server.set_state(state);
        }
    }

    /// One process, from start to end.
    async fn live(&mut self, command: &str) -> End {
        let name = self.server.name();
        log!(Notice, "[pluginserver] starting pluginserver process for {name}");
        if self.retiring.is_none() {
            remove_stale_socket(self.server);
        }
        let mut process = match Process::spawn(name, command, &self.server.output) {
            Ok(process) => process,
            Err(error) => return End::Failed(error),
        };
        locked(&self.server.history).starts += 1;
        log!(Notice, "[pluginserver] started, pid {}", process.pid());
        loop {
            let Self { server, notices, retiring, ending } = self;
            let old_socket = retiring.as_ref().map(|it| it.socket);
            let published = |_: &Generation| {
                if let Some(retiring) = retiring.take() {
                    ending.spawn(retire((*server).clone(), *retiring));
                }
            };
            let outcome = tokio::select! {
                status = process.exited() => {
                    self.set_idle_state(State::Starting);
                    process.last_output().await;
                    return status.map_or_else(End::Failed, End::Exited);
                }
                () = server.stop_requested() => {
                    stop(name, process).await;
                    return End::StopRequested;
                }
                outcome = generation::serve(server, notices, old_socket, published) => outcome,
            };
            match outcome {
                Outcome::Lost => self.set_idle_state(State::Starting),
                Outcome::Wedged => {
                    self.set_idle_state(State::Starting);
                    log!(
                        Error,
                        "[pluginserver] pluginserver '{name}' does not answer any more and is replaced"
                    );
                    stop(name, process).await;
                    return End::Wedged;
                }
                Outcome::Spent { generation, why } => {
                    log!(Notice, "[pluginserver] pluginserver '{name}' is replaced: {why}");
                    let socket = SocketFile::of(self.server);
                    return End::Spent(Box::new(Retiring { process, generation, socket }));
                }
            }
        }
    }
}

/// A socket that nobody listens on any more would only refuse connections.
fn remove_stale_socket(server: &Server) {
    match std::fs::remove_file(&server.settings.socket) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => log!(
            Warn,
            "[pluginserver] cannot remove the old socket {} of {}: {error}",
            server.settings.socket.display(),
            server.name()
        ),
    }
}

/// Stops a process whose successor was published, once its events have ended; an event that exceeds
/// its time is not waited for.
async fn retire(server: Arc<Server>, Retiring { process, generation, .. }: Retiring) {
    let deadline = Instant::now() + server.settings.event_timeout;
    // Every event holds its generation.
    while Arc::strong_count(&generation) > 1 && Instant::now() < deadline {
        tokio::select! {
            () = sleep(Duration::from_millis(20)) => {}
            () = server.stop_requested() => break,
        }
    }
    stop(server.name(), process).await;
}

async fn stop(name: &str, process: Process) {
    let pid = process.pid();
    match process.stop().await {
        Ok(_) => log!(Notice, "[pluginserver] successfully stopped pluginserver '{name}', pid {pid}"),
        Err(error) => log!(Error, "[pluginserver] failed to stop pluginserver '{name}': {error}"),
    }
}
