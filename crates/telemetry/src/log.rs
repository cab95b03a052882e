//! The error log: levels, the place lines go to, and the [`log!`](crate::log!) macro.

use std::borrow::Cow;
use std::fmt;
use std::io::Write;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use arc_swap::ArcSwapOption;

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
static SINK: ArcSwapOption<LogFile> = ArcSwapOption::const_empty();

/// Sends all further lines to `file`. Before the first call they go to standard error.
pub fn set_file(file: Arc<LogFile>) {
    SINK.store(Some(file));
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
    let text = printable(&text);
    let line = format!("{} [{level}] {}#0: {text}\n", DateTime::now(), std::process::id());
    match &*SINK.load() {
        Some(file) => file.write_line(line.as_bytes()),
        None => drop(std::io::stderr().write_all(line.as_bytes())),
    }
}

/// A text that does nothing to the terminal it is shown on: control characters but for tabs and line feeds are
/// written as `\x1b`. Clients, upstreams and plugins have their words in logs.
pub fn printable(text: &str) -> Cow<'_, str> {
    let is_plain = |c: char| !c.is_control() || matches!(c, '\t' | '\n');
    if text.chars().all(is_plain) {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match is_plain(c) {
            true => plain.push(c),
            // All of them are below U+00A0.
            false => plain.push_str(&format!("\\x{:02x}", u32::from(c))),
        }
    }
    Cow::Owned(plain)
}

/// A text whose middle is left out when it is longer than `side` bytes from each end: some programs name the culprit
/// first, others last.
pub fn shortened(text: &str, side: usize) -> Cow<'_, str> {
    let head = text.floor_char_boundary(side);
    let tail = text.ceil_char_boundary(text.len().saturating_sub(side));
    match tail <= head {
        true => Cow::Borrowed(text),
        false => Cow::Owned(format!("{} [...] {}", &text[..head], &text[tail..])),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_keeps_both_ends_and_whole_characters() {
        for (text, expected) in [
            ("", ""),
            ("12345678", "12345678"),
            ("123456789", "1234 [...] 6789"),
            ("abc\u{e4}x\u{e4}cba", "abc [...] cba"),
        ] {
            assert_eq!(shortened(text, 4), expected, "{text:?}");
        }
    }

    #[test]
    fn control_characters_are_shown_and_not_obeyed() {
        for (text, expected) in [
            ("plain", "plain"),
            ("tab\tand line\n", "tab\tand line\n"),
            ("\x1b[31mred\x07\0", "\\x1b[31mred\\x07\\x00"),
            ("\u{7f}\u{9b}2J \u{a0}ä\u{1f600}", "\\x7f\\x9b2J \u{a0}ä\u{1f600}"),
            ("\r", "\\x0d"),
        ] {
            assert_eq!(printable(text), expected, "{text:?}");
        }
    }
}
