//! What the steps of a request's way share.

use std::borrow::Cow;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use http::Method;
use polygate_chain::{Collected, Exchange, Source};
use polygate_telemetry::log;

use crate::client::Client;
use crate::downstream::Downstream;
use crate::failure::{Blame, Failure};
use crate::flow::Filters;
use crate::upstream::Exchanged;
use crate::{Gateway, Worker, respond};

/// A request on its way, and all that the steps need of its surroundings.
pub struct Way<'d> {
    pub exchange: Box<Exchange>,
    pub collected: Collected,
    pub client: Rc<dyn Client>,
    pub downstream: &'d Downstream,
    pub worker: &'d Rc<Worker>,
    pub gateway: Arc<Gateway>,
    /// The client means to send more requests.
    pub keep_alive: bool,
    /// Bytes that the connection had carried before, in and out.
    pub traffic_before: (u64, u64),
    /// The upstream's reason phrase, and the status that it belongs to.
    pub reason: Option<(u16, Cow<'static, [u8]>)>,
    /// As received: plugins may have it sent on with another one.
    pub method: Method,
    /// The line of a request whose head was refused, as received.
    pub refused_line: Option<Vec<u8>>,
}

/// Why the list ended before the upstream answered.
pub enum Early {
    /// The exchange holds the response.
    Answered,
    /// Nobody is there to read one.
    Left,
}

/// What is sent behind the head of the response.
pub enum Content {
    Bytes(Bytes),
    /// What the upstream answers, as it comes, through the plugins that filter it.
    Upstream(Exchanged, Filters),
    /// Whatever both sides say, in a protocol of their own.
    Tunnel(Exchanged),
}

impl Way<'_> {
    /// Turns a failure into the response, and logs it where its cause has to be looked for.
    pub fn failed(&mut self, failure: Failure) -> Early {
        let exchange = &mut *self.exchange;
        let id = &exchange.session.id;
        let client = exchange.session.client.ip();
        match failure.blame() {
            Blame::Client => log!(Info, "client {client}: {failure}, request_id: \"{id}\""),
            Blame::Upstream => {}
            Blame::Gateway => log!(Error, "{failure}, client: {client}, request_id: \"{id}\""),
        }
        match failure {
            Failure::NoPeer(no_peer) => {
                respond::decide(exchange, Source::Error, no_peer.status, &no_peer.reason)
            }
            failure if failure.status() == 499 => return Early::Left,
            failure => return self.refuse(failure.status()),
        }
        Early::Answered
    }

    /// An error of HTTP or of the proxy as the response.
    pub fn refuse(&mut self, status: u16) -> Early {
        // After these the reference takes the connection for unusable.
        self.keep_alive &= !matches!(status, 400 | 405 | 408 | 413 | 414 | 494 | 500 | 501 | 505);
        respond::proxy_error(&mut self.exchange, status);
        Early::Answered
    }

    /// The body of a response that the gateway or a plugin made.
    pub fn answer(&self) -> Content {
        Content::Bytes(
            self.exchange.session.answer.as_ref().map(|answer| answer.body.clone()).unwrap_or_default(),
        )
    }
}
