//! What consistent hashing hashes.

use polygate_model::Upstream;
use polygate_model::entities::{Algorithm, HashOn};

/// The parts of a request that can be hashed. `None` is for what the request does not have.
pub trait HashSource {
    /// The id of the consumer, else of the credential.
    fn consumer(&self) -> Option<String>;
    /// The client's address, after any real-ip replacement.
    fn ip(&self) -> Option<String>;
    /// The values joined without a separator.
    fn header(&self, name: &str) -> Option<String>;
    fn cookie(&self, name: &str) -> Option<String>;
    /// The decoded path.
    fn path(&self) -> Option<String>;
    /// All values, decoded, in any order; empty when there are none.
    fn query_arg(&self, name: &str) -> Vec<String>;
    /// A group of the route's path regex, by name or by number.
    fn uri_capture(&self, name: &str) -> Option<String>;
    /// For a client that has no cookie yet.
    fn new_uuid(&self) -> String;
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HashKey {
    /// Empty when the request has nothing to hash: all such requests go to one target.
    pub key: String,
    /// The value of a `Set-Cookie` header to add to the response, so that the client comes back with the
    /// same key.
    pub set_cookie: Option<String>,
}

/// The key of a request by the rules of its upstream entity.
pub fn hash_key(upstream: &Upstream, source: &dyn HashSource) -> HashKey {
    if upstream.algorithm != Algorithm::ConsistentHashing {
        return HashKey::default();
    }
    let first = Rule {
        on: upstream.hash_on,
        header: &upstream.hash_on_header,
        query_arg: &upstream.hash_on_query_arg,
        uri_capture: &upstream.hash_on_uri_capture,
    };
    let second = Rule {
        on: upstream.hash_fallback,
        header: &upstream.hash_fallback_header,
        query_arg: &upstream.hash_fallback_query_arg,
        uri_capture: &upstream.hash_fallback_uri_capture,
    };
    match first.apply(upstream, source) {
        // The cookie is given to whoever lacks it, though it decides nothing yet, as in the reference.
        Some(key) if second.on == HashOn::Cookie => {
            HashKey { set_cookie: cookie(upstream, source).and_then(|it| it.set_cookie), ..key }
        }
        found => found.or_else(|| second.apply(upstream, source)).unwrap_or_default(),
    }
}

struct Rule<'u> {
    on: HashOn,
    header: &'u Option<String>,
    query_arg: &'u Option<String>,
    uri_capture: &'u Option<String>,
}

impl Rule<'_> {
    fn apply(&self, upstream: &Upstream, source: &dyn HashSource) -> Option<HashKey> {
        let key = match self.on {
            HashOn::None => None,
            HashOn::Consumer => source.consumer(),
            HashOn::Ip => source.ip(),
            HashOn::Header => source.header(self.header.as_deref()?),
            HashOn::Path => source.path(),
            HashOn::QueryArg => joined(source.query_arg(self.query_arg.as_deref()?)),
            HashOn::UriCapture => source.uri_capture(self.uri_capture.as_deref()?),
            HashOn::Cookie => return cookie(upstream, source),
        };
        Some(HashKey { key: key?, set_cookie: None })
    }
}

/// The order in which a client lists the values says nothing.
fn joined(mut values: Vec<String>) -> Option<String> {
    values.sort_unstable();
    (!values.is_empty()).then(|| values.join(","))
}

fn cookie(upstream: &Upstream, source: &dyn HashSource) -> Option<HashKey> {
    let name = upstream.hash_on_cookie.as_deref()?;
    if let Some(key) = source.cookie(name) {
        return Some(HashKey { key, set_cookie: None });
    }
    let key = source.new_uuid();
    // `Same-Site` is how the reference spells it.
    let path = &upstream.hash_on_cookie_path;
    let set_cookie = format!("{name}={key}; Path={path}; Same-Site=Lax; HttpOnly");
    Some(HashKey { key, set_cookie: Some(set_cookie) })
}

#[cfg(test)]
mod tests;
