//! Plugins that do not work though the configuration is served: told when it is loaded, so that nobody has to learn
//! it from requests that fail.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use polygate_model::Plugin;
use polygate_plugin_host::{InstanceProblem, ServerStatus};
use polygate_telemetry::log::printable;

use crate::plugins::Announced;

/// Bytes of a reason from its beginning and from its end: some name the culprit first, others last.
const HEAD: usize = 300;
const TAIL: usize = 200;

/// One line for each server that keeps plugins from working and for each plugin whose configurations were refused.
/// `servers` is how they are after the instances of `used`, the configurations of plugins, were started, but for
/// those in `refused`.
pub fn of(
    enabled: &[String],
    announced: &Announced,
    servers: &[ServerStatus],
    used: &[Arc<Plugin>],
    refused: &[InstanceProblem],
) -> Vec<String> {
    let missing = missing(enabled, announced);
    missing.into_iter().chain(down(servers, used)).chain(not_started(refused)).collect()
}

/// Those that nobody announced.
fn missing(enabled: &[String], announced: &Announced) -> Option<String> {
    let names = enabled.iter().filter(|name| !announced.schemas.contains_key(*name));
    let names: Vec<_> = names.map(String::as_str).collect();
    let silent = announced.silent.iter().map(|(server, why)| format!("{server} ({})", shortened(why)));
    let silent: Vec<_> = silent.collect();
    let who = subject(&names)?;
    Some(format!(
        "{who} not work, as no plugin server announced it, and these did not answer: {}; {}",
        silent.join(", "),
        consequence(503)
    ))
}

/// Those of servers that do not run.
fn down(servers: &[ServerStatus], used: &[Arc<Plugin>]) -> Vec<String> {
    let used: BTreeSet<_> = used.iter().filter(|it| it.enabled).map(|it| it.name.as_str()).collect();
    let mut by_server: BTreeMap<&str, Vec<&ServerStatus>> = BTreeMap::new();
    for replica in servers {
        by_server.entry(&replica.server).or_default().push(replica);
    }
    let line = |(server, replicas): (&str, Vec<&ServerStatus>)| {
        let first = replicas.iter().all(|replica| replica.state != "ready").then_some(replicas[0])?;
        let names = first.plugins.iter().map(String::as_str).filter(|name| used.contains(name));
        let who = subject(&names.collect::<Vec<_>>())?;
        let ended = first.last_end.as_deref().map(|end| format!(", its last process ended with {end}"));
        let (state, ended) = (first.state, ended.unwrap_or_default());
        Some(format!("{who} not work, as plugin server {server} is {state}{ended}; {}", consequence(503)))
    };
    by_server.into_iter().filter_map(line).collect()
}

/// Those whose configurations the server did not take.
fn not_started(refused: &[InstanceProblem]) -> Vec<String> {
    let mut by_plugin: BTreeMap<&str, BTreeMap<_, &str>> = BTreeMap::new();
    for problem in refused {
        by_plugin.entry(&problem.plugin).or_default().entry(problem.id).or_insert(&problem.why);
    }
    let line = |(plugin, problems): (&str, BTreeMap<_, &str>)| {
        let (id, why) = problems.first_key_value()?;
        let others = match problems.len() {
            1 => String::new(),
            count => format!(" (and {} more)", count - 1),
        };
        Some(format!(
            "plugin {plugin} does not work in configuration {id}{others}: {}; {}",
            shortened(why),
            consequence(500)
        ))
    };
    by_plugin.into_iter().filter_map(line).collect()
}

fn subject(names: &[&str]) -> Option<String> {
    match names {
        [] => None,
        [name] => Some(format!("plugin {name} does")),
        names => Some(format!("plugins {} do", names.join(", "))),
    }
}

fn consequence(status: u16) -> String {
    format!(
        "requests that need it are answered with {status} unless on_error is open ('polygate doctor' tells more)"
    )
}

/// A text of many lines, such as a stack trace, for one line.
fn shortened(text: &str) -> String {
    let text = text.lines().map(str::trim).collect::<Vec<_>>().join(" ");
    let head = text.floor_char_boundary(HEAD);
    let tail = text.ceil_char_boundary(text.len().saturating_sub(TAIL));
    let short = if tail <= head { text } else { format!("{} [...] {}", &text[..head], &text[tail..]) };
    printable(&short).into_owned()
}
