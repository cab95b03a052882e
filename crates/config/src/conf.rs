//! kong.conf, the environment and the command line: read, laid over one another and checked.
//!
//! Later sources win: built-in defaults, the saved state (`reload` only), the file, `KONG_*`
//! variables, overrides. The result is text per property ([`Values`]), from which
//! [`Settings`] is resolved. All problems are collected: `check` prints them all.

use std::path::{Path, PathBuf};

pub use polygate_model::vault::is_reference;

pub use self::error::ConfError;
pub use self::saved::write as save;
pub use self::sources::{Sources, is_property};
pub use self::values::Values;
pub use self::warning::Warning;
use crate::settings::Settings;

mod check;
mod error;
pub(crate) mod properties;
mod saved;
mod sources;
mod syntax;
mod values;
mod warning;

/// Where to look for the file when none is named.
const DEFAULT_FILES: &[&str] = &["/etc/kong/kong.conf", "/etc/kong.conf"];

/// The first of the usual places that has a file.
pub fn default_file() -> Option<PathBuf> {
    DEFAULT_FILES.iter().map(PathBuf::from).find(|path| path.exists())
}

/// Reads and checks everything. Messages of errors and warnings are complete sentences about one
/// property each.
pub fn load(sources: Sources) -> Result<(Settings, Vec<Warning>), Vec<ConfError>> {
    let merged = sources.merge().map_err(|error| vec![error])?;
    check::resolve(merged, &sources.env, &sources.default_bin_dir)
}

/// The configuration that was saved below `prefix`, as the running gateway reads it. The
/// environment of this process is used for references only.
pub fn load_saved(prefix: &Path) -> Result<(Settings, Vec<Warning>), Vec<ConfError>> {
    let process = Sources::from_process();
    let saved = Sources { saved: Some(saved_file(prefix)), ..Sources::default() };
    let merged = saved.merge().map_err(|error| vec![error])?;
    check::resolve(merged, &process.env, &process.default_bin_dir)
}

/// Variables of the environment that programs which the gateway starts are not to have.
pub fn withheld_variables() -> &'static [&'static str] {
    properties::WITHHELD_VARIABLES
}

/// The value that `reference` stands for with the environment and the vault settings of `sources`.
pub fn look_up(sources: &Sources, reference: &str) -> Result<String, ConfError> {
    let merged = sources.merge()?;
    let variable =
        |name: &str| sources.env.iter().find(|(known, _)| known == name).map(|(_, text)| text.clone());
    merged
        .values
        .vaults()
        .secret(reference, variable)
        .map_err(|why| ConfError::Refused(format!("could not get '{reference}': {why}")))
}

/// The prefix alone, absolute, for commands that must work whatever else is wrong.
pub fn prefix(sources: &Sources) -> Result<PathBuf, ConfError> {
    check::absolute_prefix(&sources.merge()?.values)
}

/// `.kong_env` below `prefix`.
pub fn saved_file(prefix: &Path) -> PathBuf {
    prefix.join(saved::FILE)
}

#[cfg(test)]
mod tests;
