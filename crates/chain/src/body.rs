//! The request's body: streamed through, unless somebody wants to see it.

use bytes::Bytes;
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};

/// Any body on the gateway's way.
pub type Body = UnsyncBoxBody<Bytes, BodyError>;

#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    #[error("request body is larger than client_max_body_size")]
    TooLarge,
    #[error("the peer sent nothing for longer than its time limit")]
    Timeout,
    #[error("the peer broke off: {0}")]
    Broken(String),
}

/// A body in memory.
pub fn full(bytes: Bytes) -> Body {
    Full::new(bytes).map_err(|never| match never {}).boxed_unsync()
}

pub enum RequestBody {
    /// As it comes from the client; nothing was read yet.
    Stream(Body),
    /// Read completely, or replaced by a plugin.
    Bytes(Bytes),
    /// Handed to the upstream, or lost in an error.
    Gone,
}

impl RequestBody {
    /// Reads the body to its end, once; later calls answer the same bytes. An error is final.
    pub async fn read(&mut self) -> Result<Bytes, BodyError> {
        match std::mem::replace(self, Self::Gone) {
            Self::Stream(body) => {
                let bytes = body.collect().await?.to_bytes();
                *self = Self::Bytes(bytes.clone());
                Ok(bytes)
            }
            Self::Bytes(bytes) => {
                *self = Self::Bytes(bytes.clone());
                Ok(bytes)
            }
            Self::Gone => Err(BodyError::Broken("the body is no longer there".into())),
        }
    }

    /// The bytes, if they are in memory.
    pub fn bytes(&self) -> Option<&Bytes> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }
}
