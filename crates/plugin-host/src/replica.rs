//! One process of a plugin server, as all workers and its supervisor see it.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use polygate_model::Plugin;
use polygate_telemetry::log;
use tokio::sync::{mpsc, watch};

use crate::configuration;
use crate::generation::Generation;
use crate::instance::{Instance, InstanceKey};
use crate::lock::locked;
use crate::notice::Notice;
use crate::output::OutputTail;
use crate::reason::{EventError, Reason};
use crate::settings::ServerSettings;
use crate::wire::Wire;

static NEXT_REPLICA: AtomicU64 = AtomicU64::new(1);

/// Processes on one socket start one after the other: held from the start until the process is reached.
pub(crate) type StartLock = Arc<tokio::sync::Mutex<()>>;

/// One of a server's processes, whatever it does at the moment.
#[derive(Debug)]
pub(crate) struct Replica {
    /// Unique in the life of the gateway; connection pools are kept by it.
    pub serial: u64,
    /// Counts from 1.
    pub number: usize,
    /// The server's name, with the number if there are several: `js`, `js#2`.
    pub name: String,
    pub settings: Arc<ServerSettings>,
    /// Where the process is told to listen.
    pub socket: PathBuf,
    pub wire: Wire,
    /// One of its plugins, to ask it about; empty if it has none.
    pub sample: String,
    pub output: Arc<OutputTail>,
    pub history: Mutex<History>,
    pub starting: StartLock,
    state: watch::Sender<State>,
    /// Tells whoever waits for any replica of the server.
    changes: watch::Sender<()>,
    stop: watch::Sender<bool>,
    pub notices: mpsc::UnboundedSender<Notice>,
    instances: Mutex<HashMap<InstanceKey, Weak<Instance>>>,
    /// Keeps the instances of the latest configuration until its handlers hold them.
    prepared: Mutex<Vec<Arc<Instance>>>,
}

/// Where a replica is in its life.
#[derive(Debug, Clone)]
pub(crate) enum State {
    Starting,
    Ready(Arc<Generation>),
    /// It ended; it is started again soon.
    BackingOff,
    /// It keeps ending; it is started again later.
    CrashLoop,
    Stopped,
}

impl State {
    pub(crate) fn as_str(&self) -> &'static str {
        match self {
            State::Starting => "starting",
            State::Ready(_) => "ready",
            State::BackingOff => "backing_off",
            State::CrashLoop => "crash_loop",
            State::Stopped => "stopped",
        }
    }
}

/// What the status page tells about earlier processes.
#[derive(Debug, Default)]
pub(crate) struct History {
    pub starts: u64,
    pub last_end: Option<String>,
}

impl Replica {
    /// The receiver is for the replica's supervisor.
    pub(crate) fn new(
        number: usize,
        settings: Arc<ServerSettings>,
        wire: Wire,
        sample: String,
        starting: StartLock,
        changes: watch::Sender<()>,
    ) -> (Arc<Self>, mpsc::UnboundedReceiver<Notice>) {
        let (notices, receiver) = mpsc::unbounded_channel();
        let name = match settings.replicas {
            1 => settings.name.clone(),
            _ => format!("{}#{number}", settings.name),
        };
        let replica = Self {
            serial: NEXT_REPLICA.fetch_add(1, Ordering::Relaxed),
            number,
            name,
            socket: settings.socket_of(number),
            wire,
            sample,
            output: Arc::default(),
            history: Mutex::default(),
            starting,
            state: watch::Sender::new(State::Starting),
            changes,
            stop: watch::Sender::new(false),
            notices,
            instances: Mutex::default(),
            prepared: Mutex::default(),
            settings,
        };
        (Arc::new(replica), receiver)
    }

    pub(crate) fn state(&self) -> State {
        self.state.borrow().clone()
    }

    pub(crate) fn set_state(&self, state: State) {
        let told = state.clone();
        let previous = self.state.send_replace(state);
        self.changed(&previous, &told);
    }

    /// One line for each change, and everybody who waits is woken.
    fn changed(&self, previous: &State, now: &State) {
        let name = &self.name;
        match (previous, now) {
            (_, State::Ready(generation)) => {
                let number = generation.number;
                let pid = generation.pid.map_or_else(|| "unknown".to_owned(), |pid| pid.to_string());
                log!(Notice, "[pluginserver] pluginserver '{name}' is ready, pid {pid}, generation {number}");
            }
            (State::CrashLoop, State::CrashLoop) => {}
            (_, State::CrashLoop) => {
                log!(Error, "[pluginserver] pluginserver '{name}' keeps ending: events for it fail at once");
            }
            (State::Ready(_), now) => {
                log!(Notice, "[pluginserver] pluginserver '{name}' is not ready any more: {}", now.as_str());
            }
            _ => {}
        }
        if let State::Ready(generation) = previous {
            generation.close();
        }
        self.changes.send_replace(());
    }

    /// The generation that serves, if one does.
    pub(crate) fn serving(&self) -> Option<Arc<Generation>> {
        match &*self.state.borrow() {
            State::Ready(generation) => Some(generation.clone()),
            _ => None,
        }
    }

    /// Waits until the first start has succeeded or failed, at most `limit`.
    pub(crate) async fn settled(&self, limit: Duration) {
        let mut states = self.state.subscribe();
        let settled = states.wait_for(|it| !matches!(it, State::Starting));
        // Too late or gone: whoever uses the server finds out.
        let _ = tokio::time::timeout(limit, settled).await;
    }

    /// An error that says that no process serves.
    pub(crate) fn unavailable(&self, why: &str) -> EventError {
        Reason::Unavailable.error(format!(
            "plugin server \"{}\" is not available on {}: {why}",
            self.name,
            self.socket.display()
        ))
    }

    /// Takes the generation out of use, at once for all workers.
    pub(crate) fn lost(&self, generation: &Generation) {
        let mut previous = None;
        self.state.send_if_modified(|state| {
            let current = matches!(state, State::Ready(it) if it.number == generation.number);
            previous = current.then(|| std::mem::replace(state, State::Starting));
            current
        });
        if let Some(previous) = previous {
            self.changed(&previous, &State::Starting);
            self.notify(Notice::Lost { generation: generation.number });
        }
    }

    pub(crate) fn count_event(&self, generation: &Generation) {
        if Some(generation.count_event()) == self.settings.max_events {
            self.notify(Notice::Spent { generation: generation.number });
        }
    }

    pub(crate) fn notify(&self, notice: Notice) {
        // A supervisor that is gone has stopped its server.
        let _ = self.notices.send(notice);
    }

    pub(crate) fn request_stop(&self) {
        self.stop.send_replace(true);
    }

    pub(crate) async fn stop_requested(&self) {
        // The sender is a member, so waiting cannot fail.
        let _ = self.stop.subscribe().wait_for(|stop| *stop).await;
    }

    /// The instance for a configuration: the running one, if an equal one is in use.
    pub(crate) fn instance(&self, plugin: &Plugin) -> Arc<Instance> {
        let key = (plugin.id, configuration::text(plugin));
        let mut instances = locked(&self.instances);
        if let Some(instance) = instances.get(&key).and_then(Weak::upgrade) {
            return instance;
        }
        instances.retain(|_, instance| instance.strong_count() > 0);
        let instance = Arc::new(Instance::new(plugin, key.1.clone(), self.notices.clone()));
        instances.insert(key, Arc::downgrade(&instance));
        instance
    }

    /// Every instance that some configuration uses.
    pub(crate) fn instances(&self) -> Vec<Arc<Instance>> {
        locked(&self.instances).values().filter_map(Weak::upgrade).collect()
    }

    pub(crate) fn hold(&self, instances: Vec<Arc<Instance>>) {
        let previous = std::mem::replace(&mut *locked(&self.prepared), instances);
        // Dropped outside the lock: an instance that is dropped sends a notice.
        drop(previous);
    }
}
