//! The TLS handshake with a client, with the certificate phase between the hello of the one and that of the other.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use polygate_chain::session as chain;
use polygate_chain::{Connection, Environment, Failure, Phase, Plan, Session, Tls};
use polygate_net::accept::Stop;
use polygate_net::real_ip::Peer;
use polygate_telemetry::log;
use polygate_tls::{Handshake, Server, chain_pem, cipher_name};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::rustls::server::{Acceptor, ClientHello};
use tokio_rustls::rustls::{HandshakeKind, ProtocolVersion, ServerConnection};

use crate::encrypted::Encrypted;
use crate::metrics::{HandshakeEnd, METRICS};
use crate::rewound::Rewound;
use crate::stream::Stream;
use crate::thread::Thread;
use crate::under_way::MOST;

/// What every record of a handshake begins with (RFC 8446, section 5.1).
const RECORD: u8 = 22;

/// A fatal alert (RFC 8446, section 6.2), which is sent in the clear before the server's hello.
const INTERNAL_ERROR: [u8; 7] = [21, 3, 3, 0, 2, 2, 80];
const ALERTING: Duration = Duration::from_secs(1);

/// What came of it.
pub enum Shaken {
    /// `is_http2` is what both sides agreed to speak (RFC 7301).
    Encrypted {
        stream: Box<dyn Stream>,
        tls: Tls,
        is_http2: bool,
    },
    /// The client speaks something else, most likely HTTP; with what was read before.
    Plain(TcpStream, Vec<u8>),
    Ended,
}

/// A connection before its handshake.
pub struct Arrival<'a> {
    pub peer: Peer,
    /// Who is behind the peer.
    pub client: SocketAddr,
    pub serial: u64,
    /// What the handlers of a stream see; `None` for requests.
    pub stream: Option<chain::Stream>,
    pub thread: &'a Thread,
    pub environment: &'a Arc<Environment>,
    /// Whose handlers of the certificate phase run.
    pub plan: &'a Plan,
    pub server_tls: &'a Server,
    /// For the whole handshake; what plugins take is not counted.
    pub patience: Duration,
    pub stop: &'a mut watch::Receiver<Stop>,
}

/// Why there is no handshake.
enum Fault {
    Client(io::Error),
    Late(Duration),
    Crowded,
    Plugin(Failure),
    Stopped,
}

impl Arrival<'_> {
    /// Shakes hands. `unread` was read of the connection before.
    pub async fn shake(&mut self, stream: TcpStream, unread: Vec<u8>) -> Shaken {
        let client = self.peer.socket();
        let end = match self.run(stream, unread).await {
            Ok(shaken) => {
                if let Shaken::Encrypted { .. } = shaken {
                    METRICS.count_handshake(HandshakeEnd::Done);
                }
                return shaken;
            }
            Err(Fault::Stopped) => return Shaken::Ended,
            Err(Fault::Client(error)) => {
                log!(Info, "client {client}: the TLS handshake failed: {error}");
                HandshakeEnd::Failed
            }
            Err(Fault::Late(patience)) => {
                log!(Info, "client {client}: no TLS handshake within {} ms", patience.as_millis());
                HandshakeEnd::Late
            }
            Err(Fault::Crowded) => {
                log!(Notice, "client {client}: {MOST} TLS handshakes are under way, no more are begun");
                HandshakeEnd::Refused
            }
            Err(Fault::Plugin(failure)) => {
                log!(Error, "client {client}: the TLS handshake is ended: {failure}");
                HandshakeEnd::Plugin
            }
        };
        METRICS.count_handshake(end);
        Shaken::Ended
    }

    async fn run(&mut self, stream: TcpStream, unread: Vec<u8>) -> Result<Shaken, Fault> {
        let mut deadline = Instant::now() + self.patience;
        let first = match unread.first() {
            Some(first) => *first,
            None => {
                let mut first = [0];
                if self.client(deadline, stream.peek(&mut first)).await? == 0 {
                    // Those that look whether the port is open do this.
                    return Ok(Shaken::Ended);
                }
                first[0]
            }
        };
        if first != RECORD {
            return Ok(Shaken::Plain(stream, unread));
        }
        let stream = Rewound::boxed(stream, unread);
        let mut begun = self.client(deadline, LazyConfigAcceptor::new(Acceptor::default(), stream)).await?;
        // Whoever has not said hello takes no place from those who have.
        let Some(_place) = self.thread.handshakes.place() else { return Err(Fault::Crowded) };
        let mut wishes = Handshake::default();
        if self.plan.wants_certificate() {
            let began = Instant::now();
            match self.certificate(&begun.client_hello()).await {
                Ok(wanted) => wishes = wanted,
                Err(failure) => {
                    // The client learns of it, unless it has left.
                    let _ = self.client(Instant::now() + ALERTING, begun.io.write_all(&INTERNAL_ERROR)).await;
                    return Err(Fault::Plugin(failure));
                }
            }
            deadline += began.elapsed();
        }
        let config = self.server_tls.config(wishes).clone();
        let stream = self.client(deadline, begun.into_stream(config)).await?;
        let tls = describe(stream.get_ref().1);
        let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        Ok(Shaken::Encrypted { stream: Box::new(Encrypted::new(stream)), tls, is_http2 })
    }

    /// What plugins want of the handshake of a client that has said hello.
    async fn certificate(&self, hello: &ClientHello<'_>) -> Result<Handshake, Failure> {
        let tls = Tls {
            version: self.server_tls.version(hello),
            cipher: String::new(),
            sni: hello.server_name().map(str::to_owned),
            client_chain: None,
            is_resumed: false,
        };
        let connection = Connection::new(self.peer.socket(), self.peer.local(), Some(tls), self.serial);
        let mut session = Session::new(
            self.environment.clone(),
            connection.into(),
            self.client,
            self.thread.ids.request(),
            Phase::Certificate,
        );
        session.stream = self.stream.clone();
        self.plan.certificate(&mut session).await?;
        Ok(Handshake {
            request_client_certificate: session.handshake.request_client_certificate,
            disable_session_reuse: session.handshake.disable_session_reuse,
        })
    }

    /// Waits for something of the client's.
    async fn client<T>(
        &mut self,
        deadline: Instant,
        wanted: impl Future<Output = io::Result<T>>,
    ) -> Result<T, Fault> {
        tokio::select! {
            done = timeout_at(deadline, wanted) => match done {
                Ok(done) => done.map_err(Fault::Client),
                Err(_) => Err(Fault::Late(self.patience)),
            },
            _ = self.stop.wait_for(|stop| *stop >= Stop::Graceful) => Err(Fault::Stopped),
        }
    }
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
        is_resumed: connection.handshake_kind() == Some(HandshakeKind::Resumed),
    }
}

#[cfg(test)]
mod tests {
    use polygate_chain::{Node, Statistics};
    use polygate_model::{Entities, Id};
    use polygate_net::dns::{DnsSettings, Resolver};
    use polygate_tls::{Names, ServerOptions, UpstreamDefaults, UpstreamTls};
    use tokio::net::TcpListener;
    use tokio_rustls::rustls::ClientConnection;

    use super::*;

    fn hello() -> Vec<u8> {
        let (upstream, _) = UpstreamTls::new(&Entities::default(), UpstreamDefaults::default());
        let config = upstream.probe(None, false).unwrap().config.clone();
        let mut hello = Vec::new();
        let mut client = ClientConnection::new(config, "a.test".try_into().unwrap()).unwrap();
        client.write_tls(&mut hello).unwrap();
        hello
    }

    #[tokio::test(start_paused = true)]
    async fn a_hello_that_finds_no_place_is_refused_and_one_that_does_not_come_is_late() {
        let dns = DnsSettings { hosts_file: None, ..DnsSettings::default() };
        let thread = Thread::new(Resolver::new(&dns).unwrap());
        let node = Node { id: Id::nil(), hostname: "node.test".into(), statistics: Statistics::default() };
        let environment = Arc::new(Environment::new(Arc::default(), Arc::new(node)));
        let server_tls =
            Server::new(Names::new(&Entities::default(), Vec::new()).0, &ServerOptions::default());
        let (stop, _) = watch::channel(Stop::Running);
        let _places: Vec<_> = (0..MOST).map(|_| thread.handshakes.place().unwrap()).collect();
        let hello = hello();
        for (sent, is_refused) in [(&hello[..], true), (&hello[..hello.len() - 1], false), (&[], false)] {
            let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
            let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            let (stream, peer) = listener.accept().await.unwrap();
            client.write_all(sent).await.unwrap();
            let mut arrival = Arrival {
                peer: Peer::new(peer, stream.local_addr().unwrap(), None),
                client: peer,
                serial: 1,
                stream: None,
                thread: &thread,
                environment: &environment,
                plan: &Plan::default(),
                server_tls: &server_tls,
                patience: Duration::from_secs(60),
                stop: &mut stop.subscribe(),
            };
            match arrival.run(stream, Vec::new()).await {
                Err(Fault::Crowded) => assert!(is_refused),
                Err(Fault::Late(_)) => assert!(!is_refused),
                _ => panic!("the handshake goes on"),
            }
        }
    }
}
