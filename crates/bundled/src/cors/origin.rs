//! Which origin is named to whom.

use std::borrow::Cow;

use regex::Regex;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// The configured ones.
pub struct Origins(Vec<Origin>);

enum Origin {
    Everybody,
    /// As configured, and without the port that its scheme has anyway.
    Literal {
        configured: String,
        normal: String,
    },
    /// Matches a whole origin, or a host if `of_host`.
    Pattern {
        regex: Regex,
        of_host: bool,
    },
}

#[derive(Debug, PartialEq)]
pub enum Allowed<'a> {
    Everybody,
    One(Cow<'a, str>),
    Nobody,
}

impl Origins {
    /// `asking` is the origin of the request.
    pub fn allowed<'a>(&'a self, asking: Option<&'a str>) -> Allowed<'a> {
        match self.0.as_slice() {
            [] | [Origin::Everybody] => return Allowed::Everybody,
            // One that is the only one is told to everybody.
            [Origin::Literal { configured, .. }] => return Allowed::One(configured.into()),
            _ => {}
        }
        let Some(asking) = asking.map(normal) else { return Allowed::Nobody };
        match self.0.iter().find(|origin| origin.matches(&asking)) {
            Some(Origin::Everybody) => Allowed::Everybody,
            Some(_) => Allowed::One(asking),
            None => Allowed::Nobody,
        }
    }

    /// Whether the answer depends on who asks; said of a single origin, too, as in the reference.
    pub fn vary(&self) -> bool {
        !matches!(self.0.as_slice(), [] | [Origin::Everybody])
    }
}

impl Origin {
    fn new(text: &str) -> Result<Self, String> {
        let is_literal = |byte: u8| byte.is_ascii_alphanumeric() || b".:/-".contains(&byte);
        if text == "*" {
            Ok(Self::Everybody)
        } else if text.bytes().all(is_literal) {
            Ok(Self::Literal { configured: text.to_owned(), normal: normal(text).into_owned() })
        } else {
            let regex = Regex::new(&format!("^(?:{text})$"));
            let regex = regex.map_err(|_| format!("'{text}' is not a valid regex"))?;
            Ok(Self::Pattern { regex, of_host: !text.contains(':') })
        }
    }

    /// `origin` is a normal one.
    fn matches(&self, origin: &str) -> bool {
        match self {
            Self::Everybody => true,
            Self::Literal { normal, .. } if normal.contains(':') => normal == origin,
            Self::Literal { normal, .. } => normal == host(origin),
            Self::Pattern { regex, of_host: true } => regex.is_match(host(origin)),
            Self::Pattern { regex, of_host: false } => regex.is_match(origin),
        }
    }
}

impl<'de> Deserialize<'de> for Origins {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let texts = Option::<Vec<String>>::deserialize(deserializer)?.unwrap_or_default();
        let origins: Result<_, _> = texts.iter().map(|text| Origin::new(text)).collect();
        origins.map(Self).map_err(serde::de::Error::custom)
    }
}

/// For the schema.
pub fn check(value: &Value) -> Result<(), String> {
    Origin::new(value.as_str().unwrap_or_default()).map(drop)
}

/// Without a port that the scheme has anyway (RFC 6454, section 6.2).
fn normal(origin: &str) -> Cow<'_, str> {
    let port = match origin.split_once("://") {
        Some(("http", _)) => ":80",
        Some(("https", _)) => ":443",
        _ => return origin.into(),
    };
    origin.strip_suffix(port).unwrap_or(origin).into()
}

/// Without scheme and port.
fn host(origin: &str) -> &str {
    let authority = origin.split_once("://").map_or(origin, |(_, authority)| authority);
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_allowed() {
        use Allowed::{Everybody, Nobody, One};
        let one = |origin: &'static str| One(origin.into());
        for (configured, asking, expected) in [
            (&[][..], Some("https://a"), Everybody),
            (&["*"], None, Everybody),
            (&["https://a:443"], Some("https://b"), one("https://a:443")),
            (&["https://a", "https://b:1"], Some("https://b:1"), one("https://b:1")),
            (&["https://a", "https://b:1"], Some("https://a:443"), one("https://a")),
            (&["https://a:443", "https://b:1"], Some("https://a"), one("https://a")),
            (&["https://a", "https://b:1"], Some("https://b"), Nobody),
            (&["https://a", "https://b:1"], Some("http://a"), Nobody),
            (&["https://a", "https://b:1"], None, Nobody),
            (&["https://a", "*"], Some("https://b"), Everybody),
            (&["a.test", "b.test"], Some("http://b.test:8080"), one("http://b.test:8080")),
            (&["(.*)\\.a\\.test$"], Some("https://x.a.test"), one("https://x.a.test")),
            (&["(.*)\\.a\\.test$"], Some("https://x.a.test.evil"), Nobody),
            (&["https?://x.*"], Some("http://xyz:1"), one("http://xyz:1")),
            (&["https?://x.*"], Some("ws://xyz"), Nobody),
            (&["a|b"], Some("https://ab"), Nobody),
        ] {
            let origins: Vec<_> = configured.iter().map(|text| Origin::new(text).unwrap()).collect();
            let origins = Origins(origins);
            assert_eq!(origins.allowed(asking), expected, "{asking:?} of {configured:?}");
        }
    }
}
