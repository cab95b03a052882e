//! The threads that serve requests: each with its own runtime, listeners and pools.
//!
//! What they are made with does not change. A reload that brings another number of them, other addresses, access log
//! or DNS settings starts new ones on the same sockets, and retires those before.

use std::rc::Rc;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use arc_swap::ArcSwap;
use polygate_http::{Gateway, Worker};
use polygate_net::accept::Stop;
use polygate_net::dns::Resolver;
use polygate_telemetry::trace::Tracer;
use polygate_telemetry::{LogWriter, log};
use polygate_transport::Thread;
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinSet, LocalSet};
use tokio::time::timeout;

use crate::Error;
use crate::listeners::{Listener, Listeners};
use crate::logs::CLOSING;

/// For workers that are told to drop everything.
const FAST_STOP: Duration = Duration::from_millis(500);

/// What the workers share.
pub struct Shared {
    pub gateway: Arc<ArcSwap<Gateway>>,
    pub access_log: Option<Arc<LogWriter>>,
    pub tracer: Option<Arc<Tracer>>,
}

/// The running threads of one configuration.
pub struct Workers {
    listeners: Listeners,
    stop: watch::Sender<Stop>,
    /// Closed when the last one has ended.
    running: mpsc::Receiver<()>,
}

impl Workers {
    /// Starts one thread for each resolver.
    pub fn start(listeners: Listeners, resolvers: Vec<Resolver>, shared: Shared) -> Result<Self, Error> {
        let shared = Arc::new(shared);
        let (stop, stopped) = watch::channel(Stop::Running);
        let (alive, running) = mpsc::channel(1);
        let shares = listeners.deal(resolvers.len())?;
        for (number, (share, resolver)) in shares.into_iter().zip(resolvers).enumerate() {
            let (alive, shared, stop) = (alive.clone(), shared.clone(), stopped.clone());
            let runtime = runtime()?;
            thread::Builder::new()
                .name(format!("worker-{number}"))
                .spawn(move || {
                    LocalSet::new().block_on(&runtime, serve(share, resolver, &shared, stop));
                    drop(runtime);
                    release(shared);
                    drop(alive);
                })
                .map_err(|cause| Error::System { what: "a worker thread", cause })?;
        }
        Ok(Self { listeners, stop, running })
    }
}

/// All running threads: those in use, and those of earlier configurations until their last connection ends.
#[derive(Default)]
pub struct Fleet {
    current: Option<Workers>,
    retired: Vec<Workers>,
}

impl Fleet {
    /// Retires the workers in use; they leave their sockets to `next`.
    pub fn replace(&mut self, next: Workers) {
        self.retired.retain(|workers| !workers.stop.is_closed());
        if let Some(mut previous) = self.current.replace(next) {
            previous.stop.send_replace(Stop::Retired);
            // Of an address that is given up theirs are now the last ones.
            previous.listeners = Listeners::default();
            self.retired.push(previous);
        }
    }

    /// The sockets of the workers in use.
    pub fn listeners(&self) -> Option<&Listeners> {
        self.current.as_ref().map(|workers| &workers.listeners)
    }

    /// Ends all workers. A graceful end lasts as long as requests do, or until `less_patient` wants another.
    pub async fn end(&mut self, wish: Stop, mut less_patient: impl AsyncFnMut() -> Stop) {
        if let Some(current) = &mut self.current {
            current.listeners = Listeners::default();
        }
        let mut wish = wish;
        while wish == Stop::Graceful {
            log!(Notice, "gracefully shutting down");
            self.tell(wish);
            tokio::select! {
                () = self.ended() => return,
                next = less_patient() => wish = next,
            }
        }
        log!(Notice, "shutting down");
        self.tell(Stop::Fast);
        if timeout(FAST_STOP, self.ended()).await.is_err() {
            log!(Warn, "some workers do not end, going on without them");
        }
    }

    fn tell(&self, wish: Stop) {
        for workers in self.current.iter().chain(&self.retired) {
            workers.stop.send_replace(wish);
        }
    }

    /// Waits until all have ended.
    async fn ended(&mut self) {
        for workers in self.current.iter_mut().chain(&mut self.retired) {
            // Nothing is ever sent.
            workers.running.recv().await;
        }
    }
}

/// A runtime for one thread.
pub fn runtime() -> Result<Runtime, Error> {
    let built = tokio::runtime::Builder::new_current_thread().enable_all().build();
    built.map_err(|cause| Error::System { what: "a runtime", cause })
}

/// The last worker with an access log that is not in use any more sees to it that it is written.
fn release(shared: Arc<Shared>) {
    let access_log = Arc::into_inner(shared).and_then(|shared| shared.access_log);
    if let Some(log) = access_log.and_then(Arc::into_inner)
        && !log.close(CLOSING)
    {
        log!(Error, "lines of a former access log were not written within {} s", CLOSING.as_secs());
    }
}

async fn serve(listeners: Vec<Listener>, resolver: Resolver, shared: &Shared, stop: watch::Receiver<Stop>) {
    let access_log = shared.access_log.as_ref().map(|log| log.buffer());
    let thread = Rc::new(Thread::new(resolver));
    thread.log_phases.start();
    let worker = Worker::new(shared.gateway.clone(), thread.clone(), access_log, shared.tracer.clone());
    let mut serving = JoinSet::new();
    for Listener { socket, flags } in listeners {
        serving.spawn_local(polygate_http::serve(socket, flags, worker.clone(), stop.clone()));
    }
    while let Some(ended) = serving.join_next().await {
        if let Err(error) = ended {
            log!(Crit, "a listener broke off: {error}");
        }
    }
    if *stop.borrow() != Stop::Fast {
        thread.log_phases.drain().await;
    }
}
