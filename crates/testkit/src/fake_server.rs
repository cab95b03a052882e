//! A scriptable plugin server: any order of messages, any misbehaviour, without a process.
//!
//! The script is a function that plays a plugin's handler: it gets an event, makes PDK calls and says
//! how the event ends. Everything around it (frames, instances, the words of each SDK's errors) is
//! done here. It listens on a Unix socket in threads of its own and stops when dropped.

mod msgpack;
mod protobuf;

use std::collections::HashMap;
use std::io;
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use serde_json::Value as Json;

pub use msgpack::{Answer, MsgPackEvent, Sdk};
pub use protobuf::ProtoBufEvent;

/// How a scripted handler ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// As it should.
    Return,
    /// As it should, and the answer is sent twice.
    ReturnTwice,
    /// The event is answered by an error (MessagePack), or the connection closed (ProtoBuf).
    Error(String),
    /// The connection is closed without an answer.
    Close,
    /// Nothing is ever answered; the connection stays open.
    Hang,
    /// As `Hang`, and no later event of any connection is answered either: what a Python handler does
    /// that raises before its first PDK call.
    Wedge,
    /// As `Hang`, and nothing that is asked later is answered: what a loop does that never ends.
    Freeze,
    /// These bytes in place of an answer; then the connection is closed.
    Bytes(Vec<u8>),
    /// Nothing more is sent and the connection is free: after `kong.response.exit`.
    Silence,
}

/// A running server.
pub struct FakeServer {
    listener: Arc<UnixListener>,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

/// What the server was asked: a method (`plugin.StartInstance`, `cmd_start_instance`) and, as JSON, its
/// parameter.
#[derive(Debug, Clone, PartialEq)]
pub struct Received {
    pub method: String,
    pub param: Json,
}

struct Shared {
    stopping: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    received: Vec<Received>,
    /// Configurations by id.
    instances: HashMap<i64, Json>,
    next_instance: i64,
    next_event: i64,
    wedged: bool,
    frozen: bool,
    /// Open connections, to be cut when the server stops.
    connections: Vec<UnixStream>,
}

impl FakeServer {
    /// A MessagePack server that speaks like `sdk`. The script runs for every event, in the thread of
    /// the event's connection.
    pub fn msgpack(
        socket: impl AsRef<Path>,
        sdk: Sdk,
        script: impl Fn(&mut MsgPackEvent<'_>) -> Ending + Send + Sync + 'static,
    ) -> Self {
        Self::start(socket, move |stream, shared| msgpack::serve(stream, shared, sdk, &script))
    }

    /// A `ProtoBuf:1` server.
    pub fn protobuf(
        socket: impl AsRef<Path>,
        script: impl Fn(&mut ProtoBufEvent<'_>) -> Ending + Send + Sync + 'static,
    ) -> Self {
        Self::start(socket, move |stream, shared| protobuf::serve(stream, shared, &script))
    }

    /// What was asked so far, over all connections.
    pub fn received(&self) -> Vec<Received> {
        self.shared.state().received.clone()
    }

    /// The parameters of all requests for `method`.
    pub fn params(&self, method: &str) -> Vec<Json> {
        self.received().into_iter().filter(|it| it.method == method).map(|it| it.param).collect()
    }

    /// As if the server had expired all instances.
    pub fn forget_instances(&self) {
        self.shared.state().instances.clear();
    }

    /// How many connections were opened so far.
    pub fn connections(&self) -> usize {
        self.shared.state().connections.len()
    }

    /// From now on the open connections take nothing in: a write to them fails, as one does to a
    /// process that ended.
    pub fn stop_reading(&self) {
        for connection in &self.shared.state().connections {
            let _ = connection.shutdown(Shutdown::Read);
        }
    }

    fn start(
        socket: impl AsRef<Path>,
        serve: impl Fn(UnixStream, &Shared) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        let socket = socket.as_ref();
        // Servers replace whatever an earlier one left.
        let _ = std::fs::remove_file(socket);
        let listener = UnixListener::bind(socket)
            .unwrap_or_else(|error| panic!("a fake server listens on {}: {error}", socket.display()));
        let listener = Arc::new(listener);
        let shared = Arc::new(Shared { stopping: AtomicBool::new(false), state: Mutex::default() });
        let acceptor = thread::spawn({
            let (listener, shared, serve) = (listener.clone(), shared.clone(), Arc::new(serve));
            move || accept(&listener, &shared, &serve)
        });
        Self { listener, shared, acceptor: Some(acceptor) }
    }
}

/// Closes every connection, as the end of a process does. The socket's file stays.
impl Drop for FakeServer {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        // Wakes the acceptor, also when the socket's file is gone.
        let _ = rustix::net::shutdown(&*self.listener, rustix::net::Shutdown::Both);
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
        for connection in &self.shared.state().connections {
            let _ = connection.shutdown(Shutdown::Both);
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn record(&self, method: &str, param: Json) {
        self.state().received.push(Received { method: method.to_owned(), param });
    }
}

impl State {
    fn start_instance(&mut self, id: Option<i64>, config: Json) -> i64 {
        let id = id.unwrap_or(self.next_instance);
        self.next_instance = self.next_instance.max(id + 1);
        self.instances.insert(id, config);
        id
    }

    fn start_event(&mut self) -> i64 {
        let id = self.next_event;
        self.next_event += 1;
        id
    }
}

fn accept<F>(listener: &UnixListener, shared: &Arc<Shared>, serve: &Arc<F>)
where
    F: Fn(UnixStream, &Shared) -> io::Result<()> + Send + Sync + 'static,
{
    for stream in listener.incoming() {
        if shared.stopping.load(Ordering::SeqCst) {
            return;
        }
        let Ok(stream) = stream else { return };
        let Ok(copy) = stream.try_clone() else { return };
        let cut = stream.try_clone();
        shared.state().connections.push(copy);
        let (shared, serve) = (shared.clone(), serve.clone());
        thread::spawn(move || {
            // An error is the end of the connection, on whichever side.
            let _ = serve(stream, &shared);
            if let Ok(cut) = cut {
                let _ = cut.shutdown(Shutdown::Both);
            }
        });
    }
}

/// Waits for the other side to close.
fn hang(stream: &mut UnixStream) -> io::Result<()> {
    io::copy(stream, &mut io::sink()).map(drop)
}
