//! `health`: for container health checks and people.

use std::process::ExitCode;

use crate::command::{Invocation, Outcome};
use crate::configuration::running_prefix;
use crate::console::Console;
use crate::instance::Instance;

pub fn run(invocation: &Invocation, console: Console) -> Outcome<ExitCode> {
    let prefix = running_prefix(invocation)?;
    if Instance::find(&prefix)?.is_none() {
        return Err(format!("Kong is not running at {}", prefix.display()).into());
    }
    // The words that scripts look for; there is no nginx behind them.
    console.say("nginx.......running");
    console.say("");
    console.say(format!("Kong is healthy at {}", prefix.display()));
    Ok(ExitCode::SUCCESS)
}
