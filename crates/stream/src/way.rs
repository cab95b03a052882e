//! What the steps of a stream share, and those that are the same for connections and for datagrams.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use polygate_chain::session::{Captures, Matched, Stream as State, Transport};
use polygate_chain::{Answer, Collected, Connection, Phase, Session};
use polygate_net::real_ip::{Peer, RealIp};
use polygate_router::{StreamKind, StreamQuery};

use crate::failure::Failure;
use crate::{Gateway, METRICS, Worker};

/// What the steps share.
pub struct Way {
    pub session: Box<Session>,
    /// Whose handlers of the log phase run: the global ones until others are chosen.
    pub collected: Collected,
    pub gateway: Arc<Gateway>,
    pub worker: Rc<Worker>,
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
            client.socket(),
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

    /// Finds the route by what is known of the connection.
    pub fn route(&mut self) -> Result<(), Failure> {
        let session = &self.session;
        let Some(stream) = &session.stream else { return Err(Failure::NoRoute) };
        let found = self.gateway.router.select(&StreamQuery {
            kind: match stream.transport {
                Transport::Udp => StreamKind::Udp,
                Transport::Tcp if stream.has_hello => StreamKind::Tls,
                Transport::Tcp => StreamKind::Tcp,
            },
            sni: stream.sni.as_deref(),
            source: session.client,
            destination: session.destination(),
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
    pub fn silence(&self) -> Duration {
        let [_, _, read] = self.session.upstream_timeouts();
        read
    }
}
