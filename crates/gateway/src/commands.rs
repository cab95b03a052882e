//! The table of commands, and the help that is made of it.

use std::fmt::Write;
use std::process::ExitCode;

use crate::command::{Command, Flag, Invocation, Outcome};
use crate::console::Console;
use crate::daemon::BACKGROUND;

mod check;
mod config;
mod container;
mod doctor;
mod health;
mod migrations;
mod plugins;
mod prepare;
mod reload;
mod start;
mod stop;
mod vault;
mod version;

const CONF: Flag = option(Some('c'), "conf", "FILE", "configuration file");
const PREFIX: Flag = option(Some('p'), "prefix", "DIR", "override the prefix directory");

// Options of the reference that its scripts pass and that mean nothing here.
const NGINX_CONF: Flag = option(None, "nginx-conf", "FILE", "ignored: there is no nginx");
const NGINX_FLAGS: Flag = option(None, "nginx-conf-flags", "FLAGS", "ignored: there is no nginx");
const DB_TIMEOUT: Flag = option(None, "db-timeout", "SEC", "ignored: there is no database");
const LOCK_TIMEOUT: Flag = option(None, "lock-timeout", "SEC", "ignored: there is no database");
const RUN_MIGRATIONS: Flag = switch(None, "run-migrations", "ignored: there is no database");

const START: &[Flag] = &[CONF, PREFIX, NGINX_CONF, NGINX_FLAGS, RUN_MIGRATIONS, DB_TIMEOUT, LOCK_TIMEOUT];
const QUIT: &[Flag] = &[
    PREFIX,
    option(Some('t'), "timeout", "SEC", "stop forcefully after this time (default 10)"),
    option(Some('w'), "wait", "SEC", "wait before anything is done (default 0)"),
];
const MIGRATIONS: &[Flag] = &[
    CONF,
    PREFIX,
    switch(Some('y'), "yes", "ignored: nothing is asked"),
    switch(Some('q'), "quiet", "print nothing"),
    switch(Some('f'), "force", "ignored: there is no database"),
    DB_TIMEOUT,
    LOCK_TIMEOUT,
];
const VERSION: &[Flag] = &[switch(Some('a'), "all", "the version of polygate as well")];

const fn option(short: Option<char>, long: &'static str, value: &'static str, help: &'static str) -> Flag {
    Flag { short, long, value: Some(value), help }
}

const fn switch(short: Option<char>, long: &'static str, help: &'static str) -> Flag {
    Flag { short, long, value: None, help }
}

const fn command(
    name: &'static str,
    operands: &'static str,
    summary: &'static str,
    flags: &'static [Flag],
    run: fn(&Invocation, Console) -> Outcome<ExitCode>,
) -> Command {
    Command { name, operands, summary, flags, run }
}

/// In the order of the overview.
pub static COMMANDS: &[Command] = &[
    command("check", "[CONF]", "Check a configuration file and all that it names", &[PREFIX], check::run),
    command(
        "config",
        "init|parse|hash [FILE]",
        "Make or check a declarative file",
        &[CONF, PREFIX],
        config::run,
    ),
    command("docker-start", "", "Start as the main process of a container", START, container::run),
    command(
        "doctor",
        "",
        "Ask each plugin server what it offers, tell what is wrong",
        &[CONF, PREFIX],
        doctor::run,
    ),
    command("health", "", "Tell whether the gateway runs", &[PREFIX], health::run),
    command("migrations", "ACTION", "Do nothing, as there is no database", MIGRATIONS, migrations::run),
    command("plugins", "", "Show the plugin servers of the running gateway", &[PREFIX], plugins::run),
    command(
        "prepare",
        "",
        "Make the prefix directory without starting",
        &[CONF, PREFIX, NGINX_CONF],
        prepare::run,
    ),
    command("quit", "", "Stop after the requests under way", QUIT, stop::quit),
    command(
        "reload",
        "",
        "Put a changed configuration into effect",
        &[CONF, PREFIX, NGINX_CONF, NGINX_FLAGS],
        reload::run,
    ),
    command("restart", "", "Stop and start", START, start::restart),
    command("start", "", "Start the gateway", START, start::run),
    command("stop", "", "Stop at once", &[PREFIX], stop::run),
    command(
        "vault",
        "get REFERENCE",
        "Show the value that a reference stands for",
        &[CONF, PREFIX],
        vault::run,
    ),
    command("version", "", "Print the version", VERSION, version::run),
    command(BACKGROUND, "", "", &[PREFIX], start::background),
];

/// Runs the command of `invocation`.
pub fn run(invocation: &Invocation, console: Console) -> Outcome<ExitCode> {
    for flag in [NGINX_CONF, NGINX_FLAGS].iter().filter(|flag| invocation.has(flag.long)) {
        console.warn(format!("--{} has no effect, there is no nginx", flag.long));
    }
    (invocation.command.run)(invocation, console)
}

/// The list of commands.
pub fn overview() -> String {
    let mut text = "Usage: polygate COMMAND [OPTIONS]\n\nThe available commands are:\n".to_owned();
    for command in COMMANDS.iter().filter(|command| !command.summary.is_empty()) {
        let _ = writeln!(text, "  {:<14}{}", command.name, command.summary);
    }
    text + "\nOptions:\n  --help        show the options of a command\n  --v           verbose\n  --vv          debug\n"
}

/// The help of one command.
pub fn help(command: &Command) -> String {
    let operands = if command.operands.is_empty() { String::new() } else { format!(" {}", command.operands) };
    let mut text =
        format!("Usage: polygate {}{operands} [OPTIONS]\n\n{}.\n\nOptions:\n", command.name, command.summary);
    for flag in command.flags {
        let short = flag.short.map_or("    ".to_owned(), |short| format!("-{short}, "));
        let value = flag.value.map_or(String::new(), |value| format!(" {value}"));
        let _ = writeln!(text, "  {:<30}{}", format!("{short}--{}{value}", flag.long), flag.help);
    }
    let _ = writeln!(text, "  {:<30}verbose", "    --v");
    let _ = writeln!(text, "  {:<30}debug", "    --vv");
    text
}

#[cfg(test)]
mod tests;
