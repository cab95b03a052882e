//! `prepare`: the prefix directory, without a start.

use std::process::ExitCode;

use crate::command::{Invocation, Outcome};
use crate::configuration::{load, sources};
use crate::console::Console;
use crate::prefix;

pub fn run(invocation: &Invocation, console: Console) -> Outcome<ExitCode> {
    let settings = load(sources(invocation), console)?;
    prefix::prepare(&settings, console)?;
    Ok(ExitCode::SUCCESS)
}
