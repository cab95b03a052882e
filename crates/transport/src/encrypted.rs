//! A connection within TLS.

use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::TlsStream;

use crate::stream::{HungUp, Stream};

/// Bytes that are encrypted at a time, four records: as many as the library holds, and one system call writes.
const PIECE: usize = 64 * 1024;

pub struct Encrypted {
    stream: TlsStream<Box<dyn Stream>>,
    /// Bytes that were encrypted, and of which not all were taken by the system.
    begun: usize,
}

impl Encrypted {
    pub fn new(stream: impl Into<TlsStream<Box<dyn Stream>>>) -> Self {
        Self { stream: stream.into(), begun: 0 }
    }

    fn stream(&mut self) -> Pin<&mut TlsStream<Box<dyn Stream>>> {
        Pin::new(&mut self.stream)
    }
}

impl Stream for Encrypted {
    fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let (inner, state) = self.stream.get_ref();
        if state.wants_read() { inner.poll_read_ready(cx) } else { Poll::Ready(Ok(())) }
    }

    fn hung_up(&self) -> HungUp {
        self.stream.get_ref().0.hung_up()
    }
}

impl AsyncRead for Encrypted {
    /// An end without a word is one, as in the reference: many programs say nothing. Where it matters whether a message is
    /// whole, its own length tells.
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match ready!(self.stream().poll_read(cx, buffer)) {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Poll::Ready(Ok(())),
            read => Poll::Ready(read),
        }
    }
}

impl AsyncWrite for Encrypted {
    /// Bytes count as written when the system has taken them. Whoever was told to wait comes again with the same bytes.
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.begun == 0 {
            let piece = &bytes[..bytes.len().min(PIECE)];
            self.begun = ready!(self.stream().poll_write(cx, piece))?;
        }
        ready!(self.stream().poll_flush(cx))?;
        Poll::Ready(Ok(std::mem::take(&mut self.begun)))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_shutdown(cx)
    }
}

impl Drop for Encrypted {
    /// Says that this is the end, as far as that can be said without waiting.
    fn drop(&mut self) {
        let _ = self.stream().poll_shutdown(&mut Context::from_waker(Waker::noop()));
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::sync::Arc;

    use polygate_model::Entities;
    use polygate_tls::{
        Handshake, Names, Server, ServerOptions, UpstreamDefaults, UpstreamTls, Wanted, generate, pair,
    };
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::UnixStream;
    use tokio_rustls::{TlsAcceptor, TlsConnector};

    use super::*;

    impl Stream for UnixStream {
        fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            UnixStream::poll_read_ready(self, cx)
        }
    }

    /// The two ends of a connection.
    async fn connection() -> (Encrypted, Encrypted) {
        let made = generate().unwrap();
        let shown = Arc::new(pair(&made.certificate, &made.key).unwrap());
        let (names, _) = Names::new(&Entities::default(), vec![shown]);
        let server = Server::new(names, &ServerOptions::default());
        let (upstream, _) = UpstreamTls::new(&Entities::default(), UpstreamDefaults::default());
        let wanted = Wanted { service: None, certificate: None, verify: None, depth: None, http2: false };
        let client = upstream.client(&wanted).unwrap();
        let (near, far) = UnixStream::pair().unwrap();
        let (near, far): (Box<dyn Stream>, Box<dyn Stream>) = (Box::new(near), Box::new(far));
        let name = "localhost".try_into().unwrap();
        let (near, far) = tokio::join!(
            TlsConnector::from(client.config.clone()).connect(name, near),
            TlsAcceptor::from(server.config(Handshake::default()).clone()).accept(far),
        );
        (Encrypted::new(near.unwrap()), Encrypted::new(far.unwrap()))
    }

    #[tokio::test]
    async fn what_counts_as_written_arrives_without_more() {
        let (mut near, mut far) = connection().await;
        let sent: Vec<u8> = (0..1_000_000_u32).map(|at| at as u8).collect();
        let mut received = vec![0; sent.len()];
        // Nobody flushes, and the system does not hold all of it.
        let (written, read) = tokio::join!(near.write_all(&sent), far.read_exact(&mut received));
        written.unwrap();
        read.unwrap();
        assert!(sent == received);
    }

    #[tokio::test]
    async fn an_idle_end_has_nothing_to_read_until_the_other_leaves() {
        let (mut near, far) = connection().await;
        // Tickets are nothing for the reader.
        poll_fn(|cx| near.poll_read_ready(cx)).await.unwrap();
        let cx = &mut Context::from_waker(Waker::noop());
        assert!(Pin::new(&mut near).poll_read(cx, &mut ReadBuf::new(&mut [0; 10])).is_pending());
        assert!(near.poll_read_ready(cx).is_pending());
        drop(far);
        assert_eq!(near.read(&mut [0; 10]).await.unwrap(), 0);
    }
}
