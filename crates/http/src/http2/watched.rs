//! A connection under the library that speaks HTTP/2 over it: what is too much, and what the library refuses.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use h2::Reason;
use polygate_telemetry::log;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use crate::METRICS;
use crate::http2::frames::{DATA, Frame, PING, PREFACE, PRIORITY, RST_STREAM, SETTINGS, Scanner};
use crate::wire::Wire;

/// Frames that make work and bring nothing: so many at once, and as many more each second. Nobody who means well cancels
/// or asks for a sign of life more often.
const BURST: u32 = 1000;
const PER_SECOND: u128 = 100;

/// The flag ACK of settings and pings, and END_STREAM of data.
const DONE: u8 = 1;
/// From here on types are not known (RFC 9113, section 5.5).
const UNKNOWN: u8 = 10;

/// The bytes pass through; the frames among them are looked at.
pub struct Watched {
    wire: Rc<RefCell<Wire>>,
    peer: SocketAddr,
    received: Scanner,
    sent: Scanner,
    budget: Budget,
    is_flooded: Rc<Cell<bool>>,
}

impl Watched {
    /// A connection whose first bytes are the preface of a client. Also answers whether there were too many frames; then
    /// nothing more is read.
    pub fn new(wire: Rc<RefCell<Wire>>, peer: SocketAddr) -> (Self, Rc<Cell<bool>>) {
        let is_flooded = Rc::new(Cell::new(false));
        let watched = Self {
            wire,
            peer,
            received: Scanner::behind(PREFACE.len()),
            sent: Scanner::default(),
            budget: Budget { left: BURST, since: Instant::now() },
            is_flooded: is_flooded.clone(),
        };
        (watched, is_flooded)
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Self { wire, received, budget, is_flooded, .. } = self.get_mut();
        if is_flooded.get() {
            return Poll::Pending;
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut *wire.borrow_mut()).poll_read(cx, buffer))?;
        received.scan(&buffer.filled()[before..], |frame| {
            if is_costly(frame) && !budget.spend() {
                is_flooded.set(true);
            }
        });
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Watched {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let Self { wire, peer, sent, .. } = self.get_mut();
        let count = ready!(Pin::new(&mut *wire.borrow_mut()).poll_write(cx, bytes))?;
        sent.scan(&bytes[..count], |frame| {
            if frame.kind == RST_STREAM {
                note_reset(*peer, frame.code.into());
            }
        });
        Poll::Ready(Ok(count))
    }

    /// The library flushes behind every frame of data. Whoever has it take its turn flushes the wire then, so that what all
    /// streams had to say goes out at once.
    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        AsyncWrite::poll_shutdown(Pin::new(&mut *self.wire.borrow_mut()), cx)
    }
}

fn is_costly(frame: Frame) -> bool {
    match frame.kind {
        PRIORITY | RST_STREAM => true,
        SETTINGS | PING => frame.flags & DONE == 0,
        DATA => frame.length == 0 && frame.flags & DONE == 0,
        kind => kind >= UNKNOWN,
    }
}

struct Budget {
    left: u32,
    /// When what is left was reckoned.
    since: Instant,
}

impl Budget {
    fn spend(&mut self) -> bool {
        if self.left == 0 {
            let now = Instant::now();
            let earned = now.duration_since(self.since).as_millis() * PER_SECOND / 1000;
            self.left = earned.min(BURST.into()) as u32;
            self.since = now;
        }
        let is_left = self.left > 0;
        self.left -= u32::from(is_left);
        is_left
    }
}

/// A stream that the gateway ends for a fault of the client's.
fn note_reset(peer: SocketAddr, reason: Reason) {
    if let Some(label) = label(reason) {
        log!(Notice, "client {peer}: refused a request: HTTP/2 {reason:?}");
        METRICS.count_refused(label);
    }
}

/// What the client did, for counters (RFC 9113, section 7); `None` if it did nothing wrong.
pub fn label(reason: Reason) -> Option<&'static str> {
    Some(match reason {
        Reason::PROTOCOL_ERROR => "http2_protocol_error",
        Reason::FLOW_CONTROL_ERROR => "http2_flow_control_error",
        Reason::SETTINGS_TIMEOUT => "http2_settings_timeout",
        Reason::STREAM_CLOSED => "http2_stream_closed",
        Reason::FRAME_SIZE_ERROR => "http2_frame_size_error",
        Reason::REFUSED_STREAM => "http2_refused_stream",
        Reason::COMPRESSION_ERROR => "http2_compression_error",
        Reason::ENHANCE_YOUR_CALM => "http2_enhance_your_calm",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn there_is_a_burst_and_then_so_many_a_second() {
        let mut budget = Budget { left: BURST, since: Instant::now() };
        let mut spent = || std::iter::from_fn(|| budget.spend().then_some(())).count();
        assert_eq!(spent(), BURST as usize);
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(spent(), 200);
        tokio::time::advance(Duration::from_secs(3600)).await;
        assert_eq!(spent(), BURST as usize);
    }

    #[test]
    fn what_is_part_of_a_request_costs_nothing() {
        let frame = |kind, flags, length| Frame { kind, flags, length, code: 0 };
        for costly in [frame(RST_STREAM, 0, 4), frame(PING, 0, 8), frame(DATA, 0, 0), frame(77, 0, 0)] {
            assert!(is_costly(costly), "{costly:?}");
        }
        for free in [frame(PING, DONE, 8), frame(SETTINGS, DONE, 0), frame(DATA, DONE, 0), frame(1, 4, 9)] {
            assert!(!is_costly(free), "{free:?}");
        }
    }
}
