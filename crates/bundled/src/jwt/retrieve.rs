//! Where a token may stand in a request.

use polygate_chain::pdk::{headers, request};
use polygate_chain::{Exchange, Value};
use serde::Deserialize;

use crate::cookies;

#[derive(Deserialize)]
pub struct Places {
    uri_param_names: Option<Vec<String>>,
    cookie_names: Option<Vec<String>>,
    header_names: Option<Vec<String>>,
}

/// What a request shows; the same token in several places is one.
pub enum Tokens {
    None,
    One(String),
    Several,
}

impl Places {
    pub fn tokens(&self, exchange: &Exchange) -> Tokens {
        let mut found = Vec::new();
        for name in self.uri_param_names.iter().flatten() {
            match request::query_member(exchange, name.as_bytes()) {
                Value::List(values) => {
                    found.extend(values.iter().filter_map(Value::as_str).map(str::to_owned))
                }
                value => found.extend(value.as_str().map(str::to_owned)),
            }
        }
        let lines = &exchange.request.headers;
        for name in self.cookie_names.iter().flatten() {
            found.extend(cookies::find(lines, name).map(str::to_owned));
        }
        for name in self.header_names.iter().flatten() {
            found.extend(headers::first(lines, name.as_bytes()).and_then(bearer));
        }
        found.retain(|token| !token.is_empty());
        found.sort_unstable();
        found.dedup();
        match found.len() {
            0 | 1 => found.pop().map_or(Tokens::None, Tokens::One),
            _ => Tokens::Several,
        }
    }
}

/// What stands behind `Bearer`, of which two spellings count.
fn bearer(line: &[u8]) -> Option<String> {
    let line = str::from_utf8(line).ok()?.trim_start();
    let rest = line.strip_prefix("Bearer").or_else(|| line.strip_prefix("bearer"))?;
    let token = rest.trim_start();
    (token.len() < rest.len()).then(|| token.to_owned())
}
