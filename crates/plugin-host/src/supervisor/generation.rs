//! One generation: from a server that cannot be reached yet to one that is lost.

use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::sync::Arc;
use std::time::Duration;

use polygate_plugin_proto::Protocol;
use polygate_plugin_proto::msgpack::Value;
use polygate_telemetry::log;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep, timeout};

use crate::connection::{Connection, UNKNOWN_INSTANCE};
use crate::event;
use crate::server::{Flavor, Generation, Notice, Server, State};

/// For the first answer of a new process, and for starting one instance.
const START_LIMIT: Duration = Duration::from_secs(30);
/// When it is worth a line that a socket is still not there.
const SLOW_START: Duration = Duration::from_secs(10);
/// How often the size of a process with a limit is looked at.
const MEMORY_CHECK: Duration = Duration::from_secs(1);

/// How a generation ended, other than with its process.
pub(super) enum Outcome {
    /// The process is gone, or another one listens.
    Lost,
    /// It does not answer any more.
    Wedged,
    /// It has served enough; it still serves.
    Spent { generation: Arc<Generation>, why: String },
}

/// Tells a socket's file from one that was put in its place later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SocketFile(Option<(u64, i64, i64)>);

impl SocketFile {
    pub(super) fn of(server: &Server) -> Self {
        let file = std::fs::metadata(&server.settings.socket).ok();
        Self(file.map(|file| (file.ino(), file.ctime(), file.ctime_nsec())))
    }
}

/// Serves one generation. `old_socket` is the file of a predecessor that still listens. `published`
/// is called when requests use the new generation. Dropped when the process ends first.
pub(super) async fn serve(
    server: &Arc<Server>,
    notices: &mut UnboundedReceiver<Notice>,
    old_socket: Option<SocketFile>,
    published: impl FnOnce(&Generation),
) -> Outcome {
    let mut watch = reach(server, old_socket).await;
    let flavor = match timeout(START_LIMIT, greet(server, &mut watch)).await {
        Ok(Some(flavor)) => flavor,
        Ok(None) => return Outcome::Lost,
        Err(_) => return Outcome::Wedged,
    };
    let generation = Arc::new(Generation::new(watch.pid(), flavor));
    for instance in server.instances() {
        let deadline = Instant::now() + START_LIMIT;
        if let Err(error) = event::start_instance(server, &generation, &instance, deadline).await {
            log!(Error, "[pluginserver] {}: plugin {}: {error}", server.name(), instance.plugin);
        }
    }
    server.set_state(State::Ready(generation.clone()));
    published(&generation);
    let mut memory_check = interval_at(Instant::now() + MEMORY_CHECK, MEMORY_CHECK);
    memory_check.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let outcome = tokio::select! {
            () = watch.closed() => Some(Outcome::Lost),
            notice = notices.recv() => heed(server, &generation, notice).await,
            _ = memory_check.tick(), if server.settings.max_memory.is_some() => too_large(server, &generation),
        };
        if let Some(outcome) = outcome {
            return outcome;
        }
    }
}

/// Acts on what a worker told.
async fn heed(server: &Server, generation: &Arc<Generation>, notice: Option<Notice>) -> Option<Outcome> {
    let current = generation.number;
    match notice {
        None => Some(Outcome::Lost),
        Some(Notice::Lost { generation }) if generation == current => Some(Outcome::Lost),
        Some(Notice::Suspect { generation }) if generation == current => {
            (!answers(server).await).then_some(Outcome::Wedged)
        }
        Some(Notice::Spent { generation: number }) if number == current => {
            let events = server.settings.max_events?;
            spent(server, generation, format!("it has served {events} events"))
        }
        Some(Notice::Unused { epoch, id }) if epoch == generation.epoch() => {
            close_instance(server, id).await;
            None
        }
        // About an earlier generation.
        Some(_) => None,
    }
}

fn too_large(server: &Server, generation: &Arc<Generation>) -> Option<Outcome> {
    let limit = server.settings.max_memory?;
    let resident = resident_bytes(generation.pid?)?;
    (resident > limit)
        .then(|| format!("it takes {resident} bytes of memory, more than {limit}"))
        .and_then(|why| spent(server, generation, why))
}

/// A process that somebody else runs cannot be replaced.
fn spent(server: &Server, generation: &Arc<Generation>, why: String) -> Option<Outcome> {
    server.settings.start_cmd.as_ref()?;
    Some(Outcome::Spent { generation: generation.clone(), why })
}

fn resident_bytes(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let kilobytes = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?.trim().strip_suffix("kB")?;
    Some(kilobytes.trim().parse::<u64>().ok()? * 1024)
}

/// Connects as soon as the server listens.
async fn reach(server: &Server, old_socket: Option<SocketFile>) -> Connection {
    let started = Instant::now();
    let mut pause = Duration::from_millis(5);
    let mut told = false;
    loop {
        let error = match Connection::open(server).await {
            Ok(_) if old_socket == Some(SocketFile::of(server)) => "its predecessor still listens".to_owned(),
            Ok(connection) => return connection,
            Err(error) => error.to_string(),
        };
        if !told && started.elapsed() > SLOW_START {
            told = true;
            log!(
                Warn,
                "[pluginserver] pluginserver '{}' cannot be reached on {} for {} s: {error}; check that it listens there",
                server.name(),
                server.settings.socket.display(),
                SLOW_START.as_secs()
            );
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
