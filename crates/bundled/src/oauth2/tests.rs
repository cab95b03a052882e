use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use polygate_chain::{Environment, Exchange, Value};
use polygate_entities::declarative::load_document;
use polygate_model::schema::Schema;
use polygate_model::{Credentials, Id};
use serde_json::{Value as Json, json};
use tokio::runtime::Builder;

use super::parameters::Parameters;
use super::store::{Code, Store, Token};
use super::{OAuth2, config, pkce};
use crate::plugin;
use crate::shared::Shared;
use crate::tests::outside;

const NOW: f64 = 1_700_000_000.0;
const PLACE: &str = "https://app.test/cb?a=1";
/// Of RFC 7636, appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
/// Of the secret `csec`, with the salt `salt`.
const HASHED: &str = "$pbkdf2-sha512$i=1000,l=32$c2FsdA$";

/// A gateway with one plugin, whose clock stands still.
struct Gateway {
    plugin: OAuth2,
    environment: Arc<Environment>,
}

fn configured(config: Json, id: u128, shared: &Arc<Shared>) -> OAuth2 {
    let mut whole = json!({
        "scopes": ["email", "phone"], "provision_key": "prov", "global_credentials": true,
        "accept_http_if_already_terminated": true, "enable_authorization_code": true,
        "enable_client_credentials": true, "enable_password_grant": true, "enable_implicit_grant": true,
    });
    whole.as_object_mut().unwrap().extend(config.as_object().unwrap().clone());
    let config = super::PLUGIN.schema().unwrap().config(whole).unwrap();
    let row = json!({
        "id": Id::from_u128(id), "created_at": 0, "updated_at": 0, "name": "oauth2", "config": config,
        "protocols": ["http"], "enabled": true,
    });
    let row = serde_json::from_value(row).unwrap();
    OAuth2 { plugin: Id::from_u128(id), config: plugin::config(&row).unwrap(), shared: shared.clone() }
}

impl Gateway {
    fn new(config: Json) -> Self {
        Self::of(config, "ann")
    }

    /// With clients that belong to the consumer `owner`.
    fn of(config: Json, owner: &str) -> Self {
        let document = json!({
            "_format_version": "3.0",
            "consumers": [
                { "username": owner, "oauth2_credentials": [
                    { "name": "app", "client_id": "cid", "client_secret": "csec", "redirect_uris": [PLACE] },
                    { "name": "open", "client_id": "open", "client_type": "public",
                      "redirect_uris": [PLACE] },
                    { "name": "file", "client_id": "file", "client_secret": "f", "redirect_uris": [PLACE],
                      "oauth2_tokens": [{ "access_token": "declared", "refresh_token": "r", "expires_in": 60,
                                          "created_at": NOW as i64, "scope": "email" }] },
                ] },
                { "username": "guest" },
            ],
        });
        let plugins = std::collections::HashMap::<String, Schema>::new();
        let set = load_document(document.as_object().unwrap().clone(), &plugins, NOW).unwrap();
        let node = polygate_chain::pdk::fixture::exchange("GET", "/", &[]).session.environment.node.clone();
        let mut environment = Environment::new(Arc::new(set.entities().clone()), node);
        environment.trusted_ips = polygate_chain::TrustedIps::new(vec!["127.0.0.1/32".parse().unwrap()]);
        Self { plugin: configured(config, 1, &outside()), environment: Arc::new(environment) }
    }

    fn send(&self, method: &str, target: &str, fields: &[(&str, &str)], body: &str, now: f64) -> Exchange {
        let mut lines = vec![("x-forwarded-proto", "https")];
        lines.extend(fields);
        if !body.is_empty() && fields.iter().all(|(name, _)| *name != "content-type") {
            lines.push(("content-type", "application/x-www-form-urlencoded"));
        }
        let mut exchange = polygate_chain::pdk::fixture::exchange(method, target, &lines);
        exchange.session.environment = self.environment.clone();
        exchange.session.peer_is_trusted = true;
        exchange.request_body.replace(body.to_owned());
        let runtime = Builder::new_current_thread().build().unwrap();
        runtime.block_on(self.plugin.serve(&mut exchange, now)).unwrap();
        exchange
    }

    fn post(&self, endpoint: &str, body: &str, now: f64) -> (u16, Json) {
        let exchange = self.send("POST", &format!("/oauth2/{endpoint}"), &[], body, now);
        let answer = exchange.session.answer.as_ref().expect("endpoints answer");
        (exchange.response.status, serde_json::from_slice(&answer.body).unwrap())
    }

    fn token(&self, body: &str, now: f64) -> (u16, Json) {
        self.post("token", body, now)
    }

    /// Who goes upstream with a token.
    fn user(&self, token: &str, now: f64) -> Option<String> {
        let line = format!("Bearer {token}");
        let exchange = self.send("GET", "/", &[("authorization", &line)], "", now);
        exchange.known_consumer().and_then(|consumer| consumer.username.clone())
    }

    /// A code that the user `u` was sent away with.
    fn code(&self, more: &str) -> String {
        let body = format!(
            "client_id=cid&response_type=code&provision_key=prov&authenticated_userid=u&scope=email{more}"
        );
        let (status, answer) = self.post("authorize", &body, NOW);
        let uri = answer["redirect_uri"].as_str().unwrap();
        assert_eq!(status, 200, "{uri}");
        let code = uri.strip_prefix("https://app.test/cb?a=1&code=").unwrap_or_else(|| panic!("{uri}"));
        code.split('&').next().unwrap().to_owned()
    }
}

fn redeem(code: &str) -> String {
    format!("grant_type=authorization_code&client_id=cid&client_secret=csec&code={code}")
}

const OF_CLIENT: &str = "grant_type=client_credentials&client_id=cid&client_secret=csec";

#[test]
fn a_code_becomes_a_token_once_and_in_time() {
    let gateway = Gateway::new(json!({}));
    let code = gateway.code("&state=s");
    let (status, token) = gateway.token(&redeem(&code), NOW + 299.0);
    assert_eq!(status, 200, "{token}");
    let access = token["access_token"].as_str().unwrap();
    assert_eq!(token["expires_in"], 7200);
    assert_eq!((access.len(), token["refresh_token"].as_str().unwrap().len()), (32, 32));
    let line = format!("Bearer {access}");
    let exchange = gateway.send("GET", "/", &[("authorization", &line)], "", NOW + 300.0);
    let header = |name| exchange.request.headers.text(name);
    assert_eq!(header("X-Authenticated-Scope"), Some("email"));
    assert_eq!(header("X-Authenticated-UserId"), Some("u"));
    assert_eq!(header("X-Credential-Identifier"), Some("cid"));

    let invalid = json!({"error": "invalid_request", "error_description": "Invalid code"});
    assert_eq!(gateway.token(&redeem(&code), NOW + 299.0), (400, invalid.clone()), "a second time");
    let late = gateway.code("");
    assert_eq!(gateway.token(&redeem(&late), NOW + 300.0), (400, invalid), "too late");
}

#[test]
fn a_code_is_the_clients_and_the_plugins() {
    let mut gateway = Gateway::new(json!({}));
    let code = gateway.code("");
    let of_other = format!("grant_type=authorization_code&client_id=file&client_secret=f&code={code}");
    assert_eq!(gateway.token(&of_other, NOW).0, 400);
    let shared = gateway.plugin.shared.clone();
    gateway.plugin = configured(json!({}), 2, &shared);
    assert_eq!(gateway.token(&redeem(&code), NOW).0, 400, "another plugin");
    gateway.plugin = configured(json!({}), 1, &shared);
    assert_eq!(gateway.token(&redeem(&code), NOW).0, 200, "failures use nothing up");
}

#[test]
fn one_of_many_redeems_a_code() {
    let store = Store::default();
    let grant = |name: &str| Code {
        client: name.to_owned(),
        consumer: Id::nil(),
        plugin: Id::nil(),
        service: None,
        user: "u".to_owned(),
        scope: None,
        challenge: None,
        ends: NOW,
    };
    let wins = AtomicUsize::new(0);
    for round in 0..100 {
        let code = round.to_string();
        store.put_code(code.clone(), grant("c"));
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| wins.fetch_add(usize::from(store.take_code(&code)), Ordering::Relaxed));
            }
        });
    }
    assert_eq!(wins.into_inner(), 100);
}

#[test]
fn one_of_many_uses_a_refresh_token() {
    let store = Store::default();
    let credentials = Credentials::default();
    let wins = AtomicUsize::new(0);
    for round in 0..100 {
        let token = issued(&round.to_string());
        store.put(token.clone());
        thread::scope(|scope| {
            for _ in 0..4 {
                let take =
                    || wins.fetch_add(usize::from(store.take(&credentials, &token)), Ordering::Relaxed);
                scope.spawn(take);
            }
        });
    }
    assert_eq!(wins.into_inner(), 100);
}

fn issued(name: &str) -> Token {
    Token {
        access: name.to_owned(),
        refresh: Some(format!("r-{name}")),
        client: "c".to_owned(),
        consumer: Id::nil(),
        service: None,
        user: None,
        scope: None,
        made: NOW,
        expires_in: 0,
        ends: None,
    }
}

#[test]
fn tokens_expire_and_are_forgotten() {
    let gateway = Gateway::new(json!({ "token_expiration": 10, "refresh_token_ttl": 100 }));
    let body = "grant_type=password&client_id=cid&client_secret=csec&provision_key=prov&\
                authenticated_userid=u";
    let (_, token) = gateway.token(body, NOW);
    let access = token["access_token"].as_str().unwrap();
    let refresh = token["refresh_token"].as_str().unwrap();
    assert_eq!(gateway.user(access, NOW + 10.0).as_deref(), Some("ann"));
    assert_eq!(gateway.user(access, NOW + 11.0), None);
    let again = |token: &str, now| {
        let body = format!("grant_type=refresh_token&client_id=cid&client_secret=csec&refresh_token={token}");
        gateway.token(&body, now)
    };
    assert_eq!(again(refresh, NOW + 100.0).0, 400, "forgotten");
    let (status, second) = again(refresh, NOW + 99.0);
    assert_eq!(status, 200, "{second}");
    let second_access = second["access_token"].as_str().unwrap();
    assert_eq!(gateway.user(second_access, NOW + 99.0).as_deref(), Some("ann"));
    assert_eq!(gateway.user(access, NOW), None, "the old one went");
    assert_eq!(again(refresh, NOW).0, 400, "it was used");
    assert_eq!(again(second["refresh_token"].as_str().unwrap(), NOW + 99.0).0, 200);
}

#[test]
fn refresh_tokens_may_be_used_again() {
    let gateway = Gateway::new(json!({ "reuse_refresh_token": true }));
    let body = "grant_type=refresh_token&client_id=file&client_secret=f&refresh_token=r";
    let mut last = "declared".to_owned();
    for _ in 0..3 {
        assert_eq!(gateway.user(&last, NOW).as_deref(), Some("ann"));
        let (status, token) = gateway.token(body, NOW);
        assert_eq!((status, token["refresh_token"].as_str()), (200, Some("r")), "{token}");
        assert_eq!(gateway.user(&last, NOW), None, "another has its place");
        last = token["access_token"].as_str().unwrap().to_owned();
    }
}

#[test]
fn declared_refresh_tokens_are_good_once() {
    let gateway = Gateway::new(json!({}));
    assert_eq!(gateway.user("declared", NOW + 60.0).as_deref(), Some("ann"));
    assert_eq!(gateway.user("declared", NOW + 61.0), None);
    let foreign = "grant_type=refresh_token&client_id=cid&client_secret=csec&refresh_token=r";
    assert_eq!(gateway.token(foreign, NOW).1["error"], "invalid_client");
    let body = "grant_type=refresh_token&client_id=file&client_secret=f&refresh_token=r";
    assert_eq!(gateway.token(body, NOW + 61.0).0, 200);
    assert_eq!(gateway.token(body, NOW + 61.0).0, 400);
    assert_eq!(gateway.user("declared", NOW), None);
}

#[test]
fn tokens_without_an_end_have_no_refresh_token() {
    let gateway = Gateway::new(json!({ "token_expiration": 0 }));
    let (status, token) = gateway.token(&redeem(&gateway.code("")), NOW);
    assert_eq!((status, &token["refresh_token"], &token["expires_in"]), (200, &Json::Null, &Json::Null));
    assert!(gateway.user(token["access_token"].as_str().unwrap(), NOW * 2.0).is_some());
}

#[test]
fn the_implicit_grant_answers_in_the_fragment() {
    let gateway = Gateway::new(json!({}));
    let body = "client_id=cid&response_type=token&provision_key=prov&authenticated_userid=u&state=x%26y";
    let (status, answer) = gateway.post("authorize", body, NOW);
    let uri = answer["redirect_uri"].as_str().unwrap();
    let fragment = uri.strip_prefix("https://app.test/cb?a=1#access_token=").expect(uri);
    assert_eq!((status, &fragment[32..]), (200, "&expires_in=7200&state=x%26y&token_type=bearer"));
    assert_eq!(gateway.user(&fragment[..32], NOW).as_deref(), Some("ann"));
}

#[test]
fn what_is_asked_for_has_to_be_right() {
    let gateway = Gateway::new(json!({ "mandatory_scope": true }));
    let asking = "client_id=cid&response_type=code&provision_key=prov&authenticated_userid=u";
    for (body, error) in [
        ("provision_key=wrong", "invalid_provision_key"),
        ("provision_key=prov&provision_key=prov", "invalid_provision_key"),
        ("provision_key=prov&authenticated_userid=%20", "invalid_authenticated_userid"),
        ("provision_key=prov&authenticated_userid=u&response_type=code", "invalid_client"),
    ] {
        assert_eq!(gateway.post("authorize", body, NOW).1["error"], error, "{body}");
    }
    for (more, error) in [
        ("", "error=invalid_scope&error_description=You%20must%20specify%20a%20scope"),
        ("&scope=%20", "error=invalid_scope&error_description=You%20must%20specify%20a%20scope"),
        ("&scope=a", "error=invalid_scope&error_description=%22a%22%20is%20an%20invalid%20scope"),
        ("&scope=email&scope=phone", "error=invalid_scope&error_description=scope%20must%20be%20a%20string"),
        ("&scope=email&redirect_uri=https://evil.test", "error=invalid_request"),
        ("&scope=email&code_challenge=a&code_challenge=b", "error=invalid_request"),
    ] {
        let (status, answer) = gateway.post("authorize", &format!("{asking}{more}"), NOW);
        let uri = answer["redirect_uri"].as_str().unwrap();
        assert!(status == 400 && uri.starts_with(&format!("https://app.test/cb?a=1&{error}")), "{uri}");
    }
}

#[test]
fn clients_have_to_show_who_they_are() {
    use base64::Engine as _;
    let gateway = Gateway::new(json!({}));
    for (credentials, grant, status) in [
        ("cid:csec", "client_credentials", 200),
        ("cid:wrong", "client_credentials", 401),
        ("cid:", "client_credentials", 401),
        ("cid", "client_credentials", 401),
        ("nobody:csec", "client_credentials", 400),
        ("nobody:csec", "refresh_token", 401),
        ("open", "client_credentials", 200),
        ("open:secret", "client_credentials", 400),
    ] {
        let line = format!("Basic {}", base64::prelude::BASE64_STANDARD.encode(credentials));
        let body = format!("grant_type={grant}");
        let exchange = gateway.send("POST", "/oauth2/token/", &[("authorization", &line)], &body, NOW);
        assert_eq!(exchange.response.status, status, "{credentials} {grant}");
        assert_eq!(exchange.response.headers.contains("WWW-Authenticate"), status == 401, "{credentials}");
        assert_eq!(exchange.response.headers.text("Cache-Control"), Some("no-store"));
    }
}

#[test]
fn secrets_may_be_hashed() {
    let hash = {
        let mut hash = [0; 32];
        let rounds = 1000.try_into().unwrap();
        ring::pbkdf2::derive(ring::pbkdf2::PBKDF2_HMAC_SHA512, rounds, b"salt", b"csec", &mut hash);
        format!("{HASHED}{}", crate::encoding::to_base64_url(&hash))
    };
    let client = |secret: &str, is_hashed: bool| polygate_model::Credential {
        kind: polygate_model::CredentialKind::OAuth2,
        id: Id::nil(),
        consumer: Id::nil(),
        key: Some("cid".to_owned()),
        fields: json!({ "client_secret": secret, "hash_secret": is_hashed }).as_object().unwrap().clone(),
    };
    for (secret, is_hashed, shown, fits) in [
        (hash.as_str(), true, Value::from("csec"), true),
        (&hash, true, "wrong".into(), false),
        (&hash, true, hash.as_str().into(), false),
        (&hash, false, "csec".into(), false),
        ("csec", true, "csec".into(), true),
        ("$pbkdf2-sha512$i=0,l=32$c2FsdA$YQ", true, "csec".into(), false),
        ("$pbkdf2-md5$i=1$c2FsdA$YQ", true, "csec".into(), false),
        ("$pbkdf2-sha512$i=1$c2FsdA$", true, "csec".into(), false),
        ("csec", false, Value::Nil, false),
        ("1", false, 1.into(), false),
    ] {
        let client = client(secret, is_hashed);
        assert_eq!(super::client::is_secret_of(&client, &shown), fits, "{secret} {shown:?}");
    }
}

#[test]
fn challenges() {
    let gateway = Gateway::new(json!({}));
    let known = |id: &str| {
        let credentials = &gateway.environment.entities.credentials;
        credentials.by_key(polygate_model::CredentialKind::OAuth2, id).unwrap().clone()
    };
    let (confidential, public) = (known("cid"), known("open"));
    let parameters = |value: Json| Parameters::of(Value::from(&value));
    use config::Pkce::{Lax, None as Off, Strict};
    let required = |kind: &str| Err(format!("code_challenge is required for {kind} clients"));
    let padded = format!("{CHALLENGE}=");
    for (pkce, client, asked, expected) in [
        (Off, &public, json!({}), Ok(None)),
        (Lax, &confidential, json!({}), Ok(None)),
        (Lax, &public, json!({}), required("public")),
        (Strict, &confidential, json!({}), required("confidential")),
        (Off, &public, json!({"code_challenge": padded}), Ok(Some(CHALLENGE.to_owned()))),
        (
            Lax,
            &confidential,
            json!({"code_challenge": CHALLENGE, "code_challenge_method": "s256"}),
            Ok(Some(CHALLENGE.to_owned())),
        ),
        (
            Lax,
            &confidential,
            json!({"code_challenge": CHALLENGE, "code_challenge_method": "plain"}),
            Err("code_challenge_method is not supported, must be S256".to_owned()),
        ),
        (
            Off,
            &confidential,
            json!({"code_challenge_method": "S256"}),
            Err("code_challenge is required when code_method is present".to_owned()),
        ),
    ] {
        let found = pkce::challenge(Some(pkce), Some(client), &parameters(asked.clone()));
        assert_eq!(found.map_err(|problem| problem.description.into_owned()), expected, "{pkce:?} {asked}");
    }
    let short = "code_verifier must be between 43 and 128 characters";
    for (pkce, promised, verifier, problem) in [
        (Lax, None, json!({}), None),
        (Strict, None, json!({"code_verifier": VERIFIER}), Some("Invalid code")),
        (Off, Some(CHALLENGE), json!({"code_verifier": VERIFIER}), None),
        (Off, Some(CHALLENGE), json!({}), Some("code_verifier is required for PKCE authorization requests")),
        (Lax, Some(CHALLENGE), json!({"code_verifier": [VERIFIER]}), Some("code_verifier is not a string")),
        (Lax, Some(CHALLENGE), json!({"code_verifier": "a".repeat(42)}), Some(short)),
        (Lax, Some(CHALLENGE), json!({"code_verifier": "a".repeat(129)}), Some(short)),
        (Lax, Some(CHALLENGE), json!({"code_verifier": "a".repeat(128)}), Some("Invalid code")),
        (Lax, Some(""), json!({"code_verifier": VERIFIER}), Some("Invalid code")),
    ] {
        let found = pkce::verify(Some(pkce), &confidential, promised, &parameters(verifier.clone()));
        let found = found.err().map(|problem| problem.description.into_owned());
        assert_eq!(found.as_deref(), problem, "{pkce:?} {promised:?} {verifier}");
    }
}

#[test]
fn a_code_with_a_challenge_needs_the_verifier() {
    let gateway = Gateway::new(json!({ "pkce": "none" }));
    let code = gateway.code(&format!("&code_challenge={CHALLENGE}"));
    assert_eq!(gateway.token(&redeem(&code), NOW).0, 400);
    let proof = format!("{}&code_verifier={VERIFIER}", redeem(&code));
    assert_eq!(gateway.token(&proof, NOW).0, 200);
}

#[test]
fn hostile_bodies_are_refused() {
    let gateway = Gateway::new(json!({}));
    for body in [
        "[]",
        "{",
        "null",
        r#"{"grant_type": {"a": 1}}"#,
        r#"{"grant_type": "client_credentials", "client_id": ["cid"], "client_secret": "csec"}"#,
        r#"{"grant_type": "client_credentials", "client_id": "cid", "client_secret": {"a": "csec"}}"#,
        r#"{"grant_type": "client_credentials", "client_id": "cid", "client_secret": "csec", "scope": 7}"#,
        r#"{"grant_type": "authorization_code", "client_id": "cid", "client_secret": "csec", "code": {}}"#,
        r#"{"grant_type": "refresh_token", "client_id": "cid", "client_secret": "csec", "refresh_token": true}"#,
        r#"{"grant_type": "password", "client_id": "cid", "client_secret": "csec", "provision_key": "prov",
            "authenticated_userid": 5}"#,
    ] {
        let json = [("content-type", "application/json")];
        let exchange = gateway.send("POST", "/oauth2/token", &json, body, NOW);
        assert_eq!(exchange.response.status, 400, "{body}");
    }
}

#[test]
fn there_is_room_for_so_many_tokens() {
    let store = Store::with_room(10, 100);
    for number in 0..10_000 {
        store.put(issued(&number.to_string()));
    }
    let credentials = Credentials::default();
    let count = (0..10_000).filter(|it| store.access(&credentials, &it.to_string(), NOW).is_some()).count();
    assert!((1..=100).contains(&count), "{count}");
}

#[test]
fn plain_connections_are_refused_where_secrets_are_said() {
    let gateway = Gateway::new(json!({}));
    let body = format!("{OF_CLIENT}&state=s");
    for (lines, description) in
        [(vec![("x-forwarded-proto", "http")], "Only one X-Forwarded-Proto header allowed"), (vec![], "")]
    {
        let exchange = gateway.send("POST", "/oauth2/token", &lines, &body, NOW);
        let answer: Json = serde_json::from_slice(&exchange.session.answer.as_ref().unwrap().body).unwrap();
        assert_eq!(answer["error_description"].as_str().unwrap_or_default(), description);
        assert_eq!(answer["state"], "s");
    }
    let gateway = Gateway::new(json!({ "accept_http_if_already_terminated": false }));
    assert_eq!(gateway.token(OF_CLIENT, NOW).1["error_description"], "You must use HTTPS");
}

#[test]
fn what_clients_say_of_themselves_does_not_go_upstream() {
    let gateway = Gateway::new(json!({ "anonymous": "guest", "hide_credentials": true }));
    let lies = [("x-authenticated-scope", "all"), ("x-authenticated-userid", "root")];
    let exchange = gateway.send("GET", "/?access_token=wrong&b=1", &lies, "", NOW);
    assert_eq!(exchange.known_consumer().unwrap().username.as_deref(), Some("guest"));
    assert!(lies.iter().all(|(name, _)| !exchange.request.headers.contains(name)));
    assert_eq!(exchange.request.query.as_deref(), Some(b"b=1".as_slice()));
    let alone = gateway.send("GET", "/?access_token=declared", &[], "", NOW);
    assert_eq!(alone.request.query.as_deref(), Some(b"".as_slice()));
    let bare = gateway.send("GET", "/", &[("authorization", "declared")], "", NOW);
    assert_eq!(bare.known_consumer().unwrap().username.as_deref(), Some("ann"));
    assert!(!bare.request.headers.contains("authorization"));
}

#[test]
fn a_token_of_one_service_counts_nowhere_else() {
    let gateway = Gateway::new(json!({ "global_credentials": false }));
    let (service, other) = (Id::from_u128(5), Id::from_u128(6));
    let token = Token { service: Some(service), client: "cid".to_owned(), ..issued("t") };
    let consumer = gateway.environment.consumer_by_username("ann").unwrap().id;
    gateway.plugin.shared.grants.put(Token { consumer, ..token });
    for (at, passes) in [(service, true), (other, false)] {
        let mut exchange = polygate_chain::pdk::fixture::routed("/api/x");
        let matched = exchange.session.matched.as_mut().unwrap();
        let mut changed = (***matched.service.as_ref().unwrap()).clone();
        changed.id = at;
        matched.service = Some(Arc::new(changed.into()));
        exchange.session.environment = gateway.environment.clone();
        exchange.request.headers.insert("Authorization", "Bearer t");
        let runtime = Builder::new_current_thread().build().unwrap();
        runtime.block_on(gateway.plugin.serve(&mut exchange, NOW)).unwrap();
        assert_eq!(exchange.consumer.is_some(), passes);
    }
}

#[test]
fn tokens_outlive_a_reload_unless_their_client_is_somebody_elses() {
    let gateway = Gateway::new(json!({}));
    let shared = gateway.plugin.shared.clone();
    let (_, token) = gateway.token(OF_CLIENT, NOW);
    let access = token["access_token"].as_str().unwrap();
    let code = gateway.code("");
    for (owner, user, status) in [("bob", None, 400), ("ann", Some("ann"), 200)] {
        let mut reloaded = Gateway::of(json!({}), owner);
        reloaded.plugin = configured(json!({}), 1, &shared);
        assert_eq!(reloaded.user(access, NOW).as_deref(), user);
        assert_eq!(reloaded.token(&redeem(&code), NOW).0, status, "{owner}");
    }
}
