//! New connections to peers, within TLS or not. Tests have a network of their own, since a system's sockets do not wait
//! for a paused clock.

use std::io;
use std::net::SocketAddr;

use polygate_tls::{cause, server_name};
use tokio_rustls::TlsConnector;

#[cfg(not(test))]
use self::system::connect;
use crate::encrypted::Encrypted;
use crate::failure::Failure;
use crate::stream::Stream;
#[cfg(test)]
use crate::tests::network::connect;
use crate::upstream::target::{Target, Tls};

/// Connects to a target.
pub async fn open(target: &Target) -> Result<Box<dyn Stream>, Failure> {
    let stream = connect(target.address).await.map_err(Failure::of_connect)?;
    match &target.tls {
        None => Ok(stream),
        Some(tls) => encrypt(stream, tls, target.address).await.map_err(|error| {
            Failure::Handshake(
                cause(&error).unwrap_or_else(|| format!("the TLS handshake broke off: {error}")),
            )
        }),
    }
}

async fn encrypt(stream: Box<dyn Stream>, tls: &Tls, address: SocketAddr) -> io::Result<Box<dyn Stream>> {
    let name = server_name(&tls.name, address.ip());
    let stream = TlsConnector::from(tls.client.config.clone()).connect(name, stream).await?;
    Ok(Box::new(Encrypted::new(stream)))
}

#[cfg(not(test))]
mod system {
    use std::io;
    use std::net::SocketAddr;

    use tokio::net::TcpStream;

    use crate::stream::Stream;

    pub async fn connect(address: SocketAddr) -> io::Result<Box<dyn Stream>> {
        let stream = TcpStream::connect(address).await?;
        // Without it small requests would wait for acknowledgements; where it fails they do.
        let _ = stream.set_nodelay(true);
        Ok(Box::new(stream))
    }
}
