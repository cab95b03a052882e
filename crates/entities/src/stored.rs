//! Values that are not stored as they are given: hashed passwords, the port of a target, digests.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use polygate_model::schema::{Address, EntitySchema};
use polygate_model::vault::is_reference;
use serde_json::{Number, Value};
use sha1::{Digest, Sha1};
use sha2::Sha256;

use crate::row::{Row, foreign_key};

/// The port of a target that gives none.
const TARGET_PORT: u16 = 8000;

/// Seconds, whole unless the collection keeps fractions.
pub(crate) fn timestamp(schema: &EntitySchema, now: f64) -> Value {
    if schema.name == "targets" {
        return Number::from_f64(now).map_or(Value::Null, Value::Number);
    }
    Value::from(now as i64)
}

/// Changes a checked row into what is kept. `secrets_are_clear` says whether passwords are still to be hashed.
pub(crate) fn apply(schema: &EntitySchema, row: &mut Row, secrets_are_clear: bool) {
    let change = match schema.name.as_str() {
        "targets" => target(row),
        "ca_certificates" => digest(row),
        "basicauth_credentials" if secrets_are_clear => Some(password(row)),
        _ => None,
    };
    if let Some((name, value)) = change {
        row.insert(name.to_owned(), value.into());
    }
}

fn target(row: &Row) -> Option<(&'static str, String)> {
    let address = Address::parse(text(row, "target")).ok()?;
    Some(("target", address.with_port(TARGET_PORT)))
}

/// Salted with the consumer, as the stored form has always been.
fn password(row: &Row) -> (&'static str, String) {
    let consumer = foreign_key(row, "consumer").unwrap_or_default();
    ("password", hex(&Sha1::digest(format!("{}{consumer}", text(row, "password")))))
}

fn digest(row: &Row) -> Option<(&'static str, String)> {
    let certificate = text(row, "cert");
    if is_reference(certificate) {
        return None;
    }
    let lines = certificate.lines().map(str::trim);
    let block = lines.skip_while(|line| !line.starts_with("-----BEGIN")).skip(1);
    let encoded: String = block.take_while(|line| !line.starts_with("-----END")).collect();
    Some(("cert_digest", hex(&Sha256::digest(BASE64_STANDARD.decode(encoded).ok()?))))
}

fn text<'a>(row: &'a Row, name: &str) -> &'a str {
    row.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
