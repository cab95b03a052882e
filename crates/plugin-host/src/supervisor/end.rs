//! How one process ended, and what the log says about it.

use std::io;
use std::process::ExitStatus;
use std::sync::Arc;

use polygate_telemetry::log;

use crate::generation::Generation;
use crate::lock::locked;
use crate::process::{Process, describe};
use crate::replica::Replica;

/// How one process ended.
pub(super) enum End {
    Exited(ExitStatus),
    /// It stopped answering and was killed.
    Wedged,
    /// It did not listen in time and was killed.
    Silent,
    Failed(io::Error),
    /// Its socket could not be given a name of its own.
    NoAddress(io::Error),
    /// It has served enough and goes on until the next one is there.
    Spent(Box<Retiring>),
    StopRequested,
}

/// A process whose successor is being started.
pub(super) struct Retiring {
    pub process: Process,
    pub generation: Arc<Generation>,
}

/// Logs an end that nobody asked for.
pub(super) fn report(replica: &Replica, command: &str, end: &End) {
    let name = &replica.name;
    let text = match end {
        End::Exited(status) => describe(*status),
        End::Wedged => "replaced because it did not answer".to_owned(),
        End::Silent => format!(
            "nobody listened on {} within {} ms of its start",
            replica.socket.display(),
            replica.settings.start_timeout.as_millis()
        ),
        End::NoAddress(error) => {
            format!("cannot use the socket {}: {error}", replica.socket.display())
        }
        End::Failed(error) => format!("cannot run /bin/sh: {error}"),
        End::Spent(_) | End::StopRequested => return,
    };
    let reason = match end {
        End::Exited(status) if status.code() == Some(127) => Some("command not found"),
        End::Exited(status) if status.code() == Some(126) => Some("command cannot be executed"),
        _ => None,
    };
    match (end, reason) {
        (_, Some(reason)) => log!(
            Error,
            "[pluginserver] external pluginserver \"{name}\" start command \"{command}\" exited with \"{reason}\"; \
             give the full path of an executable file"
        ),
        (End::Failed(_) | End::Silent | End::NoAddress(_), _) => {
            log!(Error, "[pluginserver] cannot start pluginserver '{name}': {text}")
        }
        _ => log!(Notice, "external pluginserver '{name}' terminated: {text}"),
    }
    locked(&replica.history).last_end = Some(text);
}
