//! An upstream that tells what it was asked: a blocking HTTP/1.1 server, one thread for each connection.
//!
//! It reads requests with httparse rather than with a whole HTTP library because tests want to see header lines as the
//! gateway wrote them (order, letter case, duplicates, bytes), and to answer with exactly the bytes they choose.

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest as _, Md5};
use serde_json::{Value, json};

use crate::client::HeaderLine;
use crate::eventually::eventually;

/// Bodies up to this size are shown in the description, larger ones only by length and MD5.
const SHOWN_BODY: usize = 64 * 1024;
const MAX_HEADERS: usize = 512;

/// One request as it came.
#[derive(Clone, Debug)]
pub struct Received {
    pub method: String,
    pub target: String,
    /// Header lines in the order they came, names as written.
    pub headers: Vec<HeaderLine>,
    /// The body without its transfer coding.
    pub body: Vec<u8>,
}

/// What to answer. Content-Length, `Server` and `X-Powered-By` are added unless given.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<HeaderLine>,
    pub body: Vec<u8>,
}

/// A running upstream; its listener lives as long as the test process, unless it is stopped.
pub struct EchoUpstream {
    address: SocketAddr,
    shared: Arc<Shared>,
}

type Script = dyn Fn(&Received) -> Reply + Send + Sync;

struct Shared {
    script: Box<Script>,
    seen: Mutex<HashMap<String, Seen>>,
    connections: Mutex<Connections>,
}

/// Those that are open, by number.
#[derive(Default)]
struct Connections {
    open: HashMap<usize, TcpStream>,
    /// How many there were.
    accepted: usize,
    is_stopped: bool,
}

/// What came for one request target.
struct Seen {
    hits: usize,
    last: Received,
}

impl EchoUpstream {
    /// Answers each request with [`Reply::describe`].
    pub fn start() -> Self {
        Self::scripted(Reply::describe)
    }

    /// Answers each request with what `script` makes of it.
    pub fn scripted(script: impl Fn(&Received) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port on 127.0.0.1");
        let address = listener.local_addr().expect("a bound listener has an address");
        let shared =
            Shared { script: Box::new(script), seen: Mutex::default(), connections: Mutex::default() };
        let upstream = Self { address, shared: Arc::new(shared) };
        upstream.listen(listener);
        upstream
    }

    /// Ends as a process does that is killed: the listener and all connections are closed.
    #[track_caller]
    pub fn stop(&self) {
        let open = {
            let mut connections = self.shared.connections();
            connections.is_stopped = true;
            std::mem::take(&mut connections.open)
        };
        open.values().for_each(|stream| drop(stream.shutdown(Shutdown::Both)));
        // Each connection wakes the listener, which sees the stop.
        let is_closed = || TcpStream::connect(self.address).is_err().then_some(());
        eventually(Duration::from_secs(10), "the listener is closed", is_closed);
    }

    /// Listens at its address again.
    #[track_caller]
    pub fn start_again(&self) {
        let listener = TcpListener::bind(self.address).expect("nobody took its port");
        self.shared.connections().is_stopped = false;
        self.listen(listener);
    }

    fn listen(&self, listener: TcpListener) {
        let shared = Arc::clone(&self.shared);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let Some(number) = shared.admit(&stream) else { break };
                let shared = Arc::clone(&shared);
                thread::spawn(move || {
                    // A connection ends with an I/O error when the gateway closes it: nobody is left to be told.
                    drop(serve(stream, &shared));
                    if let Some(stream) = shared.connections().open.remove(&number) {
                        drop(stream.shutdown(Shutdown::Both));
                    }
                });
            }
        });
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:PORT`, for a service's `url`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How many requests came for a target. Tests that share an upstream choose targets of their own.
    pub fn hits(&self, target: &str) -> usize {
        self.shared.seen().get(target).map_or(0, |seen| seen.hits)
    }

    /// The latest request for a target.
    #[track_caller]
    pub fn last(&self, target: &str) -> Received {
        match self.shared.seen().get(target) {
            Some(seen) => seen.last.clone(),
            None => panic!("no request for {target} reached the upstream"),
        }
    }
}

impl Shared {
    /// The number of a new connection; `None` when the upstream was stopped.
    fn admit(&self, stream: &TcpStream) -> Option<usize> {
        let mut connections = self.connections();
        if connections.is_stopped {
            return None;
        }
        connections.accepted += 1;
        let number = connections.accepted;
        connections.open.insert(number, stream.try_clone().ok()?);
        Some(number)
    }

    fn connections(&self) -> MutexGuard<'_, Connections> {
        self.connections.lock().expect("no holder panics")
    }

    fn seen(&self) -> MutexGuard<'_, HashMap<String, Seen>> {
        self.seen.lock().expect("no holder panics")
    }

    fn record(&self, request: Received) {
        let mut seen = self.seen();
        let hits = seen.get(&request.target).map_or(0, |seen| seen.hits) + 1;
        seen.insert(request.target.clone(), Seen { hits, last: request });
    }
}

impl Received {
    /// All values of a header, in order.
    pub fn header_bytes(&self, name: &str) -> Vec<&[u8]> {
        self.headers.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_slice()).collect()
    }

    /// `{method, target, headers: [[name, value]...], body: {length, md5, content}}`; a value or content that is not
    /// UTF-8 is `{base64: text}`, and the content of a large body is left out.
    pub fn describe(&self) -> Value {
        let headers: Vec<Value> =
            self.headers.iter().map(|(name, value)| json!([name, text_or_base64(value)])).collect();
        let mut body = json!({ "length": self.body.len(), "md5": md5_hex(&self.body) });
        if self.body.len() <= SHOWN_BODY {
            body["content"] = text_or_base64(&self.body);
        }
        json!({ "method": self.method, "target": self.target, "headers": headers, "body": body })
    }
}

impl Reply {
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: Vec::new(), body: body.into() }
    }

    /// 200 with the description of the request as JSON.
    pub fn describe(request: &Received) -> Self {
        Self::new(200, request.describe().to_string()).header("Content-Type", "application/json")
    }

    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    fn to_bytes(&self, method: &str) -> Vec<u8> {
        let mut bytes = format!("HTTP/1.1 {} Scripted\r\n", self.status).into_bytes();
        let length = self.body.len().to_string();
        let fallback = [
            ("Server", "mock-upstream/1.0.0"),
            ("X-Powered-By", "mock_upstream"),
            ("Content-Length", &length),
        ];
        let given = |name: &str| self.headers.iter().any(|(n, _)| n.eq_ignore_ascii_case(name));
        // A coding tells the body's end by itself.
        let coded = |name: &str| name == "Content-Length" && given("Transfer-Encoding");
        let missing =
            fallback.iter().filter(|(name, _)| !given(name) && !coded(name)).map(|(n, v)| (*n, v.as_bytes()));
        for (name, value) in missing.chain(self.headers.iter().map(|(n, v)| (n.as_str(), v.as_slice()))) {
            bytes.extend_from_slice(name.as_bytes());
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(value);
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b"\r\n");
        if method != "HEAD" {
            bytes.extend_from_slice(&self.body);
        }
        bytes
    }
}

/// The MD5 of bytes in lower-case hex: how two large bodies are compared.
pub fn md5_hex(bytes: &[u8]) -> String {
    Md5::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn text_or_base64(bytes: &[u8]) -> Value {
    match std::str::from_utf8(bytes) {
        Ok(text) => json!(text),
        Err(_) => json!({ "base64": STANDARD.encode(bytes) }),
    }
}

fn serve(stream: TcpStream, shared: &Shared) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    while let Some(request) = read_request(&mut stream)? {
        let reply = (shared.script)(&request).to_bytes(&request.method);
        // Before the answer, so that whoever has the answer finds the record.
        shared.record(request);
        stream.get_mut().write_all(&reply)?;
    }
    Ok(())
}

/// One request, or `None` when the connection was closed between two.
fn read_request(stream: &mut BufReader<TcpStream>) -> io::Result<Option<Received>> {
    let head = read_head(stream)?;
    if head.is_empty() {
        return Ok(None);
    }
    let mut lines = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut parsed = httparse::Request::new(&mut lines);
    parsed.parse(&head).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    let headers: Vec<_> = parsed.headers.iter().map(|h| (h.name.to_owned(), h.value.to_vec())).collect();
    let mut request = Received {
        method: parsed.method.unwrap_or_default().to_owned(),
        target: parsed.path.unwrap_or_default().to_owned(),
        headers,
        body: Vec::new(),
    };
    request.body = read_body(stream, &request)?;
    Ok(Some(request))
}

fn read_head(stream: &mut BufReader<TcpStream>) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read_until(b'\n', &mut head)? == 0 {
            break;
        }
    }
    Ok(head)
}

fn read_body(stream: &mut BufReader<TcpStream>, request: &Received) -> io::Result<Vec<u8>> {
    if request.header_bytes("expect").iter().any(|v| v.eq_ignore_ascii_case(b"100-continue")) {
        stream.get_mut().write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    let mut body = Vec::new();
    if !request.header_bytes("transfer-encoding").is_empty() {
        while read_chunk(stream, &mut body)? {}
    } else if let Some(length) = request.header_bytes("content-length").first() {
        body.resize(parse_size(length, 10)?, 0);
        stream.read_exact(&mut body)?;
    }
    Ok(body)
}

/// Appends one chunk; false after the last one.
fn read_chunk(stream: &mut BufReader<TcpStream>, body: &mut Vec<u8>) -> io::Result<bool> {
    let mut line = Vec::new();
    stream.read_until(b'\n', &mut line)?;
    let size = parse_size(line.split(|b| *b == b';').next().unwrap_or_default(), 16)?;
    let start = body.len();
    body.resize(start + size, 0);
    stream.read_exact(&mut body[start..])?;
    line.clear();
    stream.read_until(b'\n', &mut line)?;
    Ok(size > 0)
}

fn parse_size(text: &[u8], radix: u32) -> io::Result<usize> {
    let text = std::str::from_utf8(text).unwrap_or_default().trim();
    usize::from_str_radix(text, radix)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, format!("bad size: {text:?}")))
}
