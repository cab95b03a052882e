//! `version`.

use std::process::ExitCode;

use crate::command::{Invocation, Outcome};
use crate::console::Console;

/// The release whose behaviour this one follows. Tools read it as a semantic version and decide by
/// it what they may send, so the bare form is this and not our own.
pub const COMPATIBLE: &str = "3.10.0";

pub fn run(invocation: &Invocation, console: Console) -> Outcome<ExitCode> {
    console.print(match invocation.has("all") {
        true => format!("Kong: {COMPATIBLE}\npolygate: {}\n", env!("CARGO_PKG_VERSION")),
        false => format!("{COMPATIBLE}\n"),
    });
    Ok(ExitCode::SUCCESS)
}
