//! The client's end of one stream of HTTP/2.

use std::cell::RefCell;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::Response;
use polygate_chain::{BodyError, BodySource};
use polygate_http1::{Framing, Headers, ResponseHead};
use polygate_net::clock::Clock;

use crate::client::{BodyFraming, Client, ClientTimeouts, FinalHead, SendError};
use crate::http2::head;
use crate::streams::{io_error, poll_room};

pub struct Http2Client {
    state: RefCell<State>,
}

struct State {
    source: RecvStream,
    sink: Sink,
    reading: Clock,
    sending: Clock,
    timeouts: ClientTimeouts,
    /// Bytes of content that were announced and not read yet.
    announced: Option<u64>,
    /// Bytes of content that the body may still have.
    room: u64,
    failure: Option<BodyError>,
    /// Content that goes out with what follows it, or when nothing does.
    held: Bytes,
    received: u64,
    sent: u64,
}

/// How far the response is.
enum Sink {
    Head(SendResponse<Bytes>),
    /// The head waits for what follows it: with nothing behind it, it ends the stream, as clients of gRPC demand.
    Ready(SendResponse<Bytes>, Response<()>),
    Body(SendStream<Bytes>),
    Ended,
}

impl Http2Client {
    /// `received` are the bytes of the request's head.
    pub fn new(
        source: RecvStream,
        respond: SendResponse<Bytes>,
        received: usize,
        timeouts: ClientTimeouts,
    ) -> Rc<Self> {
        Rc::new(Self {
            state: RefCell::new(State {
                source,
                sink: Sink::Head(respond),
                reading: Clock::new(),
                sending: Clock::new(),
                timeouts,
                announced: Some(0),
                room: 0,
                failure: None,
                held: Bytes::new(),
                received: received as u64,
                sent: 0,
            }),
        })
    }

    /// Tells the client that nothing more of the response will come, although it is not whole.
    pub fn reset(&self) {
        match &mut self.state.borrow_mut().sink {
            Sink::Head(respond) | Sink::Ready(respond, _) => respond.send_reset(Reason::INTERNAL_ERROR),
            Sink::Body(stream) => stream.send_reset(Reason::INTERNAL_ERROR),
            Sink::Ended => {}
        }
    }
}

impl Client for Http2Client {
    fn begin_body(&self, framing: Framing, limit: u64, _waits_for_leave: bool) {
        let mut state = self.state.borrow_mut();
        state.announced = match framing {
            Framing::Length(length) => Some(length),
            Framing::Chunked | Framing::UntilClose => None,
        };
        state.room = if limit == 0 { u64::MAX } else { limit };
    }

    fn body(self: Rc<Self>) -> Box<dyn BodySource> {
        Box::new(StreamBody(self))
    }

    /// Leave is not asked for over HTTP/2: the client's window says what it may send.
    fn waits_for_leave(&self) -> bool {
        false
    }

    fn traffic(&self) -> (u64, u64) {
        let state = self.state.borrow();
        (state.received, state.sent)
    }

    fn poll_gone(&self, cx: &mut Context<'_>) -> Poll<()> {
        let reset = match &mut self.state.borrow_mut().sink {
            Sink::Head(respond) | Sink::Ready(respond, _) => respond.poll_reset(cx),
            Sink::Body(stream) => stream.poll_reset(cx),
            Sink::Ended => return Poll::Pending,
        };
        reset.map(drop)
    }

    fn queue_interim(&self, interim: &ResponseHead) {
        if let Sink::Head(respond) = &mut self.state.borrow_mut().sink {
            // It fails when the client has left, which is noticed elsewhere.
            let _ = respond.send_informational(head::response(interim.status, None, &interim.headers));
        }
    }

    fn queue_head(&self, sent: &FinalHead<'_>, framing: BodyFraming) -> u64 {
        let state = &mut *self.state.borrow_mut();
        state.sent += sent.headers.wire_length() as u64;
        let response = head::response(sent.status, sent.date, sent.headers);
        state.sink = match std::mem::replace(&mut state.sink, Sink::Ended) {
            Sink::Head(respond) => Sink::Ready(respond, response),
            other => other,
        };
        if framing == BodyFraming::None {
            state.send_head(true);
        }
        state.sent
    }

    fn poll_content(&self, cx: &mut Context<'_>, content: &[u8]) -> Poll<Result<usize, SendError>> {
        self.state.borrow_mut().poll_content(cx, content)
    }

    fn queue_end(&self, trailers: Option<&Headers>) {
        let state = &mut *self.state.borrow_mut();
        state.send_head(trailers.is_none() && state.held.is_empty());
        if let Sink::Body(stream) = &mut state.sink {
            let held = std::mem::take(&mut state.held);
            // Failures are that the client has left.
            let _ = match trailers {
                None => stream.send_data(held, true),
                Some(trailers) => {
                    let _ = held.is_empty() || stream.send_data(held, false).is_ok();
                    stream.send_trailers(head::trailers(trailers))
                }
            };
            state.sink = Sink::Ended;
        }
    }

    fn queued(&self) -> usize {
        self.state.borrow().held.len()
    }

    /// What was handed over is sent by the connection.
    fn poll_flush(&self, _cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        Poll::Ready(self.state.borrow_mut().release())
    }
}

impl State {
    /// Takes as much as the client's window and the connection have room for.
    fn poll_content(&mut self, cx: &mut Context<'_>, content: &[u8]) -> Poll<Result<usize, SendError>> {
        self.release()?;
        let Sink::Body(stream) = &mut self.sink else { return Poll::Ready(Ok(content.len())) };
        let count = match poll_room(cx, stream, content.len()) {
            Poll::Ready(count) => count?,
            Poll::Pending => {
                ready!(self.sending.poll_within(cx, self.timeouts.send));
                return Poll::Ready(Err(SendError::TimedOut(self.timeouts.send)));
            }
        };
        self.sending.stop();
        self.held = Bytes::copy_from_slice(&content[..count]);
        self.sent += count as u64;
        Poll::Ready(Ok(count))
    }

    /// Hands the head over, if that was not done; `is_whole` is whether nothing follows.
    fn send_head(&mut self, is_whole: bool) {
        self.sink = match std::mem::replace(&mut self.sink, Sink::Ended) {
            Sink::Ready(mut respond, response) => match respond.send_response(response, is_whole) {
                Ok(stream) if !is_whole => Sink::Body(stream),
                // After a failure, too: that the client has left.
                _ => Sink::Ended,
            },
            other => other,
        };
    }

    /// Hands over what was held, as more will follow.
    fn release(&mut self) -> Result<(), SendError> {
        self.send_head(false);
        let held = std::mem::take(&mut self.held);
        match &mut self.sink {
            Sink::Body(stream) if !held.is_empty() => Ok(stream.send_data(held, false).map_err(io_error)?),
            _ => Ok(()),
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
        match self.source.poll_data(cx) {
            Poll::Ready(Some(Ok(piece))) => {
                let length = piece.len() as u64;
                // It fails for streams that have ended, of which no window matters.
                let _ = self.source.flow_control().release_capacity(piece.len());
                self.received += length;
                self.room = self.room.checked_sub(length).ok_or(BodyError::TooLarge)?;
                self.announced = self.announced.map(|announced| announced.saturating_sub(length));
                Poll::Ready(Ok(Some(piece)))
            }
            Poll::Ready(Some(Err(error))) if error.is_library() => {
                Poll::Ready(Err(BodyError::Malformed("the stream breaks a rule of HTTP/2")))
            }
            Poll::Ready(Some(Err(_))) => Poll::Ready(Err(BodyError::ClientGone)),
            Poll::Ready(None) => {
                self.announced = Some(0);
                Poll::Ready(Ok(None))
            }
            Poll::Pending => {
                ready!(self.reading.poll_within(cx, self.timeouts.body));
                Poll::Ready(Err(BodyError::Timeout))
            }
        }
    }
}

struct StreamBody(Rc<Http2Client>);

impl BodySource for StreamBody {
    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, BodyError>> {
        self.0.state.borrow_mut().poll_body(cx)
    }

    fn remaining(&self) -> Option<u64> {
        self.0.state.borrow().announced
    }

    fn is_here(&self) -> bool {
        self.0.state.borrow().source.is_end_stream()
    }
}
