//! HTTP/2 with upstreams, which gRPC needs: one request at a time on each connection, as in the reference, so that none waits
//! for another's reader.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf as _, Bytes};
use h2::client::{Builder, ResponseFuture, SendRequest};
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, Request, Response};
use polygate_http1::{Framing, Headers, Limits, ResponseHead, ResponseParser, write};
use polygate_net::clock::Clock;
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::client::Client;
use crate::failure::Failure;
use crate::streams::io_error;
use crate::upstream::attempt::{Asked, Broken, Carrier, UpstreamTimeouts};
use crate::upstream::connect;
use crate::upstream::connection::in_time;
use crate::upstream::pool::Reusable;
use crate::upstream::target::Target;
use crate::upstream::upload::{Upload, UploadError};
use crate::wire::Wire;

/// Bytes that an upstream may send ahead of what the client reads.
const WINDOW: u32 = 256 * 1024;
/// What short frames of data may cost that were not read yet, where one costs what it lacks to 256 bytes: as many as fill the
/// window with messages of no content.
const SMALL_FRAMES: usize = WINDOW as usize / 5 * 251;
/// Bytes of a request that wait to be sent.
const SEND_BUFFER: usize = 64 * 1024;
/// As for HTTP/1: see `connection`.
const LIMITS: Limits = Limits { line: 64 * 1024, head: 64 * 1024 };
/// How long a connection that nobody wants any more may take to end.
const PARTING: Duration = Duration::from_secs(5);

/// An open connection that carries one request at a time.
pub struct Http2Connection {
    target: Target,
    requests: SendRequest<Bytes>,
    served: u64,
    is_over: Rc<Cell<bool>>,
    /// Dropped with the connection, which its task takes for the end.
    _wanted: oneshot::Sender<()>,
}

impl Reusable for Http2Connection {
    fn target(&self) -> &Target {
        &self.target
    }

    fn served(&self) -> u64 {
        self.served
    }

    fn is_alive(&mut self) -> bool {
        !self.is_over.get()
    }
}

impl Carrier for Http2Connection {
    type Head = Request<()>;
    type Body = Http2Body;

    /// Also says what HTTP/2 begins with. A task of its own reads and writes.
    async fn open(target: Target, timeouts: UpstreamTimeouts) -> Result<Box<Self>, Failure> {
        let (requests, connection) = in_time(timeouts.connect, begin(&target)).await?;
        let (wanted, unwanted) = oneshot::channel::<()>();
        let is_over = Rc::new(Cell::new(false));
        let over = is_over.clone();
        tokio::task::spawn_local(async move {
            let mut connection = pin!(connection);
            // Whoever has a request on it learns of its errors.
            tokio::select! {
                _ = connection.as_mut() => {}
                _ = unwanted => drop(timeout(PARTING, connection).await),
            }
            over.set(true);
        });
        Ok(Box::new(Self { target, requests, served: 0, is_over, _wanted: wanted }))
    }

    async fn exchange(
        mut self: Box<Self>,
        head: &Request<()>,
        mut upload: Upload,
        asked: Asked,
        timeouts: UpstreamTimeouts,
        client: &dyn Client,
        mut interim: impl FnMut(ResponseHead),
    ) -> Result<(ResponseHead, Http2Body), (Broken, Upload)> {
        self.served += 1;
        let is_whole = upload.is_empty();
        let begun = match poll_fn(|cx| self.requests.poll_ready(cx)).await {
            Ok(()) => self.requests.send_request(head.clone(), is_whole),
            Err(error) => Err(error),
        };
        let (response, stream) = match begun {
            Ok(begun) => begun,
            Err(error) => {
                let failure = Failure::Reset(io_error(error));
                return Err((Broken { failure, is_silent: true, is_unsent: true }, upload));
            }
        };
        if is_whole {
            upload.finish();
        }
        let (reading, writing) = (Clock::new(), Clock::new());
        let mut waiting = Waiting { response, stream, reading, writing, timeouts };
        let (head, source) = match poll_fn(|cx| waiting.poll(cx, &mut upload, client, &mut interim)).await {
            Ok(answered) => answered,
            Err(broken) => return Err((broken, upload)),
        };
        let remaining = match head.framing_for(asked.is_head) {
            Framing::Length(length) => Some(length),
            Framing::Chunked | Framing::UntilClose => None,
        };
        let body = Http2Body {
            connection: self,
            source,
            stream: waiting.stream,
            upload,
            piece: Bytes::new(),
            remaining,
            trailers: None,
            is_ended: false,
            reading: Clock::new(),
            writing: waiting.writing,
            timeouts,
        };
        Ok((head, body))
    }
}

async fn begin(target: &Target) -> Result<(SendRequest<Bytes>, h2::client::Connection<Wire>), Failure> {
    let wire = Wire::new(connect::open(target).await?);
    let mut builder = Builder::new();
    builder
        .enable_push(false)
        .initial_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .max_send_buffer_size(SEND_BUFFER)
        .data_frame_budget(SMALL_FRAMES)
        .max_header_list_size(LIMITS.head as u32);
    builder.handshake(wire).await.map_err(|error| Failure::Reset(io_error(error)))
}

/// A request of which no answer has come.
struct Waiting {
    response: ResponseFuture,
    stream: SendStream<Bytes>,
    reading: Clock,
    writing: Clock,
    timeouts: UpstreamTimeouts,
}

impl Waiting {
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        upload: &mut Upload,
        client: &dyn Client,
        interim: &mut impl FnMut(ResponseHead),
    ) -> Poll<Result<(ResponseHead, RecvStream), Broken>> {
        let Self { response, stream, reading, writing, timeouts } = self;
        poll_upload(cx, upload, stream, writing, timeouts.write).map_err(heard)?;
        while let Poll::Ready(Some(Ok(response))) = response.poll_informational(cx) {
            reading.stop();
            interim(head(&response).map_err(heard)?);
        }
        match Pin::new(response).poll(cx) {
            Poll::Ready(Ok(response)) => {
                let head = head(&response).map_err(heard)?;
                return Poll::Ready(Ok((head, response.into_body())));
            }
            Poll::Ready(Err(error)) => return Poll::Ready(Err(broken(error))),
            Poll::Pending => {}
        }
        if client.poll_gone(cx).is_ready() {
            return Poll::Ready(Err(heard(Failure::ClientLeft)));
        }
        if upload.is_over() {
            ready!(reading.poll_within(cx, timeouts.read));
            return Poll::Ready(Err(heard(Failure::ReadTimeout(timeouts.read))));
        }
        Poll::Pending
    }
}

/// A try that the upstream may have taken up.
fn heard(failure: Failure) -> Broken {
    Broken { failure, is_silent: false, is_unsent: false }
}

/// What the upstream did not take up can be asked for again (RFC 9113, section 8.7): streams that it refuses, and those
/// behind the last of which it says that it is going away.
fn broken(error: h2::Error) -> Broken {
    let is_unsent = error.reason() == Some(Reason::REFUSED_STREAM) || error.is_go_away() && error.is_remote();
    let is_silent = is_unsent || error.is_io();
    Broken { failure: Failure::Reset(io_error(error)), is_silent, is_unsent }
}

/// The content of an answer, and what is left of its request.
pub struct Http2Body {
    connection: Box<Http2Connection>,
    source: RecvStream,
    stream: SendStream<Bytes>,
    upload: Upload,
    piece: Bytes,
    /// Bytes that were announced and did not come yet.
    remaining: Option<u64>,
    trailers: Option<Headers>,
    is_ended: bool,
    reading: Clock,
    writing: Clock,
    timeouts: UpstreamTimeouts,
}

impl Http2Body {
    pub fn address(&self) -> SocketAddr {
        self.connection.target.address
    }

    pub fn remaining(&self) -> Option<u64> {
        self.remaining.map(|remaining| remaining + self.piece.len() as u64)
    }

    pub fn upload(&mut self) -> &mut Upload {
        &mut self.upload
    }

    pub fn poll_upload(&mut self, cx: &mut Context<'_>) {
        let Self { upload, stream, writing, timeouts, .. } = self;
        if poll_upload(cx, upload, stream, writing, timeouts.write).is_err() {
            upload.give_up();
        }
    }

    pub fn poll_content(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        while self.piece.is_empty() && !self.is_ended {
            let came = match self.source.poll_data(cx) {
                Poll::Ready(Some(piece)) => Poll::Ready(piece.map(Some)),
                Poll::Ready(None) => self.source.poll_trailers(cx).map_ok(|trailers| {
                    self.trailers = trailers.as_ref().map(lines);
                    None
                }),
                Poll::Pending => Poll::Pending,
            };
            match came {
                Poll::Ready(Ok(Some(piece))) => {
                    self.reading.stop();
                    self.remaining = self.remaining.map(|left| left.saturating_sub(piece.len() as u64));
                    self.piece = piece;
                }
                Poll::Ready(Ok(None)) => self.is_ended = true,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(Failure::Reset(io_error(error)))),
                // It may wait for the rest of the request, whose clocks run.
                Poll::Pending if !self.upload.is_over() => return Poll::Pending,
                Poll::Pending => {
                    ready!(self.reading.poll_within(cx, self.timeouts.read));
                    return Poll::Ready(Err(Failure::ReadTimeout(self.timeouts.read)));
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    pub fn content(&self) -> &[u8] {
        &self.piece
    }

    pub fn consume(&mut self, bytes: usize) {
        self.piece.advance(bytes);
        // It fails for streams that have ended, of which no window matters.
        let _ = self.source.flow_control().release_capacity(bytes);
    }

    pub fn trailers(&mut self) -> Option<Headers> {
        self.trailers.take()
    }

    pub fn into_idle(self) -> Option<Box<Http2Connection>> {
        let is_idle = self.is_ended && self.piece.is_empty() && self.upload.is_finished();
        is_idle.then_some(self.connection)
    }
}

/// Sends as much of the request as can be.
fn poll_upload(
    cx: &mut Context<'_>,
    upload: &mut Upload,
    stream: &mut SendStream<Bytes>,
    clock: &mut Clock,
    patience: Duration,
) -> Result<(), Failure> {
    if upload.is_over() {
        return Ok(());
    }
    match upload.poll_stream(cx, stream, clock, patience) {
        Poll::Ready(Err(UploadError::Body(error))) => Err(error.into()),
        Poll::Ready(Err(UploadError::TimedOut)) => Err(Failure::WriteTimeout(patience)),
        Poll::Ready(Ok(())) | Poll::Pending => Ok(()),
    }
}

/// The head as it would be in HTTP/1.1, having passed the same rules.
fn head<T>(response: &Response<T>) -> Result<ResponseHead, Failure> {
    let mut text = Vec::with_capacity(1024);
    write::status_line(&mut text, http::Version::HTTP_11, response.status().as_u16(), None);
    response.headers().iter().for_each(|(name, value)| write::line(&mut text, name, value.as_bytes()));
    text.extend_from_slice(b"\r\n");
    let parsed = ResponseParser::new(LIMITS).parse(&text).map_err(Failure::Malformed)?;
    parsed.ok_or(Failure::NoResponse)
}

fn lines(trailers: &HeaderMap) -> Headers {
    trailers.iter().map(|(name, value)| (name, value.as_bytes())).collect()
}
