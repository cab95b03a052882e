//! A connection in memory that does what one of the system's does: it holds a few bytes, an end may say that it sends
//! no more, or leave, or reset it.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use polygate_transport::{HungUp, Stream};

/// Two ends; each direction holds `capacity` bytes that were not read.
pub fn pipe(capacity: usize) -> (End, End) {
    let connection = Rc::new(RefCell::new(Connection { capacity, sides: Default::default() }));
    (End { connection: connection.clone(), own: 0 }, End { connection, own: 1 })
}

pub struct End {
    connection: Rc<RefCell<Connection>>,
    /// Which of the sides this is.
    own: usize,
}

struct Connection {
    capacity: usize,
    sides: [Side; 2],
}

#[derive(Default)]
struct Side {
    /// Sent to it and not read.
    input: VecDeque<u8>,
    /// How often something was.
    writes: usize,
    /// Nothing more will be sent to it.
    ended: bool,
    /// It has closed the connection.
    left: bool,
    /// It was told that the connection is no more.
    reset: bool,
    wakers: Vec<Waker>,
}

impl Side {
    fn wake(&mut self) {
        self.wakers.drain(..).for_each(Waker::wake);
    }

    fn reset(&mut self) {
        self.reset = true;
        self.input.clear();
        self.wake();
    }
}

impl End {
    /// Ends the connection so that the other end gets an error rather than an end.
    pub fn reset(self) {
        self.connection.borrow_mut().sides[1 - self.own].reset();
    }

    /// In how many pieces came what was sent to this end so far.
    pub fn writes(&self) -> usize {
        self.with(|own, _, _| own.writes)
    }

    fn with<T>(&self, act: impl FnOnce(&mut Side, &mut Side, usize) -> T) -> T {
        let connection = &mut *self.connection.borrow_mut();
        let [first, second] = &mut connection.sides;
        let (own, peer) = if self.own == 0 { (first, second) } else { (second, first) };
        act(own, peer, connection.capacity)
    }
}

impl Drop for End {
    /// As systems do it: what was not read is answered with a reset, which takes with it what the peer had not read.
    fn drop(&mut self) {
        self.with(|own, peer, _| {
            own.left = true;
            peer.ended = true;
            if own.input.is_empty() { peer.wake() } else { peer.reset() }
        });
    }
}

impl AsyncRead for End {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.with(|own, peer, _| {
            if own.reset {
                return Poll::Ready(Err(ErrorKind::ConnectionReset.into()));
            }
            if own.input.is_empty() && !own.ended {
                own.wakers.push(cx.waker().clone());
                return Poll::Pending;
            }
            let count = own.input.len().min(buffer.remaining());
            buffer.put_slice(&own.input.drain(..count).collect::<Vec<_>>());
            peer.wake();
            Poll::Ready(Ok(()))
        })
    }
}

impl AsyncWrite for End {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.with(|own, peer, capacity| {
            if own.reset || peer.ended {
                return Poll::Ready(Err(ErrorKind::BrokenPipe.into()));
            }
            if peer.left {
                // The system of a peer that has left refuses what comes.
                own.reset();
                return Poll::Ready(Ok(bytes.len()));
            }
            let count = bytes.len().min(capacity - peer.input.len());
            if count == 0 {
                own.wakers.push(cx.waker().clone());
                return Poll::Pending;
            }
            peer.input.extend(&bytes[..count]);
            peer.writes += 1;
            peer.wake();
            Poll::Ready(Ok(count))
        })
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.with(|_, peer, _| {
            peer.ended = true;
            peer.wake();
        });
        Poll::Ready(Ok(()))
    }
}

impl Stream for End {
    fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.with(|own, _, _| {
            if own.reset || own.ended || !own.input.is_empty() {
                return Poll::Ready(Ok(()));
            }
            own.wakers.push(cx.waker().clone());
            Poll::Pending
        })
    }

    fn hung_up(&self) -> HungUp {
        let (connection, own) = (self.connection.clone(), self.own);
        Box::pin(poll_fn(move |cx| {
            let side = &mut connection.borrow_mut().sides[own];
            if side.reset {
                return Poll::Ready(());
            }
            side.wakers.push(cx.waker().clone());
            Poll::Pending
        }))
    }
}
