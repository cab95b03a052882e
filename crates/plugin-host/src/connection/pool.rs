//! Idle connections of this thread, and their loan.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;

use polygate_plugin_proto::Protocol;
use tokio::runtime::Handle;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use crate::connection::Connection;
use crate::failure::{EventError, Reason};
use crate::generation::Generation;
use crate::replica::Replica;

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
    /// The event that the server waits in for an answer; it ends before the connection is free.
    pub event: Option<i64>,
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
            event: None,
            permit,
        })
    }

    /// Closes the connection now. Only for protocols and states in which a server survives that.
    pub(crate) fn close(mut self) {
        self.connection = None;
    }
}

impl Deref for Lease {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection.as_ref().expect("only close and drop take the connection")
    }
}

impl DerefMut for Lease {
    fn deref_mut(&mut self) -> &mut Connection {
        self.connection.as_mut().expect("only close and drop take the connection")
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take() else { return };
        if connection.broken {
            return;
        }
        if !connection.busy && self.event.is_none() {
            put_idle(self.replica.serial, self.generation.number, connection);
            return;
        }
        // A ProtoBuf server takes a closed connection for the end of the event: nothing to finish.
        if self.replica.protocol == Protocol::MsgPack
            && let Ok(runtime) = Handle::try_current()
        {
            let (event, permit) = (self.event, self.permit.take());
            runtime.spawn(async move {
                connection.finish(event).await;
                drop(permit);
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
        match Connection::open(generation.address.path()).await {
            Ok(connection) if connection.pid() == generation.pid => return Ok(connection),
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
            pools.retain(|_, idle| idle.connections.iter_mut().any(Connection::is_alive));
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
