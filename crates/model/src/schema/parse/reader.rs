//! Where in a document the reader is, and what was wrong so far.

use thiserror::Error;

use crate::schema::Checks;

/// What a schema document is wrong in.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{}", problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
pub struct SchemaErrors {
    pub problems: Vec<SchemaProblem>,
}

#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{path}: {message}")]
pub struct SchemaProblem {
    /// Names of fields and attributes, dotted: `config.limit.between`.
    pub path: String,
    pub message: String,
}

pub(crate) struct Reader {
    /// Whether the document is one of ours.
    pub(super) trusted: bool,
    /// The plugin's own, by name.
    pub(super) checks: Checks,
    path: Vec<String>,
    pub(super) problems: Vec<SchemaProblem>,
}

impl Reader {
    pub(crate) fn new(trusted: bool) -> Self {
        Self { trusted, checks: &[], path: Vec::new(), problems: Vec::new() }
    }

    /// For a document of ours that may name these checks, too.
    pub(crate) fn with_checks(checks: Checks) -> Self {
        Self { checks, ..Self::new(true) }
    }

    pub(crate) fn into_result<T>(self, parsed: Option<T>) -> Result<T, SchemaErrors> {
        match parsed {
            Some(parsed) if self.problems.is_empty() => Ok(parsed),
            _ => Err(SchemaErrors { problems: self.problems }),
        }
    }

    /// Runs a step on a document of ours, into which one that is not may have been put when it was found to be sound.
    pub(crate) fn trusting<T>(&mut self, step: impl FnOnce(&mut Self) -> T) -> T {
        let trusted = std::mem::replace(&mut self.trusted, true);
        let result = step(self);
        self.trusted = trusted;
        result
    }

    pub(crate) fn is_clean(&self) -> bool {
        self.problems.is_empty()
    }

    pub(crate) fn problem(&mut self, message: impl Into<String>) {
        self.problems.push(SchemaProblem { path: self.path.join("."), message: message.into() });
    }

    /// Runs a step with a name added to the path of its problems.
    pub(crate) fn inside<T>(&mut self, name: &str, step: impl FnOnce(&mut Self) -> T) -> T {
        self.path.push(name.to_owned());
        let result = step(self);
        self.path.pop();
        result
    }
}
