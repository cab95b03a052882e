//! A look at every plugin server through its query command, with advice.

use std::path::PathBuf;
use std::process::{Output, Stdio};
use std::time::Duration;

use polygate_config::settings::PluginServerSettings;
use polygate_config::{Settings, conf};
use polygate_model::schema::Schema;
use polygate_plugin_host::ServerSettings;
use polygate_plugin_host::discovery::{QueryError, QueryFailure, discover};
use polygate_telemetry::log::printable;
use tokio::process::Command;
use tokio::time::timeout;

use crate::{plugins, translate, workers};

/// For one query command; JavaScript takes seconds.
const TIME_LIMIT: Duration = Duration::from_secs(30);
/// How much of the output is shown, characters.
const TAIL: usize = 1000;

/// What one plugin server said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerReport {
    pub name: String,
    pub query_cmd: String,
    /// `None` when a signal ended the command, or nothing did.
    pub exit_code: Option<i32>,
    pub stderr: String,
    /// The end of the standard output.
    pub stdout_tail: String,
    pub socket: PathBuf,
    pub protocol: Option<String>,
    pub plugins: Vec<PluginReport>,
    pub error: Option<String>,
    /// What to do about the error.
    pub advice: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginReport {
    pub name: String,
    pub version: Option<String>,
    pub priority: i64,
    pub phases: Vec<String>,
    pub schema_error: Option<String>,
}

/// Asks every configured server, whether a plugin of it is enabled or not.
pub fn doctor(settings: &Settings) -> Vec<ServerReport> {
    let enabled = settings.enabled_plugins(plugins::BUNDLED);
    let asked = translate::plugin_servers(settings, &enabled);
    let servers = settings.plugin_servers.iter().zip(asked);
    match workers::runtime() {
        Ok(runtime) => runtime.block_on(async {
            let mut reports = Vec::new();
            for (server, asked) in servers {
                reports.push(examine(server, asked).await);
            }
            reports
        }),
        Err(error) => servers
            .map(|(server, _)| ServerReport { error: Some(error.to_string()), ..blank(server) })
            .collect(),
    }
}

fn blank(server: &PluginServerSettings) -> ServerReport {
    ServerReport {
        name: server.name.clone(),
        query_cmd: server.query_cmd.clone().unwrap_or_default(),
        exit_code: None,
        stderr: String::new(),
        stdout_tail: String::new(),
        socket: server.socket.clone(),
        protocol: None,
        plugins: Vec::new(),
        error: None,
        advice: None,
    }
}

async fn examine(server: &PluginServerSettings, asked: ServerSettings) -> ServerReport {
    let mut report = blank(server);
    // The host's own discovery says what the gateway would make of the answer; it keeps no raw output.
    let asked = [asked];
    let (found, output) = tokio::join!(discover(&asked), output(&report.query_cmd));
    if let Some(output) = output {
        report.exit_code = output.status.code();
        report.stderr = tail(&output.stderr);
        report.stdout_tail = tail(&output.stdout);
    }
    match found.into_iter().next().map(|found| found.outcome) {
        None => report.error = Some("it has no query command".to_owned()),
        Some(Err(error)) => {
            report.advice = Some(advice(server, report.exit_code, &error));
            report.error = Some(error.why.to_string());
        }
        Some(Ok(dump)) => {
            report.protocol = Some(dump.protocol.to_string());
            let refused: Vec<_> = dump.refused.into_iter().map(|refused| refused.why).collect();
            report.error = (!refused.is_empty()).then(|| refused.join("\n"));
            report.plugins = dump
                .plugins
                .into_iter()
                .map(|plugin| PluginReport {
                    schema_error: Schema::parse(&plugin.schema).err().map(|error| error.to_string()),
                    name: plugin.name,
                    version: plugin.version,
                    priority: plugin.priority,
                    phases: plugin.phases,
                })
                .collect();
        }
    }
    report
}

async fn output(command: &str) -> Option<Output> {
    if command.is_empty() {
        return None;
    }
    let mut shell = Command::new("/bin/sh");
    shell.arg("-c").arg(command).stdin(Stdio::null()).kill_on_drop(true);
    for variable in conf::withheld_variables() {
        shell.env_remove(variable);
    }
    timeout(TIME_LIMIT, shell.output()).await.ok()?.ok()
}

fn advice(server: &PluginServerSettings, exit_code: Option<i32>, error: &QueryError) -> String {
    let property = format!("pluginserver_{}_query_cmd", server.key);
    match (&error.why, exit_code) {
        (_, Some(127)) => format!("the command was not found: name it with its full path in {property}"),
        (_, Some(126)) => "the command may not be executed: check its mode and its first line".to_owned(),
        (QueryFailure::TimedOut, _) => {
            format!("{property} must print the plugins and end; does it start the server instead?")
        }
        (QueryFailure::Spawn(_), _) => "install a shell at /bin/sh".to_owned(),
        (QueryFailure::Dump(_), Some(0)) => {
            format!(
                "{property} must print the plugins as JSON; embedded servers do with -dump or --dump-all-plugins"
            )
        }
        (QueryFailure::Dump(_), _) => {
            "run the command by hand as the gateway's user and correct what it complains about".to_owned()
        }
    }
}

/// The last characters of an output, for a terminal.
fn tail(output: &[u8]) -> String {
    let text = String::from_utf8_lossy(output).replace("\r\n", "\n");
    let text = printable(text.trim_end());
    let start = text.char_indices().rev().nth(TAIL - 1).map_or(0, |(start, _)| start);
    text[start..].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tail_is_cut_between_characters() {
        assert_eq!(tail("ä".repeat(TAIL + 1).as_bytes()), "ä".repeat(TAIL));
        assert_eq!(tail(b"short\n"), "short");
        assert_eq!(tail(b"two\r\nlines\x1b[2J\n"), "two\nlines\\x1b[2J");
    }
}
