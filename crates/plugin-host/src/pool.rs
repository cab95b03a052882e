//! Idle connections of this thread, and their loan.
//!
//! A connection whose call is under way may not simply be closed: a [`Lease`] that is dropped in the middle hands it to
//! a task that finishes.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::ops::{Deref, DerefMut};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout};

use crate::channel::Channel;
use crate::generation::Generation;
use crate::reason::{EventError, Reason};
use crate::replica::Replica;
use crate::wire::Connection;

/// Python keeps a thread for every open connection.
const MOST_IDLE: usize = 32;

thread_local! {
    static IDLE: RefCell<HashMap<u64, Idle>> = RefCell::default();
}

/// The idle connections to one server; all of one generation.
#[derive(Default)]
struct Idle {
    generation: u64,
    connections: Vec<Connection>,
}

/// A connection in use. Dropping it puts a connection that is between calls back into the pool, and
/// has one that is not brought to the end of its event by a task of its own.
pub(crate) struct Lease {
    connection: Option<Connection>,
    replica: Arc<Replica>,
    pub generation: Arc<Generation>,
    /// The event's place among those the server may have at a time.
    permit: Option<OwnedSemaphorePermit>,
}

impl Lease {
    /// A connection of the generation: an idle one, or a new one if there is none or `fresh` is asked
    /// for. Waits for a server with a full backlog until `deadline`. `permit` is given back when the
    /// connection is free again.
    pub(crate) async fn take(
        replica: &Arc<Replica>,
        generation: &Arc<Generation>,
        fresh: bool,
        deadline: Instant,
        permit: Option<OwnedSemaphorePermit>,
    ) -> Result<Self, EventError> {
        let idle = if fresh { None } else { take_idle(replica.serial, generation.number) };
        let connection = match idle {
            Some(connection) => connection,
            None => connect(replica, generation, deadline).await?,
        };
        Ok(Self {
            connection: Some(connection),
            replica: replica.clone(),
            generation: generation.clone(),
            permit,
        })
    }
}

impl Deref for Lease {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection.as_ref().expect("only drop takes the connection")
    }
}

impl DerefMut for Lease {
    fn deref_mut(&mut self) -> &mut Connection {
        self.connection.as_mut().expect("only drop takes the connection")
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else { return };
        if connection.is_broken() {
            return;
        }
        if connection.is_free() {
            put_idle(self.replica.serial, self.generation.number, connection);
        } else if let Ok(runtime) = Handle::try_current() {
            let (permit, patience) = (self.permit.take(), self.replica.settings.patience());
            runtime.spawn(async move {
                let mut abandoned = pin!(connection.abandon());
                // What never ends must not keep a place for ever; its connection stays open all the same.
                let ended = timeout(patience, &mut abandoned).await;
                drop(permit);
                if ended.is_err() {
                    abandoned.await;
                }
            });
        }
    }
}

/// Opens a connection to the very process of `generation`.
async fn connect(
    replica: &Replica,
    generation: &Generation,
    deadline: Instant,
) -> Result<Connection, EventError> {
    loop {
        match Channel::open(generation.address.path()).await {
            Ok(channel) if channel.pid() == generation.pid => return Ok(replica.wire.over(channel)),
            Ok(_) => {
                replica.lost(generation);
                return Err(unavailable(replica, "its process was replaced"));
            }
            // The backlog is full.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && Instant::now() < deadline => {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            Err(error) => {
                if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) {
                    replica.lost(generation);
                }
                return Err(unavailable(replica, &error.to_string()));
            }
        }
    }
}

fn unavailable(replica: &Replica, why: &str) -> EventError {
    Reason::Unavailable.error(format!(
        "cannot connect to plugin server \"{}\" on {}: {why}",
        replica.name,
        replica.socket.display()
    ))
}

fn take_idle(server: u64, generation: u64) -> Option<Connection> {
    IDLE.with_borrow_mut(|pools| {
        let idle = pools.get_mut(&server).filter(|idle| idle.generation == generation)?;
        std::iter::from_fn(|| idle.connections.pop()).find_map(|mut it| it.is_alive().then_some(it))
    })
}

fn put_idle(server: u64, generation: u64, connection: Connection) {
    // The pool is gone while the thread ends.
    let _ = IDLE.try_with(|pools| {
        let Ok(mut pools) = pools.try_borrow_mut() else { return };
        if !pools.contains_key(&server) {
            // Servers come and go with configurations: a good time to let go of those that ended.
            pools.retain(|_, idle| idle.connections.iter_mut().any(|it| it.is_alive()));
        }
        let idle = pools.entry(server).or_default();
        if idle.generation < generation {
            *idle = Idle { generation, connections: Vec::new() };
        }
        if idle.generation == generation && idle.connections.len() < MOST_IDLE {
            idle.connections.push(connection);
        }
    });
}
