//! One task per server: runs the process, waits for the socket, starts the instances, publishes the
//! generation, and begins again when any of it ends.
//!
//! A generation is published only after its instances were started, so the first request finds them.
//! It ends when the idle connection that the supervisor keeps is closed by the other side: that tells
//! a restart within microseconds, also of processes that somebody else runs.

mod backoff;

use std::io;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use polygate_plugin_proto::Protocol;
use polygate_plugin_proto::msgpack::Value;
use polygate_telemetry::log;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{Instant, sleep, timeout};

use crate::connection::{Connection, UNKNOWN_INSTANCE};
use crate::event;
use crate::process::{Process, describe};
use crate::server::{Flavor, Generation, Notice, Server, State, locked};
use crate::supervisor::backoff::Backoff;

/// For the first answer of a new process, and for starting one instance.
const START_LIMIT: Duration = Duration::from_secs(30);
/// When it is worth a line that a socket is still not there.
const SLOW_START: Duration = Duration::from_secs(10);

/// How one process ended.
enum End {
    Exited(ExitStatus),
    /// It stopped answering and was killed.
    Wedged,
    Failed(io::Error),
    StopRequested,
}

/// How one generation ended, other than with its process.
enum Outcome {
    Lost,
    Wedged,
}

/// Runs the server until a stop is requested, and stops it then.
pub(crate) async fn run(server: Arc<Server>, mut notices: UnboundedReceiver<Notice>) {
    match server.settings.start_cmd.clone() {
        Some(command) => run_managed(&server, &command, &mut notices).await,
        None => run_external(&server, &mut notices).await,
    }
    server.set_state(State::Stopped);
}

async fn run_managed(server: &Arc<Server>, command: &str, notices: &mut UnboundedReceiver<Notice>) {
    let mut backoff = Backoff::default();
    loop {
        server.set_state(State::Starting);
        let started = Instant::now();
        let end = live(server, command, notices).await;
        if matches!(end, End::StopRequested) {
            return;
        }
        report(server, command, &end);
        let pause = backoff.ended(started.elapsed());
        server.set_state(if backoff.is_crash_loop() { State::CrashLoop } else { State::BackingOff });
        if !pause.is_zero() {
            log!(Notice, "[pluginserver] starting '{}' again in {} ms", server.name(), pause.as_millis());
        }
        tokio::select! {
            () = sleep(pause) => {}
            () = server.stop_requested() => return,
        }
    }
}

/// Somebody else runs the process: only watches for it.
async fn run_external(server: &Arc<Server>, notices: &mut UnboundedReceiver<Notice>) {
    loop {
        server.set_state(State::Starting);
        tokio::select! {
            outcome = serve(server, notices) => {
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

/// One process, from start to end.
async fn live(server: &Arc<Server>, command: &str, notices: &mut UnboundedReceiver<Notice>) -> End {
    let name = server.name();
    log!(Notice, "[pluginserver] starting pluginserver process for {name}");
    remove_stale_socket(server);
    let mut process = match Process::spawn(name, command, &server.output) {
        Ok(process) => process,
        Err(error) => return End::Failed(error),
    };
    locked(&server.history).starts += 1;
    log!(Notice, "[pluginserver] started, pid {}", process.pid());
    loop {
        tokio::select! {
            status = process.exited() => {
                server.set_state(State::Starting);
                process.last_output().await;
                return status.map_or_else(End::Failed, End::Exited);
            }
            () = server.stop_requested() => {
                stop(name, process).await;
                return End::StopRequested;
            }
            outcome = serve(server, notices) => {
                server.set_state(State::Starting);
                if matches!(outcome, Outcome::Wedged) {
                    log!(Error, "[pluginserver] pluginserver '{name}' does not answer any more and is replaced");
                    stop(name, process).await;
                    return End::Wedged;
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

async fn stop(name: &str, process: Process) {
    let pid = process.pid();
    match process.stop().await {
        Ok(_) => log!(Notice, "[pluginserver] successfully stopped pluginserver '{name}', pid {pid}"),
        Err(error) => log!(Error, "[pluginserver] failed to stop pluginserver '{name}': {error}"),
    }
}

fn report(server: &Server, command: &str, end: &End) {
    let name = server.name();
    let text = match end {
        End::Exited(status) => describe(*status),
        End::Wedged => "replaced because it did not answer".to_owned(),
        End::Failed(error) => format!("cannot run /bin/sh: {error}"),
        End::StopRequested => return,
    };
    let reason = match end {
        End::Exited(status) if status.code() == Some(127) => Some("command not found"),
        End::Exited(status) if status.code() == Some(126) => Some("command cannot be executed"),
        _ => None,
    };
    match (end, reason) {
        (_, Some(reason)) => log!(
            Error,
            "[pluginserver] external pluginserver \"{name}\" start command \"{command}\" exited with \"{reason}\"; \
             give the full path of an executable file"
        ),
        (End::Failed(_), _) => log!(Error, "[pluginserver] cannot start pluginserver '{name}': {text}"),
        _ => log!(Notice, "external pluginserver '{name}' terminated: {text}"),
    }
    locked(&server.history).last_end = Some(text);
}

/// One generation: from a server that cannot be reached yet to one that is lost. Dropped when the
/// process ends first.
async fn serve(server: &Arc<Server>, notices: &mut UnboundedReceiver<Notice>) -> Outcome {
    let mut watch = reach(server).await;
    let flavor = match timeout(START_LIMIT, greet(server, &mut watch)).await {
        Ok(Some(flavor)) => flavor,
        Ok(None) => return Outcome::Lost,
        Err(_) => return Outcome::Wedged,
    };
    let generation = Arc::new(Generation::new(watch.pid(), flavor));
    for instance in server.instances() {
        if let Err(error) =
            event::start_instance(server, &generation, &instance, Instant::now() + START_LIMIT).await
        {
            log!(Error, "[pluginserver] {}: plugin {}: {error}", server.name(), instance.plugin);
        }
    }
    server.set_state(State::Ready(generation.clone()));
    loop {
        tokio::select! {
            () = watch.closed() => return Outcome::Lost,
            notice = notices.recv() => match notice {
                None => return Outcome::Lost,
                Some(Notice::Lost { generation: number }) if number == generation.number => return Outcome::Lost,
                Some(Notice::Suspect { generation: number }) if number == generation.number => {
                    if !answers(server).await {
                        return Outcome::Wedged;
                    }
                }
                Some(Notice::Unused { epoch, id }) if epoch == generation.epoch() => {
                    close_instance(server, id).await;
                }
                // About an earlier generation.
                Some(_) => {}
            },
        }
    }
}

/// Connects as soon as the server listens.
async fn reach(server: &Server) -> Connection {
    let started = Instant::now();
    let mut pause = Duration::from_millis(5);
    let mut told = false;
    loop {
        match Connection::open(server).await {
            Ok(connection) => return connection,
            Err(error) if !told && started.elapsed() > SLOW_START => {
                told = true;
                log!(
                    Warn,
                    "[pluginserver] pluginserver '{}' cannot be reached on {} for {} s: {error}; \
                     check that it listens there",
                    server.name(),
                    server.settings.socket.display(),
                    SLOW_START.as_secs()
                );
            }
            Err(_) => {}
        }
        sleep(pause).await;
        pause = (pause * 2).min(Duration::from_millis(200));
    }
}

/// `None` when the server went away.
async fn greet(server: &Server, connection: &mut Connection) -> Option<Flavor> {
    match server.protocol {
        Protocol::ProtoBuf => Some(Flavor::Go),
        Protocol::MsgPack => match connection.greet(&server.sample).await {
            Ok(flavor) => Some(flavor),
            Err(error) => {
                log!(Error, "[pluginserver] pluginserver '{}' gave no answer: {error}", server.name());
                // The process may be alive and closing every connection: do not spin.
                sleep(Duration::from_millis(200)).await;
                None
            }
        },
    }
}

/// Whether the server still takes events. Python holds a lock from the start of a handler to its
/// first PDK call; a handler that raised in between never gives it back, and only an event, if only
/// one for an instance that does not exist, runs into it.
async fn answers(server: &Server) -> bool {
    if server.protocol != Protocol::MsgPack {
        return true;
    }
    let probe = async {
        let mut connection = Connection::open(server).await?;
        let members = [("InstanceId", Value::Int(UNKNOWN_INSTANCE)), ("EventName", Value::str("log"))];
        // Any answer will do, an error most of all.
        let _ = connection.request("plugin.HandleEvent", Value::map(members)).await;
        io::Result::Ok(())
    };
    timeout(server.settings.event_timeout, probe).await.is_ok()
}

/// Lets a MessagePack server forget an instance. ProtoBuf servers are not told: they would forget
/// every other instance older than a minute with it.
async fn close_instance(server: &Server, id: u32) {
    if server.protocol != Protocol::MsgPack {
        return;
    }
    let close = async {
        let mut connection = Connection::open(server).await.ok()?;
        connection.request("plugin.CloseInstance", Value::Int(id.into())).await.ok()
    };
    // What cannot be closed costs the server some memory, and nobody else anything.
    let _ = timeout(server.settings.event_timeout, close).await;
}
