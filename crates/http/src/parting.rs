//! Ending a connection so that its peer can read what was sent last.

use std::task::{Context, Poll};
use std::time::Duration;

use polygate_net::clock::Clock;

use crate::buffers;
use crate::wire::Wire;

/// Says that nothing more will be sent, and reads what still comes: bytes that nobody reads would make the peer's system
/// throw the last message away (RFC 9112, section 9.6).
pub struct Parting {
    limit: Clock,
    is_said: bool,
}

impl Parting {
    pub fn new(patience: Duration) -> Self {
        let mut limit = Clock::new();
        limit.restart(patience);
        Self { limit, is_said: false }
    }

    /// Ready when the peer has left, or its time is up.
    pub fn poll(&mut self, cx: &mut Context<'_>, wire: &mut Wire) -> Poll<()> {
        if !self.is_said {
            match wire.poll_shutdown(cx) {
                Poll::Ready(Ok(())) => self.is_said = true,
                Poll::Ready(Err(_)) => return Poll::Ready(()),
                Poll::Pending => return self.limit.poll_expired(cx),
            }
        }
        loop {
            let unused = wire.input().len();
            wire.consume(unused);
            match wire.poll_fill(cx, buffers::SIZE) {
                Poll::Ready(Ok(1..)) => {}
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => return self.limit.poll_expired(cx),
            }
        }
    }
}
