//! What the user of the command line sees: plain lines on standard output; warnings, errors and,
//! when asked for, details with a time and a level.

use std::fmt::Display;
use std::io::Write;

use polygate_config::conf::Warning;
use polygate_telemetry::clock::DateTime;

/// Prints according to `--v` and `--vv`. A reader that went away is no reason to fail.
#[derive(Debug, Clone, Copy)]
pub struct Console {
    verbosity: u8,
}

impl Console {
    pub fn new(verbosity: u8) -> Console {
        Console { verbosity }
    }

    /// The outcome of a command.
    pub fn say(self, text: impl Display) {
        let line = match self.verbosity {
            0 => format!("{text}\n"),
            _ => stamped("info", text),
        };
        let _ = std::io::stdout().write_all(line.as_bytes());
    }

    /// Text that another program reads: never with a time.
    pub fn print(self, text: impl Display) {
        let _ = std::io::stdout().write_all(text.to_string().as_bytes());
    }

    /// Shown with `--v`.
    pub fn verbose(self, text: impl Display) {
        if self.verbosity > 0 {
            let _ = std::io::stdout().write_all(stamped("verbose", text).as_bytes());
        }
    }

    /// Shown with `--vv`.
    pub fn debug(self, text: impl Display) {
        if self.verbosity > 1 {
            let _ = std::io::stdout().write_all(stamped("debug", text).as_bytes());
        }
    }

    pub fn warn(self, text: impl Display) {
        let _ = std::io::stderr().write_all(stamped("warn", text).as_bytes());
    }

    pub fn error(self, text: impl Display) {
        let _ = std::io::stderr().write_all(stamped("error", text).as_bytes());
    }

    /// What the configuration had to say.
    pub fn warnings(self, warnings: &[Warning]) {
        for warning in warnings {
            let line = stamped(warning.level.as_str(), &warning.message);
            let _ = std::io::stderr().write_all(line.as_bytes());
        }
    }

    /// Why a command failed, and how to learn more.
    pub fn failure(self, text: impl Display) {
        let hint = match self.verbosity {
            0 => "\n  Run with --v (verbose) or --vv (debug) for more details\n",
            _ => "",
        };
        let _ = std::io::stderr().write_all(format!("Error: {text}\n{hint}").as_bytes());
    }
}

fn stamped(level: &str, text: impl Display) -> String {
    format!("{} [{level}] {text}\n", DateTime::now())
}
