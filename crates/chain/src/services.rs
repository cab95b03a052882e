//! What plugins within the gateway need from outside of a request. The edge provides it; tests fake it.

use std::io;

use tokio::io::{AsyncRead, AsyncWrite};

use crate::LocalFuture;

pub trait Services: Send + Sync {
    /// A new connection; over TLS it is one when the handshake has ended. The caller limits the wait.
    fn connect<'a>(&'a self, to: &'a Remote) -> LocalFuture<'a, io::Result<Box<dyn Stream>>>;

    /// Goes on in TLS with a connection that began without (StartTLS).
    fn encrypt<'a>(
        &'a self,
        stream: Box<dyn Stream>,
        to: &'a Remote,
    ) -> LocalFuture<'a, io::Result<Box<dyn Stream>>>;

    /// Sends one datagram to the first address of `host`.
    fn send_datagram<'a>(
        &'a self,
        host: &'a str,
        port: u16,
        payload: &'a [u8],
    ) -> LocalFuture<'a, io::Result<()>>;

    /// Sends one datagram to a socket of this system.
    fn send_local_datagram<'a>(&'a self, path: &'a str, payload: &'a [u8])
    -> LocalFuture<'a, io::Result<()>>;

    /// Runs a job on a thread that no request waits for.
    fn spawn(&self, job: Job);
}

/// Makes its future where it is run.
pub type Job = Box<dyn FnOnce() -> LocalFuture<'static, ()> + Send>;

/// A connection's bytes, both ways.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// Where to connect to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Remote {
    /// A name or an IP address.
    pub host: String,
    pub port: u16,
    pub tls: Option<RemoteTls>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct RemoteTls {
    /// The name to ask for, where it is not the host.
    pub server_name: Option<String>,
    /// Whether the certificate must be one of an authority in `lua_ssl_trusted_certificate`.
    pub verify: bool,
}
