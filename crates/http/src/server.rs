//! Accepting connections and serving the requests on them.

use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use arc_swap::ArcSwap;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use polygate_chain::Connection;
use polygate_telemetry::log;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;

use crate::io::{TokioIo, TokioTimer};
use crate::{Gateway, METRICS, Worker, exchange};

/// What the workers are to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    Running,
    /// Accept no more, finish what runs.
    Graceful,
    /// Drop everything.
    Fast,
}

/// Accepts connections until `stop` says otherwise; returns when the last connection is done, or at
/// once on [`Stop::Fast`]. Runs inside a `LocalSet`.
pub async fn serve(
    listener: std::net::TcpListener,
    proxy_protocol: bool,
    worker: Rc<Worker>,
    gateway: Arc<ArcSwap<Gateway>>,
    mut stop: watch::Receiver<Stop>,
) {
    worker.start_log_runner();
    let listener = match TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return log!(Emerg, "listener is unusable: {error}"),
    };
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.changed() => break,
        };
        while connections.try_join_next().is_some() {}
        match accepted {
            Ok((stream, peer)) => {
                let (worker, gateway, stop) = (worker.clone(), gateway.clone(), stop.clone());
                connections.spawn_local(serve_connection(
                    stream,
                    peer,
                    proxy_protocol,
                    worker,
                    gateway,
                    stop,
                ));
            }
            Err(error) => {
                // Out of descriptors, most likely: give the others a moment to close some.
                log!(Crit, "accept failed: {error}");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
    drop(listener);
    let drained = async { while connections.join_next().await.is_some() {} };
    tokio::select! {
        () = drained => {}
        _ = stop.wait_for(|stop| *stop == Stop::Fast) => {}
    }
}

async fn serve_connection(
    mut stream: TcpStream,
    peer: SocketAddr,
    proxy_protocol: bool,
    worker: Rc<Worker>,
    gateway: Arc<ArcSwap<Gateway>>,
    mut stop: watch::Receiver<Stop>,
) {
    let statistics = gateway.load().environment.node.clone();
    let statistics = &statistics.statistics;
    statistics.connections_accepted.fetch_add(1, Relaxed);
    statistics.connections_active.fetch_add(1, Relaxed);
    let _ = stream.set_nodelay(true);
    if let Ok(connection) = open(&mut stream, peer, proxy_protocol, worker.connection_serial()).await {
        let connection = Arc::new(connection);
        let served = Rc::new(Cell::new(0));
        let settings = gateway.load().settings.clone();
        let service = service_fn(|request| {
            served.set(served.get() + 1);
            respond(request, served.get(), connection.clone(), worker.clone(), gateway.load_full())
        });
        let mut http = http1::Builder::new();
        http.timer(TokioTimer)
            .header_read_timeout(settings.client_header_timeout.min(settings.keepalive_timeout))
            .max_buf_size(settings.header_limit.max(8 * 1024))
            .preserve_header_case(true)
            .title_case_headers(true)
            // A client that shut down its sending side still reads.
            .half_close(false);
        let mut serving = std::pin::pin!(http.serve_connection(TokioIo(stream), service));
        let ended = tokio::select! {
            ended = serving.as_mut() => ended,
            _ = stop.changed() => {
                serving.as_mut().graceful_shutdown();
                serving.await
            }
        };
        if let Err(error) = ended {
            log!(Info, "client {} closed or broke the connection: {error}", connection.peer);
        }
    }
    statistics.connections_active.fetch_sub(1, Relaxed);
}

/// Runs the exchange in a task of its own, so that plugins' events are driven to their end when the
/// client leaves and hyper drops this future.
async fn respond(
    request: hyper::Request<hyper::body::Incoming>,
    serial: u64,
    connection: Arc<Connection>,
    worker: Rc<Worker>,
    gateway: Arc<Gateway>,
) -> Result<hyper::Response<crate::response_body::ResponseBody>, io::Error> {
    let (sender, receiver) = oneshot::channel();
    tokio::task::spawn_local(async move {
        let response = exchange::run(request, serial, connection, worker, gateway, &sender).await;
        if sender.send(response).is_err() {
            METRICS.count_client_gone();
        }
    });
    receiver.await.map_err(|_| io::Error::other("the request's task ended early"))
}

/// The two ends of a connection, as its PROXY header has them if one is expected.
async fn open(
    stream: &mut TcpStream,
    peer: SocketAddr,
    proxy_protocol: bool,
    serial: u64,
) -> io::Result<Connection> {
    let mut connection = Connection { peer, local: stream.local_addr()?, tls: None, serial };
    if proxy_protocol {
        let header = tokio::time::timeout(Duration::from_secs(30), proxy_header(stream))
            .await
            .unwrap_or_else(|_| Err(io::Error::other("no PROXY header within 30 s")))
            .inspect_err(|error| log!(Error, "client {peer}: {error}"))?;
        if let Some(addresses) = header.addresses {
            (connection.peer, connection.local) = (addresses.source, addresses.destination);
        }
    }
    Ok(connection)
}

/// Reads exactly the header, so that the bytes behind it stay in the socket.
async fn proxy_header(stream: &mut TcpStream) -> io::Result<polygate_net::proxy_protocol::Header> {
    let mut seen = [0; 4096];
    loop {
        stream.readable().await?;
        let length = stream.peek(&mut seen).await?;
        match polygate_net::proxy_protocol::parse(&seen[..length]).map_err(io::Error::other)? {
            Some(header) => {
                stream.read_exact(&mut seen[..header.length]).await?;
                return Ok(header);
            }
            None if length == 0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            // The kernel tells readiness again only for new bytes; peeking must wait for them.
            None => tokio::time::sleep(Duration::from_millis(1)).await,
        }
    }
}
