//! One stream, from accept to log: the function `steps` is the list.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use polygate_chain::session::{Captures, Matched, Stream as State, Transport};
use polygate_chain::{Answer, Collected, Connection, Phase, Session, Tls};
use polygate_model::Protocol;
use polygate_net::accept::Stop;
use polygate_net::real_ip::{Peer, RealIp};
use polygate_router::{StreamKind, StreamQuery};
use polygate_transport::handshake::{Arrival, Shaken};
use polygate_transport::{Rewound, Stream};
use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::failure::Failure;
use crate::{Gateway, ListenerFlags, METRICS, Worker, connect, copy, end, peek};

/// A connection that was accepted.
pub struct Accepted {
    pub stream: TcpStream,
    /// What was read of it behind its PROXY header.
    pub unread: Vec<u8>,
    pub peer: Peer,
    pub flags: ListenerFlags,
    pub stop: watch::Receiver<Stop>,
}

/// What the steps share.
pub struct Way {
    pub session: Box<Session>,
    /// Whose handlers of the log phase run: the global ones until others are chosen.
    pub collected: Collected,
    pub gateway: Arc<Gateway>,
    pub worker: Rc<Worker>,
}

pub async fn run(accepted: Accepted, worker: Rc<Worker>) {
    let mut way = Way::begin(&accepted.peer, Transport::Tcp, worker);
    let outcome = steps(&mut way, accepted).await;
    end::end(way, outcome);
}

/// A stream lives long in its last step; what the steps before need is in boxes of their own, which are gone by then.
async fn steps(way: &mut Way, accepted: Accepted) -> Result<(), Failure> {
    let Accepted { mut stream, mut unread, peer, flags, mut stop } = accepted;
    if flags.tls {
        way.peek(&mut stream, &mut unread, &mut stop).await?;
    }
    way.route()?;
    let mut client = match flags.tls && way.is_terminated() {
        true => Box::pin(way.terminate(stream, unread, peer, &mut stop)).await?,
        false => Rewound::boxed(stream, unread),
    };
    if let Some(answer) = way.preread().await? {
        way.stream().sent = answer.body.len() as u64;
        return end::answer(&mut *client, &answer.body).await;
    }
    let (mut upstream, _place) = Box::pin(connect::open(way)).await?;
    let (moved, outcome) = copy::both(&mut *client, &mut *upstream, way.silence(), &way.worker).await;
    way.copied(moved, outcome);
    Ok(())
}

impl Way {
    pub fn begin(peer: &Peer, transport: Transport, worker: Rc<Worker>) -> Self {
        let gateway = worker.gateway();
        let trusted = gateway.environment.trusted_ips.ranges();
        // A trusted peer's PROXY header says who it speaks for, whatever header requests are looked at for.
        let real_ip = RealIp { trusted, header: "proxy_protocol", recursive: false };
        let client = real_ip.client(peer, std::iter::empty()).address;
        let ids = &worker.thread.ids;
        let mut session = Session::new(
            gateway.environment.clone(),
            Arc::new(Connection::new(peer.socket(), peer.local(), None, ids.connection())),
            SocketAddr::new(client.ip, client.port.unwrap_or(0)),
            ids.request(),
            Phase::Preread,
        );
        session.stream = Some(State::new(transport));
        METRICS.count_begin(transport);
        Self { session: Box::new(session), collected: gateway.plan.collect_globals(), gateway, worker }
    }

    /// What there is in the place of requests.
    pub fn stream(&mut self) -> &mut State {
        self.session.stream.get_or_insert(State::new(Transport::Tcp))
    }

    async fn peek(
        &mut self,
        stream: &mut TcpStream,
        read: &mut Vec<u8>,
        stop: &mut watch::Receiver<Stop>,
    ) -> Result<(), Failure> {
        let patience = self.gateway.settings.preread_timeout;
        let name = tokio::select! {
            name = peek::server_name(stream, read, patience) => name?,
            _ = stop.wait_for(|stop| *stop >= Stop::Graceful) => return Err(Failure::Stopped),
        };
        self.stream().sni = name;
        self.stream().has_hello = true;
        Ok(())
    }

    /// Finds the route by what is known of the connection.
    pub fn route(&mut self) -> Result<(), Failure> {
        let session = &self.session;
        let Some(stream) = &session.stream else { return Err(Failure::NoRoute) };
        let local = session.connection.local;
        let found = self.gateway.router.select(&StreamQuery {
            kind: match stream.transport {
                Transport::Udp => StreamKind::Udp,
                Transport::Tcp if stream.has_hello => StreamKind::Tls,
                Transport::Tcp => StreamKind::Tcp,
            },
            sni: stream.sni.as_deref(),
            source: session.client,
            destination: SocketAddr::new(local.ip(), session.environment.outside_port(local.port())),
        });
        let found = found.ok_or(Failure::NoRoute)?;
        self.session.matched = Some(Matched {
            route: found.route,
            service: found.service,
            prefix: Default::default(),
            captures: Captures::default(),
        });
        Ok(())
    }

    /// Whether TLS ends here, or goes on to the upstream as it is.
    fn is_terminated(&self) -> bool {
        self.session.route().is_some_and(|route| route.protocols.contains(&Protocol::Tls))
    }

    /// Shakes hands with the client, with the certificate phase in the middle.
    async fn terminate(
        &mut self,
        stream: TcpStream,
        unread: Vec<u8>,
        peer: Peer,
        stop: &mut watch::Receiver<Stop>,
    ) -> Result<Box<dyn Stream>, Failure> {
        let serial = self.session.connection.serial;
        let mut arrival = Arrival {
            peer,
            client: self.session.client,
            serial,
            stream: self.session.stream.clone(),
            thread: &self.worker.thread,
            environment: &self.gateway.environment,
            plan: &self.gateway.plan,
            server_tls: &self.gateway.server_tls,
            patience: self.gateway.settings.preread_timeout,
            stop,
        };
        match arrival.shake(stream, unread).await {
            Shaken::Encrypted { stream, tls, .. } => {
                self.encrypted(peer, tls);
                Ok(stream)
            }
            Shaken::Plain(..) => Err(Failure::NotTls),
            Shaken::Ended => Err(Failure::Handshake),
        }
    }

    fn encrypted(&mut self, peer: Peer, tls: Tls) {
        let serial = self.session.connection.serial;
        self.session.connection = Arc::new(Connection::new(peer.socket(), peer.local(), Some(tls), serial));
    }

    /// Has plugins look at the stream before it goes on. Answers what one of them ends it with.
    pub async fn preread(&mut self) -> Result<Option<Answer>, Failure> {
        let begun = self.session.timings.now();
        self.session.timings.access.begin(begun);
        let (collected, outcome) = self.gateway.plan.preread(&mut self.session).await;
        self.collected = collected;
        let ended = self.session.timings.now();
        self.session.timings.access.finish(ended);
        outcome?;
        let answer = self.session.answer.clone();
        if let Some(answer) = &answer {
            self.stream().status = answer.status;
        } else if self.session.service().is_none() {
            return Err(Failure::NoService);
        }
        Ok(answer)
    }

    /// The longest silence of both sides.
    pub fn silence(&self) -> std::time::Duration {
        let [_, _, read] = self.session.upstream_timeouts();
        read
    }
}
