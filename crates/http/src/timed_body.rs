//! A body as hyper reads it, with a limit to the pauses in it.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use polygate_chain::BodyError;
use tokio::time::{Instant, Sleep};

pub struct TimedBody {
    incoming: Incoming,
    patience: Duration,
    deadline: Pin<Box<Sleep>>,
}

impl TimedBody {
    /// `patience` is the longest pause between two reads.
    pub fn new(incoming: Incoming, patience: Duration) -> Self {
        Self { incoming, patience, deadline: Box::pin(tokio::time::sleep(patience)) }
    }
}

impl Body for TimedBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        let Poll::Ready(frame) = Pin::new(&mut this.incoming).poll_frame(cx) else {
            ready!(this.deadline.as_mut().poll(cx));
            return Poll::Ready(Some(Err(BodyError::Timeout)));
        };
        this.deadline.as_mut().reset(Instant::now() + this.patience);
        Poll::Ready(frame.map(|frame| frame.map_err(|error| BodyError::Broken(error.to_string()))))
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}
