//! Where streams come from.

use std::net::TcpListener;
use std::rc::Rc;

use polygate_net::accept::Stop;
use polygate_net::datagrams::Datagrams;
use polygate_telemetry::log;
use polygate_transport::accept;
use tokio::sync::watch;

use crate::connections::{self, Accepted};
use crate::settings::ListenerFlags;
use crate::{Worker, datagrams};

/// Accepts connections until `stop` says otherwise; returns when the last stream is done, or at once on
/// [`Stop::Fast`]. Runs inside a `LocalSet`.
pub async fn serve(
    listener: TcpListener,
    flags: ListenerFlags,
    worker: Rc<Worker>,
    stop: watch::Receiver<Stop>,
) {
    let connection = |accepted| open(accepted, flags, worker.clone(), stop.clone());
    accept::serve(listener, stop.clone(), connection).await;
}

/// The same for datagrams.
pub async fn serve_datagrams(socket: std::net::UdpSocket, worker: Rc<Worker>, stop: watch::Receiver<Stop>) {
    match Datagrams::new(socket) {
        Ok(socket) => datagrams::serve(Rc::new(socket), worker, stop).await,
        Err(error) => log!(Emerg, "listener is unusable: {error}"),
    }
}

async fn open(
    mut accepted: accept::Accepted,
    flags: ListenerFlags,
    worker: Rc<Worker>,
    mut stop: watch::Receiver<Stop>,
) {
    if let Some((peer, unread)) = accept::peer(&mut accepted, flags.proxy_protocol, &mut stop).await {
        connections::run(Accepted { stream: accepted.stream, unread, peer, flags, stop }, worker).await;
    }
}
