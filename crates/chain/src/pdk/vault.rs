//! `kong.vault`: secrets by reference, see [`polygate_model::vault`].

use polygate_model::vault::{self, Reference};

use crate::pdk::{PdkError, query};
use crate::{Key, Session, Value};

/// The member of a table that says which of its others are secrets.
const REFERENCES: &str = "$refs";

pub fn get(session: &Session, reference: &str) -> Result<String, PdkError> {
    secret(session, reference).map_err(|error| PdkError::returned(format!("{error}: {reference}")))
}

pub fn is_reference(_session: &Session, text: Option<&str>) -> bool {
    text.is_some_and(vault::is_reference)
}

/// `{name, resource, key?, config?, version?}`.
pub fn parse_reference(_session: &Session, text: &str) -> Result<Value, PdkError> {
    let reference = Reference::parse(text).map_err(|error| PdkError::returned(format!("{error}: {text}")))?;
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

/// The table it was given, with fresh secrets in the members that the `$refs` of it and of the tables in it name; the
/// empty text where there is no secret.
pub fn update(session: &Session, options: &Value) -> Value {
    let mut options = options.clone();
    let fresh = |reference: &Value| {
        reference.as_str().and_then(|text| secret(session, text).ok()).unwrap_or_default().into()
    };
    refresh(&mut options, &fresh);
    options
}

fn secret(session: &Session, reference: &str) -> Result<String, vault::VaultError> {
    session.environment.vaults.secret(reference, |name| std::env::var(name).ok())
}

fn refresh(table: &mut Value, fresh: &impl Fn(&Value) -> Value) {
    match table {
        Value::List(items) => items.iter_mut().for_each(|item| refresh(item, fresh)),
        Value::Map(members) => {
            let is_own = |name: &Key| matches!(name, Key::Str(name) if name == REFERENCES);
            let others = members.iter_mut().filter(|(name, _)| !is_own(name));
            others.for_each(|(_, member)| refresh(member, fresh));
        }
        _ => return,
    }
    let references = table.get(REFERENCES).clone();
    for (name, reference) in references.members() {
        let Some(member) = member(table, name) else { continue };
        match reference {
            Value::Str(_) => *member = fresh(reference),
            _ => reference.members().into_iter().for_each(|(key, reference)| {
                if let Some(value) = self::member(member, key) {
                    *value = fresh(reference);
                }
            }),
        }
    }
}

/// The member of a table: of a list one that is there, of a map also a new one.
fn member(table: &mut Value, key: Key) -> Option<&mut Value> {
    match (table, key) {
        (Value::List(items), Key::Int(number)) => items.get_mut(usize::try_from(number - 1).ok()?),
        (Value::Map(members), key) => {
            let at = members.iter().position(|(name, _)| *name == key).unwrap_or_else(|| {
                members.push((key, Value::Nil));
                members.len() - 1
            });
            Some(&mut members[at].1)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pdk::fixture::{self, call};
    use serde_json::json;

    #[test]
    fn references_are_taken_apart() {
        let exchange = &mut fixture::exchange("GET", "/", &[]);
        for (reference, expected) in [
            ("{vault://env/x}", json!({"name": "env", "resource": "x"})),
            (
                "{vault://hcv/db/user?ttl=5&a#3}",
                json!({"name": "hcv", "resource": "db", "key": "user", "config": {"ttl": "5", "a": true}, "version": 3}),
            ),
        ] {
            let parsed = call(exchange, "kong.vault.parse_reference", &[reference.into()]).unwrap();
            assert_eq!(parsed.to_json(), expected);
        }
        assert_eq!(call(exchange, "kong.vault.is_reference", &["{vault://env/a}".into()]), Ok(true.into()));
        assert_eq!(call(exchange, "kong.vault.is_reference", &[Value::Int(1)]), Ok(false.into()));
    }

    #[test]
    fn update_puts_fresh_secrets_in() {
        let exchange = &mut fixture::exchange("GET", "/", &[]);
        let path = std::env::var("PATH").unwrap();
        let (known, unknown) = ("{vault://env/path}", "{vault://hcv/x}");
        for (mut options, references, expected) in [
            (json!({"a": "old"}), json!({"a": known}), json!({"a": path})),
            (json!({"a": "old"}), json!({"a": unknown}), json!({"a": ""})),
            (json!({}), json!({"a": known}), json!({"a": path})),
            (json!({"l": ["old", "kept"]}), json!({"l": [known]}), json!({"l": [path, "kept"]})),
            (json!({"l": ["old"]}), json!({"l": [known, known]}), json!({"l": [path]})),
            (
                json!({"m": {"a": "old", "b": 1}}),
                json!({"m": {"a": known}}),
                json!({"m": {"a": path, "b": 1}}),
            ),
            (json!({"a": 1}), json!({"a": 5}), json!({"a": 1})),
            (
                json!({"in": [{"a": "old", "$refs": {"a": known}}]}),
                json!({}),
                json!({"in": [{"a": path, "$refs": {"a": known}}]}),
            ),
        ] {
            options["$refs"] = references.clone();
            let updated = call(exchange, "kong.vault.update", &[Value::from(&options)]).unwrap();
            let mut expected = expected;
            expected["$refs"] = references;
            assert_eq!(updated.to_json(), expected, "of {options}");
        }
        let mut by_number = Value::from(&json!({"l": ["old"], "$refs": {}}));
        let numbered = Value::Map(vec![(Key::Int(1), known.into()), (Key::Int(0), known.into())]);
        let Value::Map(members) = &mut by_number else { unreachable!() };
        members[1].1 = Value::Map(vec![("l".into(), numbered)]);
        let updated = call(exchange, "kong.vault.update", &[by_number]).unwrap();
        assert_eq!(updated.get("l"), &Value::from(&json!([path])));
    }

    #[test]
    fn what_is_no_reference_is_told() {
        let exchange = &mut fixture::exchange("GET", "/", &[]);
        let error = Err(PdkError::returned("not a reference, given nil"));
        assert_eq!(call(exchange, "kong.vault.get", &[]), error);
        assert_eq!(call(exchange, "kong.vault.parse_reference", &[]), error);
        assert_eq!(call(exchange, "kong.vault.update", &[Value::Int(5)]), Ok(Value::Int(5)));
        let error = "environment variable POLYGATE_NONE is not set: {vault://env/polygate-none}";
        assert_eq!(
            call(exchange, "kong.vault.get", &["{vault://env/polygate-none}".into()]),
            Err(PdkError::returned(error))
        );
    }
}
