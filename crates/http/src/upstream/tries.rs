//! The tries of one request.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;

use polygate_balancer::Outcome;
use polygate_chain::Exchange;
use polygate_chain::session::SentRequest;
use polygate_http1::{Headers, ResponseHead};
use polygate_tls::Client;
use polygate_transport::connect::Tls;
use polygate_transport::peers::{Peer, Peers};

use crate::client;
use crate::failure::{Blame, Condition, Failure};
use crate::upstream::answer::{Answer, AnswerBody};
use crate::upstream::attempt::{Asked, Broken, Carrier, UpstreamTimeouts};
use crate::upstream::exchanged::{Exchanged, log_failure};
use crate::upstream::hash::RequestHash;
use crate::upstream::head::{self, BodyFraming};
use crate::upstream::pool::Pool;
use crate::upstream::target::{Protocol, Target};
use crate::upstream::upload::Upload;
use crate::way::Way;
use crate::{Gateway, HttpSettings, Worker, buffers, lines, tracing};

/// Bytes of answers before the answer that wait for a client; what comes beyond them it does not get.
const MOST_INTERIM: usize = 16 * 1024;

/// The upstream's answer.
pub struct Reply {
    pub head: ResponseHead,
    pub exchanged: Exchanged,
}

/// Where a request goes first, and where it can go then.
pub struct Picked {
    peers: Peers,
    first: Peer,
    protocol: Protocol,
}

/// Chooses the first peer. From here on the request counts as proxied, whatever becomes of it.
pub async fn pick(way: &mut Way<'_>) -> Result<Picked, Failure> {
    let exchange = &mut *way.exchange;
    let begun = exchange.session.timings.latest;
    exchange.session.timings.balancer.begin(begun);
    let (balancers, resolver) = (&way.gateway.balancers, &way.worker.thread.resolver);
    let peers = Peers::find(&exchange.session, &RequestHash(exchange), balancers, resolver).await?;
    exchange.response.headers.extend(peers.set_cookie().map(|cookie| ("Set-Cookie", cookie)));
    let protocol = protocol(exchange, &way.gateway, &peers)?;
    let first = peers.choose(&[], begun)?;
    let now = exchange.session.timings.now();
    exchange.session.timings.balancer.finish(now);
    exchange.proxied = true;
    exchange.session.note_try(first.address, begun);
    Ok(Picked { peers, first, protocol })
}

/// Sends the request, trying other peers as often as the service says.
pub async fn send(way: &mut Way<'_>, picked: Picked) -> Result<Reply, Failure> {
    let exchange = &mut *way.exchange;
    let settings = &way.gateway.settings;
    let uri = head::target(exchange).ok_or(Failure::TargetTooLong)?;
    let mut tries = Tries {
        sent: SentRequest { host: String::new(), uri },
        framing: head::framing(exchange),
        upload: Upload::of(&mut exchange.request_body),
        protocol: picked.protocol.clone(),
        timeouts: timeouts(exchange),
        left: exchange.session.retries(),
        tried: Vec::new(),
        worker: way.worker,
        settings,
        client: &*way.client,
        takes_interim: exchange.request.version != http::Version::HTTP_10,
    };
    let outcome = tries.all(exchange, picked).await;
    exchange.session.upstream.sent = Some(tries.sent);
    outcome
}

/// What the tries of one request have in common.
struct Tries<'w> {
    /// The request of the latest.
    sent: SentRequest,
    framing: BodyFraming,
    upload: Upload,
    protocol: Protocol,
    timeouts: UpstreamTimeouts,
    /// Further tries that are allowed.
    left: u16,
    /// Peers of the tries before.
    tried: Vec<SocketAddr>,
    worker: &'w Rc<Worker>,
    settings: &'w HttpSettings,
    client: &'w dyn client::Client,
    /// Older ones know of no answers before the answer.
    takes_interim: bool,
}

impl Tries<'_> {
    async fn all(&mut self, exchange: &mut Exchange, picked: Picked) -> Result<Reply, Failure> {
        let Picked { peers, first: mut peer, .. } = picked;
        loop {
            let mut outcome = self.run(exchange, &peer).await;
            let told = match &outcome {
                Ok(answer) => Some(Outcome::Status(answer.head.status)),
                Err(broken) => broken.failure.outcome(),
            };
            if let (Some(balanced), Some(told)) = (&peer.balanced, told) {
                balanced.report(told, exchange.session.timings.upstream.duration().unwrap_or_default());
            }
            let again = self.again(exchange, &mut outcome);
            if let Some(last) = exchange.session.tries.last_mut() {
                last.failure = match &outcome {
                    Ok(answer) if again => Some(("failed", answer.head.status)),
                    Err(broken) if broken.failure.blame() == Blame::Upstream => {
                        Some(("failed", broken.failure.status()))
                    }
                    _ => None,
                };
            }
            match outcome {
                _ if again => {}
                Ok(Answer { head, body }) => {
                    return Ok(Reply { head, exchanged: Exchanged { body, balanced: peer.balanced } });
                }
                Err(broken) => return Err(broken.failure),
            }
            self.tried.push(peer.address);
            let begun = exchange.session.timings.latest;
            peer = peers.choose(&self.tried, begun)?;
            exchange.session.timings.now();
            exchange.session.note_try(peer.address, begun);
        }
    }

    async fn run(&mut self, exchange: &mut Exchange, peer: &Peer) -> Result<Answer, Broken> {
        self.sent.host = head::host(exchange, peer.name.as_deref(), peer.address);
        let span = tracing::begin_try(exchange, peer.address, self.tried.len());
        let mut trace = Headers::new();
        if let Some(context_trace) = &exchange.session.trace {
            context_trace.propagate(span.as_deref(), &mut trace);
        }
        exchange.session.timings.upstream.begin(exchange.session.timings.latest);
        let outcome = match self.protocol.http2 {
            false => self.over_http1(exchange, peer.address, &trace).await,
            // On the heap, as most requests take the other way and are to have no room for this one.
            true => Box::pin(self.over_http2(exchange, peer.address, &trace)).await,
        };
        let now = exchange.session.timings.now();
        exchange.session.timings.upstream.finish(now);
        if let Err(broken) = &outcome {
            log_failure(exchange, &broken.failure, peer.address);
        }
        let told = outcome.as_ref().map(|answer| answer.head.status);
        tracing::end_try(span, told.map_err(|broken| &broken.failure));
        outcome
    }

    async fn over_http1(
        &mut self,
        exchange: &Exchange,
        address: SocketAddr,
        trace: &Headers,
    ) -> Result<Answer, Broken> {
        let mut request = buffers::take();
        let with_id = self.settings.request_id_upstream;
        head::write(&mut request, exchange, &self.sent, self.framing, trace, with_id);
        let outcome = self.exchange(|worker| &worker.pool, &request[..], exchange, address).await;
        buffers::give(request);
        outcome
    }

    async fn over_http2(
        &mut self,
        exchange: &Exchange,
        address: SocketAddr,
        trace: &Headers,
    ) -> Result<Answer, Broken> {
        let (with_id, is_tls) = (self.settings.request_id_upstream, self.protocol.tls.is_some());
        match head::http2(exchange, &self.sent, self.framing, trace, with_id, is_tls) {
            Some(request) => self.exchange(|worker| &worker.http2_pool, &request, exchange, address).await,
            None => Err(Broken::unsent(Failure::Unsayable)),
        }
    }

    /// Sends the request over a kept connection or a new one. A kept one that the peer has closed meanwhile is no try:
    /// another one takes its place.
    async fn exchange<C: Carrier<Body: Into<AnswerBody>>>(
        &mut self,
        pool: fn(&Worker) -> &RefCell<Pool<C>>,
        head: &C::Head,
        exchange: &Exchange,
        address: SocketAddr,
    ) -> Result<Answer, Broken> {
        let method = &exchange.request.method;
        let asked = Asked { is_head: method == http::Method::HEAD, websocket: exchange.websocket };
        let target = self.target(address);
        let mut kept = pool(self.worker).borrow_mut().take(&target);
        loop {
            let is_kept = kept.is_some();
            let connection = match kept.take() {
                Some(connection) => connection,
                None => self.open::<C>(target.clone()).await.map_err(Broken::unsent)?,
            };
            let upload = std::mem::take(&mut self.upload);
            let interim = |head: ResponseHead| self.relay_interim(head);
            match connection.exchange(head, upload, asked, self.timeouts, self.client, interim).await {
                Ok((head, body)) => return Ok(Answer { head, body: body.into() }),
                Err((broken, upload)) => {
                    self.upload = upload;
                    let is_repeatable = head::is_idempotent(method) || broken.is_unsent;
                    if !(is_kept && broken.is_silent && is_repeatable && self.upload.rewind()) {
                        return Err(broken);
                    }
                }
            }
        }
    }

    /// The peer's name is the host of the request, as in the reference.
    fn target(&self, address: SocketAddr) -> Target {
        let tls = |client: &Arc<Client>| Tls {
            name: head::host_name(&self.sent.host).to_owned(),
            client: client.clone(),
        };
        Target { address, http2: self.protocol.http2, tls: self.protocol.tls.as_ref().map(tls).map(Box::new) }
    }

    /// A new connection, unless the client leaves meanwhile.
    async fn open<C: Carrier>(&self, target: Target) -> Result<Box<C>, Failure> {
        // On the heap, as most requests find a connection and are to have no room for this.
        let mut opening = Box::pin(C::open(target, self.timeouts));
        poll_fn(|cx| match opening.as_mut().poll(cx) {
            Poll::Pending => self.client.poll_gone(cx).map(|()| Err(Failure::ClientLeft)),
            opened => opened,
        })
        .await
    }

    /// Hands on what the upstream says before its answer; `100 Continue` is between the gateway and each side.
    fn relay_interim(&self, mut head: ResponseHead) {
        if head.status == 100 || !self.takes_interim || self.client.queued() > MOST_INTERIM {
            return;
        }
        lines::clean(&mut head.headers, &Headers::new());
        head.headers.remove("Content-Length");
        self.client.queue_interim(&head);
    }

    /// Whether another peer is to be tried; then everything is ready for it.
    fn again(&mut self, exchange: &Exchange, outcome: &mut Result<Answer, Broken>) -> bool {
        let rules = &self.settings.next_upstream;
        let (allowed, is_unsent) = match &*outcome {
            Ok(answer) => (rules.statuses.contains(&answer.head.status), false),
            Err(broken) => {
                let allowed = match broken.failure.condition() {
                    Some(Condition::Error) => rules.error,
                    Some(Condition::Timeout) => rules.timeout,
                    Some(Condition::InvalidHeader) => rules.invalid_header,
                    None => false,
                };
                (allowed, broken.is_unsent)
            }
        };
        let repeatable = is_unsent || rules.non_idempotent || head::is_idempotent(&exchange.request.method);
        if self.left == 0 || !allowed || !repeatable {
            return false;
        }
        let upload = match outcome {
            Ok(answer) => answer.body.upload(),
            Err(_) => &mut self.upload,
        };
        if !upload.rewind() {
            return false;
        }
        self.upload = std::mem::take(upload);
        self.left -= 1;
        true
    }
}

/// What must be encrypted is never sent in the clear.
fn protocol(exchange: &Exchange, gateway: &Gateway, peers: &Peers) -> Result<Protocol, Failure> {
    let upstream = &exchange.session.upstream;
    let (http2, is_tls) = match upstream.scheme.as_deref() {
        None | Some("http") => (false, false),
        Some("https") => (false, true),
        Some("grpc") => (true, false),
        Some("grpcs") => (true, true),
        Some(other) => return Err(Failure::Unsupported(other.to_owned())),
    };
    let wanted = peers.wanted(&exchange.session, http2);
    let tls = if is_tls { Some(gateway.upstream_tls.client(&wanted)?) } else { None };
    Ok(Protocol { http2, tls })
}

fn timeouts(exchange: &Exchange) -> UpstreamTimeouts {
    let [connect, write, read] = exchange.session.upstream_timeouts();
    UpstreamTimeouts { connect, write, read }
}
