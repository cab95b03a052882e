//! The signals that the gateway acts on.

use polygate_net::accept::Stop;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::Error;

pub struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
    quit: Signal,
}

impl StopSignals {
    pub fn new() -> Result<Self, Error> {
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
            quit: listen(SignalKind::quit())?,
        })
    }

    /// The next wish to end, and how.
    pub async fn next(&mut self) -> Stop {
        tokio::select! {
            _ = self.terminate.recv() => Stop::Fast,
            _ = self.interrupt.recv() => Stop::Fast,
            _ = self.quit.recv() => Stop::Graceful,
        }
    }
}

/// Asks for a new configuration.
pub fn reload() -> Result<Signal, Error> {
    listen(SignalKind::hangup())
}

/// Asks to open the log files again.
pub fn reopen() -> Result<Signal, Error> {
    listen(SignalKind::user_defined1())
}

fn listen(kind: SignalKind) -> Result<Signal, Error> {
    signal(kind).map_err(|cause| Error::System { what: "signals", cause })
}
