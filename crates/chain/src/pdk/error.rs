//! The two ways in which a function says that it did not do what it was asked.

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PdkError {
    /// The function returned nil and this message.
    #[error("{0}")]
    Returned(String),
    /// The function raised an error: a bad argument, or a phase it does not work in.
    #[error("{0}")]
    Thrown(String),
}

impl PdkError {
    pub fn returned(message: impl Into<String>) -> Self {
        Self::Returned(message.into())
    }

    pub fn thrown(message: impl Into<String>) -> Self {
        Self::Thrown(message.into())
    }
}
