//! A recorded request on a connection of its own.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use crate::reference::bundled::hmac;
use crate::reference::bundled::recorded::Request;
use crate::reference::exchange::{Exchange, Piece};
use crate::reference::recorded::Answer;
use crate::reference::wire::{Lines, bytes, is_chunked, values};

/// Bytes of a chunk.
const CHUNK: usize = 4096;

/// What the client got.
pub struct Got {
    pub status: u16,
    pub headers: Lines,
    pub body: String,
    /// Of the request, where it was signed.
    pub signature: Option<String>,
}

pub fn ask(to: SocketAddr, request: &Request) -> io::Result<Got> {
    let (bytes, signature) = written(request);
    let answers = Exchange::make(to, &[Piece::Bytes(bytes)], 1)?.end(Duration::from_millis(1))?;
    let message = match answers.into_iter().next() {
        Some(Answer::Message(message)) => message,
        _ => return Err(io::Error::other("no answer of HTTP")),
    };
    let body = String::from_utf8_lossy(&self::bytes(&message.body.0)).into_owned();
    Ok(Got { status: message.status, headers: message.headers, body, signature })
}

/// The bytes of a request, and its signature.
fn written(request: &Request) -> (Vec<u8>, Option<String>) {
    let method = request.method.as_deref().unwrap_or("GET");
    let version = request.version.as_deref().unwrap_or("1.1");
    let target = &request.target;
    let mut headers = request.headers.clone();
    if let Some(host) = request.host.as_ref().filter(|_| values(&headers, "Host").next().is_none()) {
        headers.insert(0, ("Host".to_owned(), host.clone()));
    }
    let mut signature = None;
    if let Some(signed) = &request.hmac {
        let (line, made) = hmac::line(signed, method, target, version, &headers);
        headers.push(line);
        signature = Some(made);
    }
    let repeated = request.body_repeat.as_ref().map(|(text, times)| text.repeat(*times));
    let body = repeated.as_ref().or(request.body.as_ref()).map(|body| body.as_bytes());
    let is_chunked = is_chunked(&headers);
    if let Some(body) = body.filter(|_| !is_chunked && values(&headers, "Content-Length").next().is_none()) {
        headers.push(("Content-Length".to_owned(), body.len().to_string()));
    }
    let lines: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let mut bytes: Vec<u8> = format!("{method} {target} HTTP/{version}\r\n{lines}\r\n").into_bytes();
    match body {
        Some(body) if is_chunked => {
            for chunk in body.chunks(CHUNK) {
                bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
                bytes.extend_from_slice(chunk);
                bytes.extend_from_slice(b"\r\n");
            }
            bytes.extend_from_slice(b"0\r\n\r\n");
        }
        Some(body) => bytes.extend_from_slice(body),
        None => {}
    }
    (bytes, signature)
}
