//! What client and upstream say about keeping (RFC 9111, section 5.2), and what clients have already.

use std::time::{Duration, SystemTime};

use polygate_http1::{Headers, items};

use super::store::Stored;

#[derive(Debug, Default, PartialEq)]
pub struct Control {
    pub no_store: bool,
    pub no_cache: bool,
    pub private: bool,
    pub only_if_cached: bool,
    pub max_age: Option<Duration>,
    pub max_stale: Option<Duration>,
    pub min_fresh: Option<Duration>,
    shared_max_age: Option<Duration>,
}

impl Control {
    pub fn of(headers: &Headers) -> Self {
        let mut control = Self::default();
        for item in headers.get_all("Cache-Control").flat_map(items) {
            let text = String::from_utf8_lossy(item).to_ascii_lowercase();
            let (name, value) = text.split_once('=').unwrap_or((&text, ""));
            let seconds = || value.trim().trim_matches('"').parse().ok().map(Duration::from_secs);
            match name.trim() {
                "no-store" => control.no_store = true,
                "no-cache" => control.no_cache = true,
                "private" => control.private = true,
                "only-if-cached" => control.only_if_cached = true,
                "max-age" => control.max_age = seconds(),
                "s-maxage" => control.shared_max_age = seconds(),
                "min-fresh" => control.min_fresh = seconds(),
                // Without a value the client takes any age.
                "max-stale" => control.max_stale = Some(seconds().unwrap_or(Duration::MAX)),
                _ => {}
            }
        }
        control
    }

    /// For how long an answer is fresh that says so (section 4.2.1).
    pub fn lifetime(&self, headers: &Headers) -> Option<Duration> {
        self.shared_max_age.or(self.max_age).or_else(|| {
            let expires = httpdate::parse_http_date(headers.text("Expires")?).ok()?;
            expires.duration_since(SystemTime::now()).ok()
        })
    }
}

/// Whether a type is one that is wanted, with the same parameters; `*` stands for any.
pub fn is_same_type(wanted: &str, given: &str) -> bool {
    let parts = |text: &str| {
        let (kind, parameters) = text.split_once(';').unwrap_or((text, ""));
        let mut parameters: Vec<_> = parameters
            .split(';')
            .map(|parameter| parameter.trim().to_ascii_lowercase())
            .filter(|parameter| !parameter.is_empty())
            .collect();
        parameters.sort_unstable();
        (kind.trim().to_ascii_lowercase(), parameters)
    };
    let ((wanted, parameters), (given, given_parameters)) = (parts(wanted), parts(given));
    let is_kind = match wanted.split_once('/') {
        Some(("*", "*")) => true,
        Some((kind, "*")) => given.split_once('/').is_some_and(|(given, _)| given == kind),
        _ => wanted == given,
    };
    is_kind && parameters == given_parameters
}

/// Whether the client has the answer already (RFC 9110, section 13.1).
pub fn is_unchanged(asked: &Headers, stored: &Stored) -> bool {
    if stored.status != 200 {
        return false;
    }
    if asked.contains("If-None-Match") {
        let weak = |tag: &[u8]| tag.strip_prefix(b"W/").unwrap_or(tag).to_vec();
        let Some(own) = stored.headers.get("ETag").map(weak) else { return false };
        return asked.get_all("If-None-Match").flat_map(items).any(|tag| tag == b"*" || weak(tag) == own);
    }
    let since = asked.get("If-Modified-Since");
    since.is_some() && since == stored.headers.get("Last-Modified")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_compared_with_their_parameters() {
        for (wanted, given, expected) in [
            ("text/plain", "text/plain", true),
            ("text/plain", "Text/Plain", true),
            ("text/plain", "text/plain; charset=utf-8", false),
            ("text/plain;charset=UTF-8", "text/plain; charset=utf-8", true),
            ("text/*", "text/css", true),
            ("*/*", "a/b", true),
            ("text/*", "application/json", false),
        ] {
            assert_eq!(is_same_type(wanted, given), expected, "{given} for {wanted}");
        }
    }

    #[test]
    fn directives_are_read() {
        let headers = Headers::from_iter([
            ("Cache-Control", "No-Store, max-age=\"60\""),
            ("Cache-Control", "s-maxage=5, max-stale, min-fresh=x, other"),
        ]);
        let control = Control::of(&headers);
        assert!(control.no_store && !control.no_cache);
        assert_eq!((control.max_age, control.min_fresh), (Some(Duration::from_secs(60)), None));
        assert_eq!(control.max_stale, Some(Duration::MAX));
        assert_eq!(control.lifetime(&headers), Some(Duration::from_secs(5)));
        let expires = Headers::from_iter([("Expires", "Thu, 01 Jan 2099 00:00:00 GMT")]);
        assert!(Control::of(&expires).lifetime(&expires) > Some(Duration::from_secs(1)));
        let past = Headers::from_iter([("Expires", "0")]);
        assert_eq!(Control::of(&past).lifetime(&past), None);
    }
}
