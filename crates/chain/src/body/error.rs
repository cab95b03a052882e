//! Why a body did not come whole.

use std::io;
use std::sync::Arc;

/// All but the last are the client's doing.
#[derive(Debug, Clone, thiserror::Error)]
pub enum BodyError {
    #[error("the request body is larger than client_max_body_size")]
    TooLarge,
    #[error("the client sent nothing of the body for longer than client_body_timeout")]
    Timeout,
    #[error("the request body is malformed: {0}")]
    Malformed(&'static str),
    /// It said that it sends no more, and may still read.
    #[error("the client ended the connection before the end of the body")]
    Incomplete,
    #[error("the client has left before the end of the body")]
    ClientGone,
    #[error("the request body cannot be kept: {0}")]
    Unkept(Arc<io::Error>),
}

impl BodyError {
    /// The status that the request fails with.
    pub fn status(&self) -> u16 {
        match self {
            Self::TooLarge => 413,
            Self::Timeout => 408,
            Self::Malformed(_) | Self::Incomplete => 400,
            Self::ClientGone => 499,
            Self::Unkept(_) => 500,
        }
    }
}
