//! Streams of datagrams: what one client sends to one listener, and what it is answered (gateway.md, section 11).

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::future::poll_fn;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use polygate_chain::session::Transport;
use polygate_net::accept::Stop;
use polygate_net::clock::Clock;
use polygate_net::datagrams::{Datagrams, Ends};
use polygate_net::real_ip::Peer;
use polygate_telemetry::log;
use polygate_transport::peers::{self, log_failure};
use tokio::io::Interest;
use tokio::net::UdpSocket;
use tokio::sync::watch;
use tokio::task::{JoinSet, consume_budget};
use tokio::time::sleep;

use crate::connect::{Tries, connected};
use crate::failure::Failure;
use crate::metrics::Lost;
use crate::way::Way;
use crate::{METRICS, Worker, end};

/// Streams of one listener of a worker that are open at a time; datagrams of further clients are dropped.
const MOST: usize = 16_384;
/// Datagrams of one stream that are held until the first answer to them.
const HELD: usize = 32;
/// For answers that are still to come when the gateway stops.
const DRAINING: Duration = Duration::from_secs(2);
/// After an error of the listener's.
const PAUSE: Duration = Duration::from_millis(50);

/// The streams of one listener of a worker.
struct Flows {
    local: SocketAddr,
    open: RefCell<HashMap<Ends, Rc<Flow>>>,
    /// Whether the last one who came was turned away.
    is_crowded: Cell<bool>,
}

/// One stream, as whoever takes datagrams of clients sees it.
#[derive(Default)]
struct Flow {
    /// Once there is one.
    upstream: RefCell<Option<Rc<UdpSocket>>>,
    /// What was sent to nobody, or to one that has not answered yet; another one may be given it.
    held: RefCell<Vec<Box<[u8]>>>,
    is_answered: Cell<bool>,
    /// Something came since this was last looked at.
    is_awake: Cell<bool>,
    received: Cell<u64>,
    forwarded: Cell<u64>,
}

pub async fn serve(listener: Rc<Datagrams>, worker: Rc<Worker>, mut stop: watch::Receiver<Stop>) {
    let local = listener.local();
    let flows = Rc::new(Flows::of(local));
    let mut running = JoinSet::new();
    loop {
        // Whoever sends without a pause is not to have the thread for himself.
        consume_budget().await;
        let arrived = tokio::select! {
            arrived = listener.readable() => arrived,
            _ = running.join_next(), if !running.is_empty() => continue,
            _ = stop.wait_for(|stop| *stop != Stop::Running) => break,
        };
        let received = arrived.and_then(|()| listener.try_recv(worker.thread.scratch.borrow_mut().bytes()));
        let (length, ends) = match received {
            Ok(received) => received,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
            Err(error) => {
                log!(Error, "datagrams at {local} cannot be received, waiting: {error}");
                sleep(PAUSE).await;
                continue;
            }
        };
        let mut scratch = worker.thread.scratch.borrow_mut();
        if let Some(flow) = flows.take(ends, &scratch.bytes()[..length]) {
            let (flows, worker, listener) = (flows.clone(), worker.clone(), listener.clone());
            running.spawn_local(async move {
                run(ends, &flow, &listener, worker).await;
                flows.end(ends);
            });
        }
    }
    let ended = async { while running.join_next().await.is_some() {} };
    let stopped = async {
        let _ = stop.wait_for(|stop| *stop >= Stop::Graceful).await;
        tokio::select! {
            _ = stop.wait_for(|stop| *stop == Stop::Fast) => {}
            () = sleep(DRAINING) => {}
        }
    };
    tokio::select! {
        () = ended => {}
        () = stopped => {}
    }
}

async fn run(ends: Ends, flow: &Flow, listener: &Datagrams, worker: Rc<Worker>) {
    let mut way = Way::begin(&Peer::new(ends.client, ends.local, None), Transport::Udp, worker);
    let outcome = steps(&mut way, ends, flow, listener).await;
    let stream = way.stream();
    stream.received = flow.received.get();
    stream.upstream_sent = flow.forwarded.get();
    end::end(way, outcome);
}

async fn steps(way: &mut Way, ends: Ends, flow: &Flow, listener: &Datagrams) -> Result<(), Failure> {
    way.route()?;
    if let Some(answer) = way.preread().await? {
        if !answer.body.is_empty() {
            let sent = listener.send(&answer.body, ends).await.map_err(Failure::ClientBroke)?;
            way.stream().sent = sent as u64;
        }
        return Ok(());
    }
    exchange(way, ends, flow, listener).await
}

/// Hands datagrams on both ways until both sides are silent, trying other peers while none has answered.
async fn exchange(way: &mut Way, ends: Ends, flow: &Flow, listener: &Datagrams) -> Result<(), Failure> {
    let mut tries = Tries::of(way).await?;
    let mut peer = tries.next(way)?;
    loop {
        let outcome = match open(peer.address).await {
            Ok(upstream) => answers(way, &peer, &upstream, ends, flow, listener).await,
            Err(error) => Err(Failure::of_connect(error)),
        };
        let Err(failure) = outcome else { return Ok(()) };
        if flow.is_answered.get() {
            log_failure(&way.session, peer.address, &failure);
            return Ok(());
        }
        peer = tries.again(way, &peer, failure)?;
    }
}

async fn open(address: SocketAddr) -> io::Result<Rc<UdpSocket>> {
    let any = match address.is_ipv4() {
        true => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
        false => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
    };
    let socket = UdpSocket::bind(any).await?;
    socket.connect(address).await?;
    Ok(Rc::new(socket))
}

/// Gives a peer what is held, and sends its answers to the client until both are silent.
async fn answers(
    way: &mut Way,
    peer: &peers::Peer,
    upstream: &Rc<UdpSocket>,
    ends: Ends,
    flow: &Flow,
    listener: &Datagrams,
) -> Result<(), Failure> {
    flow.open(upstream).await.map_err(Failure::Refused)?;
    let patience = way.silence();
    let mut silence = Clock::new();
    silence.restart(patience);
    loop {
        let heard = tokio::select! {
            ready = upstream.ready(Interest::READABLE | Interest::ERROR) => ready.map_err(Failure::Refused)?,
            () = poll_fn(|cx| silence.poll_expired(cx)) => match flow.is_awake.take() {
                true => {
                    silence.restart(patience);
                    continue;
                }
                false => break,
            },
        };
        if heard.is_error() {
            // Nobody is there; the system says so in answer to what was sent.
            let error = upstream.take_error().map_err(Failure::Refused)?;
            return Err(Failure::Refused(error.unwrap_or(io::ErrorKind::ConnectionRefused.into())));
        }
        let mut scratch = way.worker.thread.scratch.borrow_mut();
        let length = match upstream.try_recv(scratch.bytes()) {
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
            Err(error) => return Err(Failure::Refused(error)),
        };
        // One that the system does not take at once is lost, as on the wire.
        let sent = listener.try_send(&scratch.bytes()[..length], ends);
        drop(scratch);
        silence.restart(patience);
        if !flow.is_answered.replace(true) {
            flow.held.take();
            connected(way, peer);
        }
        let stream = way.stream();
        stream.upstream_received += length as u64;
        match sent {
            Ok(sent) => stream.sent += sent as u64,
            Err(_) => METRICS.count_dropped(Lost::Client),
        }
    }
    way.stream().status = 200;
    Ok(())
}

impl Flows {
    fn of(local: SocketAddr) -> Self {
        Self { local, open: RefCell::default(), is_crowded: Cell::default() }
    }

    /// Hands a datagram to the stream that it belongs to. Answers one that begins with it.
    fn take(&self, ends: Ends, datagram: &[u8]) -> Option<Rc<Flow>> {
        let mut open = self.open.borrow_mut();
        let count = open.len();
        match open.entry(ends) {
            Entry::Occupied(flow) => {
                flow.get().take(datagram);
                None
            }
            Entry::Vacant(_) if count >= MOST => {
                self.refuse();
                None
            }
            Entry::Vacant(place) => {
                self.is_crowded.set(false);
                let flow = place.insert(Rc::default()).clone();
                flow.take(datagram);
                Some(flow)
            }
        }
    }

    /// Counts each, and logs the first until there is room again.
    fn refuse(&self) {
        METRICS.count_refused(Transport::Udp, "crowded");
        if !self.is_crowded.replace(true) {
            log!(Error, "{MOST} streams of datagrams are open at {}, no more are begun", self.local);
        }
    }

    fn end(&self, ends: Ends) {
        self.open.borrow_mut().remove(&ends);
    }
}

impl Flow {
    /// Sends a datagram of the client's on, as soon as there is somebody to send it to.
    fn take(&self, datagram: &[u8]) {
        self.is_awake.set(true);
        self.received.update(|count| count + datagram.len() as u64);
        if !self.is_answered.get() {
            let mut held = self.held.borrow_mut();
            match held.len() < HELD {
                true => held.push(datagram.into()),
                false => return METRICS.count_dropped(Lost::Unanswered),
            }
        }
        if let Some(upstream) = &*self.upstream.borrow() {
            match upstream.try_send(datagram) {
                Ok(sent) => self.forwarded.update(|count| count + sent as u64),
                // What the peer refuses is noticed where its answers are awaited.
                Err(_) => METRICS.count_dropped(Lost::Upstream),
            }
        }
    }

    /// Sends what is held; from then on datagrams are sent as they come.
    async fn open(&self, upstream: &Rc<UdpSocket>) -> io::Result<()> {
        let held = |at: usize| self.held.borrow().get(at).cloned();
        let mut next = 0;
        while let Some(datagram) = held(next) {
            let sent = upstream.send(&datagram).await?;
            self.forwarded.update(|count| count + sent as u64);
            next += 1;
        }
        self.upstream.replace(Some(upstream.clone()));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use polygate_telemetry::LogFile;
    use polygate_telemetry::log::set_file;
    use polygate_telemetry::metrics::Scrape;

    use super::*;

    #[test]
    fn streams_are_bounded_and_refusals_are_counted_and_logged_once() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("error.log");
        set_file(LogFile::open(&file).unwrap().into());
        let refused = || {
            let scrape = Scrape::default();
            METRICS.show(&scrape);
            let line = "polygate_stream_refused_total{reason=\"crowded\",transport=\"UDP\"} ";
            scrape.render().lines().find_map(|it| it.strip_prefix(line)?.parse().ok()).unwrap_or(0)
        };
        let local = SocketAddr::from(([127, 0, 0, 1], 53));
        let client =
            |number: u32| Ends { client: (Ipv4Addr::from_bits(0x7f00_0001 + number), 7).into(), local };
        let flows = Flows::of(local);
        for number in 0..MOST as u32 {
            assert!(flows.take(client(number), b"x").is_some(), "{number}");
        }
        assert!(flows.take(client(7), b"y").is_none(), "it has its stream");
        assert_eq!((refused(), flows.open.borrow()[&client(7)].received.get()), (0, 2));
        for time in 1..=2 {
            // One who is turned away is remembered no more than the others.
            for _ in 0..10 {
                assert!(flows.take(client(MOST as u32), b"x").is_none());
            }
            assert_eq!((refused(), flows.open.borrow().len()), (time * 10, MOST));
            let log = fs::read_to_string(&file).unwrap();
            assert_eq!(log.matches("16384 streams of datagrams are open at 127.0.0.1:53").count(), time);
            flows.end(client(0));
            assert!(flows.take(client(0), b"x").is_some(), "there is room again");
        }
    }

    #[tokio::test]
    async fn what_nobody_has_answered_is_held_up_to_a_bound() {
        let flow = Flow::default();
        for number in 0..HELD as u8 + 5 {
            flow.take(&[number]);
        }
        let far = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        flow.open(&open(far.local_addr().unwrap()).await.unwrap()).await.unwrap();
        let mut heard = [0; 2];
        for number in 0..HELD as u8 {
            assert_eq!(far.recv(&mut heard).await.unwrap(), 1);
            assert_eq!(heard[0], number);
        }
        assert_eq!((flow.received.get(), flow.forwarded.get()), (HELD as u64 + 5, HELD as u64));
        flow.is_answered.set(true);
        flow.take(b"at once");
        assert_eq!(far.recv(&mut [0; 10]).await.unwrap(), 7);
    }
}
