//! Why an event failed, and the one place that decides what that does to the request.

use std::fmt;

use polygate_chain::pdk::Context;
use polygate_chain::{Failure, Phase};
use polygate_telemetry::log;
use polygate_telemetry::trace::KeyValue;
use tokio::time::Instant;

use crate::counters::PluginCounters;
use crate::event::Ran;
use crate::settings::OnError;

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

/// Counts the event and lets its failure reach the request, or not: closed by default, open if the
/// user wrote so.
pub(crate) fn conclude(
    ran: Ran,
    began: Instant,
    phase: Phase,
    policy: OnError,
    counters: &PluginCounters,
    context: &mut Context<'_>,
) -> Result<(), Failure> {
    let of_phase = counters.of(phase);
    of_phase.ended(began.elapsed(), ran.pdk_calls);
    let mut span = context.reborrow().session().trace.as_mut().and_then(|trace| trace.handler.as_mut());
    if let Some(span) = &mut span {
        span.set([KeyValue::new("polygate.pdk_calls", i64::from(ran.pdk_calls))]);
    }
    let Err(error) = ran.outcome else { return Ok(()) };
    of_phase.failed(error.reason, policy);
    let (plugin, reason) = (counters.plugin(), error.reason.as_str());
    let is_known = error.reason == Reason::CircuitOpen;
    match policy {
        OnError::Closed => {
            if counters.is_first_refusal() {
                log!(
                    Notice,
                    "[{plugin}] requests are refused when the plugin fails; to let them go on without it set on_error = open in its configuration, or pluginserver_<NAME>_on_error"
                );
            }
            Err(Failure {
                status: error.reason.status(),
                reason,
                message: format!("[{plugin}] pluginserver error: {error} ({phase} phase, {reason})"),
                is_known,
            })
        }
        OnError::Open => {
            if !is_known {
                log!(
                    Warn,
                    "[{plugin}] pluginserver error, the request goes on because on_error is open: {error} ({phase} phase, {reason})"
                );
            }
            if let Some(span) = span {
                span.fail(reason, error.message);
            }
            Ok(())
        }
    }
}
