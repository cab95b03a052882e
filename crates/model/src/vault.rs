//! Secrets by reference, `{vault://<vault>/<resource>[/<key>][?<options>][#<version>]}`: in configuration, in
//! properties, and for plugins.
//!
//! The only kind of vault is `env`: the resource, in upper case with `_` for `-`, is an environment variable. With a
//! key the variable holds a JSON object, and its member is the secret.

use std::collections::HashMap;

use serde_json::Value;
use thiserror::Error;

use crate::Entities;

/// Why a reference has no value.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum VaultError {
    #[error("not of the form {{vault://<vault>/<name>[/<key>]}}")]
    Malformed,
    #[error("no vault named '{0}', give 'env' or the prefix of a vault")]
    NoVault(String),
    #[error("environment variable {0} is not set")]
    NotSet(String),
    #[error("environment variable {0} does not hold a JSON object")]
    NotAnObject(String),
    #[error("environment variable {variable} has no member '{key}' that is a string")]
    NoMember { variable: String, key: String },
}

/// Whether `text` is written as a reference. It may still be malformed.
pub fn is_reference(text: &str) -> bool {
    inner(text).is_some()
}

/// Whether there is a reference in a value, at any depth.
pub fn holds_reference(value: &Value) -> bool {
    match value {
        Value::String(text) => is_reference(text),
        Value::Array(items) => items.iter().any(holds_reference),
        Value::Object(members) => members.values().any(holds_reference),
        _ => false,
    }
}

/// The parts of a reference, as the reference implementation takes a URL apart: escapes are undone, empty segments
/// count for nothing, and so do a user and a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    pub vault: String,
    /// All segments of the path but the last one, if there are several.
    pub resource: String,
    pub key: Option<String>,
    /// Behind `?`, as written.
    pub options: Option<String>,
    pub version: Option<i64>,
}

impl Reference {
    pub fn parse(text: &str) -> Result<Self, VaultError> {
        let rest = inner(text).ok_or(VaultError::Malformed)?;
        let (rest, version) = split_optional(rest, '#');
        let version = version.map(str::parse).transpose().map_err(|_| VaultError::Malformed)?;
        let (rest, options) = split_optional(rest, '?');
        let (authority, path) = rest.split_once('/').ok_or(VaultError::Malformed)?;
        let host = authority.split_once('@').map_or(authority, |(_user, host)| host);
        let vault = host.split_once(':').map_or(host, |(vault, _port)| vault);
        let mut segments: Vec<String> =
            path.split('/').filter(|segment| !segment.is_empty()).map(unescape).collect();
        let key = if segments.len() > 1 { segments.pop() } else { None };
        let resource = segments.join("/");
        if vault.is_empty() || resource.is_empty() {
            return Err(VaultError::Malformed);
        }
        Ok(Self { vault: vault.to_owned(), resource, key, options: options.map(str::to_owned), version })
    }

    fn option(&self, name: &str) -> Option<String> {
        let named = |option: &str| option.strip_prefix(name)?.strip_prefix('=').map(unescape);
        self.options.as_deref()?.split('&').find_map(named)
    }
}

/// The vaults that references can name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vaults {
    /// Name of each vault to what it puts before the names of variables.
    prefixes: HashMap<String, String>,
}

impl Vaults {
    /// The vault that is always there, `env`, with the prefix of its variables.
    pub fn env(prefix: &str) -> Self {
        Self { prefixes: HashMap::from([("env".to_owned(), prefix.to_owned())]) }
    }

    /// With the vaults of a configuration, under their own prefixes.
    pub fn with(mut self, entities: &Entities) -> Self {
        self.prefixes.extend(entities.vaults.values().map(|vault| {
            let prefix = vault.config.get("prefix").and_then(Value::as_str).unwrap_or_default();
            (vault.prefix.clone(), prefix.to_owned())
        }));
        self
    }

    /// The secret that `reference` stands for; `variable` looks a name up in the environment. The reference's own
    /// `prefix` counts more than its vault's.
    pub fn secret(
        &self,
        reference: &str,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<String, VaultError> {
        let reference = Reference::parse(reference)?;
        let Some(prefix) = self.prefixes.get(&reference.vault) else {
            return Err(VaultError::NoVault(reference.vault));
        };
        let prefix = reference.option("prefix").unwrap_or_else(|| prefix.clone());
        let name = format!("{prefix}{}", reference.resource).to_ascii_uppercase().replace('-', "_");
        let value = variable(&name).ok_or_else(|| VaultError::NotSet(name.clone()))?;
        match reference.key {
            None => Ok(value),
            Some(key) => member(&value, name, key),
        }
    }
}

fn inner(text: &str) -> Option<&str> {
    text.strip_prefix("{vault://")?.strip_suffix('}')
}

fn split_optional(text: &str, separator: char) -> (&str, Option<&str>) {
    text.split_once(separator).map_or((text, None), |(text, rest)| (text, Some(rest)))
}

/// Undoes percent-encoding; what is no valid sequence stays.
fn unescape(text: &str) -> String {
    let mut pieces = text.as_bytes().split(|&byte| byte == b'%');
    let mut plain = pieces.next().unwrap_or_default().to_vec();
    for piece in pieces {
        let digit = |at: usize| piece.get(at).and_then(|&digit| (digit as char).to_digit(16));
        match (digit(0), digit(1)) {
            (Some(high), Some(low)) => {
                plain.push((high * 16 + low) as u8);
                plain.extend_from_slice(&piece[2..]);
            }
            _ => {
                plain.push(b'%');
                plain.extend_from_slice(piece);
            }
        }
    }
    String::from_utf8_lossy(&plain).into_owned()
}

fn member(json: &str, variable: String, key: String) -> Result<String, VaultError> {
    let Ok(Value::Object(mut members)) = serde_json::from_str(json) else {
        return Err(VaultError::NotAnObject(variable));
    };
    match members.remove(&key) {
        Some(Value::String(text)) => Ok(text),
        _ => Err(VaultError::NoMember { variable, key }),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::Vault;

    #[test]
    fn references_are_recognised() {
        for (text, expected) in [
            ("{vault://env/a}", true),
            ("{vault://}", true),
            ("vault://env/a", false),
            ("{vault://env/a} ", false),
        ] {
            assert_eq!(is_reference(text), expected, "of {text}");
            assert_eq!(holds_reference(&json!({"a": [1, {"b": text}]})), expected, "of {text}");
        }
    }

    #[test]
    fn references_are_taken_apart() {
        let malformed = "not of the form {vault://<vault>/<name>[/<key>]}";
        for (text, expected) in [
            ("{vault://env/x}", Ok(("env", "x", None, None, None))),
            ("{vault://env/x/y}", Ok(("env", "x", Some("y"), None, None))),
            ("{vault://env/x/y/z}", Ok(("env", "x/y", Some("z"), None, None))),
            ("{vault://env//x}", Ok(("env", "x", None, None, None))),
            ("{vault://env/x/}", Ok(("env", "x", None, None, None))),
            ("{vault://user:pw@env:80/x}", Ok(("env", "x", None, None, None))),
            ("{vault://env/x%20y/%zz%2}", Ok(("env", "x y", Some("%zz%2"), None, None))),
            ("{vault://env/x?a=b&c#2}", Ok(("env", "x", None, Some("a=b&c"), Some(2)))),
            ("{vault://env/x#0}", Ok(("env", "x", None, None, Some(0)))),
            ("{vault://env/x#new}", Err(malformed)),
            ("{vault://env}", Err(malformed)),
            ("{vault://env/}", Err(malformed)),
            ("{vault:///x}", Err(malformed)),
            ("x", Err(malformed)),
        ] {
            let expected = expected
                .map(|(vault, resource, key, options, version)| Reference {
                    vault: vault.into(),
                    resource: resource.into(),
                    key: key.map(str::to_owned),
                    options: options.map(str::to_owned),
                    version,
                })
                .map_err(str::to_owned);
            assert_eq!(Reference::parse(text).map_err(|error| error.to_string()), expected, "of {text}");
        }
    }

    #[test]
    fn secrets_come_from_variables() {
        let variable = |name: &str| match name {
            "MY_SECRET" => Some("s1".to_owned()),
            "APP_MY_SECRET" => Some("s2".to_owned()),
            "DB" => Some(r#"{"password":"p","port":5432}"#.to_owned()),
            _ => None,
        };
        let mut entities = Entities::default();
        let vault: Vault = serde_json::from_value(json!({
            "id": "00000000-0000-4000-8000-000000000001", "created_at": 1, "updated_at": 1,
            "prefix": "my-vault", "name": "env", "config": {"prefix": "APP_"},
        }))
        .unwrap();
        entities.vaults.insert(vault.id, Arc::new(vault));
        for (reference, prefix, expected) in [
            ("{vault://env/my-secret}", "", Ok("s1")),
            ("{vault://env/my-secret#2}", "app-", Ok("s2")),
            ("{vault://env/my-secret?ttl=1&prefix=app%5F}", "x", Ok("s2")),
            ("{vault://my-vault/my-secret}", "x", Ok("s2")),
            ("{vault://my-vault/my-secret?prefix=}", "x", Ok("s1")),
            ("{vault://env/db/password}", "", Ok("p")),
            (
                "{vault://env/db/port}",
                "",
                Err("environment variable DB has no member 'port' that is a string"),
            ),
            (
                "{vault://env/my-secret/key}",
                "",
                Err("environment variable MY_SECRET does not hold a JSON object"),
            ),
            ("{vault://env/none}", "", Err("environment variable NONE is not set")),
            ("{vault://ENV/db}", "", Err("no vault named 'ENV', give 'env' or the prefix of a vault")),
        ] {
            let got = Vaults::env(prefix).with(&entities).secret(reference, variable);
            let got = got.map_err(|error| error.to_string());
            assert_eq!(got.as_deref().map_err(String::as_str), expected, "of {reference}");
        }
    }
}
