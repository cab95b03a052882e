//! What a request says of its signature, and what is signed.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use polygate_chain::Exchange;
use polygate_chain::pdk::{headers, request};
use regex::Regex;
use ring::hmac;

/// The four in this order, each in quotes, as the reference wants them.
static PARAMETERS: LazyLock<Regex> = LazyLock::new(|| {
    let pattern =
        r#"[Hh]mac\s+username="(.+?)",\s*algorithm="(.+?)",\s*headers="(.+?)",\s*signature="(.+?)""#;
    Regex::new(pattern).expect("a pattern of our own is a pattern")
});

pub struct Signed {
    pub username: String,
    pub algorithm: hmac::Algorithm,
    pub algorithm_name: String,
    /// What is signed: names of headers, `request-line`, `@request-target`.
    pub headers: Vec<String>,
    pub signature: Vec<u8>,
}

impl Signed {
    pub fn parse(line: &str) -> Option<Self> {
        let (_, [username, name, headers, signature]) = PARAMETERS.captures(line)?.extract();
        let algorithm = match name {
            "hmac-sha1" => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            "hmac-sha256" => hmac::HMAC_SHA256,
            "hmac-sha384" => hmac::HMAC_SHA384,
            "hmac-sha512" => hmac::HMAC_SHA512,
            _ => return None,
        };
        Some(Self {
            username: username.to_owned(),
            algorithm,
            algorithm_name: name.to_owned(),
            headers: headers.split(' ').filter(|name| !name.is_empty()).map(str::to_owned).collect(),
            signature: BASE64_STANDARD.decode(signature).unwrap_or_default(),
        })
    }

    /// The text that the signature is over: a line for each of the headers.
    pub fn text(&self, exchange: &Exchange) -> Vec<u8> {
        let lines: Vec<_> = self.headers.iter().map(|name| line(exchange, name)).collect();
        lines.join(&b'\n')
    }
}

fn line(exchange: &Exchange, name: &str) -> Vec<u8> {
    let target = request::get_path_with_query(exchange);
    let method = request::get_method(exchange);
    match (headers::first(&exchange.request.headers, name.as_bytes()), name) {
        (Some(value), _) => [name.as_bytes(), b": ", value].concat(),
        (None, "request-line") => {
            let version = request::get_http_version(exchange);
            [method.as_bytes(), b" ", target, format!(" HTTP/{version:.1}").as_bytes()].concat()
        }
        (None, "@request-target") => {
            [b"@request-target: ", method.to_ascii_lowercase().as_bytes(), b" ", target].concat()
        }
        (None, _) => [name.as_bytes(), b":"].concat(),
    }
}

#[cfg(test)]
mod tests {
    use polygate_chain::pdk::fixture;

    use super::*;

    const LINE: &str = "hmac username=\"ann\", algorithm=\"hmac-sha256\", headers=\"date request-line x-a\", signature=\"AA==\"";

    #[test]
    fn parameters_are_read() {
        let signed = Signed::parse(LINE).unwrap();
        assert_eq!((signed.username.as_str(), signed.signature.as_slice()), ("ann", &[0][..]));
        assert_eq!(signed.headers, ["date", "request-line", "x-a"]);
        for (from, to) in [("hmac ", "HMAC "), ("sha256", "md5"), ("username", "user"), ("\"ann\"", "ann")] {
            assert!(Signed::parse(&LINE.replacen(from, to, 1)).is_none(), "{from} as {to}");
        }
    }

    #[test]
    fn what_is_signed() {
        let exchange = fixture::exchange("POST", "/p?q=1", &[("date", "today"), ("x-b", "1")]);
        let text = Signed::parse(LINE).unwrap().text(&exchange);
        assert_eq!(String::from_utf8(text).unwrap(), "date: today\nPOST /p?q=1 HTTP/1.1\nx-a:");
    }
}
