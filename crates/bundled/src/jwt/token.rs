//! The parts of a token (RFC 7515, section 7.1).

use std::collections::BTreeMap;

use serde::de::IgnoredAny;
use serde_json::Value;

use crate::encoding::from_base64;

type Members = BTreeMap<String, Value>;

pub struct Token<'t> {
    header: Members,
    claims: Members,
    /// The first two parts as they were sent.
    pub signed: &'t str,
    pub signature: Vec<u8>,
}

impl<'t> Token<'t> {
    /// The error is the reference's word for it.
    pub fn parse(text: &'t str) -> Result<Self, &'static str> {
        let mut parts = text.split('.');
        let mut part = || parts.next().unwrap_or_default();
        let (header_text, claims_text, signature_text) = (part(), part(), part());
        let header = members(header_text)?;
        let claims = members(claims_text)?;
        let signature = from_base64(signature_text).ok_or("invalid JSON")?;
        let header = header.unwrap_or_default();
        if text_of(&header, "typ").is_some_and(|kind| !kind.eq_ignore_ascii_case("JWT")) {
            return Err("invalid typ");
        }
        if !text_of(&header, "alg").is_some_and(super::signature::is_known) {
            return Err("invalid alg");
        }
        let claims = claims.ok_or("invalid claims")?;
        if signature.is_empty() {
            return Err("invalid signature");
        }
        let signed = &text[..header_text.len() + 1 + claims_text.len()];
        Ok(Self { header, claims, signed, signature })
    }

    /// What the header says, which nobody has checked.
    pub fn algorithm(&self) -> Option<&str> {
        text_of(&self.header, "alg")
    }

    pub fn claim(&self, name: &str) -> Option<&Value> {
        self.claims.get(name).filter(|value| !value.is_null())
    }

    /// A claim, or else a member of the header.
    pub fn member(&self, name: &str) -> Option<&Value> {
        self.claim(name).or_else(|| self.header.get(name).filter(|value| !value.is_null()))
    }
}

/// The members of an object in base64; `None` for JSON that is no object.
fn members(part: &str) -> Result<Option<Members>, &'static str> {
    let json = from_base64(part).ok_or("invalid JSON")?;
    match serde_json::from_slice(&json) {
        Ok(members) => Ok(Some(members)),
        Err(_) => serde_json::from_slice(&json).map(|IgnoredAny| None).map_err(|_| "invalid JSON"),
    }
}

fn text_of<'m>(members: &'m Members, name: &str) -> Option<&'m str> {
    members.get(name).and_then(Value::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_token() {
        // {"alg":"HS256"}, {"alg":"none"}, {"typ":"X"}, {}, []
        let (good, none, other, claims, list) =
            ("eyJhbGciOiJIUzI1NiJ9", "eyJhbGciOiJub25lIn0", "eyJ0eXAiOiJYIn0", "e30", "W10");
        for (text, expected) in [
            (String::new(), "invalid JSON"),
            ("x".to_owned(), "invalid JSON"),
            (format!("{good}.{claims}."), "invalid signature"),
            (format!("{good}.{list}.AA"), "invalid claims"),
            (format!("{list}.{claims}.AA"), "invalid alg"),
            (format!("{good}.W10w.AA"), "invalid JSON"),
            (format!("{none}.{claims}.AA"), "invalid alg"),
            (format!("{other}.{claims}.AA"), "invalid typ"),
            (format!("{good}.{claims}.!"), "invalid JSON"),
        ] {
            assert_eq!(Token::parse(&text).err(), Some(expected), "of {text}");
        }
        assert!(Token::parse(&format!("{good}.{claims}.AA")).is_ok());
    }
}
