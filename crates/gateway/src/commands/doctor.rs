//! `doctor`: what each plugin server says when asked, and what to do about it.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;
use std::process::ExitCode;

use polygate_app::{PluginReport, ServerReport};

use crate::command::{Invocation, Outcome};
use crate::configuration::{load, sources};
use crate::console::Console;

pub fn run(invocation: &Invocation, console: Console) -> Outcome<ExitCode> {
    let settings = load(sources(invocation), console)?;
    if settings.plugin_servers.is_empty() {
        console.say("no plugin server is configured (pluginserver_names is empty)");
        return Ok(ExitCode::SUCCESS);
    }
    let reports = polygate_app::doctor(&settings);
    let path = std::env::var("PATH").unwrap_or_else(|_| "not set, the usual directories are used".to_owned());
    for report in &reports {
        console.print(describe(report, &path));
    }
    let ill = reports.iter().filter(|report| !is_well(report)).count();
    console.say(match ill {
        0 => "all plugin servers are well".to_owned(),
        _ => format!("{ill} of {} plugin servers need attention", reports.len()),
    });
    Ok(if ill == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn is_well(report: &ServerReport) -> bool {
    report.error.is_none() && report.plugins.iter().all(|plugin| plugin.schema_error.is_none())
}

fn describe(report: &ServerReport, path: &str) -> String {
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
    lines.join("\n") + "\n\n"
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
