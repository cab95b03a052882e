//! What a peer says of the client that it speaks for, before anything else.

use std::net::SocketAddr;
use std::time::Duration;

use polygate_net::accept::Stop;
use polygate_net::proxy_protocol::{self, Addresses};
use polygate_telemetry::log;
use tokio::net::TcpStream;
use tokio::sync::watch;

/// How long a connection may take for its PROXY header.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the PROXY header says, and what was read behind it; `None` ends the connection.
pub async fn read(
    stream: &mut TcpStream,
    peer: SocketAddr,
    mut stop: watch::Receiver<Stop>,
) -> Option<(Option<Addresses>, Vec<u8>)> {
    let read = tokio::select! {
        read = proxy_protocol::read_header(stream, PATIENCE) => read,
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
