//! The request's body: streamed through, unless somebody wants to have it whole.
//!
//! A body that is wanted whole is read once. A small one stays in memory, a larger one goes to a temporary file
//! without a name, so that memory does not grow with uploads and a try can be repeated.

mod error;
mod held;
mod spool;

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;

pub use error::BodyError;
pub use held::{HeldBody, SpooledFile};
pub use spool::SpoolSettings;

use spool::Spool;

/// Where a body comes from, piece by piece.
pub trait BodySource {
    /// The next bytes of content; `None` at the end. An error is final.
    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, BodyError>>;

    /// Bytes of content that are still to come, if that is known.
    fn remaining(&self) -> Option<u64>;

    /// Nothing has to be waited for: the rest was received already, or what is wrong with it.
    fn is_here(&self) -> bool {
        false
    }
}

/// The body of one request.
pub struct RequestBody {
    state: State,
}

enum State {
    /// As it comes from the client; what was read of it already is in the spool.
    Stream {
        source: Box<dyn BodySource>,
        spool: Spool,
    },
    Held(HeldBody),
    Failed(BodyError),
    /// Given to who sends it upstream.
    Taken,
}

impl RequestBody {
    /// A body that is there already: none, or one that a plugin gave.
    pub fn new(bytes: impl Into<Bytes>) -> Self {
        Self { state: State::Held(HeldBody::Memory(bytes.into())) }
    }

    /// A body that is still to be read.
    pub fn stream(source: Box<dyn BodySource>, settings: Arc<SpoolSettings>) -> Self {
        Self { state: State::Stream { source, spool: Spool::new(settings) } }
    }

    /// Reads the body to its end, unless it was taken: [`RequestBody::held`] tells. Can be given up and called again;
    /// a failure is final.
    pub async fn read(&mut self) -> Result<(), BodyError> {
        poll_fn(|cx| self.poll_read(cx)).await
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BodyError>> {
        let outcome = loop {
            let (source, spool) = match &mut self.state {
                State::Stream { source, spool } => (source, spool),
                State::Failed(error) => return Poll::Ready(Err(error.clone())),
                State::Held(_) | State::Taken => return Poll::Ready(Ok(())),
            };
            let piece = ready!(source.poll_data(cx));
            let kept = piece.and_then(|piece| match piece {
                Some(bytes) => spool.add(&bytes, source.remaining()).map(|()| None),
                None => Ok(Some(spool.finish())),
            });
            match kept {
                Ok(None) => {}
                Ok(Some(body)) => break Ok(body),
                Err(error) => break Err(error),
            }
        };
        self.state = match outcome {
            Ok(body) => State::Held(body),
            Err(error) => State::Failed(error),
        };
        self.poll_read(cx)
    }

    /// The body, if it is there whole.
    pub fn held(&self) -> Option<&HeldBody> {
        match &self.state {
            State::Held(body) => Some(body),
            _ => None,
        }
    }

    /// Whether reading it takes no time, since all of it came together with the head.
    pub fn is_here(&self) -> bool {
        match &self.state {
            State::Stream { source, .. } => source.is_here(),
            State::Held(_) => true,
            State::Failed(_) | State::Taken => false,
        }
    }

    /// Why it can no longer be had.
    pub fn failure(&self) -> Option<&BodyError> {
        match &self.state {
            State::Failed(error) => Some(error),
            _ => None,
        }
    }

    /// Bytes of the whole body, if that is known.
    pub fn length(&self) -> Option<u64> {
        match &self.state {
            State::Stream { source, spool } => Some(spool.len() + source.remaining()?),
            State::Held(body) => Some(body.len()),
            State::Failed(_) | State::Taken => None,
        }
    }

    /// Puts another body in its place. A failure stays: what went wrong with the client's cannot be made good.
    pub fn replace(&mut self, bytes: impl Into<Bytes>) {
        if self.failure().is_none() {
            *self = Self::new(bytes);
        }
    }

    /// Takes a body that was not read yet away, to send it on as it comes.
    pub fn take_stream(&mut self) -> Option<Box<dyn BodySource>> {
        match std::mem::replace(&mut self.state, State::Taken) {
            // What was read of it already cannot be put back: it is read to its end then.
            State::Stream { source, spool } if spool.len() == 0 => Some(source),
            other => {
                self.state = other;
                None
            }
        }
    }
}

#[cfg(test)]
mod tests;
