//! One plugin server as the plugins in it see it: replicas that share the work.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use polygate_model::Plugin;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout, timeout_at};

use crate::generation::Generation;
use crate::instance::Instance;
use crate::notice::Notice;
use crate::reason::EventError;
use crate::replica::{Replica, StartLock, State};
use crate::settings::ServerSettings;
use crate::wire::Wire;

static NEXT_SERVER: AtomicU64 = AtomicU64::new(1);

/// A configured server.
#[derive(Debug)]
pub(crate) struct Server {
    /// Unique in the life of the gateway.
    pub serial: u64,
    pub settings: Arc<ServerSettings>,
    pub replicas: Vec<Arc<Replica>>,
    /// Of several replicas with nothing to do, the next one is taken.
    turn: AtomicUsize,
    /// Some replica's state changed.
    changes: watch::Sender<()>,
}

/// What a replica's supervisor listens to.
pub(crate) type Notices = mpsc::UnboundedReceiver<Notice>;

impl Server {
    /// The receivers are for the replicas' supervisors, in their order.
    pub(crate) fn new(
        settings: ServerSettings,
        wire: Wire,
        sample: &str,
        starting: &StartLock,
    ) -> (Arc<Self>, Vec<Notices>) {
        let settings = Arc::new(settings);
        let changes = watch::Sender::new(());
        let replica = |number| {
            let (sample, changes) = (sample.to_owned(), changes.clone());
            Replica::new(number, settings.clone(), wire, sample, starting.clone(), changes)
        };
        let (replicas, notices) = (1..=settings.replicas).map(replica).unzip();
        let serial = NEXT_SERVER.fetch_add(1, Ordering::Relaxed);
        let turn = AtomicUsize::new(0);
        (Arc::new(Self { serial, settings, replicas, turn, changes }), notices)
    }

    pub(crate) fn name(&self) -> &str {
        &self.settings.name
    }

    /// The replica with the least to do and its index, waiting up to `limit` for one that serves
    /// unless that is hopeless.
    pub(crate) async fn ready(&self, limit: Duration) -> Result<(usize, Arc<Generation>), EventError> {
        if let Some(found) = self.least_loaded() {
            return Ok(found);
        }
        let mut changes = self.changes.subscribe();
        let found = async {
            loop {
                if let Some(found) = self.least_loaded() {
                    return Ok(found);
                }
                self.hopeless()?;
                // The sender is a member, so waiting cannot fail.
                let _ = changes.changed().await;
            }
        };
        timeout(limit, found).await.unwrap_or_else(|_| {
            let why = format!("it did not come up within {} ms", limit.as_millis());
            Err(self.replicas[0].unavailable(&why))
        })
    }

    fn least_loaded(&self) -> Option<(usize, Arc<Generation>)> {
        let count = self.replicas.len();
        let first = if count == 1 { 0 } else { self.turn.fetch_add(1, Ordering::Relaxed) % count };
        let serving = (first..first + count)
            .map(|index| index % count)
            .filter_map(|index| Some((index, self.replicas[index].serving()?)));
        serving.min_by_key(|(_, generation)| generation.in_flight() + generation.queued())
    }

    /// The number of the newest process that serves; 0 if none does.
    pub(crate) fn newest_generation(&self) -> u64 {
        let serving = self.replicas.iter().filter_map(|replica| replica.serving());
        serving.map(|generation| generation.number).max().unwrap_or(0)
    }

    /// An error when no replica is going to serve soon.
    fn hopeless(&self) -> Result<(), EventError> {
        let hopeless = |replica: &Arc<Replica>| match replica.state() {
            State::CrashLoop => Some("it keeps ending right after its start, see the log"),
            State::Stopped => Some("it was stopped"),
            State::Starting | State::Ready(_) | State::BackingOff => None,
        };
        let whys: Option<Vec<_>> = self.replicas.iter().map(hopeless).collect();
        whys.map_or(Ok(()), |whys| Err(self.replicas[0].unavailable(whys[0])))
    }

    /// The instances for a configuration, one in each replica.
    pub(crate) fn instances(&self, plugin: &Plugin) -> Vec<Arc<Instance>> {
        self.replicas.iter().map(|replica| replica.instance(plugin)).collect()
    }

    pub(crate) fn request_stop(&self) {
        self.replicas.iter().for_each(|replica| replica.request_stop());
    }

    /// Waits until no configuration has an instance here any more, at most until `deadline`, or until a
    /// stop is requested.
    pub(crate) async fn unused(&self, deadline: Instant) {
        self.replicas.iter().for_each(|replica| replica.hold(vec![]));
        let unused = async {
            while self.replicas.iter().any(|replica| !replica.instances().is_empty()) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::select! {
            _ = timeout_at(deadline, unused) => {}
            () = self.replicas[0].stop_requested() => {}
        }
    }
}
