//! `.kong_env`: the resolved configuration, kept in the prefix for the commands that come later and
//! for the running gateway itself.
//!
//! The syntax is that of kong.conf, but values are taken as they stand (numbers are not normalised)
//! and a backslash escapes, so that every value survives: `\#`, `\\`, `\n` and `\r`.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::values::Values;

/// Name of the file below the prefix.
pub(super) const FILE: &str = ".kong_env";

/// Writes `values` below `prefix`, readable by the owner and the group only. The file is replaced
/// as a whole, so that a reader never sees half of it.
pub fn write(prefix: &Path, values: &Values) -> io::Result<()> {
    let target = prefix.join(FILE);
    let fresh = prefix.join(".kong_env.new");
    // A leftover of an interrupted write would keep its own mode.
    match fs::remove_file(&fresh) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o640).open(&fresh)?;
    file.write_all(print(values).as_bytes())?;
    fs::rename(fresh, target)
}

/// The text of the file: every property, those unset without a value.
fn print(values: &Values) -> String {
    let mut text = String::new();
    for (name, value) in values.iter() {
        text.push_str(name);
        text.push_str(" = ");
        for c in value.chars() {
            match c {
                '#' => text.push_str("\\#"),
                '\\' => text.push_str("\\\\"),
                '\n' => text.push_str("\\n"),
                '\r' => text.push_str("\\r"),
                c => text.push(c),
            }
        }
        text.push('\n');
    }
    text
}

/// The settings of a saved file; an empty value stands for "unset".
pub(super) fn parse(text: &str) -> Vec<(String, String)> {
    text.lines()
        .filter(|line| !line.trim_start().starts_with('#'))
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.trim().to_owned(), unescape(value.trim())))
        .collect()
}

/// An escape that [`write`] never makes stays as it is.
fn unescape(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            text.push(c);
            continue;
        }
        match chars.next() {
            Some('n') => text.push('\n'),
            Some('r') => text.push('\r'),
            Some(escaped @ ('#' | '\\')) => text.push(escaped),
            Some(other) => text.extend(['\\', other]),
            None => text.push('\\'),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_survives() {
        let awkward = ["a#b", "a\\#b", "a\nb: 1\r\n", "ends with \\", "007", "\"quoted\"", "a = b", ""];
        let written: Vec<(String, String)> =
            awkward.iter().enumerate().map(|(i, value)| (format!("p{i}"), value.to_string())).collect();
        let values = Values::new(written.clone());
        assert_eq!(parse(&print(&values)), written);
    }

    #[test]
    fn the_form_is_that_of_the_configuration_file() {
        let values =
            Values::new(vec![("plugins".into(), "bundled".into()), ("pg_user".into(), "a#b".into())]);
        assert_eq!(print(&values), "pg_user = a\\#b\nplugins = bundled\n");
    }
}
