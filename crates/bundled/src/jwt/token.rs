//! The parts of a token (RFC 7515, section 7.1).

use serde_json::Value;

use crate::encoding::from_base64;

pub struct Token {
    header: Value,
    claims: Value,
    /// What the header says, which nobody has checked.
    pub algorithm: String,
    /// The first two parts as they were sent.
    pub signed: Vec<u8>,
    pub signature: Vec<u8>,
}

impl Token {
    /// The error is the reference's word for it.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let mut parts = text.split('.');
        let mut part = || parts.next().unwrap_or_default();
        let (header_text, claims_text, signature_text) = (part(), part(), part());
        let json = |part: &str| -> Option<Value> { serde_json::from_slice(&from_base64(part)?).ok() };
        let header = json(header_text).ok_or("invalid JSON")?;
        let claims = json(claims_text).ok_or("invalid JSON")?;
        let signature = from_base64(signature_text).ok_or("invalid JSON")?;
        if header["typ"].as_str().is_some_and(|kind| !kind.eq_ignore_ascii_case("JWT")) {
            return Err("invalid typ");
        }
        let algorithm = header["alg"].as_str().filter(|name| super::signature::is_known(name));
        let algorithm = algorithm.ok_or("invalid alg")?.to_owned();
        if !claims.is_object() {
            return Err("invalid claims");
        }
        if signature.is_empty() {
            return Err("invalid signature");
        }
        let signed = [header_text, ".", claims_text].concat().into_bytes();
        Ok(Self { header, claims, algorithm, signed, signature })
    }

    pub fn claim(&self, name: &str) -> Option<&Value> {
        self.claims.get(name).filter(|value| !value.is_null())
    }

    /// A claim, or else a member of the header.
    pub fn member(&self, name: &str) -> Option<&Value> {
        self.claim(name).or_else(|| self.header.get(name).filter(|value| !value.is_null()))
    }
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
            (format!("{none}.{claims}.AA"), "invalid alg"),
            (format!("{other}.{claims}.AA"), "invalid typ"),
            (format!("{good}.{claims}.!"), "invalid JSON"),
        ] {
            assert_eq!(Token::parse(&text).err(), Some(expected), "of {text}");
        }
        assert!(Token::parse(&format!("{good}.{claims}.AA")).is_ok());
    }
}
