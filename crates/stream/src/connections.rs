//! A stream that is a connection, from accept to log: the function `steps` is the list.

use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;

use polygate_chain::session::Transport;
use polygate_chain::{Connection, Tls};
use polygate_model::Protocol;
use polygate_net::accept::Stop;
use polygate_net::clock::Clock;
use polygate_net::real_ip::Peer;
use polygate_transport::copy::{Copying, Patience};
use polygate_transport::handshake::{Arrival, Shaken};
use polygate_transport::{Rewound, Stream};
use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::failure::Failure;
use crate::settings::ListenerFlags;
use crate::way::Way;
use crate::{Worker, connect, end, peek};

/// A connection that was accepted.
pub struct Accepted {
    pub stream: TcpStream,
    /// What was read of it behind its PROXY header.
    pub unread: Vec<u8>,
    pub peer: Peer,
    pub flags: ListenerFlags,
    pub stop: watch::Receiver<Stop>,
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
        Box::pin(way.peek(&mut stream, &mut unread, &mut stop)).await?;
    }
    way.route()?;
    let mut client = match flags.tls && way.is_terminated() {
        true => Box::pin(way.terminate(stream, unread, peer, &mut stop)).await?,
        false => Rewound::boxed(stream, unread),
    };
    if let Some(answer) = way.preread().await? {
        way.stream().sent = answer.body.len() as u64;
        return Box::pin(end::answer(&mut *client, &answer.body)).await;
    }
    let mut clock = Clock::new();
    let (mut upstream, _place) = Box::pin(connect::open(way, &mut clock)).await?;
    let mut copying = Copying::new(Patience { silence: way.silence(), ..Patience::default() }, clock);
    let scratch = &way.worker.thread.scratch;
    let outcome =
        poll_fn(|cx| copying.poll(cx, &mut *client, &mut *upstream, &mut scratch.borrow_mut())).await;
    way.copied(copying.moved(), outcome);
    Ok(())
}

impl Way {
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
}
