//! `vault get`: the value that a reference stands for.

use std::process::ExitCode;

use polygate_config::conf;

use crate::command::{Invocation, Outcome};
use crate::configuration::sources;
use crate::console::Console;

pub fn run(invocation: &Invocation, console: Console) -> Outcome<ExitCode> {
    let [action, reference] = invocation.operands.as_slice() else {
        return Err("usage: polygate vault get REFERENCE".into());
    };
    if action != "get" {
        return Err(format!("no such vault command: '{action}' (get)").into());
    }
    let value = conf::look_up(&sources(invocation), &full(reference))?;
    console.print(value + "\n");
    Ok(ExitCode::SUCCESS)
}

/// `env/name` is short for `{vault://env/name}`.
fn full(reference: &str) -> String {
    match conf::is_reference(reference) {
        true => reference.to_owned(),
        false => format!("{{vault://{}}}", reference.trim_start_matches("vault://")),
    }
}
