//! The request's body as it comes from the client: limited in size and in patience.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use polygate_chain::{Body, BodyError, RequestBody};

use crate::timed_body::TimedBody;

/// A body up to this size is read before the upstream is contacted, so that a try can be repeated;
/// what is larger streams.
const READ_AHEAD: usize = 1024 * 1024;

struct ClientBody {
    incoming: TimedBody,
    left: u64,
}

/// Wraps what hyper reads. `limit` is in bytes, 0 = none; `patience` is the longest pause between reads.
pub fn request_body(incoming: Incoming, limit: u64, patience: Duration) -> RequestBody {
    if incoming.is_end_stream() {
        return RequestBody::Bytes(Bytes::new());
    }
    let left = if limit == 0 { u64::MAX } else { limit };
    let incoming = TimedBody::new(incoming, patience);
    RequestBody::Stream(ClientBody { incoming, left }.boxed_unsync())
}

impl HttpBody for ClientBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        let frame = ready!(Pin::new(&mut this.incoming).poll_frame(cx));
        Poll::Ready(frame.map(|frame| {
            let frame = frame?;
            let length = frame.data_ref().map_or(0, |data| data.len() as u64);
            this.left = this.left.checked_sub(length).ok_or(BodyError::TooLarge)?;
            Ok(frame)
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

/// Reads a small body to its end; of a large one the beginning, which is put back in front.
pub async fn read_ahead(body: &mut RequestBody) -> Result<(), BodyError> {
    let RequestBody::Stream(stream) = body else { return Ok(()) };
    if stream.size_hint().lower() > READ_AHEAD as u64 {
        return Ok(());
    }
    let mut head = BytesMut::new();
    while head.len() <= READ_AHEAD {
        match stream.frame().await {
            Some(Ok(frame)) => head.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data)),
            Some(Err(error)) => return Err(error),
            None => {
                *body = RequestBody::Bytes(head.freeze());
                return Ok(());
            }
        }
    }
    if let RequestBody::Stream(rest) = std::mem::replace(body, RequestBody::Gone) {
        *body = RequestBody::Stream(Resumed { head: Some(head.freeze()), rest }.boxed_unsync());
    }
    Ok(())
}

struct Resumed {
    head: Option<Bytes>,
    rest: Body,
}

impl HttpBody for Resumed {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.head.take() {
            Some(head) => Poll::Ready(Some(Ok(Frame::data(head)))),
            None => Pin::new(&mut self.rest).poll_frame(cx),
        }
    }
}
