//! The command line: `polygate COMMAND [OPTIONS]`, read against the table of commands.

use std::ffi::OsString;
use std::path::PathBuf;

use lexopt::{Arg, Parser, ValueExt};
use thiserror::Error;

use crate::commands::{COMMANDS, Command};

/// One option of a command.
#[derive(Debug)]
pub struct Flag {
    pub short: Option<char>,
    pub long: &'static str,
    /// Name of the value in the help; `None` is a switch.
    pub value: Option<&'static str>,
    pub help: &'static str,
}

/// What the user asked for.
#[derive(Debug)]
pub enum Request {
    /// The list of commands, on purpose.
    Overview,
    Help(&'static Command),
    Run(Invocation),
}

/// A command with its options.
#[derive(Debug)]
pub struct Invocation {
    pub command: &'static Command,
    /// 0, 1 for `--v`, 2 for `--vv`.
    pub verbosity: u8,
    /// What stands after the command without a dash.
    pub operands: Vec<String>,
    flags: Vec<(&'static str, Option<String>)>,
}

/// A command line that makes no sense.
#[derive(Debug, Error)]
pub enum ArgumentError {
    #[error("No such command: {0}")]
    NoSuchCommand(String),
    #[error("{0}")]
    Malformed(#[from] lexopt::Error),
    #[error("--{flag} must be a number of seconds, {min} or greater, got '{value}'")]
    NotSeconds { flag: &'static str, min: u64, value: String },
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
    pub fn seconds(&self, long: &'static str, min: u64, default: u64) -> Result<u64, ArgumentError> {
        let Some(value) = self.value(long) else { return Ok(default) };
        let seconds = value.parse().ok().filter(|seconds| *seconds >= min);
        seconds.ok_or_else(|| ArgumentError::NotSeconds { flag: long, min, value: value.to_owned() })
    }
}

/// Reads the arguments after the program's name.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Request, ArgumentError> {
    let mut parser = Parser::from_args(arguments);
    let mut verbosity = 0;
    let name = loop {
        match parser.next()? {
            None | Some(Arg::Long("help") | Arg::Short('h')) => return Ok(Request::Overview),
            Some(Arg::Long("v")) => verbosity = 1,
            Some(Arg::Long("vv")) => verbosity = 2,
            Some(Arg::Value(name)) => break name.string()?,
            Some(other) => return Err(other.unexpected().into()),
        }
    };
    let command = COMMANDS.iter().find(|command| command.name == name);
    let command = command.ok_or(ArgumentError::NoSuchCommand(name))?;
    let mut invocation = Invocation { command, verbosity, operands: Vec::new(), flags: Vec::new() };
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("help") | Arg::Short('h') => return Ok(Request::Help(command)),
            Arg::Long("v") => invocation.verbosity = 1,
            Arg::Long("vv") => invocation.verbosity = 2,
            Arg::Value(operand) => invocation.operands.push(operand.string()?),
            other => {
                let Some(flag) = command.flags.iter().find(|flag| flag.is(&other)) else {
                    return Err(other.unexpected().into());
                };
                let value = match flag.value {
                    Some(_) => Some(parser.value()?.string()?),
                    None => None,
                };
                invocation.flags.push((flag.long, value));
            }
        }
    }
    Ok(Request::Run(invocation))
}

impl Flag {
    fn is(&self, argument: &Arg<'_>) -> bool {
        match argument {
            Arg::Long(long) => *long == self.long,
            Arg::Short(short) => self.short == Some(*short),
            Arg::Value(_) => false,
        }
    }
}

#[cfg(test)]
mod tests;
