//! The TLS handshake with a client.

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use polygate_chain::Tls;
use polygate_telemetry::log;
use polygate_tls::{Handshake, chain_pem, cipher_name};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::rustls::server::Acceptor;
use tokio_rustls::rustls::{ProtocolVersion, ServerConnection};

use crate::encrypted::Encrypted;
use crate::metrics::HandshakeEnd;
use crate::stream::{HungUp, Stream};
use crate::{Gateway, METRICS};

/// Handshakes of one worker that are under way at a time; whoever comes then is turned away.
const MOST: usize = 1024;
/// What every record of a handshake begins with (RFC 8446, section 5.1).
const RECORD: u8 = 22;

/// What came of it.
pub enum Shaken {
    Encrypted(Box<dyn Stream>, Tls),
    /// The client speaks something else, most likely HTTP; with what was read before.
    Plain(TcpStream, Vec<u8>),
    Ended,
}

/// Handshakes under way.
#[derive(Default)]
pub struct UnderWay(Rc<Cell<usize>>);

struct Place(Rc<Cell<usize>>);

impl UnderWay {
    fn place(&self) -> Option<Place> {
        let count = self.0.get();
        (count < MOST).then(|| {
            self.0.set(count + 1);
            Place(self.0.clone())
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

/// Shakes hands within `client_header_timeout`. `unread` was read of the connection before.
pub async fn shake(stream: TcpStream, unread: Vec<u8>, under_way: &UnderWay, gateway: &Gateway) -> Shaken {
    let Ok(peer) = stream.peer_addr() else { return Shaken::Ended };
    let Some(_place) = under_way.place() else {
        log!(Notice, "client {peer}: {MOST} TLS handshakes are under way, no more are begun");
        METRICS.count_handshake(HandshakeEnd::Refused);
        return Shaken::Ended;
    };
    let patience = gateway.settings.client_header_timeout;
    match timeout_at(Instant::now() + patience, run(stream, unread, gateway)).await {
        Ok(Ok(shaken)) => {
            if let Shaken::Encrypted(..) = shaken {
                METRICS.count_handshake(HandshakeEnd::Done);
            }
            shaken
        }
        Ok(Err(error)) => {
            log!(Info, "client {peer}: the TLS handshake failed: {error}");
            METRICS.count_handshake(HandshakeEnd::Failed);
            Shaken::Ended
        }
        Err(_) => {
            log!(Info, "client {peer}: no TLS handshake within {} ms", patience.as_millis());
            METRICS.count_handshake(HandshakeEnd::Late);
            Shaken::Ended
        }
    }
}

async fn run(stream: TcpStream, unread: Vec<u8>, gateway: &Gateway) -> io::Result<Shaken> {
    let first = match unread.first() {
        Some(first) => *first,
        None => {
            let mut first = [0];
            if stream.peek(&mut first).await? == 0 {
                // Those that look whether the port is open do this.
                return Ok(Shaken::Ended);
            }
            first[0]
        }
    };
    if first != RECORD {
        return Ok(Shaken::Plain(stream, unread));
    }
    let stream: Box<dyn Stream> = match unread.is_empty() {
        true => Box::new(stream),
        false => Box::new(Rewound { unread, stream }),
    };
    let begun = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
    let config = gateway.server_tls.config(Handshake::default()).clone();
    let stream = begun.into_stream(config).await?;
    let tls = describe(stream.get_ref().1);
    Ok(Shaken::Encrypted(Box::new(Encrypted::new(stream)), tls))
}

fn describe(connection: &ServerConnection) -> Tls {
    let suite = connection.negotiated_cipher_suite();
    Tls {
        version: match connection.protocol_version() {
            Some(ProtocolVersion::TLSv1_3) => "TLSv1.3",
            _ => "TLSv1.2",
        },
        cipher: suite.map(|suite| cipher_name(suite.suite()).to_owned()).unwrap_or_default(),
        sni: connection.server_name().map(str::to_owned),
        client_chain: connection.peer_certificates().map(chain_pem),
    }
}

/// A connection of which something was read.
struct Rewound {
    unread: Vec<u8>,
    stream: TcpStream,
}

impl Stream for Rewound {
    fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.unread.is_empty() { self.stream.poll_read_ready(cx) } else { Poll::Ready(Ok(())) }
    }

    fn hung_up(&self) -> HungUp {
        self.stream.hung_up()
    }
}

impl AsyncRead for Rewound {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.unread.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, buffer);
        }
        let length = buffer.remaining().min(self.unread.len());
        buffer.put_slice(&self.unread[..length]);
        self.unread.drain(..length);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Rewound {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
