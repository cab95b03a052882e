//! One command: what it is called with, what it does, how it ends.

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use thiserror::Error;

use crate::console::Console;

/// How a command ends: the text of an error is shown to the user.
pub type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// One row of the table of commands.
#[derive(Debug)]
pub struct Command {
    pub name: &'static str,
    /// What follows the name in the usage line.
    pub operands: &'static str,
    /// One line for the overview; empty for a command that only the program itself uses.
    pub summary: &'static str,
    pub flags: &'static [Flag],
    pub run: fn(&Invocation, Console) -> Outcome<ExitCode>,
}

/// One option of a command.
#[derive(Debug)]
pub struct Flag {
    pub short: Option<char>,
    pub long: &'static str,
    /// Name of the value in the help; `None` is a switch.
    pub value: Option<&'static str>,
    pub help: &'static str,
}

/// A command with its options.
#[derive(Debug)]
pub struct Invocation {
    pub command: &'static Command,
    /// 0, 1 for `--v`, 2 for `--vv`.
    pub verbosity: u8,
    /// What stands after the command without a dash.
    pub operands: Vec<String>,
    /// Options by their long names, in the order given.
    pub flags: Vec<(&'static str, Option<String>)>,
}

/// The value of an option that takes a number of seconds is none.
#[derive(Debug, Error)]
#[error("--{flag} must be a number of seconds, {min} or greater, got '{value}'")]
pub struct NotSeconds {
    flag: &'static str,
    min: u64,
    value: String,
}

impl Invocation {
    pub fn has(&self, long: &str) -> bool {
        self.flags.iter().any(|(flag, _)| *flag == long)
    }

    /// The value of an option; the last one counts.
    pub fn value(&self, long: &str) -> Option<&str> {
        self.flags.iter().rev().find(|(flag, _)| *flag == long)?.1.as_deref()
    }

    pub fn path(&self, long: &str) -> Option<PathBuf> {
        self.value(long).map(PathBuf::from)
    }

    /// A number of seconds.
    pub fn seconds(&self, long: &'static str, min: u64, default: u64) -> Result<u64, NotSeconds> {
        let Some(value) = self.value(long) else { return Ok(default) };
        let seconds = value.parse().ok().filter(|seconds| *seconds >= min);
        seconds.ok_or_else(|| NotSeconds { flag: long, min, value: value.to_owned() })
    }
}
