//! kong.conf, the environment and the command line: read, laid over one another and checked.
//!
//! Later sources win: built-in defaults, the saved state (`reload` only), the file, `KONG_*`
//! variables, overrides. The result is text per property ([`Values`]), from which
//! [`Settings`] is resolved. All problems are collected: `check` prints them all.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

pub(crate) use self::check::is_on;
pub(crate) use self::properties::SERVER_MEMBERS;
pub use self::saved::write as save;
pub use self::vault::{VaultError, is_reference};
use crate::settings::{LogLevel, Settings};

mod check;
mod properties;
mod saved;
mod syntax;
mod vault;

/// Where to look for the file when none is named.
const DEFAULT_FILES: &[&str] = &["/etc/kong/kong.conf", "/etc/kong.conf"];

/// What to read.
#[derive(Debug, Clone)]
pub struct Sources {
    /// kong.conf; no default is tried here, see [`default_file`].
    pub file: Option<PathBuf>,
    /// `.kong_env` of a running node, below everything else.
    pub saved: Option<PathBuf>,
    /// The whole environment: `KONG_*` sets properties, the rest is for references.
    pub env: Vec<(String, String)>,
    /// Property names and values from the command line.
    pub overrides: Vec<(String, String)>,
    /// Where the executables of plugin servers are looked for.
    pub default_bin_dir: PathBuf,
}

impl Default for Sources {
    /// Nothing but the defaults.
    fn default() -> Sources {
        Sources {
            file: None,
            saved: None,
            env: Vec::new(),
            overrides: Vec::new(),
            default_bin_dir: "/usr/local/bin".into(),
        }
    }
}

impl Sources {
    /// The environment of this process; variables that are not UTF-8 are left out.
    pub fn from_process() -> Sources {
        let env = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        Sources { env, ..Sources::default() }
    }
}

/// Something the operator should know; the start goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// `Notice` or `Warn`.
    pub level: LogLevel,
    pub message: String,
}

impl Warning {
    pub(crate) fn warn(message: impl Into<String>) -> Warning {
        Warning { level: LogLevel::Warn, message: message.into() }
    }

    pub(crate) fn notice(message: impl Into<String>) -> Warning {
        Warning { level: LogLevel::Notice, message: message.into() }
    }
}

/// A problem that stops the start.
#[derive(Debug, Error)]
pub enum ConfError {
    #[error("no file at: {}", .0.display())]
    NoFile(PathBuf),
    #[error("could not read {}: {cause}", path.display())]
    Unreadable { path: PathBuf, cause: io::Error },
    #[error("{name} is not a {kind}: '{value}'")]
    WrongType { name: String, kind: &'static str, value: String },
    #[error("{name} has an invalid value: '{value}' ({allowed})")]
    NotAllowed { name: String, value: String, allowed: String },
    #[error("failed to dereference '{reference}': {why} for config option '{name}'")]
    Reference { reference: String, why: VaultError, name: String },
    /// Everything that is particular to one property; the text names it.
    #[error("{0}")]
    Refused(String),
}

/// The text of every property after all sources were laid over one another.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Values {
    texts: BTreeMap<String, String>,
}

impl Values {
    pub(crate) fn new(texts: impl IntoIterator<Item = (String, String)>) -> Values {
        Values { texts: texts.into_iter().collect() }
    }

    /// The value of `name`; `None` when unset or unknown.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.texts.get(name).map(String::as_str).filter(|text| !text.is_empty())
    }

    /// All properties by name; an unset one has an empty text.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.texts.iter().map(|(name, text)| (name.as_str(), text.as_str()))
    }

    /// As [`Values::iter`], with the values of secret properties replaced by asterisks.
    pub fn masked(&self) -> impl Iterator<Item = (&str, &str)> {
        self.iter().map(|(name, text)| match properties::SECRETS.contains(&name) && !text.is_empty() {
            true => (name, "******"),
            false => (name, text),
        })
    }

    /// Whether the value is that of a configuration that says nothing about the property.
    pub fn is_default(&self, name: &str) -> bool {
        properties::find(name).is_some_and(|row| self.get(name).unwrap_or_default() == row.default)
    }

    #[cfg(test)]
    pub(crate) fn from_pairs(pairs: &[(&str, &str)]) -> Values {
        Values::new(pairs.iter().map(|(name, text)| (name.to_string(), text.to_string())))
    }

    fn set(&mut self, name: &str, text: &str) {
        self.texts.insert(name.to_owned(), text.to_owned());
    }
}

/// The first of the usual places that has a file.
pub fn default_file() -> Option<PathBuf> {
    DEFAULT_FILES.iter().map(PathBuf::from).find(|path| path.exists())
}

/// Reads and checks everything. Messages of errors and warnings are complete sentences about one
/// property each.
pub fn load(sources: Sources) -> Result<(Settings, Vec<Warning>), Vec<ConfError>> {
    let merged = merge(&sources).map_err(|error| vec![error])?;
    check::resolve(merged, &sources.env, &sources.default_bin_dir)
}

/// The configuration that was saved below `prefix`, as the running gateway reads it. The
/// environment of this process is used for references only.
pub fn load_saved(prefix: &Path) -> Result<(Settings, Vec<Warning>), Vec<ConfError>> {
    let process = Sources::from_process();
    let merged = merge(&Sources { saved: Some(prefix.join(saved::FILE)), ..Sources::default() })
        .map_err(|error| vec![error])?;
    check::resolve(merged, &process.env, &process.default_bin_dir)
}

/// Variables of the environment that programs which the gateway starts are not to have.
pub fn withheld_variables() -> &'static [&'static str] {
    properties::DATABASE_SECRETS
}

/// Whether there is a property of this name; aliases and members of dynamic families included.
pub fn is_property(name: &str) -> bool {
    properties::find(name).is_some() || properties::is_dynamic(name) || alias(name).is_some()
}

/// The value that `reference` stands for with the environment and the vault settings of `sources`.
pub fn look_up(sources: &Sources, reference: &str) -> Result<String, ConfError> {
    let merged = merge(sources)?;
    let prefix = merged.values.get("vault_env_prefix").unwrap_or_default();
    let variable =
        |name: &str| sources.env.iter().find(|(known, _)| known == name).map(|(_, text)| text.clone());
    vault::dereference(reference, prefix, variable)
        .map_err(|why| ConfError::Refused(format!("could not get '{reference}': {why}")))
}

/// The prefix alone, absolute, for commands that must work whatever else is wrong.
pub fn prefix(sources: &Sources) -> Result<PathBuf, ConfError> {
    check::absolute_prefix(&merge(sources)?.values)
}

/// `.kong_env` below `prefix`.
pub fn saved_file(prefix: &Path) -> PathBuf {
    prefix.join(saved::FILE)
}

/// Values of all sources, before anything is checked.
#[derive(Debug, Default)]
struct Merged {
    values: Values,
    /// The properties that some source names, those of the defaults excluded.
    given: BTreeSet<String>,
    warnings: Vec<Warning>,
}

impl Merged {
    /// Lays one source over the others. Unknown properties are dropped; an alias counts as its
    /// target unless the same source names that too.
    fn add(&mut self, layer: Vec<(String, String)>) {
        let (aliases, plain): (Vec<_>, Vec<_>) =
            layer.into_iter().partition(|(name, _)| alias(name).is_some());
        for (old, text) in aliases {
            let Some((_, name, deprecated)) = alias(&old) else { continue };
            if *deprecated {
                self.warnings.push(Warning::warn(format!(
                    "the configuration property '{old}' is deprecated, use '{name}' instead"
                )));
            }
            self.put(name, &text);
        }
        for (name, text) in plain {
            if is_property(&name) {
                self.put(&name, &text);
            }
        }
    }

    /// An empty text unsets a property, or brings back the default of one that cannot be unset.
    fn put(&mut self, name: &str, text: &str) {
        let text = match properties::find(name) {
            Some(row) if text.trim().is_empty() && row.kind.has_no_empty() => row.default,
            _ => text.trim(),
        };
        self.values.set(name, text);
        self.given.insert(name.to_owned());
    }
}

fn alias(name: &str) -> Option<&'static (&'static str, &'static str, bool)> {
    properties::ALIASES.iter().find(|(old, _, _)| *old == name)
}

fn merge(sources: &Sources) -> Result<Merged, ConfError> {
    let defaults = properties::PROPERTIES.iter().map(|row| (row.name.to_owned(), row.default.to_owned()));
    let mut merged = Merged { values: Values::new(defaults), ..Merged::default() };
    if let Some(path) = &sources.saved {
        merged.add(saved::parse(&read(path)?));
    }
    if let Some(path) = &sources.file {
        merged.add(syntax::parse(&read(path)?));
    }
    merged.add(environment(&sources.env));
    merged.add(sources.overrides.clone());
    Ok(merged)
}

fn read(path: &Path) -> Result<String, ConfError> {
    match fs::read(path) {
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Err(ConfError::NoFile(path.to_owned())),
        Err(cause) => Err(ConfError::Unreadable { path: path.to_owned(), cause }),
    }
}

/// `KONG_<NAME>` variables. Only the dynamic families are matched without regard to case.
fn environment(env: &[(String, String)]) -> Vec<(String, String)> {
    env.iter()
        .filter_map(|(variable, text)| {
            let (head, tail) = variable.split_at_checked(5)?;
            let name = tail.to_ascii_lowercase();
            let dynamic = properties::is_dynamic(&name) && head.eq_ignore_ascii_case("KONG_");
            let exact = head == "KONG_" && name.to_ascii_uppercase() == tail;
            (dynamic || exact).then(|| (name, text.clone()))
        })
        .collect()
}

#[cfg(test)]
mod tests;
