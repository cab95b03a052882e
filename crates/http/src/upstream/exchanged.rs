//! An exchange of which the answer's body is left, and what becomes of its connection.

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use polygate_balancer::Pick;

use crate::Worker;
use crate::upstream::connection::{AnswerBody, Connection};
use crate::upstream::pool::PoolLimits;

/// How often idle connections are looked at: none outlives its time by more than this.
const SWEEP: Duration = Duration::from_secs(1);

/// An answer of which the head was read and taken; the body is still to come.
pub struct Exchanged {
    pub body: AnswerBody,
    pub(super) limits: PoolLimits,
    /// Counts as an open connection of its target while the exchange lasts.
    pub(super) _pick: Option<Pick>,
}

impl Exchanged {
    pub fn address(&self) -> SocketAddr {
        self.body.address()
    }

    /// Keeps the connection for other requests, if it can carry any.
    pub fn give_back(self, worker: &Rc<Worker>) {
        if let Some(connection) = self.body.into_idle() {
            give_back(worker, connection, self.limits);
        }
    }
}

/// Keeps a connection for later requests of this worker.
fn give_back(worker: &Rc<Worker>, connection: Box<Connection>, limits: PoolLimits) {
    if worker.pool.borrow_mut().put(connection, limits) {
        let worker = Rc::downgrade(worker);
        tokio::task::spawn_local(async move {
            loop {
                tokio::time::sleep(SWEEP).await;
                match worker.upgrade() {
                    Some(worker) if worker.pool.borrow_mut().sweep() => {}
                    _ => break,
                }
            }
        });
    }
}
