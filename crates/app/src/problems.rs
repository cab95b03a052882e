//! Plugins that do not work though the configuration is served: told when it is loaded, so that nobody has to learn
//! it from requests that fail.

use std::collections::{BTreeMap, BTreeSet};

use polygate_plugin_host::{InstanceProblem, ServerStatus};
use polygate_telemetry::log::{printable, shortened};

use crate::plugins::{Announced, find};

/// Bytes of a reason from each end.
const SIDE: usize = 250;

/// One line for each server that keeps plugins from working and for each plugin whose configurations were refused.
/// `used` are the plugins with a configuration; `servers` is how they are after those were started, but for the
/// `refused` ones.
pub fn of(
    enabled: &[String],
    announced: &Announced,
    servers: &[ServerStatus],
    used: &BTreeSet<&str>,
    refused: &[InstanceProblem],
) -> Vec<String> {
    let missing = missing(enabled, announced);
    missing.into_iter().chain(down(servers, used)).chain(not_started(refused)).collect()
}

/// Those that nobody announced and that do not come with the gateway.
fn missing(enabled: &[String], announced: &Announced) -> Option<String> {
    let is_missing = |name: &&String| !announced.schemas.contains_key(*name) && find(name).is_none();
    let names = enabled.iter().filter(is_missing);
    let names: Vec<_> = names.map(String::as_str).collect();
    let what = if names.len() == 1 { "it" } else { "them" };
    let silent = announced.silent.iter().map(|(server, why)| format!("{server} ({})", one_line(why)));
    let silent = silent.collect::<Vec<_>>().join(", ");
    line(&names, &format!("no plugin server announced {what}, and these did not answer: {silent}"), 503)
}

/// Those of servers that do not run.
fn down(servers: &[ServerStatus], used: &BTreeSet<&str>) -> Vec<String> {
    let mut by_server: BTreeMap<&str, Vec<&ServerStatus>> = BTreeMap::new();
    for replica in servers {
        by_server.entry(&replica.server).or_default().push(replica);
    }
    let down = by_server.into_iter().filter(|(_, replicas)| replicas.iter().all(|it| it.state != "ready"));
    down.filter_map(|(server, replicas)| {
        let first = replicas[0];
        let names = first.plugins.iter().map(String::as_str).filter(|name| used.contains(name));
        let ended = first.last_end.as_deref().map(|end| format!(" (last end: {end})")).unwrap_or_default();
        let why = format!("plugin server {server} is {}{ended}", first.state);
        line(&names.collect::<Vec<_>>(), &why, 503)
    })
    .collect()
}

/// Those whose configurations the server did not take.
fn not_started(refused: &[InstanceProblem]) -> Vec<String> {
    let mut by_plugin: BTreeMap<&str, BTreeMap<_, &str>> = BTreeMap::new();
    for problem in refused {
        by_plugin.entry(&problem.plugin).or_default().entry(problem.id).or_insert(&problem.why);
    }
    let first = |(plugin, problems): (&str, BTreeMap<_, &str>)| {
        let (id, why) = problems.first_key_value()?;
        let others = match problems.len() {
            1 => String::new(),
            count => format!(" and {} more", count - 1),
        };
        line(&[plugin], &format!("configuration {id}{others}: {}", one_line(why)), 500)
    };
    by_plugin.into_iter().filter_map(first).collect()
}

fn line(plugins: &[&str], why: &str, status: u16) -> Option<String> {
    let (who, whose) = match plugins {
        [] => return None,
        [name] => (format!("plugin {name} does"), "its"),
        names => (format!("plugins {} do", names.join(", ")), "their"),
    };
    Some(format!(
        "{who} not work: {why}; {whose} routes answer {status} unless on_error is open ('polygate doctor' tells more)"
    ))
}

/// A text of many lines, such as a stack trace, for one line.
fn one_line(text: &str) -> String {
    let text = text.lines().map(str::trim).collect::<Vec<_>>().join(" ");
    printable(&shortened(&text, SIDE)).into_owned()
}

#[cfg(test)]
mod tests {
    use polygate_model::{Id, OnError};
    use polygate_plugin_host::Usage;
    use serde_json::Value;

    use super::*;

    fn announced(plugins: &[&str], silent: &[(&str, &str)]) -> Announced {
        Announced {
            schemas: plugins.iter().map(|name| (name.to_string(), Value::Null)).collect(),
            silent: silent.iter().map(|(server, why)| (server.to_string(), why.to_string())).collect(),
            on_error: OnError::Closed,
        }
    }

    fn server(name: &str, replica: usize, state: &'static str, plugins: &[&str]) -> ServerStatus {
        ServerStatus {
            name: format!("{name}#{replica}"),
            server: name.to_owned(),
            replica,
            socket: String::new(),
            state,
            protocol: None,
            pid: None,
            in_flight: 0,
            queued: 0,
            usage: Usage::default(),
            generation: None,
            sdk: None,
            plugins: plugins.iter().map(|name| name.to_string()).collect(),
            instances: 0,
            starts: 3,
            last_end: (state == "crash_loop").then(|| "exit 7".to_owned()),
            query_error: None,
            output: Vec::new(),
        }
    }

    #[test]
    fn every_kind_of_problem_has_its_line() {
        let enabled = ["a", "b", "c", "d", "key-auth"].map(str::to_owned);
        let announced = announced(&["c", "d"], &[("js", "it\n  d\u{1b}ied")]);
        let servers = [
            server("go", 1, "crash_loop", &["c", "unused"]),
            server("go", 2, "backing_off", &["c", "unused"]),
        ];
        let refused = |id, plugin: &str, why: &str| InstanceProblem {
            plugin: plugin.to_owned(),
            id: Id::from_u128(id),
            why: why.to_owned(),
        };
        // Of two replicas, and another configuration.
        let refused =
            [refused(1, "d", "no key"), refused(1, "d", "no key"), refused(2, "d", "no key either")];
        let rest = "routes answer 503 unless on_error is open ('polygate doctor' tells more)";
        assert_eq!(
            of(&enabled, &announced, &servers, &BTreeSet::from(["c", "d"]), &refused),
            [
                format!(
                    "plugins a, b do not work: no plugin server announced them, and these did not answer: \
                     js (it d\\x1bied); their {rest}"
                ),
                format!(
                    "plugin c does not work: plugin server go is crash_loop (last end: exit 7); its {rest}"
                ),
                format!(
                    "plugin d does not work: configuration {} and 1 more: no key; its {}",
                    Id::from_u128(1),
                    rest.replace("503", "500")
                ),
            ]
        );
    }

    #[test]
    fn what_works_is_no_problem() {
        let enabled = ["a".to_owned()];
        let used = BTreeSet::from(["a"]);
        let of = |servers: &[ServerStatus]| {
            of(&enabled, &announced(&["a"], &[("js", "died")]), servers, &used, &[])
        };
        let none: [&str; 0] = [];
        assert_eq!(of(&[server("go", 1, "ready", &["a"])]), none);
        assert_eq!(of(&[server("go", 1, "crash_loop", &["a"]), server("go", 2, "ready", &["a"])]), none);
        assert_eq!(of(&[server("go", 1, "starting", &["unused"])]), none, "nobody waits for it");
    }
}
