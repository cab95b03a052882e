//! Raw upstreams: they keep what they get and answer as the request's `X-Reply` line says.

use std::collections::BTreeMap;
use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use crate::reference::recorded::{Received, Reply, Text, Then};
use crate::reference::symbols::Symbols;
use crate::reference::wire::{Chunks, Lines, bytes, dechunk, find, is_chunked, text, values};

/// The first byte of a TLS client (RFC 8446, section 5.1). What follows is no request, whatever there is of it.
const TLS_HANDSHAKE: u8 = 22;

/// Between two parts of a reply, so that the gateway reads them apart.
const PAUSE: Duration = Duration::from_millis(50);
/// Longer than the gateway waits where a reply hangs.
const HANG: Duration = Duration::from_secs(3);

pub struct Upstreams(Arc<Shared>);

struct Shared {
    replies: BTreeMap<String, Parts>,
    seen: Mutex<Vec<Received>>,
}

struct Parts {
    parts: Vec<Vec<u8>>,
    then: Option<Then>,
}

/// One connection of the gateway.
struct Serving {
    /// Its symbol.
    port: u16,
    stream: TcpStream,
    /// Read and not yet used.
    buffer: Vec<u8>,
    shared: Arc<Shared>,
}

impl Upstreams {
    #[track_caller]
    pub fn start(symbols: &Symbols, ports: &[u16], replies: &BTreeMap<String, Reply>) -> Self {
        let replies = replies.iter().map(|(name, reply)| (name.clone(), Parts::of(reply, symbols))).collect();
        let shared = Arc::new(Shared { replies, seen: Mutex::default() });
        for port in ports.iter().copied() {
            let listener = TcpListener::bind(symbols.address(port)).expect("the port was free");
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                for stream in listener.incoming().flatten() {
                    let serving = Serving { port, stream, buffer: Vec::new(), shared: Arc::clone(&shared) };
                    // The gateway closes connections as it likes.
                    thread::spawn(move || drop(serving.run()));
                }
            });
        }
        Self(shared)
    }

    pub fn count(&self) -> usize {
        self.0.seen().len()
    }

    /// The requests since the last call.
    pub fn take(&self) -> Vec<Received> {
        std::mem::take(&mut self.0.seen())
    }
}

impl Shared {
    fn seen(&self) -> MutexGuard<'_, Vec<Received>> {
        self.seen.lock().expect("no holder panics")
    }
}

impl Parts {
    fn of(reply: &Reply, symbols: &Symbols) -> Self {
        let realise = |Text(part): &Text| bytes(&symbols.realise(part));
        match reply {
            Reply::Whole(whole) => Self { parts: vec![realise(whole)], then: None },
            Reply::Parts { parts, then } => Self { parts: parts.iter().map(realise).collect(), then: *then },
        }
    }
}

impl Serving {
    fn run(mut self) -> io::Result<()> {
        self.stream.set_nodelay(true)?;
        while let Some(request) = self.read_request()? {
            let reply =
                values(&request.headers, "X-Reply").next().and_then(|name| self.shared.replies.get(name));
            let usual = Parts { parts: vec![self.usual(&request)?], then: None };
            let Parts { parts, then } = reply.unwrap_or(&usual);
            // Before the answer, so that whoever has the answer finds the record.
            self.shared.seen().push(request);
            for (at, part) in parts.iter().enumerate() {
                if at > 0 {
                    thread::sleep(PAUSE);
                }
                self.stream.write_all(part)?;
            }
            if let Some(then) = then {
                if *then == Then::Hang {
                    thread::sleep(HANG);
                }
                return self.stream.shutdown(Shutdown::Both);
            }
        }
        Ok(())
    }

    fn usual(&self, request: &Received) -> io::Result<Vec<u8>> {
        let body = format!("ok {}\n", self.stream.local_addr()?.port());
        let head =
            format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n", body.len());
        let body = if request.line.0.starts_with("HEAD ") { "" } else { &body };
        Ok(format!("{head}{body}").into_bytes())
    }

    /// The next request, or `None` at the connection's end.
    fn read_request(&mut self) -> io::Result<Option<Received>> {
        let end = loop {
            if let Some(end) = find(&self.buffer, b"\r\n\r\n") {
                break end;
            }
            if !self.read_more()? {
                if !self.buffer.is_empty() && self.buffer[0] != TLS_HANDSHAKE {
                    let head = text(&std::mem::take(&mut self.buffer));
                    self.shared.seen().push(self.received(&head, "cut"));
                }
                return Ok(None);
            }
        };
        let head = text(&self.buffer[..end]);
        self.buffer.drain(..end + 4);
        let mut request = self.received(&head, "");
        if is_chunked(&request.headers) {
            self.read_chunks(&mut request)?;
        } else {
            let length = values(&request.headers, "Content-Length").next().map(str::to_owned);
            if let Some(length) = length {
                self.read_length(&mut request, length.trim().parse().map_err(io::Error::other)?)?;
            }
        }
        Ok(Some(request))
    }

    fn received(&self, head: &str, framing: &str) -> Received {
        let mut lines = head.split("\r\n");
        let split = |line: &str| {
            let (name, value) = line.split_once(':').unwrap_or((line, ""));
            (name.to_owned(), value.strip_prefix(' ').unwrap_or(value).to_owned())
        };
        Received {
            port: self.port,
            line: Text(lines.next().unwrap_or_default().to_owned()),
            headers: lines.filter(|line| !line.is_empty()).map(split).collect::<Lines>(),
            framing: framing.to_owned(),
            body: Text::default(),
            trailers: Text::default(),
        }
    }

    fn read_chunks(&mut self, request: &mut Received) -> io::Result<()> {
        loop {
            match dechunk(&self.buffer) {
                Chunks::Whole { content, trailers, length } => {
                    (request.body, request.trailers) = (Text(text(&content)), Text(text(&trailers)));
                    request.framing = "chunked".to_owned();
                    self.buffer.drain(..length);
                    return Ok(());
                }
                Chunks::Part if self.read_more()? => {}
                Chunks::Part | Chunks::Broken => {
                    request.framing = "chunked, cut".to_owned();
                    request.body = Text(text(&std::mem::take(&mut self.buffer)));
                    return Ok(());
                }
            }
        }
    }

    fn read_length(&mut self, request: &mut Received, length: usize) -> io::Result<()> {
        let mut whole = true;
        while whole && self.buffer.len() < length {
            whole = self.read_more()?;
        }
        let body: Vec<u8> = self.buffer.drain(..length.min(self.buffer.len())).collect();
        request.body = Text(text(&body));
        request.framing = if whole { "length" } else { "length, cut" }.to_owned();
        Ok(())
    }

    /// Whether there was more.
    fn read_more(&mut self) -> io::Result<bool> {
        let mut buffer = [0; 65536];
        let length = self.stream.read(&mut buffer)?;
        self.buffer.extend_from_slice(&buffer[..length]);
        Ok(length > 0)
    }
}
