//! The gateway itself: in this process, or in one of its own that outlives the command.
//!
//! A background gateway is this program again with a hidden command. It reports over a pipe, its
//! standard input: a fixed word once it serves, else the reason why it does not. The pipe's end
//! without either tells that it died. The command's other streams it has until it serves, as somebody
//! looks at them; logs that are to go there have them for longer.

use std::error::Error;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::path::Path;
use std::process::Command;

use polygate_config::Settings;
use polygate_config::conf::{self, Warning};
use polygate_telemetry::file::{Stream, append};
use polygate_telemetry::log;
use rustix::process::setsid;
use rustix::stdio::{dup2_stderr, dup2_stdin, dup2_stdout};

use crate::command::Outcome;
use crate::configuration::first;
use crate::console::Console;
use crate::instance::{Claim, already_running};
use crate::prefix;

/// The hidden command that a background gateway is started by.
pub const BACKGROUND: &str = "background";

/// What a background gateway writes when it serves.
const READY: &str = "ready";

/// Runs the gateway until it is stopped. `warnings` were shown and go to its log too; what does not work though it
/// serves is in the log and shown too, before `on_ready` is called. A log that goes where these are shown has no need
/// of the other.
pub fn serve(settings: Settings, warnings: &[Warning], console: Console, on_ready: impl FnOnce()) -> Outcome {
    let directory = settings.prefix.clone();
    let Some(_claim) = Claim::take(&directory)? else { return Err(already_running(&directory).into()) };
    let is_log_shown = settings.logs.proxy_error.as_deref().is_some_and(|log| Stream::named(log).is_some());
    let warnings = if is_log_shown { &[] } else { warnings };
    let served = polygate_app::serve(settings, warnings, |problems| {
        problems.iter().filter(|_| !is_log_shown).for_each(|problem| console.warn(problem));
        on_ready();
    });
    // What is left there at the next start is then the trace of a crash.
    for socket in prefix::sockets(&directory) {
        let _ = fs::remove_file(socket);
    }
    served.map_err(|error| error.to_string().into())
}

/// Starts the gateway in the background from the saved configuration and waits until it serves.
pub fn spawn(settings: &Settings) -> Outcome {
    let (mut reports, pipe) = io::pipe()?;
    let mut child = Command::new(std::env::current_exe()?)
        .args([BACKGROUND, "--prefix"])
        .arg(&settings.prefix)
        .stdin(pipe)
        .spawn()?;
    let mut report = String::new();
    reports.read_to_string(&mut report)?;
    match report.trim() {
        READY => Ok(()),
        "" => {
            let log = settings.logs.proxy_error.as_deref();
            let log = log.map_or("its error log".to_owned(), |path| path.display().to_string());
            Err(format!("the gateway ended while starting ({}); see {log}", child.wait()?).into())
        }
        why => {
            child.wait()?;
            Err(why.into())
        }
    }
}

/// The other side of [`spawn`]: the gateway of `prefix`, in a session of its own.
pub fn run(prefix: &Path, console: Console) -> Outcome {
    // Fails for the leader of a session only, which is as good.
    let _ = setsid();
    let served = load(prefix).and_then(|(settings, warnings)| {
        let error_log = settings.logs.proxy_error.clone();
        serve(settings, &warnings, console, || {
            if let Err(error) = leave_streams(error_log.as_deref()) {
                log!(
                    Warn,
                    "could not let go of the streams of the command that started the gateway: {error}"
                );
            }
            report(READY);
        })
    });
    if let Err(why) = &served {
        // Before it served this is read by the starter; afterwards it goes nowhere, and the gateway
        // has logged it.
        report(&why.to_string());
    }
    served
}

fn load(prefix: &Path) -> Result<(Settings, Vec<Warning>), Box<dyn Error>> {
    Ok(conf::load_saved(prefix).map_err(first)?)
}

/// Lets go of the command's standard output and error: whoever reads them waits for their end. What a panic says
/// goes to the error log from now on.
fn leave_streams(error_log: Option<&Path>) -> io::Result<()> {
    let null = null()?;
    match error_log {
        Some(path) => dup2_stderr(append(path)?)?,
        None => dup2_stderr(&null)?,
    }
    Ok(dup2_stdout(null)?)
}

/// Tells the starter, which then stops listening.
fn report(text: &str) {
    if let Ok(pipe) = io::stdin().as_fd().try_clone_to_owned() {
        // The starter may have been ended; that is no reason to end too.
        let _ = writeln!(File::from(pipe), "{text}");
    }
    if let Ok(null) = null() {
        let _ = dup2_stdin(null);
    }
}

fn null() -> io::Result<File> {
    OpenOptions::new().read(true).write(true).open("/dev/null")
}
