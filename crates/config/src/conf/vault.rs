//! References to values kept elsewhere: `{vault://env/<name>[/<key>][?prefix=<p>]}`.
//!
//! Only the `env` back end exists. The name is upper-cased with dashes as underscores and looked up
//! in the environment; with a key, the variable holds a JSON object and the key names its member.

use serde_json::Value;
use thiserror::Error;

/// Why a reference has no value.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum VaultError {
    #[error("not of the form {{vault://<vault>/<name>[/<key>]}}")]
    Malformed,
    #[error("no vault named '{0}', only 'env' is available")]
    NoVault(String),
    #[error("environment variable {0} is not set")]
    NotSet(String),
    #[error("environment variable {0} does not hold a JSON object")]
    NotAnObject(String),
    #[error("environment variable {variable} has no member '{key}' that is a string, number or boolean")]
    NoMember { variable: String, key: String },
}

/// Whether `text` is a reference.
pub fn is_reference(text: &str) -> bool {
    text.starts_with("{vault://") && text.ends_with('}')
}

/// The value that `reference` stands for. `prefix` is put before every name unless the reference
/// brings its own; `variable` looks a name up in the environment.
pub fn dereference(
    reference: &str,
    prefix: &str,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<String, VaultError> {
    let inner = reference
        .strip_prefix("{vault://")
        .and_then(|rest| rest.strip_suffix('}'))
        .ok_or(VaultError::Malformed)?;
    let (path, query) = inner.split_once('?').unwrap_or((inner, ""));
    let (vault, path) = path.split_once('/').ok_or(VaultError::Malformed)?;
    if vault != "env" {
        return Err(VaultError::NoVault(vault.to_owned()));
    }
    let (name, key) = path.split_once('/').map_or((path, None), |(name, key)| (name, Some(key)));
    if name.is_empty() || key == Some("") {
        return Err(VaultError::Malformed);
    }
    let prefix = query.split('&').find_map(|part| part.strip_prefix("prefix=")).unwrap_or(prefix);
    let name = format!("{prefix}{name}").to_ascii_uppercase().replace('-', "_");
    let value = variable(&name).ok_or_else(|| VaultError::NotSet(name.clone()))?;
    match key {
        None => Ok(value),
        Some(key) => member(&value, name, key),
    }
}

fn member(json: &str, variable: String, key: &str) -> Result<String, VaultError> {
    let Ok(Value::Object(members)) = serde_json::from_str(json) else {
        return Err(VaultError::NotAnObject(variable));
    };
    match members.get(key) {
        Some(Value::String(text)) => Ok(text.clone()),
        Some(scalar @ (Value::Number(_) | Value::Bool(_))) => Ok(scalar.to_string()),
        _ => Err(VaultError::NoMember { variable, key: key.to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(name: &str) -> Option<String> {
        match name {
            "MY_SECRET" => Some("s3".to_owned()),
            "APP_MY_SECRET" => Some("s4".to_owned()),
            "DB" => Some(r#"{"password":"p","port":5432,"list":[]}"#.to_owned()),
            _ => None,
        }
    }

    #[track_caller]
    fn check(reference: &str, prefix: &str, expected: Result<&str, &str>) {
        let got = dereference(reference, prefix, environment).map_err(|error| error.to_string());
        assert_eq!(got.as_deref().map_err(String::as_str), expected, "of {reference}");
    }

    #[test]
    fn finds_variables_and_members() {
        check("{vault://env/my-secret}", "", Ok("s3"));
        check("{vault://env/my-secret}", "app-", Ok("s4"));
        check("{vault://env/my-secret?prefix=app_}", "x_", Ok("s4"));
        check("{vault://env/db/password}", "", Ok("p"));
        check("{vault://env/db/port}", "", Ok("5432"));
    }

    #[test]
    fn says_what_is_missing() {
        check("{vault://env/none}", "", Err("environment variable NONE is not set"));
        check(
            "{vault://env/my-secret/key}",
            "",
            Err("environment variable MY_SECRET does not hold a JSON object"),
        );
        check(
            "{vault://env/db/list}",
            "",
            Err("environment variable DB has no member 'list' that is a string, number or boolean"),
        );
        check("{vault://hcv/x}", "", Err("no vault named 'hcv', only 'env' is available"));
        for malformed in ["{vault://env}", "{vault://env/}", "{vault://env/db/}"] {
            check(malformed, "", Err("not of the form {vault://<vault>/<name>[/<key>]}"));
        }
    }

    #[test]
    fn recognises_references() {
        assert!(is_reference("{vault://env/a}"));
        assert!(!is_reference("vault://env/a"));
        assert!(!is_reference("{vault://env/a} "));
    }
}
