//! What the log says about the end of a process.

use polygate_telemetry::log;

use crate::process::describe;
use crate::server::{Server, locked};
use crate::supervisor::End;

/// Logs an end that nobody asked for.
pub(super) fn end(server: &Server, command: &str, end: &End) {
    let name = server.name();
    let text = match end {
        End::Exited(status) => describe(*status),
        End::Wedged => "replaced because it did not answer".to_owned(),
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
        (End::Failed(_), _) => log!(Error, "[pluginserver] cannot start pluginserver '{name}': {text}"),
        _ => log!(Notice, "external pluginserver '{name}' terminated: {text}"),
    }
    locked(&server.history).last_end = Some(text);
}
