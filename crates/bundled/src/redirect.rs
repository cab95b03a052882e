//! Sends clients elsewhere (bundled-plugins.md, section 4).

use polygate_chain::pdk::headers::Change;
use polygate_chain::pdk::{Content, request, response};
use polygate_chain::{Exchange, Phase};
use serde::Deserialize;

use crate::plugin::{Bundled, Hooks, Outcome, configure};

pub const PLUGIN: Bundled = Bundled {
    name: "redirect",
    priority: 779,
    phases: &[Phase::Access],
    schema: include_str!("redirect/schema.json"),
    checks: &[],
    configure: configure::<Redirect>,
};

#[derive(Deserialize)]
struct Redirect {
    status_code: u16,
    location: String,
    keep_incoming_path: Option<bool>,
}

impl Hooks for Redirect {
    async fn access(&self, exchange: &mut Exchange) -> Outcome {
        let location = match self.keep_incoming_path {
            Some(true) => {
                [origin(&self.location).as_bytes(), request::get_path_with_query(exchange)].concat()
            }
            _ => self.location.clone().into_bytes(),
        };
        let headers = vec![Change::raw_line("Location", location)];
        response::exit(exchange, self.status_code, Content::Text("redirecting".into()), headers)
    }
}

/// Scheme and authority of a URL.
fn origin(url: &str) -> &str {
    let authority = url.find("://").map_or(0, |at| at + 3);
    let end = url[authority..].find(['/', '?', '#']).map_or(url.len(), |length| authority + length);
    &url[..end]
}

#[cfg(test)]
mod tests {
    use super::origin;

    #[test]
    fn origins_of_urls() {
        for (url, expected) in [
            ("https://a.test:8443/base/?x=1#f", "https://a.test:8443"),
            ("https://a.test", "https://a.test"),
            ("http://[::1]?x", "http://[::1]"),
        ] {
            assert_eq!(origin(url), expected);
        }
    }
}
