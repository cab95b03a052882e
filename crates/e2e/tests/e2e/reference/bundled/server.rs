//! An HTTP server that keeps what it gets and answers as it is told: the upstream, and the sink of logs.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::reference::bundled::otlp;
use crate::reference::bundled::recorded::{Received, Reply};
use crate::reference::wire::{Lines, is_chunked, values};

#[derive(Default)]
pub struct Served {
    seen: Mutex<Vec<Received>>,
    reply: Mutex<Reply>,
}

impl Served {
    /// Serves for as long as the tests run; the port is the second.
    pub fn start() -> (Arc<Self>, u16) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("a bound listener has an address").port();
        let served = Arc::new(Self::default());
        let shared = served.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = shared.clone();
                // The gateway closes connections as it likes.
                thread::spawn(move || drop(shared.serve(stream)));
            }
        });
        (served, port)
    }

    pub fn answer(&self, reply: Reply) {
        *self.reply.lock().unwrap_or_else(PoisonError::into_inner) = reply;
    }

    /// The requests since the last call.
    pub fn take(&self) -> Vec<Received> {
        std::mem::take(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Looks at what came so far.
    pub fn look<T>(&self, at: impl Fn(&Received) -> T) -> Vec<T> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).iter().map(at).collect()
    }

    fn serve(&self, stream: TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let mut writer = stream.try_clone()?;
        let mut reader = BufReader::new(stream);
        while let Some(request) = read(&mut reader)? {
            let is_head = request.method == "HEAD";
            self.seen.lock().unwrap_or_else(PoisonError::into_inner).push(request);
            let reply = self.reply.lock().unwrap_or_else(PoisonError::into_inner).clone();
            thread::sleep(Duration::from_secs_f64(reply.delay));
            writer.write_all(&bytes(&reply, is_head))?;
        }
        Ok(())
    }
}

fn bytes(reply: &Reply, is_head: bool) -> Vec<u8> {
    let has_body = !matches!(reply.status, 204 | 304);
    let mut head = format!("HTTP/1.1 {} {}\r\n", reply.status, reply.reason);
    for (name, value) in &reply.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if has_body && values(&reply.headers, "Content-Length").next().is_none() {
        head.push_str(&format!("Content-Length: {}\r\n", reply.body.len()));
    }
    let body = if has_body && !is_head { reply.body.as_str() } else { "" };
    format!("{head}\r\n{body}").into_bytes()
}

/// The next request; `None` at the connection's end. Spans in protobuf are shown as JSON.
fn read(reader: &mut BufReader<TcpStream>) -> io::Result<Option<Received>> {
    let first = line(reader)?;
    if first.is_empty() {
        return Ok(None);
    }
    let mut headers = Lines::new();
    loop {
        let line = line(reader)?;
        let Some((name, value)) = line.split_once(':') else { break };
        headers.push((name.to_owned(), value.trim().to_owned()));
    }
    let body = if is_chunked(&headers) { chunks(reader)? } else { exact(reader, length(&headers))? };
    let is_protobuf = values(&headers, "Content-Type").any(|value| value.contains("protobuf"));
    let body = match is_protobuf {
        true => Value::Array(otlp::spans(&body)).to_string(),
        false => String::from_utf8_lossy(&body).into_owned(),
    };
    let mut parts = first.split(' ').map(str::to_owned);
    let mut part = || parts.next().unwrap_or_default();
    let (method, target, version) = (part(), part(), part());
    Ok(Some(Received { method, target, version, headers, body }))
}

fn length(headers: &Lines) -> usize {
    values(headers, "Content-Length").next().and_then(|length| length.parse().ok()).unwrap_or_default()
}

fn chunks(reader: &mut BufReader<TcpStream>) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let size = usize::from_str_radix(&line(reader)?, 16).map_err(io::Error::other)?;
        body.extend(exact(reader, size)?);
        line(reader)?;
        if size == 0 {
            return Ok(body);
        }
    }
}

fn exact(reader: &mut BufReader<TcpStream>, length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; length];
    reader.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// Without its end; empty at the connection's end, too.
fn line(reader: &mut BufReader<TcpStream>) -> io::Result<String> {
    let mut bytes = Vec::new();
    reader.read_until(b'\n', &mut bytes)?;
    Ok(bytes.trim_ascii_end().iter().copied().map(char::from).collect())
}
