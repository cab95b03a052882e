//! A blocking HTTP/1.1 client that sends exactly the bytes it is given and keeps the answer's header lines as they
//! came: duplicates, order, letter case and bytes that are not UTF-8. hyper would tidy all of these.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// No answer within this time is a failure of the gateway, not of the machine: bodies of 10 MiB through a JavaScript
/// server take a few seconds.
const PATIENCE: Duration = Duration::from_secs(60);

/// One header line of an incoming message: the name as written and the value's bytes.
pub type HeaderLine = (String, Vec<u8>);

/// A request, laid out as the bytes to send.
#[derive(Clone, Debug)]
pub struct Request {
    method: String,
    target: String,
    version: &'static str,
    headers: Vec<(Vec<u8>, Vec<u8>)>,
    body: Vec<u8>,
}

/// An answer as it came.
#[derive(Clone, Debug)]
pub struct Response {
    pub status: u16,
    /// Header lines in the order they came, names as written.
    pub headers: Vec<HeaderLine>,
    /// The body without its transfer coding.
    pub body: Vec<u8>,
}

/// A connection for several requests, one after the other.
pub struct Connection {
    stream: BufReader<TcpStream>,
}

impl Request {
    pub fn new(method: &str, target: &str) -> Self {
        Self {
            method: method.to_owned(),
            target: target.to_owned(),
            version: "HTTP/1.1",
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    pub fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    pub fn post(target: &str, body: impl Into<Vec<u8>>) -> Self {
        Self::new("POST", target).body(body)
    }

    /// Adds one header line; a second line of the same name stays a second line.
    pub fn header(mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.as_ref().to_vec(), value.as_ref().to_vec()));
        self
    }

    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// The same request for another target.
    pub fn to(mut self, target: &str) -> Self {
        target.clone_into(&mut self.target);
        self
    }

    /// Speaks HTTP/1.0, where a request may leave Host out.
    pub fn http10(mut self) -> Self {
        self.version = "HTTP/1.0";
        self
    }

    /// The bytes on the wire. Host is added for HTTP/1.1 and Content-Length for a body, unless given.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = format!("{} {} {}\r\n", self.method, self.target, self.version).into_bytes();
        if self.version == "HTTP/1.1" && !self.has("host") {
            push_line(&mut bytes, b"Host", b"example.com");
        }
        for (name, value) in &self.headers {
            push_line(&mut bytes, name, value);
        }
        if !self.body.is_empty() && !self.has("content-length") && !self.has("transfer-encoding") {
            push_line(&mut bytes, b"Content-Length", self.body.len().to_string().as_bytes());
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(&self.body);
        bytes
    }

    /// Sends the request on a connection of its own and reads the answer.
    #[track_caller]
    pub fn send(&self, to: SocketAddr) -> Response {
        match self.try_send(to) {
            Ok(response) => response,
            Err(error) => panic!("{} {} to {to}: {error}", self.method, self.target),
        }
    }

    pub fn try_send(&self, to: SocketAddr) -> io::Result<Response> {
        Connection::open(to)?.send(self)
    }

    fn has(&self, name: &str) -> bool {
        self.headers.iter().any(|(n, _)| n.eq_ignore_ascii_case(name.as_bytes()))
    }
}

impl Response {
    /// The only value of a header as text; `None` when it is absent or not UTF-8, and a panic when it came twice.
    #[track_caller]
    pub fn header(&self, name: &str) -> Option<&str> {
        let all = self.header_bytes(name);
        assert!(all.len() <= 1, "header {name} came {} times: {:?}", all.len(), self.headers);
        all.first().and_then(|value| std::str::from_utf8(value).ok())
    }

    /// All values of a header, in order.
    pub fn header_bytes(&self, name: &str) -> Vec<&[u8]> {
        self.headers.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_slice()).collect()
    }

    /// Whether the other side ends the connection after this answer.
    pub fn closes(&self) -> bool {
        self.header_bytes("connection").iter().any(|value| value.eq_ignore_ascii_case(b"close"))
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        match serde_json::from_slice(&self.body) {
            Ok(value) => value,
            Err(error) => panic!("body is not JSON ({error}): status {}, {}", self.status, self.text()),
        }
    }

    /// Panics with the whole answer unless the status is the expected one.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "headers {:?}, body {}", self.headers, self.text());
        self
    }
}

impl Connection {
    pub fn open(to: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(to)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { stream: BufReader::new(stream) })
    }

    pub fn send(&mut self, request: &Request) -> io::Result<Response> {
        // The answer may come before a large body is sent (an early refusal), and then the write fails: what the
        // other side said is worth more than the write error.
        let written = self.write(&request.to_bytes());
        match self.read_response(&request.method) {
            Ok(response) => Ok(response),
            Err(error) => Err(written.err().unwrap_or(error)),
        }
    }

    /// Sends bytes that need not be a request at all.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.get_mut().write_all(bytes)
    }

    /// Fails a read or write that nothing comes of for this long.
    pub fn patience(&self, time: Duration) -> io::Result<()> {
        self.stream.get_ref().set_read_timeout(Some(time))?;
        self.stream.get_ref().set_write_timeout(Some(time))
    }

    /// Says that nothing more will be sent, while answers are still read.
    pub fn finish(&self) -> io::Result<()> {
        self.stream.get_ref().shutdown(Shutdown::Write)
    }

    /// Reads some of what comes; 0 at the connection's end.
    pub fn read_some(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.read(buffer)
    }

    /// Reads until the other side ends the connection, be it rudely.
    pub fn rest(&mut self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        match self.stream.read_to_end(&mut bytes) {
            Err(error) if error.kind() != io::ErrorKind::ConnectionReset => Err(error),
            _ => Ok(bytes),
        }
    }

    /// Reads one answer to a request of the given method, skipping 1xx ones.
    pub fn read_response(&mut self, method: &str) -> io::Result<Response> {
        loop {
            let (status, headers) = self.read_head()?;
            if (100..200).contains(&status) && status != 101 {
                continue;
            }
            let body = self.read_body(method, status, &headers)?;
            return Ok(Response { status, headers, body });
        }
    }

    fn read_head(&mut self) -> io::Result<(u16, Vec<HeaderLine>)> {
        let line = self.read_line()?;
        let status = std::str::from_utf8(&line)
            .ok()
            .filter(|line| line.starts_with("HTTP/1."))
            .and_then(|line| line.split(' ').nth(1))
            .and_then(|status| status.parse().ok())
            .ok_or_else(|| bad("status line", &line))?;
        let mut headers = Vec::new();
        loop {
            let line = self.read_line()?;
            if line.is_empty() {
                return Ok((status, headers));
            }
            let colon = line.iter().position(|b| *b == b':').ok_or_else(|| bad("header line", &line))?;
            let name = String::from_utf8(line[..colon].to_vec()).map_err(|_| bad("header name", &line))?;
            headers.push((name, line[colon + 1..].trim_ascii().to_vec()));
        }
    }

    fn read_body(&mut self, method: &str, status: u16, headers: &[HeaderLine]) -> io::Result<Vec<u8>> {
        if method == "HEAD" || matches!(status, 101 | 204 | 304) {
            return Ok(Vec::new());
        }
        let find = |name: &str| headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v);
        if find("transfer-encoding").is_some_and(|v| v.eq_ignore_ascii_case(b"chunked")) {
            return self.read_chunks();
        }
        let mut body = Vec::new();
        match find("content-length") {
            Some(length) => {
                let length = parse_length(length, 10).ok_or_else(|| bad("content-length", length))?;
                body.resize(length, 0);
                self.stream.read_exact(&mut body)?;
            }
            None => {
                self.stream.read_to_end(&mut body)?;
            }
        }
        Ok(body)
    }

    fn read_chunks(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line = self.read_line()?;
            let size = line.split(|b| *b == b';').next().and_then(|size| parse_length(size, 16));
            let size = size.ok_or_else(|| bad("chunk size", &line))?;
            if size == 0 {
                while !self.read_line()?.is_empty() {}
                return Ok(body);
            }
            let start = body.len();
            body.resize(start + size, 0);
            self.stream.read_exact(&mut body[start..])?;
            self.read_line()?;
        }
    }

    fn read_line(&mut self) -> io::Result<Vec<u8>> {
        let mut line = Vec::new();
        self.stream.read_until(b'\n', &mut line)?;
        match line.strip_suffix(b"\r\n") {
            Some(content) => Ok(content.to_vec()),
            None if line.is_empty() => Err(io::ErrorKind::UnexpectedEof.into()),
            None => Err(bad("line without CRLF", &line)),
        }
    }
}

fn push_line(bytes: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    bytes.extend_from_slice(name);
    bytes.extend_from_slice(b": ");
    bytes.extend_from_slice(value);
    bytes.extend_from_slice(b"\r\n");
}

fn parse_length(text: &[u8], radix: u32) -> Option<usize> {
    usize::from_str_radix(std::str::from_utf8(text).ok()?.trim(), radix).ok()
}

fn bad(what: &str, bytes: &[u8]) -> io::Error {
    let text = String::from_utf8_lossy(bytes);
    io::Error::new(io::ErrorKind::InvalidData, format!("bad {what} in the answer: {text:?}"))
}
