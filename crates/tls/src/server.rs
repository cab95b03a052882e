//! Connections of clients.

use std::sync::Arc;
use std::time::Duration;

use rustls::server::{ClientHello, NoServerSessionStorage};
use rustls::{CipherSuite, ServerConfig};

use crate::cipher::CipherSuites;
use crate::names::Names;
use crate::sessions::{ASKING, Sessions, USUAL};
use crate::verifier::Asked;

/// What the handshakes of one loaded configuration are made with.
#[derive(Debug)]
pub struct Server {
    usual: Pair,
    /// Asks for a client certificate.
    asking: Pair,
    has_13: bool,
}

/// With and without sessions that can be resumed.
#[derive(Debug)]
struct Pair {
    resuming: Arc<ServerConfig>,
    fresh: Arc<ServerConfig>,
}

/// What is wanted of one handshake.
#[derive(Debug, Clone, Copy, Default)]
pub struct Handshake {
    pub request_client_certificate: bool,
    pub disable_session_reuse: bool,
}

/// What the properties say.
#[derive(Debug, Clone)]
pub struct ServerOptions {
    pub suites: CipherSuites,
    /// Whether clients keep their sessions themselves.
    pub tickets: bool,
    /// How long a session may be resumed.
    pub session_timeout: Duration,
    /// Whether the server's order of suites counts, not the client's.
    pub prefer_own_suites: bool,
    /// What clients may choose to speak.
    pub alpn: Alpn,
}

/// What is offered to clients within the handshake (RFC 7301).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alpn {
    /// Nothing: what is spoken is for the upstream to know.
    None,
    Http1,
    /// HTTP/2 too.
    Http2,
}

impl Alpn {
    pub fn http(http2: bool) -> Self {
        if http2 { Self::Http2 } else { Self::Http1 }
    }

    fn protocols(self) -> Vec<Vec<u8>> {
        match self {
            Self::None => Vec::new(),
            Self::Http1 => vec![b"http/1.1".to_vec()],
            Self::Http2 => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
        }
    }
}

impl Default for ServerOptions {
    fn default() -> Self {
        let session_timeout = Duration::from_secs(24 * 3600);
        Self {
            suites: CipherSuites::default(),
            tickets: true,
            session_timeout,
            prefer_own_suites: true,
            alpn: Alpn::Http1,
        }
    }
}

impl Server {
    pub fn new(names: impl Into<Arc<Names>>, options: &ServerOptions) -> Self {
        let names = names.into();
        Self {
            usual: Pair::new(&names, options, false, &USUAL),
            asking: Pair::new(&names, options, true, &ASKING),
            has_13: options.suites.has_13(),
        }
    }

    pub fn config(&self, handshake: Handshake) -> &Arc<ServerConfig> {
        let pair = if handshake.request_client_certificate { &self.asking } else { &self.usual };
        if handshake.disable_session_reuse { &pair.fresh } else { &pair.resuming }
    }

    /// The version that a client's hello will lead to, as nginx names it.
    pub fn version(&self, hello: &ClientHello<'_>) -> &'static str {
        let speaks_13 = |suite: &CipherSuite| {
            matches!(
                suite,
                CipherSuite::TLS13_AES_128_GCM_SHA256
                    | CipherSuite::TLS13_AES_256_GCM_SHA384
                    | CipherSuite::TLS13_CHACHA20_POLY1305_SHA256
            )
        };
        if self.has_13 && hello.cipher_suites().iter().any(speaks_13) { "TLSv1.3" } else { "TLSv1.2" }
    }
}

impl Pair {
    fn new(names: &Arc<Names>, options: &ServerOptions, asks: bool, sessions: &Sessions) -> Self {
        let builder = ServerConfig::builder_with_provider(Arc::new(options.suites.provider()))
            .with_protocol_versions(&options.suites.versions())
            .expect("there are suites of every version");
        let builder = match asks {
            true => builder.with_client_cert_verifier(Arc::new(Asked)),
            false => builder.with_no_client_auth(),
        };
        let mut fresh = builder.with_cert_resolver(names.clone());
        fresh.alpn_protocols = options.alpn.protocols();
        fresh.ignore_client_order = options.prefer_own_suites;
        let mut resuming = fresh.clone();
        resuming.session_storage = sessions.kept(options.session_timeout);
        if let Some(tickets) = sessions.tickets(options.session_timeout).filter(|_| options.tickets) {
            resuming.ticketer = tickets;
        }
        fresh.session_storage = Arc::new(NoServerSessionStorage {});
        fresh.send_tls13_tickets = 0;
        Self { resuming: Arc::new(resuming), fresh: Arc::new(fresh) }
    }
}
