//! What the host needs to know about a plugin server.

use std::path::PathBuf;
use std::time::Duration;

/// One plugin server. Two equal values mean that a running server can be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerSettings {
    /// Lower case, as logs have it.
    pub name: String,
    /// The Unix socket that the server listens on.
    pub socket: PathBuf,
    /// A shell command. Without one somebody else runs the process.
    pub start_cmd: Option<String>,
    pub query: Query,
    /// How long an event waits for a server that is not up.
    pub connect_timeout: Duration,
    /// How long one event may keep the server busy. The gateway's own share does not count.
    pub event_timeout: Duration,
    pub on_error: OnError,
    pub body: BodyMode,
    /// Events at a time, over all workers; `None` is 256.
    pub max_concurrency: Option<usize>,
    /// Events after which the process is replaced by a new one; `None` is never. Bounds what the SDKs
    /// leak. Only for processes that the gateway starts, as is the next.
    pub max_events: Option<u64>,
    /// Resident bytes above which it is replaced.
    pub max_memory: Option<u64>,
}

/// How the server's plugins are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Query {
    /// A shell command that prints all of them.
    All(String),
    /// Shell commands that print one plugin each, in MessagePack: go-pluginserver before 0.6.
    Each(Vec<String>),
    /// Nobody asks: the server stays unused.
    None,
}

/// What happens to a request whose plugin failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnError {
    /// It fails.
    #[default]
    Closed,
    /// It goes on without the plugin, with a warning in the log.
    Open,
}

/// The MessagePack type of raw bodies that plugins read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BodyMode {
    Bytes,
    /// Text when the body is UTF-8, else bytes.
    Text,
    /// Text for JavaScript, whose plugins expect strings; bytes for the others.
    #[default]
    Auto,
}
