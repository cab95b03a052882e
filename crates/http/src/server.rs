//! Connections of clients: where they come from, and the requests on each.

use std::net::TcpListener;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use polygate_chain::{Connection, Node};
use polygate_http1::Headers;
use polygate_net::accept::Stop;
use polygate_transport::accept::{self, Accepted};
use polygate_transport::handshake::{Arrival, Shaken};
use tokio::sync::watch;

use crate::downstream::Downstream;
use crate::receive::client_address;
use crate::wire::Wire;
use crate::{Worker, http1, http2};

/// What a listener expects of its connections.
#[derive(Debug, Clone, Copy)]
pub struct ListenerFlags {
    pub proxy_protocol: bool,
    pub tls: bool,
    /// Whether clients may speak HTTP/2: over TLS when both sides agree to it, else by beginning with it.
    pub http2: bool,
}

/// Accepts connections until `stop` says otherwise; returns when the last connection is done, or at
/// once on [`Stop::Fast`]. Runs inside a `LocalSet`.
pub async fn serve(
    listener: TcpListener,
    flags: ListenerFlags,
    worker: Rc<Worker>,
    stop: watch::Receiver<Stop>,
) {
    let connection = |accepted| open(accepted, flags, worker.clone(), stop.clone());
    accept::serve(listener, stop.clone(), connection).await;
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
    mut accepted: Accepted,
    flags: ListenerFlags,
    worker: Rc<Worker>,
    mut stop: watch::Receiver<Stop>,
) {
    let gateway = worker.gateway();
    let _active = Active::new(gateway.environment.node.clone());
    let who = accept::peer(&mut accepted, flags.proxy_protocol, &mut stop).await;
    let Some((peer, unread)) = who else { return };
    let stream = accepted.stream;
    let serial = worker.thread.ids.connection();
    let (mut wire, tls, mut is_http2) = match flags.tls {
        false => (Wire::of(Box::new(stream), unread), None, false),
        true => {
            let mut arrival = Arrival {
                peer,
                client: client_address(&Headers::new(), &peer, &gateway),
                serial,
                stream: None,
                thread: &worker.thread,
                environment: &gateway.environment,
                plan: &gateway.plan,
                server_tls: &gateway.server_tls,
                patience: gateway.settings.client_header_timeout,
                stop: &mut stop,
            };
            // On the heap: what comes after it needs no room for it.
            match Box::pin(arrival.shake(stream, unread)).await {
                Shaken::Encrypted { stream, tls, is_http2 } => (Wire::new(stream), Some(tls), is_http2),
                Shaken::Plain(stream, unread) => (Wire::of(Box::new(stream), unread), None, false),
                Shaken::Ended => return,
            }
        }
    };
    let is_plain = tls.is_none();
    let takes_http2 = flags.http2 && !flags.tls;
    if takes_http2 {
        is_http2 = tokio::select! {
            is_spoken = http2::is_spoken(&mut wire, gateway.settings.client_header_timeout) => is_spoken,
            _ = stop.wait_for(|stop| *stop >= Stop::Graceful) => return,
        };
    }
    let connection = Arc::new(Connection::new(peer.socket(), peer.local(), tls, serial));
    drop(gateway);
    let downstream = Downstream { connection, peer, takes_http2, worker, stop };
    if is_plain && flags.tls {
        http1::refuse_plain(wire, downstream).await;
    } else if is_http2 {
        http2::serve(wire, downstream).await;
    } else {
        http1::serve(wire, downstream).await;
    }
}
