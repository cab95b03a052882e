//! Answers of plugins, and header lines.

use polygate_chain::Exchange;
use polygate_chain::pdk::headers::Change;
use polygate_chain::pdk::{Content, response};

use crate::plugin::Outcome;

/// Answers with an error page that has this message.
pub fn refuse(exchange: &mut Exchange, status: u16, message: &str) -> Outcome {
    refuse_with(exchange, status, message, Vec::new())
}

pub fn refuse_with(exchange: &mut Exchange, status: u16, message: &str, headers: Vec<Change>) -> Outcome {
    response::error(exchange, status, Content::Text(message.to_owned().into()), headers)
}

/// One header with its new value.
pub fn line(name: &str, value: impl Into<bytes::Bytes>) -> Change {
    Change { name: name.to_owned(), values: vec![value.into()] }
}

/// One header with its new value; without one it is to be removed.
pub fn maybe_line(name: &str, value: Option<String>) -> Change {
    Change { name: name.to_owned(), values: value.map(Into::into).into_iter().collect() }
}
