//! Where streams come from.

use std::net::SocketAddr;
use std::rc::Rc;

use polygate_net::accept::{self, Stop};
use polygate_net::real_ip::Peer;
use polygate_telemetry::log;
use polygate_transport::proxy_header;
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::watch;

use crate::connections::{self, Accepted};
use crate::settings::ListenerFlags;
use crate::{Worker, datagrams};

/// Accepts connections until `stop` says otherwise; returns when the last stream is done, or at once on
/// [`Stop::Fast`]. Runs inside a `LocalSet`.
pub async fn serve(
    listener: std::net::TcpListener,
    flags: ListenerFlags,
    worker: Rc<Worker>,
    stop: watch::Receiver<Stop>,
) {
    let listener = match TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return log!(Emerg, "listener is unusable: {error}"),
    };
    let paused = |error: &std::io::Error| log!(Crit, "accept failed, waiting: {error}");
    let connection = |stream, peer| open(stream, peer, flags, worker.clone(), stop.clone());
    accept::serve(listener, stop.clone(), paused, connection).await;
}

/// The same for datagrams.
pub async fn serve_datagrams(socket: std::net::UdpSocket, worker: Rc<Worker>, stop: watch::Receiver<Stop>) {
    match UdpSocket::from_std(socket) {
        Ok(socket) => datagrams::serve(Rc::new(socket), worker, stop).await,
        Err(error) => log!(Emerg, "listener is unusable: {error}"),
    }
}

async fn open(
    mut stream: TcpStream,
    address: SocketAddr,
    flags: ListenerFlags,
    worker: Rc<Worker>,
    stop: watch::Receiver<Stop>,
) {
    let Ok(local) = stream.local_addr() else { return };
    let (told, unread) = match flags.proxy_protocol {
        true => match proxy_header::read(&mut stream, address, stop.clone()).await {
            Some(header) => header,
            None => return,
        },
        false => (None, Vec::new()),
    };
    let peer = Peer::new(address, local, told);
    connections::run(Accepted { stream, unread, peer, flags, stop }, worker).await;
}
