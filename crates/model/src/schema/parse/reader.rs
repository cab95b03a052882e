//! Where in a document the reader is, and what was wrong so far.

use thiserror::Error;

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
    path: Vec<String>,
    pub(super) problems: Vec<SchemaProblem>,
}

impl Reader {
    pub(crate) fn new(trusted: bool) -> Self {
        Self { trusted, path: Vec::new(), problems: Vec::new() }
    }

    pub(crate) fn into_result<T>(self, parsed: Option<T>) -> Result<T, SchemaErrors> {
        match parsed {
            Some(parsed) if self.problems.is_empty() => Ok(parsed),
            _ => Err(SchemaErrors { problems: self.problems }),
        }
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
