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
    mut connection: impl FnMut(Accepted) -> S,
) {
    let paused = |error: &io::Error| log!(Crit, "accept failed, waiting: {error}");
    let own = listener.local_addr().ok().filter(|own| !own.ip().is_unspecified());
    let connection = |stream, address| connection(Accepted { stream, address, own });
    match TcpListener::from_std(listener) {
        Ok(listener) => accept::serve(listener, stop, paused, connection).await,
        Err(error) => log!(Emerg, "listener is unusable: {error}"),
    }
}

/// A connection as it was accepted.
pub struct Accepted {
    pub stream: TcpStream,
    /// The other end's.
    address: SocketAddr,
    /// Its own, where the listener has one and not all of the machine: then nobody has to ask the system for it.
    own: Option<SocketAddr>,
}

/// Who has connected, and what was read of it already: `proxy_protocol` is whether a header comes before
/// anything else, in which a peer says whom it speaks for. `None` ends the connection.
pub async fn peer(
    accepted: &mut Accepted,
    proxy_protocol: bool,
    stop: &mut watch::Receiver<Stop>,
) -> Option<(Peer, Vec<u8>)> {
    let Accepted { stream, address, own } = accepted;
    let (address, local) = (*address, own.or_else(|| stream.local_addr().ok())?);
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
