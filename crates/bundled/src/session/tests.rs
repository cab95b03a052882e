use std::sync::Arc;

use polygate_chain::{Exchange, Handler};
use polygate_model::Id;
use serde_json::{Value, json};

use super::sealed::{Limits, Sealer, Session};
use crate::tests::{access, handler, header, with_entities};

const CONSUMER: &str = "22222222-0000-4000-8000-000000000001";
const CREDENTIAL: &str = "33333333-0000-4000-8000-000000000001";

fn session(mut config: Value) -> Arc<dyn Handler> {
    config["secret"] = json!("a secret of some length");
    handler("session", config)
}

fn asked(method: &str, target: &str, fields: &[(&str, &str)]) -> Exchange {
    let key = json!({ "key": "k", "id": CREDENTIAL });
    let ann = json!({ "username": "ann", "id": CONSUMER, "keyauth_credentials": [key] });
    with_entities(method, target, fields, json!({ "consumers": [ann, { "username": "guest" }] }))
}

/// Both plugins, and what goes to the client.
fn through(session: &dyn Handler, mut exchange: Exchange) -> Exchange {
    access(session, &mut exchange);
    if exchange.session.answer.is_none() {
        access(&*handler("key-auth", json!({ "anonymous": "guest" })), &mut exchange);
    }
    header(session, &mut exchange);
    exchange
}

fn user(exchange: &Exchange) -> Option<&str> {
    exchange.known_consumer()?.username.as_deref()
}

/// Names with values of the cookies that are set, and all that is set.
fn set(exchange: &Exchange) -> (Vec<String>, Vec<String>) {
    let lines = exchange.response.headers.get_all("Set-Cookie").map(|line| String::from_utf8_lossy(line));
    lines.map(|line| (line.split(';').next().unwrap().to_owned(), line.into_owned())).unzip()
}

#[test]
fn a_cookie_stands_for_what_it_was_given_for() {
    let plugin = session(json!({ "request_headers": ["id", "subject"], "response_headers": ["timeout"] }));
    let first = through(&*plugin, asked("GET", "/", &[("apikey", "k")]));
    let (cookies, lines) = set(&first);
    assert!(lines[0].ends_with("; Path=/; SameSite=Strict; Secure; HttpOnly"), "{lines:?}");
    assert_eq!(first.response.headers.text("Session-Timeout"), Some("900"));
    let spoofed = [("Cookie", &*format!("a=1; {}", cookies[0])), ("Session-Subject", "me")];
    let second = through(&*plugin, asked("GET", "/", &spoofed));
    assert_eq!(user(&second), Some("ann"));
    assert!(set(&second).0.is_empty());
    for (name, value) in [("Session-Subject", CONSUMER), ("X-Credential-Identifier", CREDENTIAL)] {
        assert_eq!(second.request.headers.text(name), Some(value));
    }
    let stranger = through(&*plugin, asked("GET", "/", &[("Session-Subject", "me")]));
    assert_eq!((user(&stranger), set(&stranger).0.len()), (Some("guest"), 0));
    assert_eq!(stranger.request.headers.text("Session-Subject"), None);
}

#[test]
fn no_other_cookie_counts() {
    let (plugin, config) = (session(json!({})), json!({ "secret": "another one" }));
    let good = set(&through(&*plugin, asked("GET", "/", &[("apikey", "k")]))).0.remove(0);
    let foreign =
        set(&through(&*handler("session", config), asked("GET", "/", &[("apikey", "k")]))).0.remove(0);
    let other = set(&through(&*session(json!({ "audience": "b" })), asked("GET", "/", &[("apikey", "k")])))
        .0
        .remove(0);
    let mut changed = good.clone().into_bytes();
    changed[40] ^= 1;
    let changed = String::from_utf8(changed).unwrap();
    for (cookie, expected) in [
        (good.as_str(), "ann"),
        (&foreign, "guest"),
        (&other, "guest"),
        (&changed, "guest"),
        (&good[..good.len() - 1], "guest"),
        ("session=", "guest"),
        ("session=x.y", "guest"),
    ] {
        assert_eq!(
            user(&through(&*plugin, asked("GET", "/", &[("Cookie", cookie)]))),
            Some(expected),
            "{cookie}"
        );
    }
}

#[test]
fn sessions_end_on_request() {
    let plugin = session(json!({ "remember": true, "cookie_domain": "gw.test", "cookie_secure": false }));
    let cookies = set(&through(&*plugin, asked("GET", "/", &[("apikey", "k")]))).0;
    assert_eq!(cookies.len(), 2);
    for (method, target, ends) in
        [("POST", "/?session_logout=1", true), ("GET", "/?session_logout=1", false), ("POST", "/", false)]
    {
        let exchange = through(&*plugin, asked(method, target, &[("Cookie", &cookies[0])]));
        assert_eq!(exchange.session.answer.is_some(), ends, "{method} {target}");
        if ends {
            let end = "Domain=gw.test; Path=/; SameSite=Strict; HttpOnly; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0";
            assert_eq!(set(&exchange).1, [format!("session=; {end}"), format!("remember=; {end}")]);
        }
    }
    // The longer one brings the shorter one back.
    let exchange = through(&*plugin, asked("GET", "/", &[("Cookie", &cookies[1])]));
    assert_eq!((user(&exchange), set(&exchange).0.len()), (Some("ann"), 2));
}

#[test]
fn sessions_have_their_time() {
    let limits =
        Limits { idling_timeout: Some(100.0), rolling_timeout: Some(1000.0), absolute_timeout: Some(5000.0) };
    let begun = Session::begin(Id::from_u128(1), String::new(), Vec::new(), 0.0).unwrap();
    for (now, holds, is_worn) in
        [(0.0, true, false), (25.0, true, false), (26.0, true, true), (100.0, false, true)]
    {
        assert_eq!((limits.hold(&begun, now), limits.is_worn(&begun, now)), (holds, is_worn), "{now}");
    }
    assert!(limits.hold(&begun.renewed(4950.0), 4999.0));
    assert!(!limits.hold(&begun.renewed(4950.0), 5000.0));
    let rolling = Limits { idling_timeout: Some(0.0), ..limits };
    assert!(
        !rolling.is_worn(&begun, 750.0) && rolling.is_worn(&begun, 751.0) && !rolling.hold(&begun, 1000.0)
    );
    let none = Limits { idling_timeout: None, rolling_timeout: Some(0.0), absolute_timeout: None };
    assert!(none.hold(&begun, 1e12) && !none.is_worn(&begun, 1e12));
}

#[test]
fn a_sealed_session_is_the_same_when_opened() {
    assert!(Sealer::new("", "session", "default").is_err());
    let sealer = Sealer::new("secret", "session", "default").unwrap();
    let groups = vec!["gold".to_owned()];
    let session = Session::begin(Id::from_u128(1), CREDENTIAL.to_owned(), groups, 1.5).unwrap();
    let (one, other) = (sealer.seal(&session).unwrap(), sealer.seal(&session).unwrap());
    assert_ne!(one, other);
    assert_eq!(sealer.open(&one), Some(session));
}

#[test]
fn storage_in_a_database_is_refused() {
    let schema = super::PLUGIN.schema().unwrap();
    assert!(schema.config(json!({ "storage": "kong" })).unwrap_err().to_string().contains("use 'cookie'"));
}
