//! Bytes both ways, until both sides have said all.

#[cfg(test)]
mod tests;

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use polygate_net::clock::Clock;
use polygate_telemetry::metrics::{IntCounter, Scrape, counter};
use tokio::io::ReadBuf;

use crate::scratch::Scratch;
use crate::stream::Stream;

/// How long what may take; zero is no limit.
#[derive(Debug, Clone, Copy, Default)]
pub struct Patience {
    /// Of both sides, with nothing going either way.
    pub silence: Duration,
    /// For the client to take some of what there is for it.
    pub client: Duration,
    pub upstream: Duration,
}

/// Whose doing the end of a connection was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Client,
    Upstream,
    /// Neither said anything for too long.
    Silent,
}

/// Why a connection ended before both sides had said all.
#[derive(Debug, thiserror::Error)]
pub enum Torn {
    #[error("was silent for {} s", .0.as_secs())]
    Silent(Duration),
    #[error("was broken off by the {}: {error}", side.as_str())]
    Broken { side: Side, error: io::Error },
    #[error("was ended, as the {} took nothing for {} s", side.as_str(), patience.as_secs())]
    Stuck { side: Side, patience: Duration },
}

/// Bytes of one direction.
#[derive(Debug, Clone, Copy, Default)]
pub struct Moved {
    pub read: u64,
    pub written: u64,
}

/// The bytes of two connections, on their way to each other.
pub struct Copying {
    up: Direction,
    down: Direction,
    silence: Clock,
    patience: Duration,
}

impl Copying {
    /// `silence` is the clock of the steps before, so that they need no timer of their own.
    pub fn new(patience: Patience, mut silence: Clock) -> Self {
        silence.restart(patience.silence);
        Self {
            up: Direction::new(Side::Client, Side::Upstream, patience.upstream),
            down: Direction::new(Side::Upstream, Side::Client, patience.client),
            silence,
            patience: patience.silence,
        }
    }

    /// What went up and what went down.
    pub fn moved(&self) -> [Moved; 2] {
        [self.up.moved, self.down.moved]
    }

    /// Ready when both sides have said all; a side that has goes on listening. Whoever takes no more may still have said
    /// something before.
    pub fn poll(
        &mut self,
        cx: &mut Context<'_>,
        client: &mut dyn Stream,
        upstream: &mut dyn Stream,
        scratch: &mut Scratch,
    ) -> Poll<Result<(), Torn>> {
        let before = self.bytes();
        let upload = self.up.poll(cx, client, upstream, scratch, self.down.is_over)?;
        let download = self.down.poll(cx, upstream, client, scratch, self.up.is_over)?;
        if upload.is_ready() && download.is_ready() {
            let torn = self.up.torn.take().or(self.down.torn.take());
            return Poll::Ready(torn.map_or(Ok(()), Err));
        }
        if self.bytes() != before {
            self.silence.restart(self.patience);
        }
        ready!(self.silence.poll_expired(cx));
        Poll::Ready(Err(Torn::Silent(self.patience)))
    }

    fn bytes(&self) -> u64 {
        self.moved().iter().map(|moved| moved.read + moved.written).sum()
    }
}

struct Direction {
    from: Side,
    to: Side,
    moved: Moved,
    /// Read and not taken by the other side yet.
    held: Vec<u8>,
    /// Runs while the other side has to take something.
    taking: Clock,
    patience: Duration,
    /// The one side has said all.
    has_ended: bool,
    /// The other side knows, or can be told no more.
    is_over: bool,
    /// Why it cannot.
    torn: Option<Torn>,
}

impl Direction {
    fn new(from: Side, to: Side, patience: Duration) -> Self {
        Self {
            from,
            to,
            moved: Moved::default(),
            held: Vec::new(),
            taking: Clock::new(),
            patience,
            has_ended: false,
            is_over: false,
            torn: None,
        }
    }

    /// Ready when nothing more goes this way. An error leaves nothing to do for the other way either.
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut dyn Stream,
        to: &mut dyn Stream,
        scratch: &mut Scratch,
        is_last: bool,
    ) -> Poll<Result<(), Torn>> {
        while !self.is_over {
            let taken = if !self.held.is_empty() {
                let held = std::mem::take(&mut self.held);
                self.write(cx, to, &held)
            } else if self.has_ended {
                // Whom nobody listens to any more is told by the end of its connection, which follows.
                let told = if is_last { Poll::Ready(Ok(())) } else { Pin::new(&mut *to).poll_shutdown(cx) };
                self.is_over = told.is_ready();
                told
            } else {
                let mut buffer = ReadBuf::new(scratch.bytes());
                let read = ready!(Pin::new(&mut *from).poll_read(cx, &mut buffer));
                read.map_err(|error| Torn::Broken { side: self.from, error })?;
                self.moved.read += buffer.filled().len() as u64;
                self.has_ended = buffer.filled().is_empty();
                self.write(cx, to, buffer.filled())
            };
            match taken {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => {
                    self.torn = Some(Torn::Broken { side: self.to, error });
                    self.is_over = true;
                }
                Poll::Pending => {
                    ready!(self.taking.poll_within(cx, self.patience));
                    return Poll::Ready(Err(Torn::Stuck { side: self.to, patience: self.patience }));
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Holds what is not taken.
    fn write(&mut self, cx: &mut Context<'_>, to: &mut dyn Stream, bytes: &[u8]) -> Poll<io::Result<()>> {
        let mut rest = bytes;
        while !rest.is_empty() {
            match Pin::new(&mut *to).poll_write(cx, rest)? {
                Poll::Ready(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(count) => {
                    self.taking.stop();
                    self.moved.written += count as u64;
                    rest = &rest[count..];
                }
                Poll::Pending => {
                    self.held = rest.to_vec();
                    return Poll::Pending;
                }
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl Side {
    const ALL: [Self; 3] = [Self::Client, Self::Upstream, Self::Silent];

    fn as_str(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Upstream => "upstream",
            Self::Silent => "silent",
        }
    }
}

impl Torn {
    pub fn side(&self) -> Side {
        match self {
            Self::Silent(_) => Side::Silent,
            Self::Broken { side, .. } | Self::Stuck { side, .. } => *side,
        }
    }
}

/// How often connections were torn, by side.
pub struct TornCounter([IntCounter; Side::ALL.len()]);

impl TornCounter {
    pub fn new(name: &str, help: &str) -> Self {
        Self(Side::ALL.map(|side| counter(name, help, &[("side", side.as_str())])))
    }

    pub fn count(&self, torn: &Torn) {
        self.0[torn.side() as usize].inc();
    }

    pub fn show(&self, scrape: &Scrape) {
        self.0.iter().for_each(|counter| scrape.add(counter));
    }
}
