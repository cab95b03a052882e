//! One plugin server as all workers see it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use polygate_model::Plugin;
use polygate_plugin_proto::Protocol;
use tokio::sync::{Semaphore, mpsc, watch};

use crate::configuration;
use crate::failure::{EventError, Reason};
use crate::instance::{Instance, InstanceKey};
use crate::process::OutputTail;
use crate::settings::ServerSettings;

static NEXT_SERVER: AtomicU64 = AtomicU64::new(1);
static NEXT_GENERATION: AtomicU64 = AtomicU64::new(1);
static NEXT_EPOCH: AtomicU32 = AtomicU32::new(1);

/// A configured server, whatever its process does at the moment.
#[derive(Debug)]
pub(crate) struct Server {
    /// Unique in the life of the gateway; connection pools are kept by it.
    pub serial: u64,
    pub settings: ServerSettings,
    pub protocol: Protocol,
    /// One of its plugins, to ask it about; empty if it has none.
    pub sample: String,
    pub slots: Arc<Semaphore>,
    pub output: Arc<OutputTail>,
    pub history: Mutex<History>,
    state: watch::Sender<State>,
    stop: watch::Sender<bool>,
    notices: mpsc::UnboundedSender<Notice>,
    instances: Mutex<HashMap<InstanceKey, Weak<Instance>>>,
    /// Keeps the instances of the latest configuration until its handlers hold them.
    prepared: Mutex<Vec<Arc<Instance>>>,
}

/// Where a server is in its life.
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

/// What the status page tells about earlier processes.
#[derive(Debug, Default)]
pub(crate) struct History {
    pub starts: u64,
    pub last_end: Option<String>,
}

/// What workers tell the supervisor.
#[derive(Debug)]
pub(crate) enum Notice {
    /// The generation's process is gone, or another one.
    Lost { generation: u64 },
    /// A handler did not begin within its time: the process may be wedged.
    Suspect { generation: u64 },
    /// The process has served as many events as it may.
    Spent { generation: u64 },
    /// No configuration uses the instance any more.
    Unused { epoch: u32, id: u32 },
}

/// One life of one process.
#[derive(Debug)]
pub(crate) struct Generation {
    pub number: u64,
    /// The process that listens on the socket; `None` if it lives in another PID namespace.
    pub pid: Option<u32>,
    pub flavor: Flavor,
    events: AtomicU64,
    /// Changes whenever the server turns out to have forgotten its instances.
    epoch: AtomicU32,
}

/// Whose server it is; matters for packing over MessagePack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flavor {
    Unknown,
    Go,
    JavaScript,
    Python,
}

impl Server {
    /// The receiver is for the server's supervisor.
    pub(crate) fn new(
        settings: ServerSettings,
        protocol: Protocol,
        sample: String,
    ) -> (Arc<Self>, mpsc::UnboundedReceiver<Notice>) {
        let (notices, receiver) = mpsc::unbounded_channel();
        let server = Self {
            serial: NEXT_SERVER.fetch_add(1, Ordering::Relaxed),
            protocol,
            sample,
            slots: Arc::new(Semaphore::new(places(&settings))),
            output: Arc::default(),
            history: Mutex::default(),
            state: watch::Sender::new(State::Starting),
            stop: watch::Sender::new(false),
            notices,
            instances: Mutex::default(),
            prepared: Mutex::default(),
            settings,
        };
        (Arc::new(server), receiver)
    }

    pub(crate) fn name(&self) -> &str {
        &self.settings.name
    }

    pub(crate) fn state(&self) -> State {
        self.state.borrow().clone()
    }

    pub(crate) fn set_state(&self, state: State) {
        self.state.send_replace(state);
    }

    /// The current generation, waiting for it up to `limit` unless that is hopeless.
    pub(crate) async fn ready(&self, limit: Duration) -> Result<Arc<Generation>, EventError> {
        if let State::Ready(generation) = &*self.state.borrow() {
            return Ok(generation.clone());
        }
        let mut states = self.state.subscribe();
        let settled = states.wait_for(|it| matches!(it, State::Ready(_) | State::CrashLoop | State::Stopped));
        let unavailable = |why: &str| {
            Reason::Unavailable.error(format!(
                "plugin server \"{}\" is not available on {}: {why}",
                self.name(),
                self.settings.socket.display()
            ))
        };
        match tokio::time::timeout(limit, settled).await {
            Ok(Ok(state)) => match &*state {
                State::Ready(generation) => Ok(generation.clone()),
                State::CrashLoop => Err(unavailable("it keeps ending right after its start, see the log")),
                _ => Err(unavailable("it was stopped")),
            },
            Ok(Err(_)) => Err(unavailable("it was stopped")),
            Err(_) => Err(unavailable(&format!("it did not come up within {} ms", limit.as_millis()))),
        }
    }

    /// Waits until the first start has succeeded or failed, at most `limit`.
    pub(crate) async fn settled(&self, limit: Duration) {
        let mut states = self.state.subscribe();
        let settled = states.wait_for(|it| !matches!(it, State::Starting));
        // Too late or gone: whoever uses the server finds out.
        let _ = tokio::time::timeout(limit, settled).await;
    }

    /// Takes the generation out of use, at once for all workers.
    pub(crate) fn lost(&self, generation: &Generation) {
        let withdrawn = self.state.send_if_modified(|state| {
            let current = matches!(state, State::Ready(it) if it.number == generation.number);
            if current {
                *state = State::Starting;
            }
            current
        });
        if withdrawn {
            self.notify(Notice::Lost { generation: generation.number });
        }
    }

    pub(crate) fn count_event(&self, generation: &Generation) {
        let events = generation.events.fetch_add(1, Ordering::Relaxed) + 1;
        if self.settings.max_events == Some(events) {
            self.notify(Notice::Spent { generation: generation.number });
        }
    }

    /// How many events it may have at a time.
    pub(crate) fn places(&self) -> usize {
        places(&self.settings)
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

fn places(settings: &ServerSettings) -> usize {
    settings.max_concurrency.unwrap_or(256).clamp(1, Semaphore::MAX_PERMITS)
}

impl Generation {
    pub(crate) fn new(pid: Option<u32>, flavor: Flavor) -> Self {
        Self {
            number: NEXT_GENERATION.fetch_add(1, Ordering::Relaxed),
            pid,
            flavor,
            events: AtomicU64::new(0),
            epoch: AtomicU32::new(NEXT_EPOCH.fetch_add(1, Ordering::Relaxed)),
        }
    }

    pub(crate) fn epoch(&self) -> u32 {
        self.epoch.load(Ordering::Acquire)
    }

    /// The server has forgotten the instances of `epoch`. Of many events that find out at once, the
    /// first one counts.
    pub(crate) fn forget_instances(&self, epoch: u32) {
        let next = NEXT_EPOCH.fetch_add(1, Ordering::Relaxed);
        let _ = self.epoch.compare_exchange(epoch, next, Ordering::AcqRel, Ordering::Acquire);
    }
}

impl Flavor {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Flavor::Unknown => "unknown",
            Flavor::Go => "go",
            Flavor::JavaScript => "javascript",
            Flavor::Python => "python",
        }
    }
}

/// A lock whose holder may have panicked: the data are replaced whole, so they are always sound.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
