//! One client connection, as a request sees it.

use std::rc::Rc;
use std::sync::Arc;

use polygate_chain::Connection;
use polygate_net::accept::Stop;
use polygate_net::real_ip::Peer;
use tokio::sync::watch;

use crate::Worker;
use crate::client::Client;

/// One client connection, for the requests on it.
pub struct Downstream {
    pub client: Rc<Client>,
    pub connection: Arc<Connection>,
    pub peer: Peer,
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
