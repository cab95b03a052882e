//! The step that carries bytes both ways, until both sides have said all.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use polygate_net::clock::Clock;
use polygate_transport::Stream;
use tokio::io::ReadBuf;

use crate::metrics::Side;
use crate::scratch::Scratch;

/// Why a stream ended before both sides had said all.
#[derive(Debug, thiserror::Error)]
pub enum Torn {
    #[error("it was silent for {} s", .0.as_secs())]
    Silent(Duration),
    #[error("it was broken off by the client: {0}")]
    Client(io::Error),
    #[error("it was broken off by the upstream: {0}")]
    Upstream(io::Error),
}

impl Torn {
    pub fn side(&self) -> Side {
        match self {
            Self::Silent(_) => Side::Silent,
            Self::Client(_) => Side::Client,
            Self::Upstream(_) => Side::Upstream,
        }
    }
}

/// Bytes of one direction.
#[derive(Debug, Clone, Copy, Default)]
pub struct Moved {
    pub read: u64,
    pub written: u64,
}

/// Carries bytes until both sides have said all; a side that has goes on listening. `patience` is the longest silence of
/// both, zero is no limit. Answers what went up and down, whatever the end.
pub async fn both(
    client: &mut dyn Stream,
    upstream: &mut dyn Stream,
    patience: Duration,
    scratch: &RefCell<Scratch>,
) -> ([Moved; 2], Result<(), Torn>) {
    let (mut up, mut down) = (Direction::default(), Direction::default());
    let mut silence = Clock::new();
    silence.restart(patience);
    let outcome = poll_fn(|cx| {
        let before = up.moved.read + up.moved.written + down.moved.read + down.moved.written;
        let scratch = &mut *scratch.borrow_mut();
        let upload = up.poll(cx, client, upstream, scratch, down.is_over).map_err(|fault| match fault {
            Fault::From(error) => Torn::Client(error),
            Fault::To(error) => Torn::Upstream(error),
        })?;
        let download = down.poll(cx, upstream, client, scratch, up.is_over).map_err(|fault| match fault {
            Fault::From(error) => Torn::Upstream(error),
            Fault::To(error) => Torn::Client(error),
        })?;
        if upload.is_ready() && download.is_ready() {
            return Poll::Ready(Ok(()));
        }
        if up.moved.read + up.moved.written + down.moved.read + down.moved.written != before {
            silence.restart(patience);
        }
        ready!(silence.poll_expired(cx));
        Poll::Ready(Err(Torn::Silent(patience)))
    })
    .await;
    ([up.moved, down.moved], outcome)
}

/// Whose end of a direction broke.
enum Fault {
    From(io::Error),
    To(io::Error),
}

#[derive(Default)]
struct Direction {
    moved: Moved,
    /// Read and not taken by the other side yet.
    held: Vec<u8>,
    /// The one side has said all.
    has_ended: bool,
    /// The other side knows.
    is_over: bool,
}

impl Direction {
    /// Ready when one side has said all and the other knows. Whom nobody listens to any more is told by the end of its
    /// connection, which follows.
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut dyn Stream,
        to: &mut dyn Stream,
        scratch: &mut Scratch,
        is_last: bool,
    ) -> Poll<Result<(), Fault>> {
        while !self.is_over {
            if !self.held.is_empty() {
                let held = std::mem::take(&mut self.held);
                ready!(self.write(cx, to, &held))?;
            } else if self.has_ended {
                if !is_last {
                    ready!(Pin::new(&mut *to).poll_shutdown(cx)).map_err(Fault::To)?;
                }
                self.is_over = true;
            } else {
                let mut buffer = ReadBuf::new(scratch.bytes());
                ready!(Pin::new(&mut *from).poll_read(cx, &mut buffer)).map_err(Fault::From)?;
                let read = buffer.filled();
                self.moved.read += read.len() as u64;
                self.has_ended = read.is_empty();
                ready!(self.write(cx, to, read))?;
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Holds what is not taken.
    fn write(&mut self, cx: &mut Context<'_>, to: &mut dyn Stream, bytes: &[u8]) -> Poll<Result<(), Fault>> {
        let mut rest = bytes;
        while !rest.is_empty() {
            match Pin::new(&mut *to).poll_write(cx, rest) {
                Poll::Ready(Ok(0)) => {
                    return Poll::Ready(Err(Fault::To(io::ErrorKind::WriteZero.into())));
                }
                Poll::Ready(Ok(count)) => {
                    self.moved.written += count as u64;
                    rest = &rest[count..];
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(Fault::To(error))),
                Poll::Pending => {
                    self.held = rest.to_vec();
                    return Poll::Pending;
                }
            }
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests;
