//! `config`: the declarative file.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::process::ExitCode;

use md5::{Digest, Md5};
use polygate_app::{Error, LoadError};

use crate::command::{Invocation, Outcome};
use crate::configuration::{load, sources};
use crate::console::Console;

/// What `config init` writes.
const SAMPLE: &str = include_str!("config/kong.yml");

pub fn run(invocation: &Invocation, console: Console) -> Outcome<ExitCode> {
    let mut operands = invocation.operands.iter().map(String::as_str);
    let (action, file) = (operands.next().unwrap_or_default(), operands.next());
    match (action, file) {
        ("init", file) => init(file.unwrap_or("kong.yml"))?,
        ("parse", Some(file)) => parse(invocation, file, console)?,
        ("hash", Some(file)) => hash(file, console)?,
        ("parse" | "hash", None) => return Err(format!("config {action} needs a file").into()),
        ("db_import" | "db_export", _) => {
            return Err(format!("'kong config {action}' only works with a database.").into());
        }
        _ => return Err(format!("no such config command: '{action}' (init, parse, hash)").into()),
    }
    Ok(ExitCode::SUCCESS)
}

fn init(file: &str) -> Outcome {
    let mut sample = match OpenOptions::new().write(true).create_new(true).open(file) {
        Ok(sample) => sample,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            return Err(format!("'{file}' already exists, move it away or name another file").into());
        }
        Err(error) => return Err(format!("could not write '{file}': {error}").into()),
    };
    Ok(sample.write_all(SAMPLE.as_bytes())?)
}

/// Checks the file as the gateway would load it, with the plugins of the configuration.
fn parse(invocation: &Invocation, file: &str, console: Console) -> Outcome {
    if let Err(error) = fs::metadata(file) {
        return Err(format!("could not read '{file}': {error}").into());
    }
    let mut sources = sources(invocation);
    for (name, value) in
        [("database", "off"), ("declarative_config", file), ("declarative_config_string", "")]
    {
        sources.overrides.push((name.to_owned(), value.to_owned()));
    }
    let settings = load(sources, console)?;
    polygate_app::check(&settings).map_err(|problems| {
        let problems: Vec<_> = problems.iter().map(problem).collect();
        format!("Failed parsing:\n{}", problems.join("\n"))
    })?;
    console.say("parse successful");
    Ok(())
}

/// Who named the file need not be told its name.
fn problem(problem: &Error) -> String {
    match problem {
        Error::Load(LoadError::Declarative { why, .. }) => why.clone(),
        problem => problem.to_string(),
    }
}

/// The hash by which the gateway tells one content from another.
fn hash(file: &str, console: Console) -> Outcome {
    let content = fs::read(file).map_err(|error| format!("could not read '{file}': {error}"))?;
    let digest: String = Md5::digest(&content).iter().map(|byte| format!("{byte:02x}")).collect();
    console.print(format!("{digest}\n"));
    Ok(())
}
