//! The client of one request, whatever version of HTTP it speaks: its body comes from there, and the response goes there.

use std::cell::RefMut;
use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use polygate_chain::{BodyError, BodySource};
use polygate_http1::{Framing, Headers, ResponseHead};

use crate::wire::Wire;

/// Content up to this size is sent together with what waits already.
pub const TOGETHER: usize = 16 * 1024;

/// How long a client may take; zero is no limit.
#[derive(Debug, Clone, Copy)]
pub struct ClientTimeouts {
    /// From the first byte of a head to its last.
    pub head: Duration,
    /// Between two reads of a body.
    pub body: Duration,
    /// Between two writes.
    pub send: Duration,
}

/// How the body behind the head of a response is delimited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyFraming {
    /// There is none.
    None,
    /// As it is: a length was named, or the connection or stream ends with it.
    Plain,
    Chunked,
}

/// The head of the response itself.
pub struct FinalHead<'a> {
    pub status: u16,
    /// For versions that have one; `None` is the usual one.
    pub reason: Option<&'a [u8]>,
    /// A `Date` of the gateway's, in the place of one among the headers.
    pub date: Option<&'a str>,
    pub headers: &'a Headers,
}

/// The calls come in this order: `begin_body`, any number of `queue_interim`, `queue_head`, `poll_content` as often as
/// need be, `queue_end`. What is queued goes out while it is polled.
pub trait Client {
    /// Readies the body of the request whose head was read: `limit` is its greatest length, 0 for none.
    fn begin_body(&self, framing: Framing, limit: u64, waits_for_leave: bool);

    /// The body of the request under way.
    fn body(self: Rc<Self>) -> Box<dyn BodySource>;

    /// Whether the client holds its body back until it is told to send it.
    fn waits_for_leave(&self) -> bool;

    /// Bytes received and sent so far.
    fn traffic(&self) -> (u64, u64);

    /// Ready when the client has left. What is queued is sent meanwhile, and what comes early is read.
    fn poll_gone(&self, cx: &mut Context<'_>) -> Poll<()>;

    /// Adds a head that is sent before the response (RFC 9110, section 15.2).
    fn queue_interim(&self, head: &ResponseHead);

    /// Adds the head of the response. Answers how many bytes will have been sent at its end.
    fn queue_head(&self, head: &FinalHead<'_>, framing: BodyFraming) -> u64;

    /// Takes some content of the response, and sends what it cannot keep.
    fn poll_content(&self, cx: &mut Context<'_>, content: &[u8]) -> Poll<Result<usize, SendError>>;

    /// Ends the response. HTTP/1 clients get no trailers, as in the reference.
    fn queue_end(&self, trailers: Option<&Headers>);

    /// Bytes that wait to be sent.
    fn queued(&self) -> usize;

    /// The connection itself, for what follows a switch of protocols; only HTTP/1 has such.
    fn wire(&self) -> Option<RefMut<'_, Wire>> {
        None
    }

    /// Sends what was queued. An error is that the client has left or does not read.
    fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<Result<(), SendError>>;
}

impl dyn Client + '_ {
    /// See [`Client::poll_flush`].
    pub async fn flush(&self) -> Result<(), SendError> {
        poll_fn(|cx| self.poll_flush(cx)).await
    }

    /// Sends all of some content.
    pub async fn send(&self, mut content: &[u8]) -> Result<(), SendError> {
        while !content.is_empty() {
            let count = poll_fn(|cx| self.poll_content(cx, content)).await?;
            content = &content[count..];
        }
        Ok(())
    }
}

/// Why nothing more can be sent.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    #[error("the client read nothing for {} s", .0.as_secs())]
    TimedOut(Duration),
    #[error("the client closed the connection: {0}")]
    Gone(#[from] io::Error),
}

impl From<SendError> for BodyError {
    fn from(_: SendError) -> Self {
        Self::ClientGone
    }
}
