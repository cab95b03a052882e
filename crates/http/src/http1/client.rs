//! The client's end of a connection of HTTP/1: reading heads and bodies, writing responses, noticing that nobody is there.
//!
//! Shared by the connection's loop and the body of the request under way, which plugins read. All borrows end within
//! a poll.

use std::cell::{RefCell, RefMut};
use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::Version;
use polygate_chain::{BodyError, BodySource};
use polygate_http1::{
    Decoder, Framing, Headers, Limits, Progress, Refused, RequestHead, RequestParser, ResponseHead, write,
};
use polygate_net::clock::Clock;

use crate::client::{BodyFraming, Client, ClientTimeouts, FinalHead, SendError, TOGETHER};
use crate::parting::Parting;
use crate::wire::Wire;
use polygate_transport::HungUp;

/// Bytes read at a time.
const READ: usize = 16 * 1024;
/// What every response begins with, and so what can be sent before there is one.
const BEGINNING: &[u8] = b"HTTP/1.1 ";

pub struct Http1Client {
    state: RefCell<State>,
}

struct State {
    wire: Wire,
    reading: Clock,
    sending: Clock,
    timeouts: ClientTimeouts,
    body: Decoder,
    /// Of the response under way.
    framing: BodyFraming,
    /// Bytes of content that the body may still have.
    room: u64,
    failure: Option<BodyError>,
    /// The client waits for leave to send the body.
    waits_for_leave: bool,
    presence: Presence,
    /// Bytes of [`BEGINNING`] that are not to be sent any more: before the response those that were, then all of them.
    begun: usize,
}

/// What is known of the client being there.
enum Presence {
    There,
    /// It sends no more. Whether it still reads is found out by sending what any response begins with: the system of a
    /// client that has left refuses it.
    HalfClosed(HungUp),
    Gone,
}

/// What a head turned out to be.
pub enum Received {
    Request(RequestHead),
    Refused(Box<Refused>),
    /// A head was begun and did not come in time; so many bytes of it did.
    TimedOut(usize),
    /// The connection ended, or lay idle for too long, before anything of a request came.
    Nothing,
    /// It ended in the middle of a head.
    BrokenOff,
}

impl Http1Client {
    pub fn new(wire: Wire, timeouts: ClientTimeouts) -> Rc<Self> {
        Rc::new(Self {
            state: RefCell::new(State {
                wire,
                reading: Clock::new(),
                sending: Clock::new(),
                timeouts,
                body: Decoder::new(Framing::Length(0)),
                framing: BodyFraming::None,
                room: 0,
                failure: None,
                waits_for_leave: false,
                presence: Presence::There,
                begun: 0,
            }),
        })
    }

    /// Reads the next head. `idle` is how long to wait for its first byte.
    pub async fn read_head(&self, limits: Limits, idle: Duration, timeouts: ClientTimeouts) -> Received {
        let mut parser = RequestParser::new(limits);
        let mut begun = false;
        {
            let mut state = self.state.borrow_mut();
            state.timeouts = timeouts;
            state.begun = 0;
            state.reading.restart(idle);
        }
        let received = poll_fn(|cx| self.state.borrow_mut().poll_head(cx, &mut parser, &mut begun)).await;
        self.state.borrow_mut().reading.stop();
        received
    }

    /// Reads what is left of a body that nobody wants, so that the next request can be found. Answers whether it can.
    pub async fn discard_body(&self, most: u64, patience: Duration) -> bool {
        let mut left = most;
        let mut limit = Clock::new();
        limit.restart(patience);
        poll_fn(|cx| {
            loop {
                let mut state = self.state.borrow_mut();
                if state.body.is_done() {
                    return Poll::Ready(true);
                }
                if state.failure.is_some() || limit.poll_expired(cx).is_ready() {
                    return Poll::Ready(false);
                }
                state.room = u64::MAX;
                match ready!(state.poll_body(cx)) {
                    Ok(Some(bytes)) if bytes.len() as u64 <= left => left -= bytes.len() as u64,
                    Ok(None) => {}
                    _ => return Poll::Ready(false),
                }
            }
        })
        .await
    }

    /// See [`Parting`].
    pub async fn close(&self, patience: Duration) {
        let mut parting = Parting::new(patience);
        poll_fn(|cx| parting.poll(cx, &mut self.state.borrow_mut().wire)).await;
    }
}

impl Client for Http1Client {
    fn begin_body(&self, framing: Framing, limit: u64, waits_for_leave: bool) {
        let mut state = self.state.borrow_mut();
        state.body = Decoder::new(framing);
        state.room = if limit == 0 { u64::MAX } else { limit };
        state.failure = None;
        state.waits_for_leave = waits_for_leave && !framing.is_empty();
    }

    fn body(self: Rc<Self>) -> Box<dyn BodySource> {
        Box::new(ClientBody(self))
    }

    fn waits_for_leave(&self) -> bool {
        self.state.borrow().waits_for_leave
    }

    fn traffic(&self) -> (u64, u64) {
        let state = self.state.borrow();
        // What lies unused belongs to the next request.
        (state.wire.received() - state.wire.input().len() as u64, state.wire.sent())
    }

    fn poll_gone(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.state.borrow_mut().poll_gone(cx)
    }

    fn queue_interim(&self, head: &ResponseHead) {
        self.state.borrow_mut().queue_head(|out| {
            write::status_line(out, Version::HTTP_11, head.status, Some(&head.reason));
            head.headers.write_to(out);
        });
    }

    fn queue_head(&self, head: &FinalHead<'_>, framing: BodyFraming) -> u64 {
        let state = &mut *self.state.borrow_mut();
        state.queue_head(|out| {
            write::status_line(out, Version::HTTP_11, head.status, head.reason);
            if let Some(date) = head.date {
                write::line(out, "Date", date.as_bytes());
            }
            head.headers.write_to(out);
        });
        state.framing = framing;
        // What follows is its body, in which nothing has a place that is not of it.
        state.begun = BEGINNING.len();
        state.waits_for_leave = false;
        state.wire.sent() + state.wire.queued() as u64
    }

    fn poll_content(&self, cx: &mut Context<'_>, content: &[u8]) -> Poll<Result<usize, SendError>> {
        let state = &mut *self.state.borrow_mut();
        let queued = state.wire.queued();
        match state.framing {
            BodyFraming::None => {}
            BodyFraming::Chunked => {
                let out = state.wire.output();
                write::chunk_start(out, content.len());
                out.extend_from_slice(content);
                out.extend_from_slice(write::CHUNK_END);
            }
            BodyFraming::Plain if queued > 0 && content.len() <= TOGETHER => {
                state.wire.output().extend_from_slice(content);
            }
            BodyFraming::Plain => {
                ready!(state.poll_flush(cx))?;
                let outcome = state.wire.poll_write_direct(cx, content);
                return state.timed_write(cx, outcome);
            }
        }
        Poll::Ready(Ok(content.len()))
    }

    fn queue_end(&self, _trailers: Option<&Headers>) {
        let state = &mut *self.state.borrow_mut();
        if state.framing == BodyFraming::Chunked {
            state.wire.output().extend_from_slice(write::LAST_CHUNK);
        }
    }

    fn queued(&self) -> usize {
        self.state.borrow().wire.queued()
    }

    fn wire(&self) -> Option<RefMut<'_, Wire>> {
        Some(RefMut::map(self.state.borrow_mut(), |state| &mut state.wire))
    }

    fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        self.state.borrow_mut().poll_flush(cx)
    }
}

impl State {
    /// Adds a head, of which the first bytes may have been sent.
    fn queue_head(&mut self, fill: impl FnOnce(&mut Vec<u8>)) {
        let output = self.wire.output();
        let start = output.len();
        fill(output);
        output.extend_from_slice(b"\r\n");
        output.drain(start..start + std::mem::take(&mut self.begun));
    }
}

impl State {
    fn poll_head(
        &mut self,
        cx: &mut Context<'_>,
        parser: &mut RequestParser,
        begun: &mut bool,
    ) -> Poll<Received> {
        loop {
            if !self.wire.input().is_empty() {
                match parser.parse(self.wire.input()) {
                    Ok(Some(head)) => {
                        self.wire.consume(head.length);
                        return Poll::Ready(Received::Request(head));
                    }
                    Ok(None) => {}
                    Err(refused) => {
                        self.wire.consume(refused.length);
                        return Poll::Ready(Received::Refused(refused));
                    }
                }
                if !*begun && parser.has_begun(self.wire.input()) {
                    *begun = true;
                    self.reading.restart(self.timeouts.head);
                }
            }
            match self.wire.poll_fill(cx, READ) {
                Poll::Ready(Ok(1..)) => {}
                Poll::Ready(_) => {
                    return Poll::Ready(if *begun { Received::BrokenOff } else { Received::Nothing });
                }
                Poll::Pending => {
                    ready!(self.reading.poll_expired(cx));
                    let length = self.wire.input().len();
                    self.wire.consume(length);
                    return Poll::Ready(if *begun { Received::TimedOut(length) } else { Received::Nothing });
                }
            }
        }
    }

    fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, BodyError>> {
        if let Some(failure) = &self.failure {
            return Poll::Ready(Err(failure.clone()));
        }
        let piece = ready!(self.poll_piece(cx));
        self.reading.stop();
        if let Err(failure) = &piece {
            self.failure = Some(failure.clone());
        }
        Poll::Ready(piece)
    }

    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, BodyError>> {
        loop {
            let progress = advance(&mut self.body, &mut self.room, self.wire.input())?;
            self.wire.consume(progress.skip);
            if progress.content > 0 {
                let content = Bytes::copy_from_slice(&self.wire.input()[..progress.content]);
                self.wire.consume(progress.content);
                return Poll::Ready(Ok(Some(content)));
            }
            if self.body.is_done() {
                return Poll::Ready(Ok(None));
            }
            if std::mem::take(&mut self.waits_for_leave) && self.wire.input().is_empty() {
                self.wire.output().extend_from_slice(write::CONTINUE);
            }
            // A client may send all of its body before it reads anything.
            if let Poll::Ready(sent) = self.poll_flush(cx) {
                sent?;
            }
            match self.wire.poll_fill(cx, READ) {
                Poll::Ready(Ok(1..)) => self.reading.restart(self.timeouts.body),
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(BodyError::Incomplete)),
                Poll::Ready(Err(_)) => {
                    self.presence = Presence::Gone;
                    return Poll::Ready(Err(BodyError::ClientGone));
                }
                Poll::Pending => {
                    ready!(self.reading.poll_within(cx, self.timeouts.body));
                    return Poll::Ready(Err(BodyError::Timeout));
                }
            }
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        while self.wire.has_output() {
            let outcome = self.wire.poll_write_some(cx);
            ready!(self.timed_write(cx, outcome))?;
        }
        Poll::Ready(Ok(()))
    }

    fn timed_write(
        &mut self,
        cx: &mut Context<'_>,
        outcome: Poll<io::Result<usize>>,
    ) -> Poll<Result<usize, SendError>> {
        match outcome {
            Poll::Ready(Ok(count)) => {
                self.sending.stop();
                Poll::Ready(Ok(count))
            }
            Poll::Ready(Err(error)) => {
                self.presence = Presence::Gone;
                Poll::Ready(Err(error.into()))
            }
            Poll::Pending => {
                ready!(self.sending.poll_within(cx, self.timeouts.send));
                self.presence = Presence::Gone;
                Poll::Ready(Err(SendError::TimedOut(self.timeouts.send)))
            }
        }
    }

    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // An error is noted in the presence.
        let _ = self.poll_flush(cx);
        loop {
            match self.presence {
                Presence::Gone => return Poll::Ready(()),
                Presence::There if !self.body.is_done() || self.wire.input().len() >= READ => {
                    return Poll::Pending;
                }
                Presence::There => match ready!(self.wire.poll_fill(cx, READ)) {
                    Ok(1..) => {}
                    Ok(0) => {
                        self.presence = Presence::HalfClosed(self.wire.stream().hung_up());
                        self.wire.output().extend_from_slice(&BEGINNING[self.begun..]);
                        self.begun = BEGINNING.len();
                    }
                    Err(_) => self.presence = Presence::Gone,
                },
                Presence::HalfClosed(ref mut hung_up) => {
                    if hung_up.as_mut().poll(cx).is_ready() {
                        self.presence = Presence::Gone;
                    } else if let Poll::Ready(Ok(())) | Poll::Pending = self.poll_flush(cx) {
                        return Poll::Pending;
                    }
                }
            }
        }
    }
}

/// Goes on in a body of which `room` bytes more are let in. A chunk that does not fit is refused for its size, before any
/// of it is taken.
fn advance(body: &mut Decoder, room: &mut u64, input: &[u8]) -> Result<Progress, BodyError> {
    let progress = body.advance(input).map_err(|fault| BodyError::Malformed(fault.rule().text))?;
    let left = room.checked_sub(progress.content as u64).ok_or(BodyError::TooLarge)?;
    if body.announced() > left {
        return Err(BodyError::TooLarge);
    }
    *room = left;
    Ok(progress)
}

/// The body of the request under way.
struct ClientBody(Rc<Http1Client>);

impl BodySource for ClientBody {
    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, BodyError>> {
        self.0.state.borrow_mut().poll_body(cx)
    }

    fn remaining(&self) -> Option<u64> {
        self.0.state.borrow().body.remaining()
    }

    fn is_here(&self) -> bool {
        let state = self.0.state.borrow();
        let (mut body, mut room, mut input) = (state.body.clone(), state.room, state.wire.input());
        while !body.is_done() {
            match advance(&mut body, &mut room, input) {
                Ok(Progress { content: 0, .. }) => return body.is_done(),
                Ok(Progress { skip, content }) => input = &input[skip + content..],
                Err(_) => return true,
            }
        }
        true
    }
}
