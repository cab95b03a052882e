//! `stop` and `quit`.

use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use rustix::process::Signal;

use crate::command::{Invocation, Outcome};
use crate::configuration::running_prefix;
use crate::console::Console;
use crate::instance::{Instance, not_running};

/// Enough for plugin servers that have to be killed.
const STOP_PATIENCE: Duration = Duration::from_secs(30);

/// Drops the connections; returns when the gateway and its plugin servers are gone.
pub fn run(invocation: &Invocation, console: Console) -> Outcome<ExitCode> {
    terminate(running(invocation)?)?;
    console.say("Kong stopped");
    Ok(ExitCode::SUCCESS)
}

/// Lets the requests under way finish, but not for ever.
pub fn quit(invocation: &Invocation, console: Console) -> Outcome<ExitCode> {
    let timeout = Duration::from_secs(invocation.seconds("timeout", 1, 10)?);
    let wait = Duration::from_secs(invocation.seconds("wait", 0, 0)?);
    let instance = running(invocation)?;
    if !wait.is_zero() {
        console.verbose(format!("waiting for {} s before the end", wait.as_secs()));
        thread::sleep(wait);
    }
    instance.signal(Signal::QUIT)?;
    if instance.wait(timeout)? {
        console.say("Kong stopped (gracefully)");
    } else {
        terminate(instance)?;
        console.say("Timeout, Kong stopped forcefully");
    }
    Ok(ExitCode::SUCCESS)
}

fn running(invocation: &Invocation) -> Outcome<Instance> {
    let prefix = running_prefix(invocation)?;
    Instance::find(&prefix)?.ok_or_else(|| not_running(&prefix).into())
}

fn terminate(instance: Instance) -> Outcome {
    instance.signal(Signal::TERM)?;
    match instance.wait(STOP_PATIENCE)? {
        true => Ok(()),
        false => {
            Err(format!("the gateway did not end within {} s after SIGTERM", STOP_PATIENCE.as_secs()).into())
        }
    }
}
