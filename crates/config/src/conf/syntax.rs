//! The syntax of kong.conf: lines of `name = value`.
//!
//! It follows the parser that Kong uses (Penlight's `pl.config`), whose corners people rely on: the
//! first `=` separates, `\` at the end of a line continues it, `#` starts a comment anywhere unless
//! written `\#`, numbers are normalised, quotes are ordinary characters and sections swallow the rest.

use crate::units::number;

/// The settings of a file in the order written; an empty value stands for "unset".
pub(super) fn parse(text: &str) -> Vec<(String, String)> {
    logical_lines(without_mark(text))
        .into_iter()
        // What follows a section header belongs to the section, and no property lives in one.
        .take_while(|line| !line.starts_with('['))
        .filter_map(|line| {
            let (name, value) = line.split_once('=')?;
            // Numbers come first, so that one with a comment behind it stays as written.
            Some((property_name(name), strip_comment(&normalise(value.trim())).trim().to_owned()))
        })
        .collect()
}

/// A file's text without the byte order mark that some editors put in front of it.
fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

/// Lines without blanks and comments, continued ones joined. A continuation that the file ends
/// before finishing is dropped, as the original does.
fn logical_lines(text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut begun = String::new();
    for line in text.lines() {
        let content = line.trim_start();
        if content.is_empty() || content.starts_with(['#', ';']) {
            continue;
        }
        match line.trim_end().strip_suffix('\\') {
            Some(part) => begun.push_str(part),
            None => lines.push(std::mem::take(&mut begun) + line),
        }
    }
    lines
}

/// Any byte but ASCII letters and digits becomes `_`. The members of the plugin-server family
/// are matched without regard to case, since their names are lower-cased for the look-up.
fn property_name(written: &str) -> String {
    let character = |byte: u8| if byte.is_ascii_alphanumeric() { byte.into() } else { '_' };
    let name: String = written.trim().bytes().map(character).collect();
    match name.get(..13) {
        Some(family) if family.eq_ignore_ascii_case("pluginserver_") => name.to_ascii_lowercase(),
        _ => name,
    }
}

/// Cuts at the first `#` that is not escaped and unescapes the others.
fn strip_comment(value: &str) -> String {
    let mut kept = String::with_capacity(value.len());
    for c in value.chars() {
        if c == '#' {
            if !kept.ends_with('\\') {
                break;
            }
            kept.pop();
        }
        kept.push(c);
    }
    kept
}

/// Writes a value that is a number the way it is printed: `007` -> `7`, `0x10` -> `16`, `8 kB` ->
/// `8`. A number of more digits than print exactly is left as written, so that a long numeric
/// password survives.
fn normalise(value: &str) -> String {
    let numeric = value.strip_suffix(" kB").unwrap_or(value);
    match number(numeric) {
        Some(number) if value.starts_with(|c: char| c.is_ascii_digit() || "+-".contains(c)) => {
            let exact = number.abs() < 1e14 && numeric.len() <= 15;
            if exact { number.to_string() } else { value.to_owned() }
        }
        _ => value.to_owned(),
    }
}

#[cfg(test)]
mod tests;
