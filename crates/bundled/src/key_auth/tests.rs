use polygate_chain::{Exchange, RequestBody};
use serde_json::{Value, json};

use crate::tests::{access, handler, with_entities};

fn asked(method: &str, target: &str, fields: &[(&str, &str)]) -> Exchange {
    let entities = json!({ "consumers": [
        { "username": "ann", "keyauth_credentials": [{ "key": "a" }, { "key": "old", "created_at": 1, "ttl": 60 }] },
        { "username": "guest" },
    ] });
    with_entities(method, target, fields, entities)
}

/// The status of the answer, or 0 and the consumer.
fn outcome(config: Value, mut exchange: Exchange) -> (u16, Option<String>) {
    access(&*handler("key-auth", config), &mut exchange);
    (exchange.response.status, exchange.known_consumer().and_then(|consumer| consumer.username.clone()))
}

#[test]
fn keys_come_from_where_they_are_looked_for() {
    let ann = (0, Some("ann".to_owned()));
    for (config, target, fields, expected) in [
        (json!({}), "/", &[("apikey", "a")][..], ann.clone()),
        (json!({}), "/?apikey=a", &[], ann.clone()),
        (json!({}), "/?apikey=a&apikey=b", &[], (401, None)),
        (json!({}), "/", &[("apikey", "a"), ("apikey", "a")], (401, None)),
        (json!({}), "/?apikey=a", &[("apikey", "wrong")], (401, None)),
        (json!({}), "/?apikey", &[], (401, None)),
        (json!({}), "/", &[("apikey", "old")], (401, None)),
        (json!({"key_in_query": false}), "/?apikey=a", &[], (401, None)),
        (json!({"key_in_header": false}), "/", &[("apikey", "a")], (401, None)),
        (json!({"key_names": ["x", "y_z"]}), "/", &[("y-z", "a")], ann),
        (json!({"anonymous": "guest"}), "/", &[], (0, Some("guest".to_owned()))),
        (json!({"anonymous": "nobody"}), "/", &[], (500, None)),
    ] {
        let shown = format!("{config} {target} {fields:?}");
        assert_eq!(outcome(config, asked("GET", target, fields)), expected, "{shown}");
    }
}

#[test]
fn keys_are_hidden_wherever_they_were() {
    let config = json!({"hide_credentials": true, "key_in_body": true});
    let form = "application/x-www-form-urlencoded";
    let mut exchange = asked("POST", "/?b=2&apikey=a&a=1", &[("apikey", "a"), ("content-type", form)]);
    exchange.request_body = RequestBody::new("apikey=a&c=3");
    access(&*handler("key-auth", config), &mut exchange);
    assert!(!exchange.request.headers.contains("apikey"));
    assert_eq!(exchange.request.query.as_deref(), Some(b"b=2&a=1".as_slice()));
    assert_eq!(exchange.request_body.held().unwrap().bytes().unwrap(), "c=3");
}

#[test]
fn a_clients_word_about_consumers_does_not_count() {
    let spoofed = ["X-Consumer-ID", "X-Consumer-Custom-ID", "X-Consumer-Username", "X-Credential-Identifier"];
    let mut fields: Vec<_> = spoofed.iter().map(|name| (*name, "spoofed")).collect();
    fields.extend([("X-Anonymous-Consumer", "true"), ("apikey", "a"), ("Connection", "X-Consumer-Username")]);
    let mut exchange = asked("GET", "/", &fields);
    access(&*handler("key-auth", json!({})), &mut exchange);
    let headers = &exchange.request.headers;
    assert!(headers.iter().all(|(_, value)| value != b"spoofed"));
    assert!(!headers.contains("X-Anonymous-Consumer"));
    assert_eq!(headers.text("X-Consumer-Username"), Some("ann"));
    assert!(!headers.lists("Connection", "X-Consumer-Username"), "the upstream is to see it");
}
