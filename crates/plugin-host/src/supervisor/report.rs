//! What the log says about the end of a process.

use polygate_telemetry::log;

use crate::lock::locked;
use crate::process::describe;
use crate::replica::Replica;
use crate::supervisor::End;

/// Logs an end that nobody asked for.
pub(super) fn end(replica: &Replica, command: &str, end: &End) {
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
