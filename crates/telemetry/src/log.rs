//! The error log: levels, the place lines go to, and the [`log!`](crate::log!) macro.

use std::fmt;
use std::io::Write;
use std::str::FromStr;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, OnceLock};

use crate::clock::DateTime;
use crate::file::LogFile;

/// Severity, in the order and with the names of `log_level`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Level {
    Emerg,
    Alert,
    Crit,
    Error,
    Warn,
    Notice,
    Info,
    Debug,
}

impl Level {
    pub const ALL: [Level; 8] = [
        Level::Emerg,
        Level::Alert,
        Level::Crit,
        Level::Error,
        Level::Warn,
        Level::Notice,
        Level::Info,
        Level::Debug,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Level::Emerg => "emerg",
            Level::Alert => "alert",
            Level::Crit => "crit",
            Level::Error => "error",
            Level::Warn => "warn",
            Level::Notice => "notice",
            Level::Info => "info",
            Level::Debug => "debug",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Level {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|level| level.as_str() == text).ok_or(())
    }
}

static THRESHOLD: AtomicU8 = AtomicU8::new(Level::Notice as u8);
static SINK: OnceLock<Arc<LogFile>> = OnceLock::new();

/// Sends all further lines to `file`. Before the first call they go to standard error; later calls
/// change nothing.
pub fn init(file: Arc<LogFile>) {
    let _ = SINK.set(file);
}

/// Lines less severe than `level` are dropped from now on.
pub fn set_level(level: Level) {
    THRESHOLD.store(level as u8, Ordering::Relaxed);
}

pub fn enabled(level: Level) -> bool {
    level as u8 <= THRESHOLD.load(Ordering::Relaxed)
}

/// Writes one line whatever the level; [`log!`](crate::log!) asks [`enabled`] first. Line breaks
/// inside `text` become blanks, so that nobody can forge a second line.
pub fn write(level: Level, text: fmt::Arguments<'_>) {
    let text = text.to_string().replace(['\n', '\r'], " ");
    let line = format!("{} [{level}] {}#0: {text}\n", DateTime::now(), std::process::id());
    match SINK.get() {
        Some(file) => file.write_line(line.as_bytes()),
        None => drop(std::io::stderr().write_all(line.as_bytes())),
    }
}

/// `log!(Notice, "loaded {n} plugins")`: one line of the error log.
#[macro_export]
macro_rules! log {
    ($level:ident, $($text:tt)+) => {
        if $crate::log::enabled($crate::Level::$level) {
            $crate::log::write($crate::Level::$level, format_args!($($text)+));
        }
    };
}
