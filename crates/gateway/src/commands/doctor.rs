//! `doctor`: what each plugin server says when asked, how it fares in the running gateway, and what to do about it.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;
use std::process::ExitCode;

use polygate_app::{Diagnosis, PluginReport, ServerReport};
use polygate_config::{Settings, conf};
use polygate_telemetry::log::printable;
use serde_json::Value;

use crate::command::{Invocation, Outcome};
use crate::configuration::{load, load_running, sources};
use crate::console::Console;
use crate::control;
use crate::instance::Instance;

pub fn run(invocation: &Invocation, console: Console) -> Outcome<ExitCode> {
    let prefix = conf::prefix(&sources(invocation))?;
    let is_running = Instance::find(&prefix)?.is_some();
    let settings = match is_running && !invocation.has("conf") {
        true => load_running(invocation, &prefix, console)?,
        false => load(sources(invocation), console)?,
    };
    let diagnosis = polygate_app::doctor(&settings)?;
    let asked = is_running.then(|| replicas(&settings)).transpose();
    let running = asked.as_ref().ok().and_then(Option::as_deref);
    let path = std::env::var("PATH").unwrap_or_else(|_| "not set, the usual directories are used".to_owned());
    let mut ill = 0;
    for server in &diagnosis.servers {
        let replicas = running.map(|all| of_server(all, &server.name));
        ill += usize::from(!is_well(server, replicas.as_deref().unwrap_or_default()));
        console.print(describe(server, replicas.as_deref(), &path));
    }
    let missing = missing(&diagnosis, running);
    missing.iter().for_each(|(plugin, why)| console.print(format!("plugin {plugin}\n  to do     {why}\n\n")));
    // What the servers say for themselves is of use all the same.
    asked?;
    console.say(verdict(diagnosis.servers.len(), ill, missing.len()));
    Ok(if ill + missing.len() == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What the running gateway says of the processes of plugin servers.
fn replicas(settings: &Settings) -> Outcome<Vec<Value>> {
    match control::get(&settings.control_socket(), "/plugin-servers")? {
        Value::Array(replicas) => Ok(replicas),
        _ => Err("the running gateway did not answer with a list".into()),
    }
}

fn of_server<'a>(all: &'a [Value], server: &str) -> Vec<&'a Value> {
    all.iter().filter(|replica| text(replica, "server") == server).collect()
}

fn text<'a>(replica: &'a Value, member: &str) -> &'a str {
    replica.get(member).and_then(Value::as_str).unwrap_or_default()
}

fn number(replica: &Value, member: &str) -> u64 {
    replica.get(member).and_then(Value::as_u64).unwrap_or_default()
}

/// What the query says counts for a server that is not in use: whether one of its plugins should be is another
/// question.
fn is_well(report: &ServerReport, replicas: &[&Value]) -> bool {
    let answers = report.error.is_none() && report.plugins.iter().all(|plugin| plugin.schema_error.is_none());
    answers && replicas.iter().all(|replica| matches!(text(replica, "state"), "ready" | "unused"))
}

/// Enabled plugins that are not to be had, and what to do about each.
fn missing(diagnosis: &Diagnosis, running: Option<&[Value]>) -> Vec<(String, String)> {
    let plugins = |replica: &Value| replica.get("plugins").and_then(Value::as_array).cloned();
    let served: Vec<_> = running.into_iter().flatten().filter_map(plugins).flatten().collect();
    let is_served = |name: &String| running.is_none() || served.iter().any(|plugin| plugin == name);
    let stale = diagnosis.announced.iter().filter(|name| !is_served(name)).map(|name| {
        (
            name.clone(),
            "the running gateway does not have it; polygate reload asks the servers anew".to_owned(),
        )
    });
    diagnosis.missing.iter().cloned().chain(stale).collect()
}

fn verdict(servers: usize, ill: usize, missing: usize) -> String {
    match (servers, ill, missing) {
        (0, _, 0) => "no plugin server is configured (pluginserver_names is empty)".to_owned(),
        (_, 0, 0) => "all plugin servers are well".to_owned(),
        (_, _, 0) => format!("{ill} of {servers} plugin servers need attention"),
        (_, 0, _) => format!("enabled plugins that are missing: {missing}"),
        _ => format!(
            "{ill} of {servers} plugin servers need attention, enabled plugins that are missing: {missing}"
        ),
    }
}

/// `replicas` are those of the running gateway, if there is one.
fn describe(report: &ServerReport, replicas: Option<&[&Value]>, path: &str) -> String {
    let mut lines = vec![report.name.clone()];
    let mut line = |label: &str, text: &str| {
        // Of several lines only the first one carries the label.
        for (index, part) in text.trim_end().lines().enumerate() {
            lines.push(format!("  {:<10}{part}", if index == 0 { label } else { "" }));
        }
    };
    line("query", &report.query_cmd);
    line("exit code", &report.exit_code.map_or("none".to_owned(), |code| code.to_string()));
    line("PATH", path);
    line("socket", &describe_socket(&report.socket));
    line("protocol", report.protocol.as_deref().unwrap_or("unknown"));
    for plugin in &report.plugins {
        line("plugin", &describe_plugin(plugin));
    }
    line("stderr", &report.stderr);
    line("error", report.error.as_deref().unwrap_or_default());
    if report.error.is_some() {
        line("output", &report.stdout_tail);
    }
    line("to do", report.advice.as_deref().unwrap_or_default());
    match replicas {
        None => line("running", "no gateway answers"),
        Some([]) => line("running", "the running gateway does not use it"),
        Some(replicas) => {
            for replica in replicas {
                line("running", &describe_running(replica));
                line("reason", text(replica, "query_error"));
                // What a process that never failed prints is in the log.
                if text(replica, "state") != "ready" || number(replica, "restarts") > 0 {
                    line("printed", &printed(replica));
                }
                line("to do", advice(replica));
            }
        }
    }
    lines.join("\n") + "\n\n"
}

fn describe_running(replica: &Value) -> String {
    let mut text = format!("{}: {}", text(replica, "name"), text(replica, "state"));
    for (member, label) in [("pid", "pid"), ("generation", "generation"), ("last_end", "last end:")] {
        if let Some(value) = replica.get(member) {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            text += &format!(", {label} {value}");
        }
    }
    text + &format!(", restarts {}", number(replica, "restarts"))
}

/// The last lines of all its processes.
fn printed(replica: &Value) -> String {
    let lines = replica.get("output").and_then(Value::as_array);
    let lines: Vec<_> = lines.into_iter().flatten().filter_map(Value::as_str).collect();
    printable(&lines.join("\n")).into_owned()
}

/// For a process that should run and does not.
fn advice(replica: &Value) -> &'static str {
    match text(replica, "state") {
        "ready" | "unused" | "stopped" => "",
        _ if replica.get("last_end").is_some() => {
            "correct what its process complained about; run the start command by hand as the gateway's user"
        }
        _ if number(replica, "starts") == 0 => {
            "start it, as it has no start command; it must listen on the socket"
        }
        _ => "wait for it to listen on the socket; it has until its start_timeout",
    }
}

fn describe_plugin(plugin: &PluginReport) -> String {
    let version = plugin.version.as_deref().unwrap_or("without version");
    let schema =
        plugin.schema_error.as_deref().map_or("schema ok".to_owned(), |why| format!("schema: {why}"));
    format!("{} {version}, priority {}, {}, {schema}", plugin.name, plugin.priority, plugin.phases.join(" "))
}

fn describe_socket(path: &Path) -> String {
    let state = match fs::metadata(path) {
        Ok(meta) if meta.file_type().is_socket() => {
            format!("owner {}:{}, mode {:o}", meta.uid(), meta.gid(), meta.mode() & 0o7777)
        }
        Ok(_) => "not a socket".to_owned(),
        Err(_) => "not there, the server does not run".to_owned(),
    };
    format!("{} ({state})", path.display())
}
