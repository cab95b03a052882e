//! Clients: their credentials, and the places that they may have answers sent to.

use std::num::NonZeroU32;

use polygate_chain::pdk::headers;
use polygate_chain::{Exchange, Value};
use polygate_model::Credential;
use ring::pbkdf2::{self, PBKDF2_HMAC_SHA1, PBKDF2_HMAC_SHA256, PBKDF2_HMAC_SHA384, PBKDF2_HMAC_SHA512};
use subtle::ConstantTimeEq as _;

use super::parameters::Parameters;
use crate::encoding::from_base64;

/// What a client shows of itself (RFC 6749, section 2.3.1).
#[derive(Default)]
pub struct Shown {
    pub id: Option<String>,
    /// Nil if there is none.
    pub secret: Value,
    pub is_in_header: bool,
}

impl Shown {
    /// Parameters come before the header, if both are there.
    pub fn of(exchange: &Exchange, parameters: &Parameters, header: &str) -> Self {
        let (id, secret) = (parameters.get("client_id"), parameters.get("client_secret"));
        let in_parameters = |secret| {
            let id = id.as_str().filter(|id| !id.is_empty()).map(str::to_owned);
            Self { id, secret, is_in_header: false }
        };
        if id.truth() && secret.truth() {
            return in_parameters(secret.clone());
        }
        match headers::first(&exchange.request.headers, header.as_bytes()) {
            Some(value) => Self::of_header(value).unwrap_or(Self { is_in_header: true, ..Self::default() }),
            None => in_parameters(Value::Nil),
        }
    }

    fn of_header(value: &[u8]) -> Option<Self> {
        let value = str::from_utf8(value).ok()?;
        let at = value.find("asic").filter(|at| value[..*at].ends_with(['B', 'b']))?;
        let plain = from_base64(value[at + "asic".len()..].trim_start())?;
        let (id, secret) = match plain.iter().position(|byte| *byte == b':') {
            Some(colon) => (&plain[..colon], Value::str(&plain[colon + 1..])),
            None => (plain.as_slice(), Value::Nil),
        };
        let id = String::from_utf8(id.to_vec()).ok().filter(|id| !id.is_empty());
        Some(Self { id, secret, is_in_header: true })
    }

    pub fn has_secret(&self) -> bool {
        match &self.secret {
            Value::Nil => false,
            Value::Str(secret) => !secret.trim_ascii().is_empty(),
            _ => true,
        }
    }
}

pub fn is_public(client: &Credential) -> bool {
    field(client, "client_type") == Some("public")
}

/// `None` for a client that named no place.
pub fn redirect_uris(client: &Credential) -> Option<Vec<&str>> {
    let uris = client.fields.get("redirect_uris")?.as_array()?;
    Some(uris.iter().filter_map(|uri| uri.as_str()).collect())
}

/// The place that is asked for, or the client's first; `None` if it is not one of the client's.
pub fn redirect_uri<'c>(uris: &[&'c str], parameters: &Parameters) -> Option<&'c str> {
    match parameters.get("redirect_uri") {
        asked if asked.truth() => uris.iter().find(|uri| asked.as_str() == Some(**uri)).copied(),
        _ => uris.first().copied(),
    }
}

/// Compares in constant time.
pub fn is_secret_of(client: &Credential, shown: &Value) -> bool {
    let (Some(shown), Some(kept)) = (shown.as_bytes(), field(client, "client_secret")) else { return false };
    let is_hashed = client.fields.get("hash_secret").is_some_and(|it| it == true);
    match kept.strip_prefix("$pbkdf2-").filter(|_| is_hashed) {
        Some(hash) => is_hash_of(hash, shown).unwrap_or_default(),
        None => shown.ct_eq(kept.as_bytes()).into(),
    }
}

/// `sha512$i=10000,l=32$SALT$HASH`: PBKDF2 (RFC 8018, section 5.2) in the PHC string format. `None` for any other text.
fn is_hash_of(text: &str, secret: &[u8]) -> Option<bool> {
    let [digest, numbers, salt, hash] = text.split('$').collect::<Vec<_>>().try_into().ok()?;
    let algorithm = match digest {
        "sha1" => PBKDF2_HMAC_SHA1,
        "sha256" => PBKDF2_HMAC_SHA256,
        "sha384" => PBKDF2_HMAC_SHA384,
        "sha512" => PBKDF2_HMAC_SHA512,
        _ => return None,
    };
    let rounds = numbers.split(',').find_map(|number| number.trim().strip_prefix("i="))?;
    let rounds: NonZeroU32 = rounds.parse().ok()?;
    let hash = from_base64(hash).filter(|hash| !hash.is_empty())?;
    Some(pbkdf2::verify(algorithm, rounds, &from_base64(salt)?, secret, &hash).is_ok())
}

fn field<'c>(client: &'c Credential, name: &str) -> Option<&'c str> {
    client.fields.get(name)?.as_str()
}
