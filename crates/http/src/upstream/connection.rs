//! The upstream's end of an exchange: sending a request while its answer may already come.

use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use polygate_http1::{Decoder, Limits, ResponseHead, ResponseParser};
use polygate_net::clock::{Clock, within};

use crate::client::Client;
use crate::failure::Failure;
use crate::upstream::attempt::{Asked, Broken, Carrier, UpstreamTimeouts};
use crate::upstream::connect;
use crate::upstream::pool::Reusable;
use crate::upstream::target::Target;
use crate::upstream::upload::{Upload, UploadError};
use crate::wire::Wire;

/// Bytes read at a time: of a head and what comes with it, and of a body that goes on.
const HEAD_READ: usize = 16 * 1024;
const BODY_READ: usize = 64 * 1024;

/// What an upstream's head may have; the reference's limit is its buffer, 64 KiB here as on the way out.
const LIMITS: Limits = Limits { line: 64 * 1024, head: 64 * 1024 };

/// What comes of `connecting` in time.
pub async fn in_time<T>(
    patience: Duration,
    connecting: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    within(patience, connecting).await.unwrap_or(Err(Failure::ConnectTimeout(patience)))
}

/// An open connection that carries one request at a time.
pub struct Connection {
    target: Target,
    wire: Wire,
    reading: Clock,
    writing: Clock,
    timeouts: UpstreamTimeouts,
    /// Requests so far, with the one under way.
    served: u64,
}

pub struct Http1Body {
    connection: Box<Connection>,
    decoder: Decoder,
    /// What is left of the request; an upstream may answer before it has read all of it.
    upload: Upload,
    /// Bytes of content at the front of the connection's input.
    ready: usize,
    keep_alive: bool,
}

impl Reusable for Connection {
    fn target(&self) -> &Target {
        &self.target
    }

    fn served(&self) -> u64 {
        self.served
    }

    /// The peer has nothing to say while it is idle, so that anything to read is its end.
    fn is_alive(&mut self) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        self.wire.poll_fill(&mut cx, 1).is_pending()
    }
}

impl Carrier for Connection {
    type Head = [u8];
    type Body = Http1Body;

    async fn open(target: Target, timeouts: UpstreamTimeouts) -> Result<Box<Self>, Failure> {
        let wire = Wire::new(in_time(timeouts.connect, connect::open(&target)).await?);
        Ok(Box::new(Self { target, wire, reading: Clock::new(), writing: Clock::new(), timeouts, served: 0 }))
    }

    async fn exchange(
        mut self: Box<Self>,
        head: &[u8],
        mut upload: Upload,
        asked: Asked,
        timeouts: UpstreamTimeouts,
        client: &dyn Client,
        mut interim: impl FnMut(ResponseHead),
    ) -> Result<(ResponseHead, Http1Body), (Broken, Upload)> {
        self.timeouts = timeouts;
        self.served += 1;
        self.wire.output().extend_from_slice(head);
        let (received, sent) = (self.wire.received(), self.wire.sent());
        let mut parser = ResponseParser::new(LIMITS);
        let head =
            poll_fn(|cx| self.poll_exchange(cx, &mut upload, asked, &mut parser, client, &mut interim)).await;
        match head {
            Ok(head) => {
                self.reading.stop();
                let decoder = Decoder::new(head.framing_for(asked.is_head));
                let keep_alive = head.keep_alive;
                let body = Http1Body { connection: self, decoder, upload, ready: 0, keep_alive };
                Ok((head, body))
            }
            Err(failure) => {
                let is_silent = failure.is_silent_end() && self.wire.received() == received;
                Err((Broken { failure, is_silent, is_unsent: self.wire.sent() == sent }, upload))
            }
        }
    }
}

impl Connection {
    fn poll_exchange(
        &mut self,
        cx: &mut Context<'_>,
        upload: &mut Upload,
        asked: Asked,
        parser: &mut ResponseParser,
        client: &dyn Client,
        interim: &mut impl FnMut(ResponseHead),
    ) -> Poll<Result<ResponseHead, Failure>> {
        self.poll_upload(cx, upload)?;
        loop {
            if let Some(head) = parser.parse(self.wire.input()).map_err(Failure::Malformed)? {
                self.wire.consume(head.length);
                if !head.is_interim() {
                    return Poll::Ready(Ok(head));
                }
                if head.status == 101 {
                    let is_asked = asked.websocket && upload.is_finished() && is_websocket(&head);
                    return Poll::Ready(if is_asked { Ok(head) } else { Err(Failure::UnaskedUpgrade) });
                }
                interim(head);
                *parser = ResponseParser::new(LIMITS);
                continue;
            }
            match self.wire.poll_fill(cx, HEAD_READ) {
                Poll::Ready(Ok(1..)) => self.reading.stop(),
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(Failure::NoResponse)),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(Failure::Reset(error))),
                Poll::Pending => break,
            }
        }
        if client.poll_gone(cx).is_ready() {
            return Poll::Ready(Err(Failure::ClientLeft));
        }
        if upload.is_over() {
            ready!(self.poll_read_timeout(cx));
            return Poll::Ready(Err(Failure::ReadTimeout(self.timeouts.read)));
        }
        Poll::Pending
    }

    /// Sends as much of the request as can be.
    fn poll_upload(&mut self, cx: &mut Context<'_>, upload: &mut Upload) -> Result<(), Failure> {
        if upload.is_over() {
            return Ok(());
        }
        match upload.poll(cx, &mut self.wire, &mut self.writing, self.timeouts.write) {
            Poll::Ready(Err(UploadError::Body(error))) => Err(error.into()),
            Poll::Ready(Err(UploadError::TimedOut)) => Err(Failure::WriteTimeout(self.timeouts.write)),
            Poll::Ready(Ok(())) | Poll::Pending => Ok(()),
        }
    }

    fn poll_read_timeout(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.reading.poll_within(cx, self.timeouts.read)
    }
}

/// Whether the protocol that an upstream switches to is that of WebSockets (RFC 6455, section 4.2.2).
fn is_websocket(head: &ResponseHead) -> bool {
    head.headers.text("Upgrade").is_some_and(|protocol| protocol.eq_ignore_ascii_case("websocket"))
}

impl Http1Body {
    pub fn address(&self) -> SocketAddr {
        self.connection.target.address
    }

    /// Whether the whole content was taken. One that goes on until the connection ends says so at that end only.
    pub fn is_done(&self) -> bool {
        self.ready == 0 && self.decoder.is_done()
    }

    /// Bytes of content that are still to come, if that is known.
    pub fn remaining(&self) -> Option<u64> {
        Some(self.ready as u64 + self.decoder.remaining()?)
    }

    /// What is left of the request.
    pub fn upload(&mut self) -> &mut Upload {
        &mut self.upload
    }

    /// Goes on with what is left of the request. What becomes of it no longer matters to the answer, as long as the
    /// answer comes.
    pub fn poll_upload(&mut self, cx: &mut Context<'_>) {
        if self.connection.poll_upload(cx, &mut self.upload).is_err() {
            self.upload.give_up();
        }
    }

    /// Waits for content: what [`AnswerBody::content`] shows then, or nothing at the end.
    pub fn poll_content(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        while self.ready == 0 && !self.decoder.is_done() {
            let wire = &mut self.connection.wire;
            let progress = self.decoder.advance(wire.input()).map_err(Failure::Malformed)?;
            wire.consume(progress.skip);
            self.ready = progress.content;
            if self.ready > 0 || self.decoder.is_done() {
                break;
            }
            match self.connection.wire.poll_fill(cx, BODY_READ) {
                Poll::Ready(Ok(1..)) => self.connection.reading.stop(),
                Poll::Ready(Ok(0)) if self.decoder.ends_with_connection() => return Poll::Ready(Ok(())),
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(Failure::BrokenOff)),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(Failure::Reset(error))),
                // It may wait for the rest of the request, whose clocks run.
                Poll::Pending if !self.upload.is_over() => return Poll::Pending,
                Poll::Pending => {
                    ready!(self.connection.poll_read_timeout(cx));
                    return Poll::Ready(Err(Failure::ReadTimeout(self.connection.timeouts.read)));
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    /// The content that is there; empty at the end, and before [`AnswerBody::poll_content`] was ready.
    pub fn content(&self) -> &[u8] {
        &self.connection.wire.input()[..self.ready]
    }

    /// Takes content away.
    pub fn consume(&mut self, bytes: usize) {
        self.connection.wire.consume(bytes);
        self.ready -= bytes;
    }

    /// The connection as it is, behind a switch of protocols, and how long it may take.
    pub fn tunnel(&mut self) -> (&mut Wire, UpstreamTimeouts) {
        (&mut self.connection.wire, self.connection.timeouts)
    }

    /// The connection, if it can carry another request: this one was sent whole and its answer read whole.
    pub fn into_idle(self) -> Option<Box<Connection>> {
        let wire = &self.connection.wire;
        let is_clean = wire.input().is_empty() && !wire.has_output() && !wire.has_ended();
        let is_idle = self.is_done() && self.upload.is_finished() && self.keep_alive && is_clean;
        is_idle.then_some(self.connection)
    }
}
