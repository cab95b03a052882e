use std::collections::HashMap;

use polygate_model::schema::{EntitySchema, Schema};
use polygate_model::{CredentialKind, Id};
use serde_json::{Value, json};

use super::EntitySet;
use crate::row::Row;
use crate::rules::Rules;
use crate::violation::Violation;

const NOW: f64 = 1_700_000_000.0;

/// A set that knows the plugin `hello`, at a time.
struct World {
    set: EntitySet,
    plugins: HashMap<String, Schema>,
    now: f64,
}

impl World {
    fn new() -> Self {
        let document = json!({"name": "hello", "fields": [{"config": {"type": "record", "fields": []}}]});
        let schema = Schema::parse(&document).expect("a valid schema");
        Self { set: EntitySet::default(), plugins: HashMap::from([("hello".to_owned(), schema)]), now: NOW }
    }

    fn insert(&mut self, collection: &str, row: Value) -> Result<Id, Vec<Violation>> {
        let rules = Rules { plugins: &self.plugins, now: self.now, secrets_are_clear: true };
        self.set.insert(schema(collection), members(row), &rules)
    }

    fn inserted(&mut self, collection: &str, row: Value) -> Id {
        self.insert(collection, row.clone()).unwrap_or_else(|violations| panic!("{row}: {violations:?}"))
    }

    fn upsert(&mut self, collection: &str, id: Id, row: Value) -> Result<(), Vec<Violation>> {
        let rules = Rules { plugins: &self.plugins, now: self.now, secrets_are_clear: true };
        self.set.upsert(schema(collection), id, members(row), &rules)
    }

    fn delete(&mut self, collection: &str, id: Id) -> Result<bool, Violation> {
        self.set.delete(schema(collection), id)
    }

    fn has(&self, collection: &str, id: Id) -> bool {
        self.set.get(schema(collection), id).is_some()
    }
}

fn schema(collection: &str) -> &'static EntitySchema {
    EntitySchema::get(collection).expect("a collection")
}

fn members(row: Value) -> Row {
    row.as_object().cloned().expect("a row is an object")
}

fn texts<T>(outcome: Result<T, Vec<Violation>>) -> Vec<String> {
    outcome.err().into_iter().flatten().map(|violation| violation.to_string()).collect()
}

#[test]
fn a_row_is_completed_and_typed() {
    let mut world = World::new();
    let service = world.inserted("services", json!({"name": "s", "url": "http://h/p", "id": null}));
    let row = world.set.get(schema("services"), service).expect("the row");
    assert_eq!(
        (&row["port"], &row["created_at"], &row["tags"]),
        (&json!(80), &json!(1_700_000_000), &json!(null))
    );
    let route = world.inserted("routes", json!({"paths": ["/"], "service": {"id": service}}));
    let entities = world.set.entities();
    assert_eq!(entities.services[&service].host, "h");
    assert_eq!(entities.routes[&route].service.map(|it| it.id), Some(service));
}

#[test]
fn a_row_must_agree_with_its_schema_and_with_the_others() {
    let mut world = World::new();
    let nowhere = Id::from_u128(9);
    let service = world.inserted("services", json!({"name": "s", "host": "h"}));
    world.inserted("routes", json!({"name": "r", "paths": ["/"], "service": {"id": service}}));
    world.inserted("plugins", json!({"name": "hello", "service": {"id": service}}));
    let rows = [
        ("services", json!({"name": "s", "host": "h"}), vec!["uniqueness violation: 'services' entity with name set to 's' already declared".to_owned()]),
        (
            "services",
            json!({"id": service, "host": "h"}),
            vec![format!("uniqueness violation: 'services' entity with primary key set to '{service}' already declared")],
        ),
        (
            "plugins",
            json!({"name": "hello", "service": {"id": service}}),
            vec![format!(
                "uniqueness violation: 'plugins' entity with name, service set to 'hello, {service}' already declared"
            )],
        ),
        (
            "routes",
            json!({"paths": ["/"], "service": {"id": nowhere}}),
            vec![format!("invalid reference 'service: {nowhere}' (no such entry in 'services')")],
        ),
        // Everything at once.
        (
            "routes",
            json!({"name": "r", "paths": ["x"], "service": {"id": nowhere}}),
            vec![
                "schema violation (paths.1: should start with: / (fixed path) or ~/ (regex path))".to_owned(),
                format!("invalid reference 'service: {nowhere}' (no such entry in 'services')"),
                "uniqueness violation: 'routes' entity with name set to 'r' already declared".to_owned(),
            ],
        ),
        (
            "plugins",
            json!({"name": "hello", "protocols": ["tcp"], "service": {"id": service}}),
            vec![
                "schema violation (protocols: must match the protocols of at least one route pointing to this \
                 Plugin's service)"
                    .to_owned(),
                format!(
                    "uniqueness violation: 'plugins' entity with name, service set to 'hello, {service}' already \
                     declared"
                ),
            ],
        ),
        (
            "plugins",
            json!({"name": "other", "config": {"any": 1}}),
            vec![
                "schema violation (name: plugin 'other' not enabled; add it to the 'plugins' configuration property)"
                    .to_owned(),
            ],
        ),
    ];
    for (collection, row, expected) in rows {
        let text = row.to_string();
        assert_eq!(texts(world.insert(collection, row)), expected, "{collection} {text}");
    }
    let entities = world.set.entities();
    assert_eq!((entities.services.len(), entities.routes.len(), entities.plugins.len()), (1, 1, 1));
}

#[test]
fn an_upsert_replaces_the_row_and_what_it_had_to_itself() {
    let mut world = World::new();
    let one = world.inserted("consumers", json!({"username": "one", "custom_id": "1"}));
    let other = world.inserted("consumers", json!({"username": "other"}));
    world.now += 5.0;
    world.upsert("consumers", one, json!({"username": "one"})).expect("nothing changed");
    let row = world.set.get(schema("consumers"), one).expect("the row");
    assert_eq!(
        row["updated_at"].as_i64().zip(row["created_at"].as_i64()),
        Some((1_700_000_005, 1_700_000_000))
    );
    assert!(
        world.set.entities().consumers.by_custom_id("1").is_none(),
        "fields left out return to their default"
    );

    assert_eq!(
        texts(world.upsert("consumers", one, json!({"username": "other"}))),
        ["uniqueness violation: 'consumers' entity with username set to 'other' already declared"]
    );
    assert_eq!(world.set.entities().consumers.by_username("one").map(|it| it.id), Some(one));
    world.upsert("consumers", one, json!({"username": "new", "custom_id": "1"})).expect("a new name");
    world.upsert("consumers", other, json!({"username": "one"})).expect("the name is free again");

    let third = Id::from_u128(3);
    world.upsert("consumers", third, json!({"username": "third"})).expect("is made");
    assert!(world.has("consumers", third));
}

#[test]
fn an_upsert_moves_references() {
    let mut world = World::new();
    let [one, other] =
        ["one", "other"].map(|name| world.inserted("services", json!({"name": name, "host": "h"})));
    let route = world.inserted("routes", json!({"paths": ["/"], "service": {"id": one}}));
    world.upsert("routes", route, json!({"paths": ["/"], "service": {"id": other}})).expect("it moves");
    assert_eq!(world.delete("services", one), Ok(true));
    assert_eq!(
        world.delete("services", other),
        Err(Violation::Referenced { child: "routes", parent: "services" })
    );
}

#[test]
fn a_deletion_cascades_or_is_refused() {
    let mut world = World::new();
    let service = world.inserted("services", json!({"name": "s", "host": "h"}));
    let route = world.inserted("routes", json!({"paths": ["/"], "service": {"id": service}}));
    let consumer = world.inserted("consumers", json!({"username": "c"}));
    let plugin = world
        .inserted("plugins", json!({"name": "hello", "route": {"id": route}, "consumer": {"id": consumer}}));
    let app = world.inserted("oauth2_credentials", json!({"name": "app", "consumer": {"id": consumer}}));
    let token = world.inserted(
        "oauth2_tokens",
        json!({"credential": {"id": app}, "expires_in": 1, "access_token": "t", "service": {"id": service}}),
    );
    assert_eq!(
        world.delete("services", service),
        Err(Violation::Referenced { child: "routes", parent: "services" })
    );
    assert!(world.has("services", service) && world.has("oauth2_tokens", token), "nothing has gone");
    assert_eq!(world.delete("consumers", consumer), Ok(true));
    for (collection, id) in
        [("consumers", consumer), ("plugins", plugin), ("oauth2_credentials", app), ("oauth2_tokens", token)]
    {
        assert!(!world.has(collection, id), "{collection}");
    }
    let entities = world.set.entities();
    assert!(entities.plugins.is_empty() && entities.credentials.values().next().is_none());
    assert_eq!(world.delete("consumers", consumer), Ok(false));
    assert_eq!(world.delete("routes", route), Ok(true));
    assert_eq!(world.delete("services", service), Ok(true));
    assert!(world.set.is_empty());
    world.inserted("services", json!({"name": "s", "host": "h"}));
}

#[test]
fn tokens_follow_their_credential() {
    let mut world = World::new();
    let [one, other] = ["one", "other"].map(|name| world.inserted("consumers", json!({"username": name})));
    let app = world.inserted("oauth2_credentials", json!({"name": "app", "consumer": {"id": one}}));
    world.inserted("oauth2_tokens", json!({"credential": {"id": app}, "expires_in": 1, "access_token": "t"}));
    let consumer = |world: &World| {
        let token = world.set.entities().credentials.by_key(CredentialKind::OAuth2Token, "t");
        token.map(|token| token.consumer)
    };
    assert_eq!(consumer(&world), Some(one));
    world
        .upsert("oauth2_credentials", app, json!({"name": "app", "consumer": {"id": other}}))
        .expect("it moves");
    assert_eq!(consumer(&world), Some(other));
    for kind in [CredentialKind::OAuth2, CredentialKind::OAuth2Token] {
        assert!(world.set.entities().credentials.of_consumer(kind, one).is_empty());
    }
}

#[test]
fn secrets_are_masked() {
    let mut world = World::new();
    let consumer = world.inserted("consumers", json!({"username": "c"}));
    world.inserted("keyauth_credentials", json!({"key": "hush", "consumer": {"id": consumer}}));
    let repeated = world.insert("keyauth_credentials", json!({"key": "hush", "consumer": {"id": consumer}}));
    let shown = format!("{repeated:?} {}", texts(repeated.clone()).join(""));
    assert!(shown.contains("***") && !shown.contains("hush"), "{shown}");
}

#[test]
fn equal_ca_certificates_are_one_too_many() {
    let mut world = World::new();
    let ca = json!({"cert": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"});
    world.inserted("ca_certificates", ca.clone());
    let [text] = texts(world.insert("ca_certificates", ca)).try_into().expect("one violation");
    assert!(text.contains("entity with cert_digest set to"), "{text}");
}
