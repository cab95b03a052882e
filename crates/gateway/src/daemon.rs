//! The gateway itself: in this process, or in one of its own that outlives the command.
//!
//! A background gateway is this program again with a hidden command. It reports over a pipe, its
//! standard output: a fixed word once it serves, else the reason why it does not. The pipe's end
//! without either tells that it died.

use std::error::Error;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use polygate_config::Settings;
use polygate_config::conf::{self, Warning};
use rustix::process::setsid;
use rustix::stdio::dup2_stdout;

use crate::command::Outcome;
use crate::configuration::first;
use crate::instance::{Claim, already_running};
use crate::prefix;

/// The hidden command that a background gateway is started by.
pub const BACKGROUND: &str = "background";

/// What a background gateway writes when it serves.
const READY: &str = "ready";

/// Runs the gateway until it is stopped; `warnings` go to its log.
pub fn serve(settings: Settings, warnings: &[Warning], on_ready: impl FnOnce()) -> Outcome {
    let directory = settings.prefix.clone();
    let Some(_claim) = Claim::take(&directory)? else { return Err(already_running(&directory).into()) };
    let served = polygate_app::serve(settings, warnings, on_ready);
    // What is left there at the next start is then the trace of a crash.
    for socket in prefix::sockets(&directory) {
        let _ = fs::remove_file(socket);
    }
    served.map_err(|error| error.to_string().into())
}

/// Starts the gateway in the background from the saved configuration and waits until it serves.
pub fn spawn(settings: &Settings) -> Outcome {
    let error_log = settings.logs.proxy_error.as_deref();
    let mut child = Command::new(std::env::current_exe()?)
        .args([BACKGROUND, "--prefix"])
        .arg(&settings.prefix)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(last_words(error_log)?)
        .spawn()?;
    let mut report = String::new();
    if let Some(mut pipe) = child.stdout.take() {
        pipe.read_to_string(&mut report)?;
    }
    match report.trim() {
        READY => Ok(()),
        "" => {
            let log = error_log.map_or("its error log".to_owned(), |path| path.display().to_string());
            Err(format!("the gateway ended while starting ({}); see {log}", child.wait()?).into())
        }
        why => {
            child.wait()?;
            Err(why.into())
        }
    }
}

/// Where a panic is written: the log, since nobody looks at the terminal any more.
fn last_words(error_log: Option<&Path>) -> io::Result<Stdio> {
    match error_log {
        Some(path) => Ok(OpenOptions::new().append(true).create(true).open(path)?.into()),
        None => Ok(Stdio::null()),
    }
}

/// The other side of [`spawn`]: the gateway of `prefix`, in a session of its own.
pub fn run(prefix: &Path) -> Outcome {
    // Fails for the leader of a session only, which is as good.
    let _ = setsid();
    let served = load(prefix).and_then(|(settings, warnings)| serve(settings, &warnings, || report(READY)));
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

/// Tells the starter, which then stops listening.
fn report(text: &str) {
    let mut stdout = io::stdout();
    let _ = writeln!(stdout, "{text}").and_then(|()| stdout.flush());
    if let Ok(null) = File::options().write(true).open("/dev/null") {
        let _ = dup2_stdout(null);
    }
}
