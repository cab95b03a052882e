//! `migrations`: shared compose files run them before every start, so they succeed.

use std::process::ExitCode;

use crate::command::{Invocation, Outcome};
use crate::configuration::{load, sources};
use crate::console::Console;

const ACTIONS: &[&str] = &["bootstrap", "up", "finish", "list", "status", "reset"];

pub fn run(invocation: &Invocation, console: Console) -> Outcome<ExitCode> {
    let action = invocation.operands.first().map_or("", String::as_str);
    if !ACTIONS.contains(&action) {
        return Err(format!("no such migrations command: '{action}' ({})", ACTIONS.join(", ")).into());
    }
    load(sources(invocation), console)?;
    if !invocation.has("quiet") {
        console.say(format!("nothing to do for 'migrations {action}' with database = off"));
    }
    Ok(ExitCode::SUCCESS)
}
