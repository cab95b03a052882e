//! A look at every plugin server through its query command, with advice.

use std::collections::HashMap;
use std::path::PathBuf;

use polygate_config::Settings;
use polygate_config::settings::PluginServerSettings;
use polygate_entities::reference;
use polygate_model::schema::Schema;
use polygate_plugin_host::discovery::{Discovery, QueryError, QueryFailure, discover};
use polygate_telemetry::log::printable;

use crate::{Error, plugins, translate, workers};

/// How much of the output is shown, characters.
const TAIL: usize = 1000;

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnosis {
    /// Every configured server, whether a plugin of it is enabled or not.
    pub servers: Vec<ServerReport>,
    /// The enabled plugins that a server announced.
    pub announced: Vec<String>,
    /// The other enabled plugins, each with what to do about it.
    pub missing: Vec<(String, String)>,
}

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

/// Asks every configured server.
pub fn doctor(settings: &Settings) -> Result<Diagnosis, Error> {
    let enabled = settings.enabled_plugins(&plugins::bundled());
    let asked = translate::plugin_servers(settings, &enabled);
    let found = workers::runtime()?.block_on(discover(&asked));
    let mut found: HashMap<_, _> = found.into_iter().map(|it| (it.server.clone(), it)).collect();
    let servers = settings.plugin_servers.iter();
    let servers: Vec<_> = servers.map(|server| report(server, found.remove(&server.name))).collect();
    let is_announced = |name: &String| {
        let mut all = servers.iter().flat_map(|server| &server.plugins);
        all.any(|plugin| plugin.name == *name)
    };
    // Those that come with the gateway need nobody.
    let foreign = enabled.into_iter().filter(|name| is_announced(name) || plugins::find(name).is_none());
    let (announced, missing): (Vec<_>, Vec<_>) = foreign.partition(is_announced);
    let missing = missing.into_iter().map(|name| (name.clone(), advice_on_missing(&name))).collect();
    Ok(Diagnosis { servers, announced, missing })
}

fn report(server: &PluginServerSettings, found: Option<Discovery>) -> ServerReport {
    let mut report = ServerReport {
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
    };
    let Some(found) = found else {
        report.error = Some("it has no query command".to_owned());
        report.advice = Some(format!("name it in pluginserver_{}_query_cmd", server.key));
        return report;
    };
    if let Some(output) = found.output {
        report.exit_code = output.status.code();
        report.stderr = tail(&output.stderr);
        report.stdout_tail = tail(&output.stdout);
    }
    match found.outcome {
        Err(error) => {
            report.advice = Some(advice(server, report.exit_code, &error));
            report.error = Some(error.why.to_string());
        }
        Ok(dump) => {
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

fn advice_on_missing(plugin: &str) -> String {
    let why = match reference::missing(plugin) {
        Some(why) => format!("it {why}"),
        None => "no plugin server announced it".to_owned(),
    };
    format!(
        "{why}; correct the server that should have it, name that server in pluginserver_names, or take the plugin \
         out of the property plugins"
    )
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
