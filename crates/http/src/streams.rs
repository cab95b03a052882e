//! Streams of HTTP/2, of clients and of upstreams.

use std::io::{self, ErrorKind};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::SendStream;

/// Waits until some of `wanted` bytes can be sent: for the peer's window, and for what was sent before.
pub fn poll_room(
    cx: &mut Context<'_>,
    stream: &mut SendStream<Bytes>,
    wanted: usize,
) -> Poll<io::Result<usize>> {
    stream.reserve_capacity(wanted);
    while stream.capacity() == 0 {
        match ready!(stream.poll_capacity(cx)) {
            Some(Ok(_)) => {}
            Some(Err(error)) => return Poll::Ready(Err(io_error(error))),
            None => return Poll::Ready(Err(ErrorKind::BrokenPipe.into())),
        }
    }
    Poll::Ready(Ok(stream.capacity().min(wanted)))
}

pub fn io_error(error: h2::Error) -> io::Error {
    io::Error::new(ErrorKind::ConnectionReset, error)
}
