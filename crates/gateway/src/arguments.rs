//! The command line: `polygate COMMAND [OPTIONS]`, read against a table of commands.

use std::ffi::OsString;

use lexopt::{Arg, Parser, ValueExt};
use thiserror::Error;

use crate::command::{Command, Flag, Invocation};

/// What the user asked for.
#[derive(Debug)]
pub enum Request {
    /// The list of commands, on purpose.
    Overview,
    Help(&'static Command),
    Run(Invocation),
}

/// A command line that makes no sense.
#[derive(Debug, Error)]
pub enum ArgumentError {
    #[error("No such command: {0}")]
    NoSuchCommand(String),
    #[error("{0}")]
    Malformed(#[from] lexopt::Error),
}

/// Reads the arguments after the program's name.
pub fn parse(
    arguments: impl IntoIterator<Item = OsString>,
    commands: &'static [Command],
) -> Result<Request, ArgumentError> {
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
    let command = commands.iter().find(|command| command.name == name);
    let command = command.ok_or(ArgumentError::NoSuchCommand(name))?;
    let mut invocation = Invocation { command, verbosity, operands: Vec::new(), flags: Vec::new() };
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("help") | Arg::Short('h') => return Ok(Request::Help(command)),
            Arg::Long("v") => invocation.verbosity = 1,
            Arg::Long("vv") => invocation.verbosity = 2,
            Arg::Value(operand) => invocation.operands.push(operand.string()?),
            other => {
                let Some(flag) = command.flags.iter().find(|flag| is(flag, &other)) else {
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

/// Whether the option is given by the argument.
fn is(flag: &Flag, argument: &Arg<'_>) -> bool {
    match argument {
        Arg::Long(long) => *long == flag.long,
        Arg::Short(short) => flag.short == Some(*short),
        Arg::Value(_) => false,
    }
}

#[cfg(test)]
mod tests;
