//! `kong.vault`: secrets by reference, `{vault://env/<name>[/<key>][?prefix=<p>][#<version>]}`.
//!
//! Only the `env` vault exists: the name, in upper case with `_` for `-`, is an environment variable.
//! With a key the variable holds a JSON object, and its member is the secret.

use serde_json::Value as Json;

use crate::pdk::{PdkError, query};
use crate::{Key, Session, Value};

pub fn get(session: &Session, reference: &str) -> Result<String, PdkError> {
    let prefix = &session.environment.vault_env_prefix;
    secret(reference, prefix, |name| std::env::var(name).ok()).map_err(PdkError::Returned)
}

pub fn is_reference(_session: &Session, text: Option<&str>) -> bool {
    text.is_some_and(|text| inner(text).is_some())
}

/// `{name, resource, key?, config?, version?}`.
pub fn parse_reference(_session: &Session, text: &str) -> Result<Value, PdkError> {
    let reference = Reference::parse(text).map_err(PdkError::Returned)?;
    let mut members =
        vec![(Key::from("name"), reference.vault.into()), (Key::from("resource"), reference.resource.into())];
    if let Some(key) = reference.key {
        members.push((Key::from("key"), key.into()));
    }
    if let Some(options) = reference.options {
        members.push((Key::from("config"), query::to_table(options.as_bytes(), usize::MAX)));
    }
    if let Some(version) = reference.version {
        members.push((Key::from("version"), version.into()));
    }
    Ok(Value::Map(members))
}

/// The table it was given, with fresh secrets in the members that `$refs` names.
pub fn update(session: &Session, options: &Value) -> Value {
    let Value::Map(mut members) = options.clone() else { return options.clone() };
    let prefix = &session.environment.vault_env_prefix;
    let fresh = |reference: &Value| {
        let text = reference.as_str()?;
        secret(text, prefix, |name| std::env::var(name).ok()).ok().map(Value::from)
    };
    for (name, references) in options.get("$refs").members() {
        let Some((_, value)) = members.iter_mut().find(|(key, _)| *key == name) else { continue };
        match (value, references) {
            (Value::List(items), Value::List(references)) => {
                for (item, reference) in items.iter_mut().zip(references) {
                    if let Some(secret) = fresh(reference) {
                        *item = secret;
                    }
                }
            }
            (value, reference) => {
                if let Some(secret) = fresh(reference) {
                    *value = secret;
                }
            }
        }
    }
    Value::Map(members)
}

struct Reference<'a> {
    vault: &'a str,
    resource: &'a str,
    key: Option<&'a str>,
    options: Option<&'a str>,
    version: Option<i64>,
}

impl<'a> Reference<'a> {
    fn parse(text: &'a str) -> Result<Self, String> {
        let malformed = || format!("not of the form {{vault://<vault>/<name>[/<key>]}}: {text}");
        let rest = inner(text).ok_or_else(malformed)?;
        let (rest, version) = match rest.split_once('#') {
            Some((rest, version)) => (rest, Some(version.parse().map_err(|_| malformed())?)),
            None => (rest, None),
        };
        let (path, options) = split_optional(rest, '?');
        let (vault, path) = path.split_once('/').ok_or_else(malformed)?;
        let (resource, key) = split_optional(path, '/');
        if vault.is_empty() || resource.is_empty() || key == Some("") {
            return Err(malformed());
        }
        Ok(Self { vault, resource, key, options, version })
    }
}

fn inner(text: &str) -> Option<&str> {
    text.strip_prefix("{vault://")?.strip_suffix('}')
}

fn split_optional(text: &str, separator: char) -> (&str, Option<&str>) {
    text.split_once(separator).map_or((text, None), |(text, rest)| (text, Some(rest)))
}

fn secret(
    reference: &str,
    prefix: &str,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<String, String> {
    let Reference { vault, resource, key, options, .. } = Reference::parse(reference)?;
    if vault != "env" {
        return Err(format!("no vault named '{vault}', only 'env' is available: {reference}"));
    }
    let options = options.unwrap_or_default();
    let prefix = options.split('&').find_map(|option| option.strip_prefix("prefix=")).unwrap_or(prefix);
    let name = format!("{prefix}{resource}").to_ascii_uppercase().replace('-', "_");
    let value = variable(&name).ok_or_else(|| format!("environment variable {name} is not set"))?;
    let Some(key) = key else { return Ok(value) };
    match serde_json::from_str::<Json>(&value).ok().as_ref().and_then(|json| json.get(key)) {
        Some(Json::String(text)) => Ok(text.clone()),
        Some(scalar @ (Json::Number(_) | Json::Bool(_))) => Ok(scalar.to_string()),
        _ => Err(format!("environment variable {name} holds no JSON object with a scalar member '{key}'")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pdk::fixture::{self, call};
    use serde_json::json;

    #[test]
    fn secrets_come_from_variables() {
        let variable = |name: &str| match name {
            "MY_SECRET" => Some("s1".to_owned()),
            "APP_MY_SECRET" => Some("s2".to_owned()),
            "DB" => Some(r#"{"password":"p","port":5432,"list":[]}"#.to_owned()),
            _ => None,
        };
        for (reference, prefix, expected) in [
            ("{vault://env/my-secret}", "", Ok("s1")),
            ("{vault://env/my-secret#2}", "app-", Ok("s2")),
            ("{vault://env/my-secret?ttl=1&prefix=app_}", "x", Ok("s2")),
            ("{vault://env/db/port}", "", Ok("5432")),
            ("{vault://env/none}", "", Err("environment variable NONE is not set")),
            (
                "{vault://env/db/list}",
                "",
                Err("environment variable DB holds no JSON object with a scalar member 'list'"),
            ),
            ("{vault://aws/x}", "", Err("no vault named 'aws', only 'env' is available: {vault://aws/x}")),
            ("{vault://env}", "", Err("not of the form {vault://<vault>/<name>[/<key>]}: {vault://env}")),
        ] {
            let got = secret(reference, prefix, variable);
            assert_eq!(got.as_deref().map_err(String::as_str), expected, "of {reference}");
        }
    }

    #[test]
    fn references_are_taken_apart() {
        let exchange = &mut fixture::exchange("GET", "/", &[]);
        let parsed =
            call(exchange, "kong.vault.parse_reference", &["{vault://hcv/db/user?ttl=5#3}".into()]).unwrap();
        let expected =
            json!({"name": "hcv", "resource": "db", "key": "user", "config": {"ttl": "5"}, "version": 3});
        assert_eq!(parsed.to_json(), expected);
        assert_eq!(call(exchange, "kong.vault.is_reference", &["{vault://env/a}".into()]), Ok(true.into()));
        assert_eq!(call(exchange, "kong.vault.is_reference", &[Value::Int(1)]), Ok(false.into()));
    }

    #[test]
    fn update_keeps_what_it_cannot_find() {
        let exchange = &mut fixture::exchange("GET", "/", &[]);
        let path = std::env::var("PATH").unwrap();
        let options = json!({
            "a": "old", "b": "kept", "c": ["old"],
            "$refs": {"a": "{vault://env/path}", "b": "{vault://hcv/x}", "c": ["{vault://env/path}"]},
        });
        let updated = call(exchange, "kong.vault.update", &[Value::from(&options)]).unwrap().to_json();
        assert_eq!((&updated["a"], &updated["b"]), (&json!(path), &json!("kept")));
        assert_eq!(updated["c"], json!([path]));
    }

    #[test]
    fn what_is_no_reference_is_told() {
        let exchange = &mut crate::pdk::fixture::exchange("GET", "/", &[]);
        let error = Err(PdkError::returned("not a reference, given nil"));
        assert_eq!(call(exchange, "kong.vault.get", &[]), error);
        assert_eq!(call(exchange, "kong.vault.parse_reference", &[]), error);
        assert_eq!(call(exchange, "kong.vault.update", &[Value::Int(5)]), Ok(Value::Int(5)));
    }
}
