//! The threads that serve requests: each with its own runtime, listeners and pools.

use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::sync::Arc;
use std::thread;

use arc_swap::ArcSwap;
use polygate_config::settings::Listen;
use polygate_http::{Gateway, ListenerFlags, Worker};
use polygate_net::accept::Stop;
use polygate_net::dns::Resolver;
use polygate_net::listen::{ListenOptions, bind};
use polygate_telemetry::trace::Tracer;
use polygate_telemetry::{LogWriter, log};
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinSet, LocalSet};

use crate::{Error, translate};

/// A listening socket of one worker.
pub struct Listener {
    pub socket: TcpListener,
    flags: ListenerFlags,
}

/// What the workers share.
pub struct Shared {
    pub gateway: Arc<ArcSwap<Gateway>>,
    pub access_log: Option<Arc<LogWriter>>,
    pub tracer: Option<Arc<Tracer>>,
    pub stop: watch::Receiver<Stop>,
}

/// The running threads.
pub struct Workers {
    /// Closed when the last one has ended.
    running: mpsc::Receiver<()>,
}

/// Opens the listeners of `workers` threads; the outer list has one entry per thread.
pub fn listen(entries: &[Listen], workers: usize) -> Result<Vec<Vec<Listener>>, Error> {
    let http2 = translate::http2(entries);
    let mut all: Vec<Vec<Listener>> = (0..workers).map(|_| Vec::new()).collect();
    for entry in entries {
        let fail = |cause| Error::Listen { address: entry.to_string(), cause };
        let flags = ListenerFlags { proxy_protocol: entry.proxy_protocol, tls: entry.ssl, http2 };
        for address in (entry.host.as_str(), entry.port).to_socket_addrs().map_err(fail)? {
            let sockets = bind_all(address, &translate::listen(entry), workers).map_err(fail)?;
            for (listeners, socket) in all.iter_mut().zip(sockets) {
                listeners.push(Listener { socket, flags });
            }
        }
    }
    Ok(all)
}

/// One socket per worker on the same address, so that the kernel spreads the connections.
fn bind_all(address: SocketAddr, options: &ListenOptions, count: usize) -> std::io::Result<Vec<TcpListener>> {
    // Without `reuseport` the address must be free: another gateway on it would share it silently.
    if !options.reuseport {
        drop(bind(address, options)?);
    }
    let shared = ListenOptions { reuseport: true, ..*options };
    (0..count).map(|_| bind(address, &shared)).collect()
}

impl Workers {
    /// Starts one thread for each list of listeners.
    pub fn start(all: Vec<(Vec<Listener>, Resolver)>, shared: &Arc<Shared>) -> Result<Self, Error> {
        let (alive, running) = mpsc::channel(1);
        for (number, (listeners, resolver)) in all.into_iter().enumerate() {
            let (alive, shared) = (alive.clone(), shared.clone());
            let runtime = runtime()?;
            thread::Builder::new()
                .name(format!("worker-{number}"))
                .spawn(move || {
                    LocalSet::new().block_on(&runtime, serve(listeners, resolver, &shared));
                    drop(alive);
                })
                .map_err(|cause| Error::System { what: "a worker thread", cause })?;
        }
        Ok(Self { running })
    }

    /// Waits until all have ended.
    pub async fn ended(&mut self) {
        // Nothing is ever sent.
        self.running.recv().await;
    }
}

/// A runtime for one thread.
pub fn runtime() -> Result<Runtime, Error> {
    let built = tokio::runtime::Builder::new_current_thread().enable_all().build();
    built.map_err(|cause| Error::System { what: "a runtime", cause })
}

async fn serve(listeners: Vec<Listener>, resolver: Resolver, shared: &Shared) {
    let access_log = shared.access_log.as_ref().map(|log| log.buffer());
    let worker = Worker::new(shared.gateway.clone(), resolver, access_log, shared.tracer.clone());
    let mut serving = JoinSet::new();
    for Listener { socket, flags } in listeners {
        serving.spawn_local(polygate_http::serve(socket, flags, worker.clone(), shared.stop.clone()));
    }
    while let Some(ended) = serving.join_next().await {
        if let Err(error) = ended {
            log!(Crit, "a listener broke off: {error}");
        }
    }
    if *shared.stop.borrow() == Stop::Graceful {
        worker.drain_logs().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn free() -> SocketAddr {
        bind(([127, 0, 0, 1], 0).into(), &ListenOptions::default()).unwrap().local_addr().unwrap()
    }

    #[test]
    fn every_worker_has_its_socket() {
        let sockets = bind_all(free(), &ListenOptions::default(), 3).unwrap();
        assert_eq!(sockets.len(), 3);
    }

    #[test]
    fn an_address_in_use_is_refused_even_if_it_could_be_shared() {
        let address = free();
        let _first = bind_all(address, &ListenOptions::default(), 1).unwrap();
        let error = bind_all(address, &ListenOptions::default(), 1).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
    }
}
