//! Under what an answer is kept.

use polygate_chain::Exchange;
use polygate_chain::pdk::request;
use polygate_model::Id;
use ring::digest::{Context, SHA256};

use crate::encoding::hex;

/// What makes a difference.
pub struct KeyParts<'a> {
    pub plugin: Id,
    pub ignore_case: bool,
    /// All arguments, if `None`.
    pub query: Option<&'a [String]>,
    pub headers: &'a [String],
}

impl KeyParts<'_> {
    /// A digest, so that nothing of the request shows.
    pub fn key(&self, exchange: &Exchange) -> String {
        let mut digest = Context::new(&SHA256);
        // Each with its length, so that no two requests give the same bytes.
        let mut add = |part: &[u8]| {
            digest.update(&(part.len() as u64).to_le_bytes());
            digest.update(part);
        };
        let route = exchange.session.route().map(|route| route.id).unwrap_or_default();
        let consumer = exchange.known_consumer().map(|consumer| consumer.id).unwrap_or_default();
        add(self.plugin.as_bytes());
        add(route.as_bytes());
        add(consumer.as_bytes());
        add(exchange.request.method.as_str().as_bytes());
        let path = request::get_raw_path(exchange);
        match self.ignore_case {
            true => add(&path.to_ascii_lowercase()),
            false => add(path),
        }
        for argument in arguments(exchange, self.query) {
            add(argument);
        }
        for name in self.headers {
            add(name.to_ascii_lowercase().as_bytes());
            for value in exchange.request.headers.get_all(name) {
                add(value);
            }
        }
        hex(digest.finish().as_ref())
    }
}

/// Those that make a difference, in an order of their own.
fn arguments<'e>(exchange: &'e Exchange, wanted: Option<&[String]>) -> Vec<&'e [u8]> {
    let pairs = request::get_raw_query(exchange).split(|&byte| byte == b'&').filter(|pair| !pair.is_empty());
    let is_wanted = |pair: &&[u8]| {
        let name = pair.split(|&byte| byte == b'=').next().unwrap_or_default();
        wanted.is_none_or(|names| names.iter().any(|it| it.as_bytes() == name))
    };
    let mut arguments: Vec<_> = pairs.filter(is_wanted).collect();
    arguments.sort_unstable();
    arguments
}
