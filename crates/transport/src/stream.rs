//! Any connection that carries HTTP/1.

use std::future::Future;
use std::io;
use std::os::fd::AsFd;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, Interest};
use tokio::net::TcpStream;

/// See [`Stream::hung_up`].
pub type HungUp = Pin<Box<dyn Future<Output = ()>>>;

/// A connection's bytes, both ways.
pub trait Stream: AsyncRead + AsyncWrite + Unpin {
    /// Whether a read would answer at once. Lets an idle connection wait without a buffer; a stream that cannot tell
    /// says that it would.
    fn poll_read_ready(&self, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Waits until nothing can be sent to the peer any more. A peer that only said that it sends no more itself still
    /// reads.
    fn hung_up(&self) -> HungUp {
        Box::pin(std::future::pending())
    }
}

impl Stream for TcpStream {
    fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        TcpStream::poll_read_ready(self, cx)
    }

    fn hung_up(&self) -> HungUp {
        // A registration of its own, since the stream's wakes whoever reads or writes.
        let watched =
            self.as_fd().try_clone_to_owned().map(std::net::TcpStream::from).and_then(TcpStream::from_std);
        Box::pin(async move {
            // A connection that cannot be watched is taken for lost.
            if let Ok(watched) = watched {
                let _ = watched.ready(Interest::ERROR).await;
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio::time::timeout;

    use super::*;

    /// The two ends of a connection of the system.
    async fn connection() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        (client, listener.accept().await.unwrap().0)
    }

    async fn hangs_up(watched: &mut HungUp, patience: u64) -> bool {
        timeout(Duration::from_millis(patience), watched).await.is_ok()
    }

    #[tokio::test]
    async fn a_peer_that_sends_no_more_still_reads() {
        let (mut client, mut own) = connection().await;
        client.shutdown().await.unwrap();
        assert_eq!(own.read(&mut [0]).await.unwrap(), 0);
        let mut watched = own.hung_up();
        own.write_all(b"HTTP/1.1 ").await.unwrap();
        assert!(!hangs_up(&mut watched, 50).await);
        assert_eq!(client.read(&mut [0; 20]).await.unwrap(), 9);
    }

    #[tokio::test]
    async fn one_that_has_left_is_found_out_by_writing() {
        let (client, mut own) = connection().await;
        drop(client);
        assert_eq!(own.read(&mut [0]).await.unwrap(), 0);
        let mut watched = own.hung_up();
        assert!(!hangs_up(&mut watched, 50).await, "it looks the same until then");
        own.write_all(b"HTTP/1.1 ").await.unwrap();
        assert!(hangs_up(&mut watched, 10_000).await);
    }

    #[tokio::test]
    async fn one_that_resets_has_hung_up() {
        let (client, own) = connection().await;
        let mut watched = own.hung_up();
        client.set_zero_linger().unwrap();
        drop(client);
        assert!(hangs_up(&mut watched, 10_000).await);
    }
}
