//! `start`, `restart` and the hidden command of the background process.

use std::process::ExitCode;
use std::time::Duration;

use polygate_config::Settings;
use rustix::process::{Resource, Rlimit, Signal, getrlimit, setrlimit};

use crate::command::{Invocation, Outcome};
use crate::configuration::{load, sources};
use crate::console::Console;
use crate::instance::{Instance, already_running};
use crate::{daemon, prefix};

/// File descriptors below which a busy gateway runs short: one per client and one per upstream.
const ENOUGH_FILES: u64 = 4096;
/// Some programs look at every descriptor that they may have.
const MOST_FILES: u64 = 1 << 20;

/// How long `restart` waits for the old gateway.
const RESTART_PATIENCE: Duration = Duration::from_secs(5);

pub fn run(invocation: &Invocation, console: Console) -> Outcome<ExitCode> {
    start(load(sources(invocation), console)?, console)
}

/// Problems of the stop are passed over: what matters is that it runs afterwards.
pub fn restart(invocation: &Invocation, console: Console) -> Outcome<ExitCode> {
    let settings = load(sources(invocation), console)?;
    if let Ok(Some(old)) = Instance::find(&settings.prefix)
        && old.signal(Signal::TERM).is_ok()
        && !old.wait(RESTART_PATIENCE)?
    {
        console.verbose("the old gateway did not end in time, killing it");
        old.signal(Signal::KILL)?;
        old.wait(RESTART_PATIENCE)?;
    }
    start(settings, console)
}

/// Serves in the process that `start` made.
pub fn background(invocation: &Invocation, console: Console) -> Outcome<ExitCode> {
    let prefix = invocation.path("prefix").ok_or("--prefix is missing")?;
    // The starter has shown the reason.
    Ok(if daemon::run(&prefix, console).is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Starts with `settings` in the fore- or background, as they say.
pub fn start(settings: Settings, console: Console) -> Outcome<ExitCode> {
    if Instance::find(&settings.prefix)?.is_some() {
        return Err(already_running(&settings.prefix).into());
    }
    prefix::prepare(&settings, console)?;
    prefix::remove_stale_sockets(&settings.prefix, console);
    raise_file_limit(console);
    if settings.daemon {
        daemon::spawn(&settings)?;
        console.say("Kong started");
    } else {
        // Whoever looks at this process has seen the warnings.
        daemon::serve(settings, &[], console, || console.say("Kong started"))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// To what the system allows. Plugin servers have the same limit, and some of them lose descriptors.
fn raise_file_limit(console: Console) {
    let limit = getrlimit(Resource::Nofile);
    let allowed = limit.maximum.unwrap_or(MOST_FILES).min(MOST_FILES);
    let current = limit.current.unwrap_or(allowed);
    let wanted = Rlimit { current: Some(allowed), ..limit };
    let is_raised = current < allowed && setrlimit(Resource::Nofile, wanted).is_ok();
    let current = if is_raised { allowed } else { current };
    if current < ENOUGH_FILES {
        console.warn(format!(
            "ulimit is currently set to \"{current}\". For better performance set it to at least \
             \"{ENOUGH_FILES}\" using \"ulimit -n\""
        ));
    }
}
