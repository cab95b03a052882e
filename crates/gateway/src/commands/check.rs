//! `check`: everything that would stop a start, all at once.

use std::path::PathBuf;
use std::process::ExitCode;

use polygate_config::conf;

use crate::command::{Invocation, Outcome};
use crate::configuration::sources;
use crate::console::Console;

const DEFAULT: &str = "/etc/kong/kong.conf";

pub fn run(invocation: &Invocation, console: Console) -> Outcome<ExitCode> {
    let file = invocation.operands.first().map_or(DEFAULT, String::as_str);
    let mut sources = sources(invocation);
    sources.file = Some(PathBuf::from(file));
    let problems = match conf::load(sources) {
        Ok((settings, warnings)) => {
            console.warnings(&warnings);
            match polygate_app::check(&settings) {
                Ok(warnings) => {
                    warnings.iter().for_each(|warning| console.warn(warning));
                    Vec::new()
                }
                Err(problems) => problems.iter().map(ToString::to_string).collect(),
            }
        }
        Err(errors) => errors.iter().map(ToString::to_string).collect(),
    };
    if problems.is_empty() {
        console.say(format!("configuration at {file} is valid"));
        return Ok(ExitCode::SUCCESS);
    }
    for problem in problems {
        console.error(problem);
    }
    Ok(ExitCode::FAILURE)
}
