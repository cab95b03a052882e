//! A gateway that speaks TLS, and clients of it.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use polygate_testkit::{EchoUpstream, Gateway, Reply, Request};
use polygate_tls::{GeneratedPair, UpstreamDefaults, UpstreamTls, certificates};
use rustls::client::Resumption;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use serde_json::json;

/// What all clients ask for.
pub const NAME: &str = "soak.test";
/// More than a busy machine takes for anything.
const PATIENCE: Duration = Duration::from_secs(30);

/// A route to an upstream, and a certificate for the name.
pub struct Site {
    pub gateway: Gateway,
    upstream: EchoUpstream,
}

impl Site {
    #[track_caller]
    pub fn start(shown: &GeneratedPair) -> Self {
        let upstream = EchoUpstream::scripted(|_| Reply::new(200, "through"));
        let gateway = Gateway::builder()
            // Idle connections are no leak, but look like one.
            .conf("log_level = notice\nproxy_listen = {proxy} ssl\nupstream_keepalive_idle_timeout = 1")
            .declarative(&declarative(&upstream, shown))
            .start();
        Self { gateway, upstream }
    }

    /// Has the gateway show another certificate.
    #[track_caller]
    pub fn show(&self, pair: &GeneratedPair) {
        self.gateway.write_declarative(&declarative(&self.upstream, pair));
        self.gateway.reload();
    }
}

fn declarative(upstream: &EchoUpstream, shown: &GeneratedPair) -> String {
    json!({
        "_format_version": "3.0",
        "services": [{ "name": "upstream", "url": upstream.url(), "routes": [{ "name": "all", "paths": ["/"] }] }],
        "certificates": [{ "cert": shown.certificate, "key": shown.key, "snis": [{ "name": NAME }] }],
    })
    .to_string()
}

/// Believes everybody, and resumes no session.
pub fn client() -> Arc<ClientConfig> {
    let (tls, _) = UpstreamTls::new(&Default::default(), UpstreamDefaults::default());
    let client = tls.probe(None, false).expect("nothing is needed that could be missing");
    let mut config = ClientConfig::clone(&client.config);
    config.resumption = Resumption::disabled();
    Arc::new(config)
}

/// What a certificate of one's own is in the handshake.
pub fn encoded(pair: &GeneratedPair) -> Vec<u8> {
    certificates(&pair.certificate).expect("it was just made")[0].to_vec()
}

pub struct Connection(BufReader<StreamOwned<ClientConnection, TcpStream>>);

impl Connection {
    /// Shakes hands, and asks for nothing.
    pub fn open(to: SocketAddr, config: &Arc<ClientConfig>) -> io::Result<Self> {
        let mut stream = TcpStream::connect(to)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let name = NAME.try_into().map_err(io::Error::other)?;
        let mut tls = ClientConnection::new(config.clone(), name).map_err(io::Error::other)?;
        while tls.is_handshaking() {
            tls.complete_io(&mut stream)?;
        }
        Ok(Self(BufReader::with_capacity(512, StreamOwned::new(tls, stream))))
    }

    /// The certificate that was shown.
    pub fn certificate(&self) -> &[u8] {
        self.0.get_ref().conn.peer_certificates().and_then(|chain| chain.first()).map_or(&[], |leaf| leaf)
    }

    /// The status of an answer that has a length.
    pub fn send(&mut self, request: &Request) -> io::Result<u16> {
        let stream = self.0.get_mut();
        stream.write_all(&request.to_bytes())?;
        stream.flush()?;
        let status = self.line()?.split(' ').nth(1).and_then(|status| status.parse().ok());
        let mut length = 0;
        loop {
            let line = self.line()?.to_ascii_lowercase();
            match line.strip_prefix("content-length:") {
                Some(value) => length = value.trim().parse().map_err(io::Error::other)?,
                None if line.is_empty() => break,
                None => {}
            }
        }
        io::copy(&mut (&mut self.0).take(length), &mut io::sink())?;
        status.ok_or_else(|| io::Error::other("an answer without a status"))
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        match self.0.read_line(&mut line)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(line.trim_end().to_owned()),
        }
    }
}
