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
