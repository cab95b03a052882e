//! Values that are not stored as they are given: hashed passwords, the port of a target, digests.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use polygate_model::schema::{Address, EntitySchema};
use polygate_model::vault::is_reference;
use serde_json::{Number, Value};
use sha1::{Digest, Sha1};
use sha2::Sha256;

use super::collect::Entry;

/// The port of a target that gives none.
const TARGET_PORT: u16 = 8000;

/// Seconds, whole unless the collection keeps fractions.
pub(super) fn timestamp(schema: &EntitySchema, now: f64) -> Value {
    if schema.name == "targets" {
        return Number::from_f64(now).map_or(Value::Null, Value::Number);
    }
    Value::from(now as i64)
}

/// Changes a checked entry into what is kept. `secrets` says whether passwords are given in clear.
pub(super) fn apply(entry: &mut Entry, secrets: bool) {
    if !entry.errors.is_empty() {
        return;
    }
    match entry.schema.name.as_str() {
        "targets" => target(entry),
        "ca_certificates" => digest(entry),
        "basicauth_credentials" if secrets => password(entry),
        "oauth2_credentials" if secrets && entry.body.get("hash_secret") == Some(&Value::Bool(true)) => {
            entry.errors.set("hash_secret", "hashed secrets are not supported by polygate; set it to false");
        }
        _ => {}
    }
}

fn target(entry: &mut Entry) {
    let text = entry.body.get("target").and_then(Value::as_str).unwrap_or_default();
    if let Ok(address) = Address::parse(text) {
        entry.body.insert("target".to_owned(), address.with_port(TARGET_PORT).into());
    }
}

/// Salted with the consumer, as the stored form has always been.
fn password(entry: &mut Entry) {
    let consumer = entry.body["consumer"]["id"].as_str().unwrap_or_default();
    let password = entry.body["password"].as_str().unwrap_or_default();
    let hash = hex(&Sha1::digest(format!("{password}{consumer}")));
    entry.body.insert("password".to_owned(), hash.into());
}

fn digest(entry: &mut Entry) {
    let text = entry.body["cert"].as_str().unwrap_or_default();
    if is_reference(text) {
        return;
    }
    let lines = text.lines().map(str::trim);
    let block = lines.skip_while(|line| !line.starts_with("-----BEGIN")).skip(1);
    let encoded: String = block.take_while(|line| !line.starts_with("-----END")).collect();
    if let Ok(der) = BASE64_STANDARD.decode(encoded) {
        entry.body.insert("cert_digest".to_owned(), hex(&Sha256::digest(der)).into());
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
