//! Connections that HTTP/2 is spoken over: any number of requests at a time, each in a task of its own.

mod client;
pub mod frames;
mod head;
mod watched;

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use h2::server::{Builder, Connection, SendResponse};
use h2::{Reason, RecvStream};
use http::Request;
use polygate_net::accept::Stop;
use polygate_net::clock::Clock;
use polygate_telemetry::log;
use tokio::io::AsyncWrite as _;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::downstream::{After, Downstream};
use crate::http2::client::Http2Client;
use crate::http2::frames::PREFACE;
use crate::http2::watched::{Watched, label};
use crate::parting::Parting;
use crate::wire::Wire;
use crate::{HttpSettings, METRICS, exchange, refusal};

/// Requests under way on one connection, as in the reference.
const MOST_STREAMS: u32 = 128;
/// Bytes that a client may send ahead of what is read, in one request and in all together.
const STREAM_WINDOW: u32 = 64 * 1024;
const CONNECTION_WINDOW: u32 = 1024 * 1024;
/// What short frames of data may cost that were not read yet, where one costs what it lacks to 256 bytes: streams of messages
/// consist of them.
const SMALL_FRAMES: usize = 4 * 1024 * 1024;
/// Bytes of one response that wait to be sent.
const SEND_BUFFER: usize = 64 * 1024;
/// How long a client may keep a connection that takes no more requests, when none is under way.
const LINGERING: Duration = Duration::from_secs(5);
const AT_ONCE: Duration = Duration::from_nanos(1);

/// A request, and where its response goes.
type Asked = (Request<RecvStream>, SendResponse<Bytes>);

/// What happens to a connection.
enum Event {
    Request(Box<Asked>),
    /// Nothing was under way for as long as that may be.
    Idle,
    /// The client makes work and wants nothing.
    Flood,
    /// It is over.
    Ended(Option<h2::Error>),
    /// Nothing can be sent over it any more.
    Broken(io::Error),
}

/// Whether the client speaks HTTP/2, which its first bytes tell; waits for them within `patience`.
pub async fn is_spoken(wire: &mut Wire, patience: Duration) -> bool {
    let mut limit = Clock::new();
    limit.restart(patience);
    poll_fn(|cx| {
        loop {
            let input = wire.input();
            if !PREFACE.starts_with(&input[..input.len().min(PREFACE.len())]) {
                return Poll::Ready(false);
            }
            if input.len() >= PREFACE.len() {
                return Poll::Ready(true);
            }
            match wire.poll_fill(cx, crate::buffers::SIZE) {
                Poll::Ready(Ok(1..)) => {}
                // Whoever reads on finds out the same.
                Poll::Ready(_) => return Poll::Ready(false),
                Poll::Pending => return limit.poll_expired(cx).map(|()| false),
            }
        }
    })
    .await
}

/// Serves requests until the connection ends. A graceful stop lets those under way come to their end.
pub async fn serve(wire: Wire, downstream: Downstream) {
    let downstream = Rc::new(downstream);
    let peer = downstream.connection.peer;
    let gateway = downstream.worker.gateway();
    let wire = Rc::new(RefCell::new(wire));
    let (watched, is_flooded) = Watched::new(wire.clone(), peer);
    let patience = gateway.settings.client_header_timeout;
    let mut stop = downstream.stop.clone();
    let begun = tokio::select! {
        begun = timeout(patience, builder(&gateway.settings).handshake(watched)) => begun,
        _ = stop.wait_for(|stop| *stop >= Stop::Graceful) => return,
    };
    let Ok(Ok(connection)) = begun else {
        METRICS.count_refused("http2_preface");
        return log!(Info, "client {peer}: HTTP/2 was begun and not gone on with");
    };
    drop(gateway);
    let mut serving = Serving {
        connection,
        wire: wire.clone(),
        is_flooded,
        is_ending: false,
        idle: Clock::new(),
        requests: JoinSet::new(),
        serial: 0,
    };
    serving.idle.restart(patience);
    serving.run(&downstream, stop).await;
    // A plugin's event comes to its end although the client has left.
    serving.requests.detach_all();
    drop(serving);
    let mut parting = Parting::new(LINGERING);
    poll_fn(|cx| parting.poll(cx, &mut wire.borrow_mut())).await;
}

fn builder(settings: &HttpSettings) -> Builder {
    let mut builder = Builder::new();
    builder
        .max_concurrent_streams(MOST_STREAMS)
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buffer_size(SEND_BUFFER)
        .data_frame_budget(SMALL_FRAMES)
        // What is larger than the limit and smaller than this gets the gateway's own answer.
        .max_header_list_size(u32::try_from(settings.header_limit * 2).unwrap_or(u32::MAX));
    builder
}

struct Serving {
    connection: Connection<Watched, Bytes>,
    /// What the connection is spoken over.
    wire: Rc<RefCell<Wire>>,
    is_flooded: Rc<Cell<bool>>,
    /// No more requests are taken.
    is_ending: bool,
    /// Runs while no request is under way.
    idle: Clock,
    requests: JoinSet<()>,
    /// Requests so far.
    serial: u64,
}

impl Serving {
    async fn run(&mut self, downstream: &Rc<Downstream>, mut stop: watch::Receiver<Stop>) {
        // Clients are told, and lose nothing: also when others take over.
        let mut stopped = pin!(stop.wait_for(|stop| *stop != Stop::Running));
        loop {
            let event = tokio::select! {
                biased;
                event = poll_fn(|cx| self.poll_event(cx, downstream)) => event,
                _ = stopped.as_mut(), if !self.is_ending => {
                    self.end_gracefully();
                    continue;
                }
            };
            match event {
                Event::Request(asked) => {
                    self.serial += 1;
                    self.idle.stop();
                    // Boxed, since tasks are moved when they begin and when they end.
                    let request = Box::pin(serve_request(*asked, self.serial, downstream.clone()));
                    self.requests.spawn_local(request);
                    let most = downstream.worker.gateway().settings.keepalive_requests;
                    if self.serial >= most && !self.is_ending {
                        self.end_gracefully();
                    }
                }
                Event::Idle if self.is_ending => return,
                Event::Idle => self.end_gracefully(),
                Event::Flood => {
                    self.is_flooded.set(false);
                    log!(
                        Notice,
                        "client {}: too many frames of HTTP/2 for nothing",
                        downstream.connection.peer
                    );
                    METRICS.count_refused("http2_flood");
                    self.connection.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM);
                    return self.part().await;
                }
                Event::Ended(None) => return,
                Event::Broken(error) => {
                    return log!(Info, "client {}: HTTP/2 broke off: {error}", downstream.connection.peer);
                }
                Event::Ended(Some(error)) => {
                    log!(Info, "client {}: HTTP/2 broke off: {error}", downstream.connection.peer);
                    if let Some(label) = error.reason().filter(|_| error.is_library()).and_then(label) {
                        METRICS.count_refused(label);
                    }
                    return;
                }
            }
        }
    }

    /// Takes no more requests; the client may keep the connection while some are under way, and a little longer.
    fn end_gracefully(&mut self) {
        self.is_ending = true;
        self.connection.graceful_shutdown();
        self.idle.restart(LINGERING);
    }

    fn poll_event(&mut self, cx: &mut Context<'_>, downstream: &Downstream) -> Poll<Event> {
        let accepted = self.connection.poll_accept(cx);
        if self.is_flooded.get() {
            return Poll::Ready(Event::Flood);
        }
        match accepted {
            Poll::Ready(Some(Ok(asked))) => return Poll::Ready(Event::Request(asked.into())),
            Poll::Ready(Some(Err(error))) => return Poll::Ready(Event::Ended(Some(error))),
            Poll::Ready(None) => return Poll::Ready(Event::Ended(None)),
            Poll::Pending => {}
        }
        if let Poll::Ready(Err(error)) = Pin::new(&mut *self.wire.borrow_mut()).poll_flush(cx) {
            return Poll::Ready(Event::Broken(error));
        }
        while let Poll::Ready(Some(_)) = self.requests.poll_join_next(cx) {
            if self.requests.is_empty() {
                let patience = match self.is_ending {
                    true => LINGERING,
                    // None at all is said by zero, which is no limit to a clock.
                    false => downstream.worker.gateway().settings.keepalive_timeout.max(AT_ONCE),
                };
                self.idle.restart(patience);
            }
        }
        if self.requests.is_empty() {
            ready!(self.idle.poll_expired(cx));
            return Poll::Ready(Event::Idle);
        }
        Poll::Pending
    }

    /// Sends what is left to be said.
    async fn part(&mut self) {
        let closed = poll_fn(|cx| self.connection.poll_closed(cx));
        // What goes wrong now makes no difference.
        let _ = timeout(LINGERING, closed).await;
    }
}

/// Takes one request along its way.
async fn serve_request((request, mut respond): Asked, serial: u64, downstream: Rc<Downstream>) {
    let gateway = downstream.worker.gateway();
    let settings = &gateway.settings;
    let timeouts = settings.client_timeouts();
    let parsed = head::request(&request, !request.body().is_end_stream(), settings.head_limits());
    let source = request.into_body();
    match parsed {
        Ok(Some(head)) => {
            let client = Http2Client::new(source, respond, head.length, timeouts);
            if exchange::run(head, serial, client.clone(), &downstream, gateway).await == After::Close {
                client.reset();
            }
        }
        Err(refused) => {
            let client = Http2Client::new(source, respond, refused.length, timeouts);
            refusal::of_head(*refused, serial, client, &downstream, gateway).await;
        }
        Ok(None) => respond.send_reset(Reason::PROTOCOL_ERROR),
    }
}
