//! One life of one process.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::time::timeout;

use crate::address::Address;
use crate::notice::{Notice, Suspicion};
use crate::output::Output;
use crate::settings::ServerSettings;
use crate::usage::{self, Usage};

static NEXT_GENERATION: AtomicU64 = AtomicU64::new(1);
static NEXT_EPOCH: AtomicU32 = AtomicU32::new(1);

/// What belongs to one process and ends with it: its address, its instances, its places for events.
#[derive(Debug)]
pub(crate) struct Generation {
    pub number: u64,
    /// The process that listens on the socket; `None` if it lives in another PID namespace.
    pub pid: Option<u32>,
    /// `None` if somebody else runs it.
    pub managed: Option<Managed>,
    pub flavor: Flavor,
    pub address: Arc<Address>,
    /// How many events it may have at a time.
    pub places: usize,
    slots: Arc<Semaphore>,
    /// Events that wait for a place, and how many may.
    waiting: AtomicUsize,
    max_queue: usize,
    events: AtomicU64,
    has_served: AtomicBool,
    /// Changes whenever the server turns out to have forgotten its instances.
    epoch: AtomicU32,
    /// Its supervisor was told of silence and has not looked yet.
    is_suspected: AtomicBool,
    /// It was found not to answer any more.
    condemned: watch::Sender<bool>,
    notices: mpsc::UnboundedSender<Notice>,
    /// Events that somebody waits for.
    awaited: AtomicUsize,
    /// How many tracebacks were found to be of an event.
    explained: AtomicU64,
}

/// A process that listens, before anything is known of it.
#[derive(Debug)]
pub(crate) struct Reached {
    /// From [`next_number`].
    pub number: u64,
    pub pid: Option<u32>,
    pub address: Arc<Address>,
    pub managed: Option<Managed>,
}

/// A number for a generation that is going to be: it is in the log before the process can be reached.
pub(crate) fn next_number() -> u64 {
    NEXT_GENERATION.fetch_add(1, Ordering::Relaxed)
}

/// What the gateway has of a process that it started.
#[derive(Debug, Clone)]
pub(crate) struct Managed {
    /// The process group, which is the process and all that it started.
    pub group: u32,
    pub stdout: Arc<Output>,
    pub stderr: Arc<Output>,
}

/// Whose server it is; matters for packing over MessagePack and for how much it takes at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flavor {
    Unknown,
    Go,
    JavaScript,
    Python,
}

/// Why an event got no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoPlace {
    /// As many wait as may.
    QueueFull,
    /// It waited as long as it may.
    TimedOut,
    /// The process ended meanwhile.
    Ended,
}

impl Generation {
    /// `notices` goes to its supervisor.
    pub(crate) fn new(
        reached: Reached,
        flavor: Flavor,
        settings: &ServerSettings,
        notices: mpsc::UnboundedSender<Notice>,
    ) -> Self {
        let Reached { number, pid, address, managed } = reached;
        let places = settings.max_concurrency.unwrap_or(flavor.places()).clamp(1, Semaphore::MAX_PERMITS);
        Self {
            number,
            pid,
            managed,
            flavor,
            address,
            places,
            slots: Arc::new(Semaphore::new(places)),
            waiting: AtomicUsize::new(0),
            max_queue: settings.max_queue,
            events: AtomicU64::new(0),
            has_served: AtomicBool::new(false),
            epoch: AtomicU32::new(NEXT_EPOCH.fetch_add(1, Ordering::Relaxed)),
            is_suspected: AtomicBool::new(false),
            condemned: watch::Sender::new(false),
            notices,
            awaited: AtomicUsize::new(0),
            explained: AtomicU64::new(0),
        }
    }

    /// One of the places for events, waiting up to `limit` in the queue.
    pub(crate) async fn place(&self, limit: Duration) -> Result<OwnedSemaphorePermit, NoPlace> {
        if let Ok(permit) = self.slots.clone().try_acquire_owned() {
            return Ok(permit);
        }
        if self.slots.is_closed() {
            return Err(NoPlace::Ended);
        }
        let _queued = Queued::enter(self).ok_or(NoPlace::QueueFull)?;
        match timeout(limit, self.slots.clone().acquire_owned()).await {
            Ok(permit) => permit.map_err(|_| NoPlace::Ended),
            Err(_) => Err(NoPlace::TimedOut),
        }
    }

    /// The process is gone: nobody waits for it any longer.
    pub(crate) fn close(&self) {
        self.slots.close();
    }

    /// Has the supervisor look whether it is wedged. One look answers all events that are silent.
    pub(crate) fn suspect(&self, suspicion: Suspicion) {
        let is_told = suspicion == Suspicion::Silent && self.is_suspected.swap(true, Ordering::Relaxed);
        if !is_told {
            // A supervisor that is gone has stopped its server.
            let _ = self.notices.send(Notice::Suspect { generation: self.number, suspicion });
        }
    }

    /// An event is waited for; answers how many Python handlers have raised before.
    pub(crate) fn begin(&self) -> u64 {
        self.awaited.fetch_add(1, Ordering::Relaxed);
        self.tracebacks()
    }

    /// It is not any more, and has not answered since `mark`, if there is one.
    pub(crate) fn end(&self, unanswered: Option<u64>) {
        self.awaited.fetch_sub(1, Ordering::Relaxed);
        if unanswered.is_some_and(|mark| self.unexplained(mark)) {
            self.explained.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Whether a silent event is the one whose handler has raised: no other can be.
    pub(crate) fn has_raised(&self, mark: u64) -> bool {
        self.unexplained(mark) && self.awaited.load(Ordering::Relaxed) == 1
    }

    fn unexplained(&self, mark: u64) -> bool {
        self.tracebacks() > mark.max(self.explained.load(Ordering::Relaxed))
    }

    fn tracebacks(&self) -> u64 {
        self.managed.as_ref().map_or(0, |managed| managed.stderr.tracebacks())
    }

    /// Silence from now on is worth another look.
    pub(crate) fn looked_at(&self) {
        self.is_suspected.store(false, Ordering::Relaxed);
    }

    /// It is wedged: its events end at once.
    pub(crate) fn condemn(&self) {
        self.condemned.send_replace(true);
    }

    pub(crate) fn is_condemned(&self) -> bool {
        *self.condemned.borrow()
    }

    /// Waits until it is found to be wedged.
    pub(crate) async fn condemned(&self) {
        // The sender is a member, so waiting cannot fail.
        let _ = self.condemned.subscribe().wait_for(|condemned| *condemned).await;
    }

    /// Events in the process.
    pub(crate) fn in_flight(&self) -> usize {
        self.places - self.slots.available_permits()
    }

    /// Events in front of it.
    pub(crate) fn queued(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Counts an event that is about to be sent; answers the number so far.
    pub(crate) fn count_event(&self) -> u64 {
        self.events.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// An event ended well: the process is of use.
    pub(crate) fn served(&self) {
        self.has_served.store(true, Ordering::Relaxed);
    }

    pub(crate) fn has_served(&self) -> bool {
        self.has_served.load(Ordering::Relaxed)
    }

    /// What it costs at the moment, as far as its processes can be seen.
    pub(crate) fn usage(&self) -> Usage {
        match (&self.managed, self.pid) {
            (Some(managed), _) => usage::of_group(managed.group),
            (None, Some(pid)) => usage::of_process(pid),
            (None, None) => Usage::default(),
        }
    }

    /// Where the SDK prints what it does not tell.
    pub(crate) fn confessions(&self) -> Option<&Output> {
        self.managed.as_ref().filter(|_| self.flavor == Flavor::JavaScript).map(|managed| &*managed.stdout)
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

/// A place in the queue, given up when dropped.
struct Queued<'a>(&'a AtomicUsize);

impl<'a> Queued<'a> {
    fn enter(generation: &'a Generation) -> Option<Self> {
        let queued = Self(&generation.waiting);
        let before = generation.waiting.fetch_add(1, Ordering::Relaxed);
        (before < generation.max_queue).then_some(queued)
    }
}

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
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

    /// Events at a time unless the user says otherwise. Python keeps two threads for each.
    fn places(self) -> usize {
        match self {
            Flavor::Python => 64,
            Flavor::JavaScript | Flavor::Unknown => 256,
            Flavor::Go => 512,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::tests::settings;

    fn generation(max_concurrency: usize, max_queue: usize) -> Generation {
        let settings = ServerSettings { max_concurrency: Some(max_concurrency), max_queue, ..settings() };
        let address = Arc::new(Address::plain("/none".into()));
        let reached = Reached { number: next_number(), pid: None, address, managed: None };
        Generation::new(reached, Flavor::Go, &settings, mpsc::unbounded_channel().0)
    }

    #[tokio::test]
    async fn the_queue_is_bounded_and_has_a_deadline() {
        let generation = generation(1, 1);
        let place = generation.place(Duration::ZERO).await.expect("is free");
        assert_eq!((generation.in_flight(), generation.queued()), (1, 0));
        let (waited, refused) =
            tokio::join!(generation.place(Duration::from_millis(20)), generation.place(Duration::ZERO));
        assert_eq!(waited.err(), Some(NoPlace::TimedOut));
        assert_eq!(refused.err(), Some(NoPlace::QueueFull));
        assert_eq!(generation.queued(), 0);
        drop(place);
        assert!(generation.place(Duration::ZERO).await.is_ok());
    }

    #[tokio::test]
    async fn who_waits_for_a_process_that_ends_is_told() {
        let generation = generation(1, 8);
        let _place = generation.place(Duration::ZERO).await.expect("is free");
        let end = async { generation.close() };
        let (waited, ()) = tokio::join!(generation.place(Duration::from_secs(60)), end);
        assert_eq!(waited.err(), Some(NoPlace::Ended));
        assert_eq!(generation.place(Duration::ZERO).await.err(), Some(NoPlace::Ended));
    }
}
