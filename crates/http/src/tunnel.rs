//! What follows a switch of protocols: both sides' bytes as they come, until both have said all (RFC 9110, section 7.8).

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use polygate_net::clock::Clock;
use polygate_telemetry::log;
use polygate_transport::Stream;
use polygate_transport::copy::{Copying, Patience, Torn};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::upstream::Exchanged;
use crate::way::{Content, Way};
use crate::wire::Wire;

/// What goes on behind the upstream's agreement. It cannot be held back, so that handlers of the response have no place.
pub fn content(way: &Way<'_>, exchanged: Exchanged) -> Content {
    if way.exchange.buffering || way.collected.wants_response() {
        let id = &way.exchange.session.id;
        log!(
            Notice,
            "response buffering was turned off: connection upgrade (websocket), request_id: \"{id}\""
        );
    }
    Content::Tunnel(exchanged)
}

/// Carries bytes both ways. The upstream's read timeout is the longest silence of both.
pub async fn run(way: &Way<'_>, mut exchanged: Exchanged) -> Result<(), Torn> {
    let Some((upstream, timeouts)) = exchanged.body.tunnel() else { return Ok(()) };
    let patience = Patience {
        silence: timeouts.read,
        client: way.gateway.settings.client_send_timeout,
        upstream: timeouts.write,
    };
    let mut copying = Copying::new(patience, Clock::new());
    let scratch = &way.worker.thread.scratch;
    poll_fn(|cx| {
        // Only HTTP/1 switches protocols.
        let Some(mut client) = way.client.wire() else { return Poll::Ready(Ok(())) };
        copying.poll(cx, &mut Direct(&mut client), &mut Direct(upstream), &mut scratch.borrow_mut())
    })
    .await
}

/// A connection whose bytes go past its output.
struct Direct<'w>(&'w mut Wire);

impl Stream for Direct<'_> {}

impl AsyncRead for Direct<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Direct<'_> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.0.poll_write_direct(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_shutdown(cx)
    }
}
