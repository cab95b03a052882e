//! kong.conf and its environment: text in, checked values out.

pub mod conf;
pub mod settings;
#[cfg(test)]
mod test_directory;
mod units;

pub use settings::Settings;

/// A file's text without the byte order mark that some editors put in front of it.
fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}
