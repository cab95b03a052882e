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
    /// Events at a time, over all workers.
    pub max_concurrency: usize,
}

/// How the server's plugins are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Query {
    /// A shell command that prints all of them.
    All(String),
    /// go-pluginserver before 0.6 answers for one plugin at a time.
    Each { executable: String, directory: String, plugins: Vec<String> },
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
