//! New connections to peers. Tests have a network of their own, since a system's sockets do not wait for a paused clock.

#[cfg(not(test))]
pub use system::connect;

#[cfg(test)]
pub use crate::tests::network::connect;

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
