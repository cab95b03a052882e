//! An upstream's answer, whatever version of HTTP it came in.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::task::{Context, Poll, ready};

use polygate_http1::{Headers, ResponseHead};

use crate::client::Client;
use crate::failure::Failure;
use crate::upstream::attempt::UpstreamTimeouts;
use crate::upstream::connection::{Connection, Http1Body};
use crate::upstream::http2::{Http2Body, Http2Connection};
use crate::upstream::upload::Upload;
use crate::wire::Wire;

/// A final response's head, with its body still to come over the connection.
pub struct Answer {
    pub head: ResponseHead,
    pub body: AnswerBody,
}

/// What is left of an exchange behind the answer's head. It changes hands often, so it is a pointer.
pub enum AnswerBody {
    Http1(Box<Http1Body>),
    Http2(Box<Http2Body>),
}

impl From<Http1Body> for AnswerBody {
    fn from(body: Http1Body) -> Self {
        Self::Http1(Box::new(body))
    }
}

impl From<Http2Body> for AnswerBody {
    fn from(body: Http2Body) -> Self {
        Self::Http2(Box::new(body))
    }
}

/// A connection that can carry another request.
pub enum Idle {
    Http1(Box<Connection>),
    Http2(Box<Http2Connection>),
}

impl AnswerBody {
    pub fn address(&self) -> SocketAddr {
        match self {
            Self::Http1(body) => body.address(),
            Self::Http2(body) => body.address(),
        }
    }

    /// Bytes of content that are still to come, if that is known.
    pub fn remaining(&self) -> Option<u64> {
        match self {
            Self::Http1(body) => body.remaining(),
            Self::Http2(body) => body.remaining(),
        }
    }

    /// What is left of the request.
    pub fn upload(&mut self) -> &mut Upload {
        match self {
            Self::Http1(body) => body.upload(),
            Self::Http2(body) => body.upload(),
        }
    }

    /// Goes on with what is left of the request. What becomes of it no longer matters to the answer, as long as the
    /// answer comes.
    pub fn poll_upload(&mut self, cx: &mut Context<'_>) {
        match self {
            Self::Http1(body) => body.poll_upload(cx),
            Self::Http2(body) => body.poll_upload(cx),
        }
    }

    /// Waits for content: what [`AnswerBody::content`] shows then, or nothing at the end.
    pub fn poll_content(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        match self {
            Self::Http1(body) => body.poll_content(cx),
            Self::Http2(body) => body.poll_content(cx),
        }
    }

    /// The content that is there; empty at the end, and before [`AnswerBody::poll_content`] was ready.
    pub fn content(&self) -> &[u8] {
        match self {
            Self::Http1(body) => body.content(),
            Self::Http2(body) => body.content(),
        }
    }

    /// Takes content away.
    pub fn consume(&mut self, bytes: usize) {
        match self {
            Self::Http1(body) => body.consume(bytes),
            Self::Http2(body) => body.consume(bytes),
        }
    }

    /// The lines behind the content, once it has ended; those of HTTP/1 end here, as in the reference.
    pub fn trailers(&mut self) -> Option<Headers> {
        match self {
            Self::Http1(_) => None,
            Self::Http2(body) => body.trailers(),
        }
    }

    /// Reads the content to its end.
    pub async fn collect(&mut self, client: &dyn Client) -> Result<Vec<u8>, Failure> {
        let mut whole = Vec::with_capacity(self.remaining().unwrap_or(0).min(1 << 20) as usize);
        poll_fn(|cx| {
            self.poll_upload(cx);
            loop {
                if self.poll_content(cx)?.is_pending() {
                    ready!(client.poll_gone(cx));
                    return Poll::Ready(Err(Failure::ClientLeft));
                }
                let content = self.content();
                if content.is_empty() {
                    return Poll::Ready(Ok(std::mem::take(&mut whole)));
                }
                whole.extend_from_slice(content);
                let taken = content.len();
                self.consume(taken);
            }
        })
        .await
    }

    /// The connection as it is, behind a switch of protocols, and how long it may take; HTTP/2 has none.
    pub fn tunnel(&mut self) -> Option<(&mut Wire, UpstreamTimeouts)> {
        match self {
            Self::Http1(body) => Some(body.tunnel()),
            Self::Http2(_) => None,
        }
    }

    /// The connection, if it can carry another request: this one was sent whole and its answer read whole.
    pub fn into_idle(self) -> Option<Idle> {
        match self {
            Self::Http1(body) => body.into_idle().map(Idle::Http1),
            Self::Http2(body) => body.into_idle().map(Idle::Http2),
        }
    }
}
