//! New connections to peers, within TLS or not. Tests have a network of their own, since a system's sockets do not wait
//! for a paused clock.

use polygate_transport::Stream;
use polygate_transport::connect::encrypt;

#[cfg(not(test))]
use self::system::connect;
use crate::failure::Failure;
#[cfg(test)]
use crate::tests::network::connect;
use crate::upstream::target::Target;

/// Connects to a target.
pub async fn open(target: &Target) -> Result<Box<dyn Stream>, Failure> {
    let stream = connect(target.address).await.map_err(Failure::of_connect)?;
    match &target.tls {
        None => Ok(stream),
        Some(tls) => encrypt(stream, tls, target.address).await.map_err(Failure::Handshake),
    }
}

#[cfg(not(test))]
mod system {
    use std::io;
    use std::net::SocketAddr;

    use polygate_transport::Stream;
    use tokio::net::TcpStream;

    pub async fn connect(address: SocketAddr) -> io::Result<Box<dyn Stream>> {
        let stream = TcpStream::connect(address).await?;
        // Without it small requests would wait for acknowledgements; where it fails they do.
        let _ = stream.set_nodelay(true);
        Ok(Box::new(stream))
    }
}
