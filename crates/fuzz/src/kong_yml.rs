//! The declarative file, as YAML and as JSON.

use std::collections::HashMap;
use std::sync::LazyLock;

use polygate_entities::declarative::{self, DeclarativeError, Syntax};
use polygate_model::Entities;
use polygate_model::schema::Schema;
use serde_json::{Value, json};

/// When entries without a time of their own were made.
const NOW: f64 = 1_700_000_000.5;

/// One plugin, with a field of each common kind.
static PLUGINS: LazyLock<HashMap<String, Schema>> = LazyLock::new(|| {
    let document = json!({"name": "sample", "fields": [{"config": {"type": "record", "fields": [
        {"message": {"type": "string", "default": "hello", "match": "^%a[%w ]*$"}},
        {"count": {"type": "integer", "required": true, "default": 1, "between": [0, 9]}},
        {"ratio": {"type": "number", "gt": 0}},
        {"on": {"type": "boolean", "default": false}},
        {"words": {"type": "set", "elements": {"type": "string", "one_of": ["a", "b", "c"]}}},
        {"table": {"type": "map", "keys": {"type": "string"}, "values": {"type": "array",
            "elements": {"type": "number"}}}},
        {"secret": {"type": "string", "referenceable": true}},
    ], "entity_checks": [{"at_least_one_of": ["message", "secret"]}]}}]});
    let schema = Schema::parse(&document).expect("a schema of our own");
    HashMap::from([("sample".to_owned(), schema)])
});

/// The text of a file whose name does not tell its syntax.
pub fn kong_yml(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match declarative::load(text, Syntax::Guess, &*PLUGINS, NOW) {
        Ok(set) => {
            references_lead_somewhere(set.entities());
            is_the_same_again(text, set.entities());
        }
        Err(error) => {
            assert!(!error.to_string().is_empty(), "an error says what is wrong");
            assert!(error.fields().as_object().is_some_and(|fields| !fields.is_empty()), "{error}");
        }
    }
    json_says_the_same(text);
}

fn references_lead_somewhere(entities: &Entities) {
    let service = |id| entities.services.contains_key(&id);
    let consumer = |id| entities.consumers.get(id).is_some();
    for route in entities.routes.values() {
        assert!(route.service.is_none_or(|key| service(key.id)), "of {route:?}");
    }
    for plugin in entities.plugins.values() {
        assert!(plugin.service.is_none_or(|key| service(key.id)), "of {plugin:?}");
        assert!(plugin.route.is_none_or(|key| entities.routes.contains_key(&key.id)), "of {plugin:?}");
        assert!(plugin.consumer.is_none_or(|key| consumer(key.id)), "of {plugin:?}");
    }
    for target in entities.targets.values() {
        assert!(entities.upstreams.contains_key(&target.upstream.id), "of {target:?}");
    }
    for credential in entities.credentials.values() {
        assert!(consumer(credential.consumer), "of {credential:?}");
    }
}

/// Every node must give the same ids, but for credentials and the secrets in them.
fn is_the_same_again(text: &str, entities: &Entities) {
    let public = |entities: &Entities| {
        let Entities { services, routes, consumers, plugins, upstreams, targets, .. } = entities;
        let mut consumers: Vec<_> = consumers.values().collect();
        consumers.sort_by_key(|consumer| consumer.id);
        format!("{services:?} {routes:?} {consumers:?} {plugins:?} {upstreams:?} {targets:?}")
    };
    let again = declarative::load(text, Syntax::Guess, &*PLUGINS, NOW).expect("it was read before");
    assert_eq!(public(again.entities()), public(entities));
}

/// A document means the same when it is written as JSON.
fn json_says_the_same(text: &str) {
    let Ok(document) = declarative::parse(text, Syntax::Yaml) else { return };
    let json = Value::Object(document.clone()).to_string();
    let again = declarative::parse(&json, Syntax::Json);
    let is_deep =
        matches!(&again, Err(DeclarativeError::Syntax(error)) if error.message.contains("recursion"));
    assert!(is_deep || again == Ok(document), "{json} of {text}");
}
