//! One client connection, as its requests see it.

use std::rc::Rc;
use std::sync::Arc;

use polygate_chain::Connection;
use polygate_net::accept::Stop;
use polygate_net::real_ip::Peer;
use tokio::sync::watch;

use crate::Worker;

/// What the requests of one client connection have in common.
pub struct Downstream {
    pub connection: Arc<Connection>,
    pub peer: Peer,
    /// Whether HTTP/2 could have been spoken from the beginning.
    pub takes_http2: bool,
    pub worker: Rc<Worker>,
    pub stop: watch::Receiver<Stop>,
}

impl Downstream {
    /// Whether the connection is to end with its next response.
    pub fn is_stopping(&self) -> bool {
        *self.stop.borrow() != Stop::Running
    }
}

/// What becomes of the connection after a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// Another request may come.
    KeepAlive,
    /// The client was told that none will be answered, and may still be sending.
    Linger,
    /// Nobody is there.
    Close,
}
