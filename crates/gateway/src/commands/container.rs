//! `docker-start`: what the container image of the reference does in its entry point.
//!
//! Properties may come from files (`KONG_<NAME>_FILE`), the gateway stays in the foreground, and its
//! logs go to the output of the container.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::ExitCode;

use polygate_config::conf;

use super::start;
use crate::command::{Invocation, Outcome};
use crate::configuration::{load, sources};
use crate::console::Console;

/// Logs of the prefix that are streams of the container.
const LINKS: &[(&str, &str)] = &[
    ("logs/access.log", "/dev/stdout"),
    ("logs/admin_access.log", "/dev/stdout"),
    ("logs/error.log", "/dev/stderr"),
];

pub fn run(invocation: &Invocation, console: Console) -> Outcome<ExitCode> {
    let mut sources = sources(invocation);
    sources.env = with_files(sources.env)?;
    let given = |name: &str| sources.env.iter().any(|(variable, _)| variable == name);
    if !given("KONG_NGINX_DAEMON") && !given("KONG_NGINX_MAIN_DAEMON") {
        sources.env.push(("KONG_NGINX_DAEMON".to_owned(), "off".to_owned()));
    }
    let settings = load(sources, console)?;
    for (log, stream) in LINKS {
        let link = settings.prefix.join(log);
        replace(&link, stream).map_err(|error| format!("could not link {}: {error}", link.display()))?;
    }
    start::start(settings, console)
}

/// Adds `KONG_<NAME>` for each `KONG_<NAME>_FILE`, without the line's end that most files have.
fn with_files(mut env: Vec<(String, String)>) -> Result<Vec<(String, String)>, String> {
    let names: BTreeSet<String> = env.iter().map(|(name, _)| name.clone()).collect();
    let mut read = Vec::new();
    for (variable, path) in &env {
        let Some(name) = file_variable(variable) else { continue };
        if names.contains(name) {
            return Err(format!("both {name} and {variable} are set (but are exclusive)"));
        }
        let text = fs::read_to_string(path)
            .map_err(|error| format!("could not read '{path}', which {variable} names: {error}"))?;
        read.push((name.to_owned(), text.trim_end_matches(['\r', '\n']).to_owned()));
    }
    env.extend(read);
    Ok(env)
}

/// `KONG_X` for `KONG_X_FILE` if there is a property X.
fn file_variable(variable: &str) -> Option<&str> {
    let name = variable.strip_suffix("_FILE")?;
    let property = name.strip_prefix("KONG_")?.to_ascii_lowercase();
    conf::is_property(&property).then_some(name)
}

fn replace(link: &Path, target: &str) -> io::Result<()> {
    if let Some(parent) = link.parent() {
        fs::create_dir_all(parent)?;
    }
    match fs::remove_file(link) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => symlink(target, link),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
    }

    #[test]
    fn files_give_properties() {
        let file = std::env::temp_dir().join(format!("polygate-container-{}", std::process::id()));
        fs::write(&file, "a secret\n\n").unwrap();
        let path = file.to_str().unwrap();
        let read =
            with_files(env(&[("KONG_PG_PASSWORD_FILE", path), ("KONG_X_FILE", path), ("HOME_FILE", path)]));
        let read = read.unwrap();
        assert_eq!(read.len(), 4);
        assert_eq!(read[3], ("KONG_PG_PASSWORD".to_owned(), "a secret".to_owned()));
        fs::remove_file(file).unwrap();
    }

    #[test]
    fn a_value_and_a_file_exclude_each_other() {
        let both = env(&[("KONG_PG_PASSWORD", "p"), ("KONG_PG_PASSWORD_FILE", "/f")]);
        let why = "both KONG_PG_PASSWORD and KONG_PG_PASSWORD_FILE are set (but are exclusive)";
        assert_eq!(with_files(both).unwrap_err(), why);
    }

    #[test]
    fn a_missing_file_is_named() {
        let why = with_files(env(&[("KONG_PG_PASSWORD_FILE", "/none/f")])).unwrap_err();
        assert!(why.starts_with("could not read '/none/f', which KONG_PG_PASSWORD_FILE names"), "{why}");
    }
}
