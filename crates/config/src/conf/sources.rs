//! Where properties come from: the file, the environment and the command line, laid over the defaults.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::error::ConfError;
use super::values::Values;
use super::warning::Warning;
use super::{properties, saved, syntax};

/// What to read.
#[derive(Debug, Clone)]
pub struct Sources {
    /// kong.conf; no default is tried here, see [`default_file`](super::default_file).
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

    /// Everything that is said, later sources winning.
    pub(super) fn merge(&self) -> Result<Merged, ConfError> {
        let mut merged = Merged { values: Values::defaults(), ..Merged::default() };
        if let Some(path) = &self.saved {
            merged.add(saved::parse(&read(path)?));
        }
        if let Some(path) = &self.file {
            merged.add(syntax::parse(&read(path)?));
        }
        merged.add(environment(&self.env));
        merged.add(self.overrides.clone());
        Ok(merged)
    }
}

/// Values of all sources, before anything is checked.
#[derive(Debug, Default)]
pub(super) struct Merged {
    pub values: Values,
    /// The properties that some source names, those of the defaults excluded.
    pub given: BTreeSet<String>,
    pub warnings: Vec<Warning>,
}

impl Merged {
    /// Lays one source over the others. Unknown properties are dropped; an alias counts as its
    /// target unless the same source names that too.
    fn add(&mut self, layer: Vec<(String, String)>) {
        let mut plain = Vec::new();
        for (name, text) in layer {
            match properties::find_alias(&name) {
                Some((row, is_deprecated)) => {
                    if is_deprecated {
                        self.warnings.push(Warning::warn(format!(
                            "the configuration property '{name}' is deprecated, use '{}' instead",
                            row.name
                        )));
                    }
                    self.put(row.name, &text);
                }
                None if is_property(&name) => plain.push((name, text)),
                None => {}
            }
        }
        for (name, text) in plain {
            self.put(&name, &text);
        }
    }

    /// An empty text unsets a property, or brings back the default of one that cannot be unset.
    fn put(&mut self, name: &str, text: &str) {
        let text = match properties::find(name) {
            Some(row) if text.trim().is_empty() && row.name == name && row.kind.has_no_empty() => row.default,
            _ => text.trim(),
        };
        self.values.set(name, text);
        self.given.insert(name.to_owned());
    }
}

/// Whether there is a property of this name; aliases and members of families included.
pub fn is_property(name: &str) -> bool {
    properties::find(name).is_some() || properties::find_alias(name).is_some() || properties::is_dynamic(name)
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
