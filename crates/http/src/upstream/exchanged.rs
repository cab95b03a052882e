//! An exchange of which the answer's body is left, and what becomes of its connection.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use polygate_chain::Exchange;
use polygate_transport::peers::{self, Balanced};

use crate::failure::{Blame, Failure};
use crate::upstream::answer::{AnswerBody, Idle};
use crate::upstream::pool::{Pool, PoolLimits, Reusable};
use crate::{HttpSettings, Worker};

/// How often idle connections are looked at: none outlives its time by more than this.
const SWEEP: Duration = Duration::from_secs(1);

/// An answer of which the head was read and taken; the body is still to come.
pub struct Exchanged {
    pub body: AnswerBody,
    pub(super) balanced: Option<Balanced>,
}

impl Exchanged {
    /// Takes in that the rest of the answer did not come, which counts like a try without an answer.
    pub fn fail(&self, exchange: &Exchange, failure: &Failure) {
        log_failure(exchange, failure, self.body.address());
        if let (Some(balanced), Some(outcome)) = (&self.balanced, failure.outcome()) {
            balanced.report(outcome, Duration::ZERO);
        }
    }

    /// Keeps the connection for other requests, if it can carry any.
    pub fn give_back(self, worker: &Rc<Worker>, settings: &HttpSettings) {
        let limits = PoolLimits {
            size: settings.upstream_pool_size,
            requests: settings.upstream_max_requests,
            idle: settings.upstream_idle,
        };
        match self.body.into_idle() {
            Some(Idle::Http1(connection)) => keep(worker, |worker| &worker.pool, connection, limits),
            Some(Idle::Http2(connection)) => keep(worker, |worker| &worker.http2_pool, connection, limits),
            None => {}
        }
    }
}

/// Keeps a connection for later requests of this worker.
fn keep<C: Reusable + 'static>(
    worker: &Rc<Worker>,
    pool: fn(&Worker) -> &RefCell<Pool<C>>,
    connection: Box<C>,
    limits: PoolLimits,
) {
    if pool(worker).borrow_mut().put(connection, limits) {
        let worker = Rc::downgrade(worker);
        tokio::task::spawn_local(async move {
            loop {
                tokio::time::sleep(SWEEP).await;
                match worker.upgrade() {
                    Some(worker) if pool(&worker).borrow_mut().sweep() => {}
                    _ => break,
                }
            }
        });
    }
}

/// One line for what an upstream did wrong; what others did is logged where the request ends.
pub fn log_failure(exchange: &Exchange, failure: &Failure, address: SocketAddr) {
    if failure.blame() == Blame::Upstream {
        peers::log_failure(&exchange.session, address, failure);
    }
}
