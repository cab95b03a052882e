//! Answers of plugins, and header lines.

use std::borrow::Cow;

use polygate_chain::Exchange;
use polygate_chain::pdk::headers::Change;
use polygate_chain::pdk::{Content, response};

use crate::plugin::Outcome;

/// Answers with an error page that has this message.
pub fn refuse(exchange: &mut Exchange, status: u16, message: &str) -> Outcome {
    refuse_with(exchange, status, message, Vec::new())
}

pub fn refuse_with(exchange: &mut Exchange, status: u16, message: &str, headers: Vec<Change<'_>>) -> Outcome {
    response::error(exchange, status, Content::Text(message.to_owned().into()), headers)
}

/// One header with its new value; without one it is to be removed.
pub fn maybe_line<'a>(name: &'static str, value: Option<impl Into<Cow<'a, str>>>) -> Change<'a> {
    value.map_or_else(|| Change::removal(name), |value| Change::line(name, value))
}
