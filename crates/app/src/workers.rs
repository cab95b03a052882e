//! The threads that serve requests: each with its own runtime, listeners and pools.
//!
//! What they are made with does not change. A reload that brings another number of them, other addresses, access log
//! or DNS settings starts new ones on the same sockets, and retires those before.

use std::rc::Rc;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use arc_swap::ArcSwap;
use polygate_net::accept::Stop;
use polygate_net::dns::Resolver;
use polygate_telemetry::trace::Tracer;
use polygate_telemetry::{LogBuffer, LogWriter, log};
use polygate_transport::Thread;
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinSet, LocalSet};
use tokio::time::timeout;

use crate::Error;
use crate::configuration::Configuration;
use crate::listeners::{Listener, Listeners};
use crate::logs::CLOSING;

/// For workers that are told to drop everything.
const FAST_STOP: Duration = Duration::from_millis(500);

/// Where workers find the configuration in use.
#[derive(Clone)]
pub struct Gateways {
    requests: Arc<ArcSwap<polygate_http::Gateway>>,
    streams: Arc<ArcSwap<polygate_stream::Gateway>>,
}

impl Gateways {
    pub fn new(configuration: &Configuration) -> Self {
        Self {
            requests: Arc::new(ArcSwap::new(configuration.gateway.clone())),
            streams: Arc::new(ArcSwap::new(configuration.streams.clone())),
        }
    }

    /// Puts another configuration in its place. Nothing sees both: a request has no part in a stream.
    pub fn store(&self, configuration: &Configuration) {
        self.requests.store(configuration.gateway.clone());
        self.streams.store(configuration.streams.clone());
    }
}

/// What the workers share.
pub struct Shared {
    pub gateways: Gateways,
    pub access_log: Option<Arc<LogWriter>>,
    pub stream_log: Option<Arc<LogWriter>>,
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

/// The last worker with access logs that are not in use any more sees to it that they are written.
fn release(shared: Arc<Shared>) {
    let Some(Shared { access_log, stream_log, .. }) = Arc::into_inner(shared) else { return };
    for log in [access_log, stream_log] {
        if let Some(log) = log.and_then(Arc::into_inner)
            && !log.close(CLOSING)
        {
            log!(Error, "lines of a former access log were not written within {} s", CLOSING.as_secs());
        }
    }
}

fn buffer(log: &Option<Arc<LogWriter>>) -> Option<LogBuffer> {
    log.as_ref().map(|log| log.buffer())
}

async fn serve(listeners: Vec<Listener>, resolver: Resolver, shared: &Shared, stop: watch::Receiver<Stop>) {
    let thread = Rc::new(Thread::new(resolver));
    thread.log_phases.start();
    let requests = polygate_http::Worker::new(
        shared.gateways.requests.clone(),
        thread.clone(),
        buffer(&shared.access_log),
        shared.tracer.clone(),
    );
    let streams = polygate_stream::Worker::new(
        shared.gateways.streams.clone(),
        thread.clone(),
        buffer(&shared.stream_log),
    );
    let mut serving = JoinSet::new();
    for listener in listeners {
        let stop = stop.clone();
        match listener {
            Listener::Requests(socket, flags) => {
                serving.spawn_local(polygate_http::serve(socket, flags, requests.clone(), stop))
            }
            Listener::Streams(socket, flags) => {
                serving.spawn_local(polygate_stream::serve(socket, flags, streams.clone(), stop))
            }
            Listener::Datagrams(socket) => {
                serving.spawn_local(polygate_stream::serve_datagrams(socket, streams.clone(), stop))
            }
        };
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
