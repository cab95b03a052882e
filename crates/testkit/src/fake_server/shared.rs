//! What the connections of one server share: what they were asked, and the instances and events that came of it.

use std::collections::HashMap;
use std::os::unix::net::UnixStream;
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value as Json;

/// What the server was asked: a method (`plugin.StartInstance`, `cmd_start_instance`) and, as JSON, its
/// parameter.
#[derive(Debug, Clone, PartialEq)]
pub struct Received {
    pub method: String,
    pub param: Json,
}

#[derive(Default)]
pub(super) struct Shared {
    pub stopping: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
pub(super) struct State {
    pub received: Vec<Received>,
    /// Configurations by id.
    pub instances: HashMap<i64, Json>,
    next_instance: i64,
    next_event: i64,
    pub wedged: bool,
    pub frozen: bool,
    /// Open connections, to be cut when the server stops.
    pub connections: Vec<UnixStream>,
}

impl Shared {
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn record(&self, method: &str, param: Json) {
        self.state().received.push(Received { method: method.to_owned(), param });
    }
}

impl State {
    pub fn start_instance(&mut self, id: Option<i64>, config: Json) -> i64 {
        let id = id.unwrap_or(self.next_instance);
        self.next_instance = self.next_instance.max(id + 1);
        self.instances.insert(id, config);
        id
    }

    pub fn start_event(&mut self) -> i64 {
        let id = self.next_event;
        self.next_event += 1;
        id
    }
}
