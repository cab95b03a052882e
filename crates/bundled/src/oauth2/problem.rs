//! Errors as RFC 6749 has them (sections 4.1.2.1 and 5.2), and a few of the reference's own.

use std::borrow::Cow;

use serde_json::{Value, json};

#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    pub error: &'static str,
    pub description: Cow<'static, str>,
}

impl Problem {
    pub fn new(error: &'static str, description: impl Into<Cow<'static, str>>) -> Self {
        Self { error, description: description.into() }
    }

    pub fn client() -> Self {
        Self::new("invalid_client", "Invalid client authentication")
    }

    pub fn request(description: impl Into<Cow<'static, str>>) -> Self {
        Self::new("invalid_request", description)
    }

    pub fn to_json(&self) -> Value {
        json!({ "error": self.error, "error_description": self.description })
    }
}
