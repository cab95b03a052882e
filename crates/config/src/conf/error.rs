//! What stops a start.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use polygate_model::vault::VaultError;

/// A problem that stops the start; its text is a complete sentence about one property.
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
