//! Secrets in the place of the references to them, in entities that are about to be served. Whoever shows entities has
//! them from their [`EntitySet`](polygate_entities::EntitySet), which keeps the references.

use std::collections::HashMap;
use std::fmt::Display;
use std::sync::Arc;

use polygate_config::Settings;
use polygate_model::schema::Schema;
use polygate_model::vault::{VaultError, holds_reference, is_reference};
use polygate_model::{Certificate, Entities, Vaults};

/// [`resolve`] with the secrets of the environment, which is what it was when the process began. Also answers the vaults.
pub fn from_environment(
    entities: &mut Entities,
    settings: &Settings,
    schemas: &HashMap<String, Schema>,
) -> (Vaults, Vec<String>) {
    let vaults = Vaults::env(&settings.vault_env_prefix).with(entities);
    let secret = |reference: &str| vaults.secret(reference, |name| std::env::var(name).ok());
    let problems = resolve(entities, schemas, secret);
    (vaults, problems)
}

/// Resolves the references of certificates, and of configurations of plugins that have a schema. As in the reference, one
/// that stands for nothing becomes an empty text; answers a line for each.
fn resolve(
    entities: &mut Entities,
    schemas: &HashMap<String, Schema>,
    secret: impl Fn(&str) -> Result<String, VaultError>,
) -> Vec<String> {
    let mut problems = Vec::new();
    let mut secret = |reference: &str, of: &dyn Display| {
        secret(reference).unwrap_or_else(|why| {
            problems.push(format!("{of} gets an empty text for {reference}: {why}"));
            String::new()
        })
    };
    for plugin in entities.plugins.values_mut() {
        // Most have none, and are not copied.
        let has_references = plugin.config.values().any(holds_reference);
        if let Some(schema) = schemas.get(&plugin.name).filter(|_| has_references) {
            let of = format!("the plugin {} ({})", plugin.name, plugin.id);
            let config = &mut Arc::make_mut(plugin).config;
            schema.resolve(config, &mut |reference| secret(reference, &of));
        }
    }
    for certificate in entities.certificates.values_mut().filter(|it| has_references(it)) {
        let of = format!("the certificate {}", certificate.id);
        let Certificate { cert, key, cert_alt, key_alt, .. } = Arc::make_mut(certificate);
        let alternative = [cert_alt, key_alt].into_iter().flatten();
        for text in [cert, key].into_iter().chain(alternative).filter(|text| is_reference(text)) {
            *text = secret(text, &of);
        }
    }
    problems
}

fn has_references(certificate: &Certificate) -> bool {
    let alternative = [&certificate.cert_alt, &certificate.key_alt].into_iter().flatten();
    [&certificate.cert, &certificate.key].into_iter().chain(alternative).any(|text| is_reference(text))
}

#[cfg(test)]
mod tests {
    use polygate_entities::EntitySet;
    use serde_json::{Map, Value, json};

    use super::*;
    use crate::plugins::Enabled;

    const CONFIGURATION: &str = "
        _format_version: '3.0'
        vaults:
        - {name: env, prefix: mine, config: {prefix: APP_}}
        plugins:
        - name: asks
          config: {secret: '{vault://mine/token}', plain: '{vault://mine/token}', list: ['{vault://env/db/user}']}
        certificates:
        - {cert: '{vault://env/gone}', key: '{vault://env/db/key}', snis: [{name: a.test}]}
    ";

    fn schemas() -> HashMap<String, Schema> {
        let text = json!({"type": "string", "referenceable": true});
        let document = json!({"name": "asks", "fields": [{"config": {"type": "record", "fields": [
            {"secret": text}, {"plain": {"type": "string"}}, {"list": {"type": "array", "elements": text}},
        ]}}]});
        HashMap::from([("asks".to_owned(), Schema::parse(&document).unwrap())])
    }

    fn variable(name: &str) -> Option<String> {
        match name {
            "APP_TOKEN" => Some("t0ken".to_owned()),
            "DB" => Some(json!({"user": "joe", "key": "pem"}).to_string()),
            _ => None,
        }
    }

    fn config(entities: &Entities) -> &Map<String, Value> {
        &entities.plugins.values().next().unwrap().config
    }

    #[test]
    fn secrets_take_the_place_of_references_in_what_is_served() {
        let enabled = Enabled { schemas: schemas(), ..Enabled::default() };
        let set: EntitySet = crate::declarative::from_text(CONFIGURATION, &enabled).unwrap();
        let mut entities = set.entities().clone();
        let vaults = Vaults::env("").with(&entities);
        let problems = resolve(&mut entities, &enabled.schemas, |it| vaults.secret(it, variable));
        assert_eq!(
            Value::Object(config(&entities).clone()),
            json!({
                "secret": "t0ken", "plain": "{vault://mine/token}", "list": ["joe"],
                "$refs": {"secret": "{vault://mine/token}", "list": ["{vault://env/db/user}"]},
            })
        );
        assert_eq!(config(set.entities())["secret"], "{vault://mine/token}", "who shows entities has this");
        let certificate = entities.certificates.values().next().unwrap();
        assert_eq!((certificate.cert.as_str(), certificate.key.as_str()), ("", "pem"));
        let id = certificate.id;
        assert_eq!(
            problems,
            [format!(
                "the certificate {id} gets an empty text for {{vault://env/gone}}: environment variable GONE is not set"
            )]
        );
    }
}
