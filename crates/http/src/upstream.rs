//! Reaching the service: choosing a peer, connecting, sending, trying again.

mod connect;
mod connection;
mod hash;
mod head;
mod peers;
mod pool;
mod tries;
mod upload;

use std::net::SocketAddr;
use std::rc::Rc;

use polygate_balancer::Pick;

use crate::Worker;

pub use connection::AnswerBody;
pub use pool::Pool;
pub use tries::{Reply, log_failure, pick, send};

use pool::{PoolLimits, Target, give_back};

/// An answer of which the head was read and taken; the body is still to come.
pub struct Exchanged {
    pub body: AnswerBody,
    target: Target,
    limits: PoolLimits,
    /// Counts as an open connection of its target while the exchange lasts.
    _pick: Option<Pick>,
}

impl Exchanged {
    pub fn address(&self) -> SocketAddr {
        self.target.address
    }

    /// Keeps the connection for other requests, if it can carry any.
    pub fn give_back(self, worker: &Rc<Worker>) {
        if let Some(idle) = self.body.into_idle() {
            give_back(worker, self.target, idle, self.limits);
        }
    }
}
