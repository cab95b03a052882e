//! The `polygate` program: arguments, texts and exit codes.
//!
//! The commands, their options, texts and exit codes are those of Kong's command line, so that
//! scripts, containers and health checks go on working. What a command does is in `commands`, one
//! file each; the gateway itself is in `polygate-app`.

use std::process::ExitCode;

use crate::arguments::{ArgumentError, Request};
use crate::command::Outcome;
use crate::console::Console;

mod arguments;
mod command;
mod commands;
mod configuration;
mod console;
mod control;
mod daemon;
mod init;
mod instance;
mod prefix;

/// Requests allocate little, but of sizes for which the system's allocator takes its slow ways.
#[cfg(not(feature = "count-allocations"))]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    prefix::restrict_umask();
    if init::is_first_process() {
        return end(init::run(), Console::new(0));
    }
    let invocation = match arguments::parse(std::env::args_os().skip(1), commands::COMMANDS) {
        Ok(Request::Run(invocation)) => invocation,
        Ok(Request::Overview) => return print(&commands::overview()),
        Ok(Request::Help(command)) => return print(&commands::help(command)),
        Err(error @ ArgumentError::NoSuchCommand(_)) => {
            eprintln!("{error}\n\n{}", commands::overview());
            return ExitCode::FAILURE;
        }
        Err(error) => {
            Console::new(0).failure(error);
            return ExitCode::FAILURE;
        }
    };
    let console = Console::new(invocation.verbosity);
    end(commands::run(&invocation, console), console)
}

fn end(outcome: Outcome<ExitCode>, console: Console) -> ExitCode {
    outcome.unwrap_or_else(|error| {
        console.failure(error);
        ExitCode::FAILURE
    })
}

fn print(text: &str) -> ExitCode {
    Console::new(0).print(text);
    ExitCode::SUCCESS
}
