//! A raw upstream: what it does with a connection is a function of the test; what it gets is kept.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use crate::reference::wire::{Chunks, dechunk, find, text};

/// The answer of upstreams that are all right.
pub const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// A running upstream; its listener lives as long as the test process.
pub struct Upstream {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    requests: Mutex<Vec<Request>>,
    connections: AtomicUsize,
    ended: AtomicUsize,
}

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Request {
    /// The bytes of the head, as characters U+0000 to U+00FF, without the empty line.
    pub head: String,
    /// Without its coding; empty until it was read.
    pub body: Vec<u8>,
    /// Which of the upstream's connections it came over, from 1.
    pub connection: usize,
}

/// A connection of the gateway.
pub struct Peer {
    /// Which one, from 1.
    pub number: usize,
    stream: TcpStream,
    buffer: Vec<u8>,
    shared: Arc<Shared>,
}

impl Upstream {
    /// Serves each connection on a thread of its own and closes it when `serve` returns.
    pub fn start(serve: impl Fn(&mut Peer) + Send + Sync + 'static) -> Self {
        Self::at((Ipv4Addr::LOCALHOST, 0).into(), serve)
    }

    /// At an address of the test's choice.
    pub fn at(address: SocketAddr, serve: impl Fn(&mut Peer) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(address).expect("a free port");
        let address = listener.local_addr().expect("a bound listener has an address");
        let shared = Arc::new(Shared::default());
        let (serve, accepting) = (Arc::new(serve), Arc::clone(&shared));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let number = accepting.connections.fetch_add(1, Ordering::Relaxed) + 1;
                let (serve, shared) = (Arc::clone(&serve), Arc::clone(&accepting));
                drop(stream.set_nodelay(true));
                thread::spawn(move || {
                    serve(&mut Peer { number, stream, buffer: Vec::new(), shared: Arc::clone(&shared) });
                    shared.ended.fetch_add(1, Ordering::Relaxed);
                });
            }
        });
        Self { address, shared }
    }

    /// Reads whole requests, and answers each with these bytes.
    pub fn answering(answer: &[u8]) -> Self {
        let answer = answer.to_vec();
        Self::start(move |peer| {
            while peer.request().is_some() {
                peer.send(&answer);
            }
        })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Those that came so far.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.requests().clone()
    }

    /// The only request that came.
    #[track_caller]
    pub fn only(&self) -> Request {
        let requests = self.requests();
        let [request] = &requests[..] else { panic!("one request was expected: {requests:?}") };
        request.clone()
    }

    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::Relaxed)
    }

    /// How many connections have been served to their end.
    pub fn ended(&self) -> usize {
        self.shared.ended.load(Ordering::Relaxed)
    }
}

impl Shared {
    fn requests(&self) -> MutexGuard<'_, Vec<Request>> {
        self.requests.lock().expect("no holder panics")
    }
}

impl Request {
    /// The request line.
    pub fn line(&self) -> &str {
        self.head.split("\r\n").next().unwrap_or_default()
    }

    pub fn target(&self) -> &str {
        self.line().split(' ').nth(1).unwrap_or_default()
    }

    /// All values of a header.
    pub fn values(&self, name: &str) -> Vec<&str> {
        let lines = self.head.split("\r\n").skip(1).filter_map(|line| line.split_once(':'));
        lines.filter(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).collect()
    }
}

impl Peer {
    /// The next request without its body, or `None` at the connection's end.
    pub fn head(&mut self) -> Option<Request> {
        let end = loop {
            if let Some(end) = find(&self.buffer, b"\r\n\r\n") {
                break end;
            }
            if self.read_more() == 0 {
                return None;
            }
        };
        let request = Request { head: text(&self.buffer[..end]), body: Vec::new(), connection: self.number };
        self.buffer.drain(..end + 4);
        self.shared.requests().push(request.clone());
        Some(request)
    }

    /// The next request with its body, or `None` at the connection's end, even in the middle of a body.
    pub fn request(&mut self) -> Option<Request> {
        let mut request = self.head()?;
        request.body = if request.values("Transfer-Encoding").is_empty() {
            let length = request.values("Content-Length").first().and_then(|length| length.parse().ok());
            self.take(length.unwrap_or(0))?
        } else {
            self.take_chunks()?
        };
        let mut requests = self.shared.requests();
        // Others may have come over other connections in the meantime.
        let own = requests.iter_mut().rev().find(|known| known.connection == self.number)?;
        own.body.clone_from(&request.body);
        Some(request)
    }

    /// Reads a body and forgets it; `None` at the connection's end.
    pub fn skip(&mut self, coded: bool, length: usize) -> Option<()> {
        if coded { self.take_chunks() } else { self.take(length) }.map(drop)
    }

    /// Sends bytes; false when the gateway does not take them.
    pub fn send(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    /// Waits for the gateway to end the connection; false when it does not within this time.
    pub fn ends_within(&mut self, time: Duration) -> bool {
        let end = Instant::now() + time;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() || self.stream.set_read_timeout(Some(left)).is_err() {
                return false;
            }
            match self.stream.read(&mut [0; 65536]) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(error) => return !is_timeout(&error),
            }
        }
    }

    fn take(&mut self, length: usize) -> Option<Vec<u8>> {
        while self.buffer.len() < length {
            if self.read_more() == 0 {
                return None;
            }
        }
        Some(self.buffer.drain(..length).collect())
    }

    fn take_chunks(&mut self) -> Option<Vec<u8>> {
        loop {
            match dechunk(&self.buffer) {
                Chunks::Whole { content, length, .. } => {
                    self.buffer.drain(..length);
                    return Some(content);
                }
                Chunks::Part if self.read_more() > 0 => {}
                Chunks::Part | Chunks::Broken => return None,
            }
        }
    }

    /// How many bytes came; none at the connection's end.
    fn read_more(&mut self) -> usize {
        let mut buffer = [0; 65536];
        let length = self.stream.read(&mut buffer).unwrap_or(0);
        self.buffer.extend_from_slice(&buffer[..length]);
        length
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}
