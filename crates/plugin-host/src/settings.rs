//! What the host needs to know about a plugin server.

use std::path::PathBuf;
use std::time::Duration;

pub use polygate_model::OnError;

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
    /// How many processes share the work. They all run the same command and listen, one after the
    /// other, on `socket`; each is then reached by a name of its own. Those that somebody else runs
    /// listen on `<socket>.1`, `<socket>.2`, ..., if there is more than one.
    pub replicas: usize,
    /// How long a process may take from its start until it listens.
    pub start_timeout: Duration,
    /// How long an event waits for a server that is not up, or has no free place.
    pub connect_timeout: Duration,
    /// How long one event may keep the server busy, if there is a limit. The gateway's own share does not count.
    pub event_timeout: Option<Duration>,
    /// How long the server may take for its next message within an event.
    pub step_timeout: Duration,
    /// Unless the plugin's configuration says otherwise.
    pub on_error: OnError,
    pub body: BodyMode,
    /// Events at a time in each process; `None` depends on the SDK.
    pub max_concurrency: Option<usize>,
    /// Events that may wait for a place in front of each process.
    pub max_queue: usize,
    /// Crashes and deadlines in a row after which a plugin is left alone for a while; 0 is never.
    pub breaker_failures: u32,
    /// Events after which a process is replaced by a new one; `None` is never. Bounds what the SDKs
    /// leak. Only for processes that the gateway starts, as are the next two.
    pub max_events: Option<u64>,
    /// Resident bytes above which it is replaced.
    pub max_memory: Option<u64>,
    /// Age at which it is replaced.
    pub max_age: Option<Duration>,
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

/// The MessagePack type of raw bodies that plugins read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BodyMode {
    /// As the reference since 3.0.
    #[default]
    Bytes,
    /// Text when the body is UTF-8, else bytes: for plugins written for the reference's 2.x.
    Text,
}

impl ServerSettings {
    /// How long an event is waited for by those who are not to wait for ever.
    pub(crate) fn patience(&self) -> Duration {
        self.event_timeout.unwrap_or(self.step_timeout)
    }

    /// The socket of a replica, counted from 1.
    pub(crate) fn socket_of(&self, replica: usize) -> PathBuf {
        if self.start_cmd.is_some() || self.replicas == 1 {
            return self.socket.clone();
        }
        let mut path = self.socket.clone().into_os_string();
        path.push(format!(".{replica}"));
        path.into()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Of a server that somebody else runs, with a second for everything.
    pub(crate) fn settings() -> ServerSettings {
        let second = Duration::from_secs(1);
        ServerSettings {
            name: "test".into(),
            socket: "/none/test.socket".into(),
            start_cmd: None,
            query: Query::None,
            replicas: 1,
            start_timeout: second,
            connect_timeout: second,
            event_timeout: Some(second),
            step_timeout: second,
            on_error: OnError::Closed,
            body: BodyMode::Bytes,
            max_concurrency: None,
            max_queue: 8,
            breaker_failures: 0,
            max_events: None,
            max_memory: None,
            max_age: None,
        }
    }

    #[test]
    fn replicas_of_others_have_numbered_sockets() {
        let path = |settings: &ServerSettings| settings.socket_of(2).display().to_string();
        let mut settings = ServerSettings { replicas: 3, ..settings() };
        assert_eq!(path(&settings), "/none/test.socket.2");
        settings.start_cmd = Some("x".into());
        assert_eq!(path(&settings), "/none/test.socket");
    }
}
