//! The response's body on its way to the client; whatever must happen after it happens here.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use polygate_chain::{BodyError, Collected, RequestContext};

use crate::timed_body::TimedBody;
use crate::upstream::Lease;
use crate::{METRICS, Worker, access_log, tracing};

/// Where the bytes come from.
pub enum Content {
    Bytes(Bytes),
    Upstream(UpstreamBody),
}

/// A body from upstream, and the connection it comes over.
pub struct UpstreamBody {
    incoming: TimedBody,
    lease: Option<Lease>,
}

impl UpstreamBody {
    pub fn new(incoming: Incoming, lease: Lease, patience: Duration) -> Self {
        Self { incoming: TimedBody::new(incoming, patience), lease: Some(lease) }
    }
}

impl Body for UpstreamBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        let frame = ready!(Pin::new(&mut this.incoming).poll_frame(cx));
        if frame.is_none() || this.incoming.is_end_stream() {
            // Read to its end: the connection can carry another request.
            if let Some(lease) = this.lease.take() {
                lease.give_back();
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

/// Counts what is sent. When it is dropped, sent or not, the request ends: access log, metrics and the
/// log phase follow.
pub struct ResponseBody {
    content: Content,
    ending: Option<Ending>,
}

struct Ending {
    context: Box<RequestContext>,
    collected: Collected,
    worker: Rc<Worker>,
}

impl ResponseBody {
    pub fn new(
        content: Content,
        context: Box<RequestContext>,
        collected: Collected,
        worker: Rc<Worker>,
    ) -> Self {
        Self { content, ending: Some(Ending { context, collected, worker }) }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = match &mut self.content {
            Content::Bytes(bytes) if bytes.is_empty() => None,
            Content::Bytes(bytes) => Some(Ok(Frame::data(std::mem::take(bytes)))),
            Content::Upstream(body) => ready!(Pin::new(body).poll_frame(cx)),
        };
        if let (Some(Ok(frame)), Some(ending)) = (&frame, &mut self.ending) {
            ending.context.body_bytes_sent += frame.data_ref().map_or(0, |data| data.len() as u64);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Bytes(bytes) => bytes.is_empty(),
            Content::Upstream(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Bytes(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Content::Upstream(body) => body.size_hint(),
        }
    }
}

impl Drop for ResponseBody {
    fn drop(&mut self) {
        if let Content::Upstream(UpstreamBody { incoming, lease, .. }) = &mut self.content
            && incoming.is_end_stream()
            && let Some(lease) = lease.take()
        {
            lease.give_back();
        }
        let Some(Ending { mut context, collected, worker }) = self.ending.take() else { return };
        context.timings.receive.finish();
        context.timings.log = Some(std::time::Instant::now());
        context.bytes_sent += context.body_bytes_sent;
        METRICS.count_response(context.response.status);
        let statistics = &context.environment.node.statistics;
        statistics.requests_active.fetch_sub(1, std::sync::atomic::Ordering::Relaxed);
        if let Some(file) = &worker.access_log {
            access_log::write(file, &context);
        }
        tracing::end(&mut context);
        if collected.wants_log() {
            worker.enqueue_log(context, collected);
        }
    }
}
