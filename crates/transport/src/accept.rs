//! Where clients' connections come from.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use polygate_net::accept::{self, Stop};
use polygate_net::proxy_protocol::{self, ReadError};
use polygate_net::real_ip::Peer;
use polygate_telemetry::log;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// How long a connection may take for its PROXY header.
const PATIENCE: Duration = Duration::from_secs(30);

/// Accepts connections until `stop` says otherwise; returns when the last one is done, or at once on [`Stop::Fast`].
/// Runs inside a `LocalSet`.
pub async fn serve<S: Future<Output = ()> + 'static>(
    listener: std::net::TcpListener,
    stop: watch::Receiver<Stop>,
    connection: impl FnMut(TcpStream, SocketAddr) -> S,
) {
    let paused = |error: &io::Error| log!(Crit, "accept failed, waiting: {error}");
    match TcpListener::from_std(listener) {
        Ok(listener) => accept::serve(listener, stop, paused, connection).await,
        Err(error) => log!(Emerg, "listener is unusable: {error}"),
    }
}

/// Who has connected from `address`, and what was read of it already: `proxy_protocol` is whether a header comes before
/// anything else, in which a peer says whom it speaks for. `None` ends the connection.
pub async fn peer(
    stream: &mut TcpStream,
    address: SocketAddr,
    proxy_protocol: bool,
    stop: &mut watch::Receiver<Stop>,
) -> Option<(Peer, Vec<u8>)> {
    let local = stream.local_addr().ok()?;
    if !proxy_protocol {
        return Some((Peer::new(address, local, None), Vec::new()));
    }
    let read = tokio::select! {
        read = proxy_protocol::read_header(stream, PATIENCE) => read,
        _ = stop.wait_for(|stop| *stop >= Stop::Graceful) => return None,
    };
    match read {
        Ok((header, unread)) => Some((Peer::new(address, local, header.addresses), unread)),
        Err(ReadError::Closed) => None,
        Err(error) => {
            log!(Error, "client {address}: {error}");
            None
        }
    }
}
