//! Connections of clients: where they come from, and the requests on each.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use polygate_chain::{Connection, Node};
use polygate_http1::Limits;
use polygate_net::accept::{self, Stop};
use polygate_net::proxy_protocol::{self, Addresses};
use polygate_net::real_ip::Peer;
use polygate_telemetry::log;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::client::{Client, ClientTimeouts, Received};
use crate::downstream::{After, Downstream};
use crate::handshake::{Arrival, Shaken};
use crate::stream::Stream;
use crate::{HttpSettings, Worker, exchange, refusal};

/// How long a connection may take for its PROXY header.
const PROXY_HEADER: Duration = Duration::from_secs(30);
/// What is read of a body that nobody wants, so that the connection can go on.
const MOST_DISCARDED: u64 = 64 * 1024 * 1024;
const DISCARDING: Duration = Duration::from_secs(30);
/// How long a client may go on sending after the last response.
const LINGERING: Duration = Duration::from_secs(5);

/// What a listener expects of its connections.
#[derive(Debug, Clone, Copy)]
pub struct ListenerFlags {
    pub proxy_protocol: bool,
    pub tls: bool,
}

/// Accepts connections until `stop` says otherwise; returns when the last connection is done, or at
/// once on [`Stop::Fast`]. Runs inside a `LocalSet`.
pub async fn serve(
    listener: std::net::TcpListener,
    flags: ListenerFlags,
    worker: Rc<Worker>,
    stop: watch::Receiver<Stop>,
) {
    worker.start_log_runner();
    let listener = match TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return log!(Emerg, "listener is unusable: {error}"),
    };
    let paused = |error: &std::io::Error| log!(Crit, "accept failed, waiting: {error}");
    let connection = |stream, peer| open(stream, peer, flags, worker.clone(), stop.clone());
    accept::serve(listener, stop.clone(), paused, connection).await;
}

/// Counts a connection as active while it lives.
struct Active(Arc<Node>);

impl Active {
    fn new(node: Arc<Node>) -> Self {
        node.statistics.connections_accepted.fetch_add(1, Relaxed);
        node.statistics.connections_active.fetch_add(1, Relaxed);
        Self(node)
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        self.0.statistics.connections_active.fetch_sub(1, Relaxed);
    }
}

async fn open(
    mut stream: TcpStream,
    address: SocketAddr,
    flags: ListenerFlags,
    worker: Rc<Worker>,
    mut stop: watch::Receiver<Stop>,
) {
    let gateway = worker.gateway();
    let _active = Active::new(gateway.environment.node.clone());
    let Ok(local) = stream.local_addr() else { return };
    let (told, unread) = match flags.proxy_protocol {
        true => match proxy_header(&mut stream, address, stop.clone()).await {
            Some(header) => header,
            None => return,
        },
        false => (None, Vec::new()),
    };
    let peer = Peer::new(address, local, told);
    let serial = worker.connection_serial();
    let (stream, unread, tls): (Box<dyn Stream>, _, _) = match flags.tls {
        false => (Box::new(stream), unread, None),
        true => {
            let mut arrival = Arrival { peer, serial, worker: &worker, gateway: &gateway, stop: &mut stop };
            match arrival.shake(stream, unread).await {
                Shaken::Encrypted(stream, tls) => (stream, Vec::new(), Some(tls)),
                Shaken::Plain(stream, unread) => (Box::new(stream), unread, None),
                Shaken::Ended => return,
            }
        }
    };
    let is_plain = flags.tls && tls.is_none();
    let connection = Arc::new(Connection::new(peer.socket(), peer.local(), tls, serial));
    let client = Client::new(stream, unread, timeouts(&gateway.settings));
    drop(gateway);
    let downstream = Downstream { client, connection, peer, worker, stop };
    match is_plain {
        true => downstream.refuse_plain().await,
        false => downstream.serve().await,
    }
}

/// What the PROXY header says, and what was read behind it; `None` ends the connection.
async fn proxy_header(
    stream: &mut TcpStream,
    peer: SocketAddr,
    mut stop: watch::Receiver<Stop>,
) -> Option<(Option<Addresses>, Vec<u8>)> {
    let read = tokio::select! {
        read = proxy_protocol::read_header(stream, PROXY_HEADER) => read,
        _ = stop.wait_for(|stop| *stop >= Stop::Graceful) => return None,
    };
    match read {
        Ok((header, unread)) => Some((header.addresses, unread)),
        Err(proxy_protocol::ReadError::Closed) => None,
        Err(error) => {
            log!(Error, "client {peer}: {error}");
            None
        }
    }
}

pub fn timeouts(settings: &HttpSettings) -> ClientTimeouts {
    ClientTimeouts {
        head: settings.client_header_timeout,
        body: settings.client_body_timeout,
        send: settings.client_send_timeout,
    }
}

impl Downstream {
    /// Serves requests one after the other, until the connection ends. While none is under way a graceful stop ends it.
    pub async fn serve(self) {
        let mut stop = self.stop.clone();
        let mut stopped = std::pin::pin!(stop.wait_for(|stop| *stop >= Stop::Graceful));
        for serial in 1.. {
            let gateway = self.worker.gateway();
            let settings = &gateway.settings;
            if serial > 1 && settings.keepalive_timeout.is_zero() {
                // It was switched off since the last response.
                return self.client.close(LINGERING).await;
            }
            let idle = if serial == 1 { settings.client_header_timeout } else { settings.keepalive_timeout };
            let received = tokio::select! {
                biased;
                received = self.client.read_head(limits(settings), idle, timeouts(settings)) => received,
                _ = stopped.as_mut() => return,
            };
            // The configuration may have changed while the connection lay idle.
            drop(gateway);
            let gateway = self.worker.gateway();
            let after = match received {
                Received::Request(head) => exchange::run(head, serial, &self, gateway).await,
                Received::Refused(refused) => refusal::of_head(*refused, serial, &self, gateway).await,
                Received::TimedOut(length) => refusal::of_late_head(length, serial, &self, gateway).await,
                Received::BrokenOff => {
                    log!(
                        Info,
                        "client {} closed the connection in the middle of a head",
                        self.connection.peer
                    );
                    return;
                }
                Received::Nothing => return,
            };
            match after {
                After::KeepAlive if self.client.discard_body(MOST_DISCARDED, DISCARDING).await => {}
                After::KeepAlive | After::Linger => return self.client.close(LINGERING).await,
                After::Close => return,
            }
        }
    }
}

impl Downstream {
    /// Answers a client that speaks HTTP where TLS is to be spoken.
    async fn refuse_plain(self) {
        let gateway = self.worker.gateway();
        let settings = &gateway.settings;
        let timeouts = timeouts(settings);
        if let Received::Request(head) =
            self.client.read_head(limits(settings), timeouts.head, timeouts).await
        {
            refusal::of_plain(head, &self, gateway).await;
        }
        self.client.close(LINGERING).await;
    }
}

fn limits(settings: &HttpSettings) -> Limits {
    Limits { line: settings.header_line_limit, head: settings.header_limit }
}
