//! Why an event failed.

use std::fmt;

/// A failed event: what to count, what to tell the client, what to log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EventError {
    pub reason: Reason,
    pub message: String,
}

/// The kinds of failure; stable names for the reason header and for metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Reason {
    /// The plugin answered an error, or misused the PDK.
    Plugin,
    /// The connection broke while the handler ran.
    Crashed,
    /// The server sent what the protocol does not allow.
    Protocol,
    /// The server refused the plugin's configuration.
    Instance,
    /// No server is up.
    Unavailable,
    /// All places for events stayed taken.
    Busy,
    /// The event took too long.
    Deadline,
    /// The plugin failed so often in a row that it is left alone for a while.
    CircuitOpen,
}

impl Reason {
    pub const ALL: [Reason; 8] = [
        Reason::Plugin,
        Reason::Crashed,
        Reason::Protocol,
        Reason::Instance,
        Reason::Unavailable,
        Reason::Busy,
        Reason::Deadline,
        Reason::CircuitOpen,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Reason::Plugin => "plugin_error",
            Reason::Crashed => "plugin_crashed",
            Reason::Protocol => "plugin_protocol_error",
            Reason::Instance => "plugin_instance_refused",
            Reason::Unavailable => "plugin_server_unavailable",
            Reason::Busy => "plugin_server_busy",
            Reason::Deadline => "plugin_deadline",
            Reason::CircuitOpen => "plugin_circuit_open",
        }
    }

    /// What the client gets.
    pub fn status(self) -> u16 {
        match self {
            Reason::Plugin | Reason::Crashed | Reason::Protocol | Reason::Instance => 500,
            Reason::Unavailable | Reason::Busy | Reason::CircuitOpen => 503,
            Reason::Deadline => 504,
        }
    }

    /// Makes an error of this kind.
    pub(crate) fn error(self, message: impl Into<String>) -> EventError {
        EventError { reason: self, message: message.into() }
    }
}

impl fmt::Display for EventError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}
