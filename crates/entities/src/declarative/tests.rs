use std::collections::HashMap;

use expect_test::{Expect, expect};
use polygate_model::entities::DEFAULT_WORKSPACE;
use polygate_model::schema::Schema;
use polygate_model::{CredentialKind, Entities, Protocol};
use serde_json::json;

use super::{DeclarativeError, Syntax, hash, load};

const NOW: f64 = 1_700_000_000.5;

fn plugins() -> HashMap<String, Schema> {
    let plugin = |name: &str, fields: serde_json::Value| {
        let document = json!({"name": name, "fields": fields});
        (name.to_owned(), Schema::parse(&document).expect("a valid schema"))
    };
    let config = |fields: serde_json::Value| json!({"config": {"type": "record", "fields": fields}});
    let no_consumer = json!({"consumer": {"type": "foreign", "reference": "consumers", "eq": null}});
    HashMap::from([
        plugin("go-hello", json!([config(json!([{"message": {"type": "string", "default": "hi"}}]))])),
        plugin("key-auth", json!([no_consumer, config(json!([]))])),
        plugin("basic-auth", json!([config(json!([]))])),
        plugin("acl", json!([config(json!([]))])),
        plugin("jwt", json!([config(json!([]))])),
        plugin("hmac-auth", json!([config(json!([]))])),
        plugin("oauth2", json!([config(json!([]))])),
    ])
}

fn loaded(text: &str) -> Entities {
    let set = load(text, Syntax::Yaml, &plugins(), NOW).unwrap_or_else(|error| panic!("{error}\n{text}"));
    set.entities().clone()
}

fn refused(text: &str) -> DeclarativeError {
    load(text, Syntax::Yaml, &plugins(), NOW).expect_err(text)
}

/// The tree for a 3.0 file with this rest.
fn tree(rest: &str, expected: Expect) {
    expected.assert_eq(&refused(&format!("_format_version: '3.0'\n{rest}")).to_string());
}

#[test]
fn builds_nested_and_flat_entities() {
    let entities = loaded(
        r#"
_format_version: "3.0"
_comment: a whole file
services:
- name: my-service
  url: https://example.com/base
  tags: [a, b, a]
  _comment: nested
  routes:
  - name: my-route
    paths: [/one]
    plugins:
    - name: go-hello
      _ignore: [anything, 5]
  plugins:
  - name: go-hello
    config: {message: ~}
routes:
- {name: flat, service: my-service, hosts: ["*.example.com"]}
- {name: by-object, service: {name: my-service}, methods: [GET]}
consumers:
- username: alice
  acls: [{group: editors}]
  keyauth_credentials: [{key: secret}]
plugins:
- {name: go-hello, service: my-service, consumer: alice, instance_name: both}
upstreams:
- name: balanced
  algorithm: least-connections
  targets: [{target: 10.0.0.1}, {target: "10.0.0.2:80", weight: 0}]
certificates:
- cert: "{vault://env/cert}"
  key: "{vault://env/key}"
  snis: [b.example.com, {name: a.example.com}]
"#,
    );
    let service = entities.services.values().next().expect("one service");
    assert_eq!((service.host.as_str(), service.port, service.retries), ("example.com", 443, 5));
    assert_eq!((service.protocol, service.path.as_deref()), (Protocol::Https, Some("/base")));
    assert_eq!((service.created_at, service.ws_id), (1_700_000_000, DEFAULT_WORKSPACE));
    assert_eq!(service.tags, Some(vec!["a".to_owned(), "b".to_owned()]));
    assert_eq!(entities.routes.len(), 3);
    assert!(entities.routes.values().all(|route| route.service.map(|key| key.id) == Some(service.id)));

    let alice = entities.consumers.by_username("alice").expect("alice").id;
    let scopes = |plugin: &polygate_model::Plugin| {
        [plugin.route, plugin.service, plugin.consumer].map(|key| key.is_some())
    };
    let mut found: Vec<_> =
        entities.plugins.values().map(|plugin| (scopes(plugin), plugin.config.clone())).collect();
    found.sort_by_key(|(scopes, _)| *scopes);
    let config = |message: serde_json::Value| json!({ "message": message }).as_object().cloned().unwrap();
    assert_eq!(
        found,
        [
            ([false, true, false], config(json!(null))),
            ([false, true, true], config(json!("hi"))),
            ([true, false, false], config(json!("hi"))),
        ]
    );

    let mut targets: Vec<_> =
        entities.targets.values().map(|target| (target.target.as_str(), target.weight)).collect();
    targets.sort();
    assert_eq!(targets, [("10.0.0.1:8000", 100), ("10.0.0.2:80", 0)]);
    assert!(entities.targets.values().all(|target| (target.created_at - NOW).abs() < f64::EPSILON));
    let certificate = entities.certificates.values().next().expect("one certificate").id;
    let mut snis: Vec<_> =
        entities.snis.values().map(|sni| (sni.name.as_str(), sni.certificate.id)).collect();
    snis.sort();
    assert_eq!(snis, [("a.example.com", certificate), ("b.example.com", certificate)]);
    let mut kinds: Vec<_> = entities.credentials.values().map(|one| (one.kind, one.consumer)).collect();
    kinds.sort();
    assert_eq!(kinds, [(CredentialKind::KeyAuth, alice), (CredentialKind::Acl, alice)]);
}

#[test]
fn derives_the_ids_that_other_gateways_derive() {
    let entities = loaded(
        "
_format_version: '3.0'
services: [{name: my-service, host: h, routes: [{name: my-route, paths: [/]}]}]
upstreams:
- name: u
  id: f9792964-6797-482c-bfdf-08220a4f6839
  targets: [{target: '10.244.0.12:80'}]
plugins: [{name: key-auth}]
",
    );
    assert!(entities.services.contains_key(&uuid::uuid!("0855b320-0dd2-547d-891d-601e9b38647f")));
    assert!(entities.routes.contains_key(&uuid::uuid!("481a9539-f49c-51b6-b2e2-fe99ee68866c")));
    assert!(entities.targets.contains_key(&uuid::uuid!("48322e4a-b3b0-591b-8ed6-fd95a6d75019")));
    assert!(entities.plugins.contains_key(&uuid::uuid!("6b4f38d1-e026-540b-a5ea-8634739dd2a7")));
}

#[test]
fn ids_are_stable_but_for_credentials() {
    let text = "
_format_version: '3.0'
services:
- host: h
  routes:
  - paths: [/]
    plugins: [{name: go-hello}]
  - paths: [/]
consumers:
- custom_id: c
  jwt_secrets: [{secret: s}]
";
    let (one, other) = (loaded(text), loaded(text));
    assert_eq!(one.services.keys().collect::<Vec<_>>(), other.services.keys().collect::<Vec<_>>());
    assert_eq!(one.routes.len(), 2);
    assert_eq!(one.routes.keys().collect::<Vec<_>>(), other.routes.keys().collect::<Vec<_>>());
    assert_eq!(one.plugins.keys().collect::<Vec<_>>(), other.plugins.keys().collect::<Vec<_>>());
    let credentials = |entities: &Entities| entities.credentials.values().map(|it| it.id).collect::<Vec<_>>();
    assert_ne!(credentials(&one), credentials(&other));
}

#[test]
fn hashes_passwords_unless_they_are_hashed() {
    let password = |transform: bool| {
        let entities = loaded(&format!(
            "
_format_version: '3.0'
_transform: {transform}
consumers:
- id: 4f3a7c5e-0000-4000-8000-000000000001
  username: bob
  basicauth_credentials: [{{username: bob, password: pass}}]
"
        ));
        entities.credentials.values().next().expect("one credential").fields["password"].clone()
    };
    assert_eq!(password(true), json!("e4c378b2884a88a4ed4c951b7cd88648140b017c"));
    assert_eq!(password(false), json!("pass"));
}

#[test]
fn migrates_old_route_paths() {
    for (version, expected) in [("1.1", "~/a/(\\d+)"), ("2.1", "~/a/(\\d+)")] {
        let entities = loaded(&format!(
            "
_format_version: '{version}'
services: [{{name: s, host: h, routes: [{{name: nested, paths: ['/a/(\\d+)']}}]}}]
routes: [{{name: top, paths: ['/a/(\\d+)', /b//c]}}]
"
        ));
        for route in entities.routes.values() {
            assert_eq!(route.paths.as_ref().expect("paths")[0], expected);
        }
        let top = entities.routes.values().find(|route| route.name.as_deref() == Some("top")).expect("top");
        assert_eq!(top.paths.as_ref().expect("paths")[1], "/b/c");
    }
}

#[test]
fn hashes_the_text() {
    let hash = |text: &str| hash(text, &load(text, Syntax::Yaml, &plugins(), NOW).expect("valid"));
    // Of `md5sum`.
    assert_eq!(
        hash("_format_version: '3.0'\nconsumers: [{username: a}]\n"),
        "efeb01ee0e2cdd01b816e9e8184924b9"
    );
    assert_eq!(hash("_format_version: '3.0'\nconsumers: []\n"), "0".repeat(32));
}

#[test]
fn the_sample_is_valid() {
    const SAMPLE: &str = include_str!("../../../gateway/src/commands/config/kong.yml");
    loaded(SAMPLE);
    // The entries it shows are valid too, but for plugins that this test does not have.
    let shown: String = SAMPLE
        .lines()
        .filter_map(|line| line.strip_prefix("# "))
        .skip_while(|line| *line != "services:")
        .filter(|line| line.starts_with(['-', ' ']) || line.ends_with(':'))
        .map(|line| format!("{line}\n"))
        .collect();
    let entities = loaded(&format!("_format_version: '3.0'\n{shown}"));
    assert_eq!((entities.routes.len(), entities.credentials.values().count()), (1, 1), "{shown}");
}

#[test]
fn reads_either_syntax() {
    let text = r#"{"_format_version": "3.0", "consumers": [{"username": "a"}]}"#;
    for syntax in [Syntax::Json, Syntax::Yaml, Syntax::Guess] {
        let set = load(text, syntax, &plugins(), NOW).expect("valid");
        assert_eq!(set.entities().consumers.values().count(), 1);
    }
    let rows = [
        ("{\n  \"a\": }", Syntax::Json, "expected value at line 2, column 8"),
        ("[]", Syntax::Json, "expected an object at line 1, column 1"),
        ("", Syntax::Yaml, "expected an object at line 1, column 1"),
        ("a: 1\na: 2", Syntax::Guess, "duplicate key 'a' at line 2, column 1"),
    ];
    for (text, syntax, expected) in rows {
        let error = load(text, syntax, &plugins(), NOW).expect_err(text);
        assert_eq!(error.to_string(), format!("failed parsing declarative configuration: {expected}"));
        assert_eq!(error.fields(), json!({ "error": error.to_string() }));
    }
}

#[test]
fn knows_the_syntax_of_files() {
    for (name, expected) in [
        ("kong.yml", Syntax::Yaml),
        ("kong.yaml", Syntax::Yaml),
        ("kong.json", Syntax::Json),
        ("kong", Syntax::Guess),
    ] {
        assert_eq!(Syntax::of_path(name.as_ref()), expected, "{name}");
    }
}

#[test]
fn reports_the_file_itself() {
    for (text, expected) in [
        ("services: []", "in '_format_version': required field missing"),
        ("_format_version: 3.0", "in '_format_version': expected a string"),
        ("_format_version: '4.0'", "in '_format_version': expected one of: 1.1, 2.1, 3.0"),
        ("_format_version: ~", "in '_format_version': required field missing"),
    ] {
        assert_eq!(refused(text).to_string(), expected, "{text}");
    }
    tree(
        "{_info: {}, _transform: 1, _comment: 1, _ignore: 1, servces: [], services: 5, keys: [{}], routes: [7], workspaces: [{name: x}]}"
            .trim_matches(['{', '}'])
            .replace(", ", "\n")
            .as_str(),
        expect![[r#"
            in '_comment': expected a string
            in '_ignore': expected an array
            in '_info': unknown field
            in '_transform': expected a boolean
            in 'keys': not supported by polygate; remove it
            in 'routes':
              - in entry 1 of 'routes': expected a record
            in 'servces': unknown field
            in 'services': expected an array
            in 'workspaces': only the workspace 'default' exists"#]],
    );
    loaded(
        "_format_version: '3.0'\nkeys: []\nservices: {}\nworkspaces: [{name: default}]\nparameters: []\nroutes: ~\n",
    );
}

#[test]
fn reports_all_entries_at_once() {
    tree(
        r#"
services:
- name: my service
  protocol: https
  routes:
  - name: r
    paths: [no-slash, /ok, /a//b]
    plugins:
    - {name: nope, config: {a: 1}}
    - {name: go-hello, config: {message: 5, other: 1}}
- {name: grpc, protocol: grpc, host: h, path: /x}
routes:
- {name: empty}
consumers:
- {}
"#,
        expect![[r#"
            in 'consumers':
              - in entry 1 of 'consumers':
                in '@entity':
                  - in entry 1 of '@entity': at least one of these fields must be non-empty: 'custom_id', 'username'
            in 'routes':
              - in entry 1 of 'routes':
                in '@entity':
                  - in entry 1 of '@entity': must set one of 'methods', 'hosts', 'headers', 'paths', 'snis' when 'protocols' is 'https'
            in 'services':
              - in entry 1 of 'services':
                in 'host': required field missing
                in 'name': invalid value 'my service': the only accepted ascii characters are alphanumerics or ., -, _, and ~
                in 'routes':
                  - in entry 1 of 'routes':
                    in 'paths':
                      - in entry 1 of 'paths': should start with: / (fixed path) or ~/ (regex path)
                      - in entry 3 of 'paths': must not have empty segments
                    in 'plugins':
                      - in entry 1 of 'plugins':
                        in 'name': plugin 'nope' not enabled; add it to the 'plugins' configuration property
                      - in entry 2 of 'plugins':
                        in 'config':
                          in 'message': expected a string
                          in 'other': unknown field
              - in entry 2 of 'services':
                in '@entity':
                  - in entry 1 of '@entity': failed conditional validation given value of field 'protocol'
                in 'path': value must be null"#]],
    );
}

#[test]
fn reports_references_and_repetition() {
    tree(
        r#"
services:
- {name: a, host: h, routes: [{name: r, paths: [/], service: b}]}
- {name: b, host: h}
- {name: a, host: h}
- {id: 4f3a7c5e-0000-4000-8000-000000000001, host: h}
- {id: 4f3a7c5e-0000-4000-8000-000000000001, host: h}
routes:
- {name: s, paths: [/], service: nope}
- {name: t, paths: [/], service: {id: 4f3a7c5e-0000-4000-8000-000000000009}}
- {name: u, paths: [/], service: 5}
consumers:
- {username: c, keyauth_credentials: [{key: k}, {key: k}]}
keyauth_credentials:
- {key: free}
- {key: bound, consumer: nobody}
plugins:
- {name: key-auth, consumer: c}
- {name: go-hello}
- {name: go-hello}
- {name: go-hello, id: 4f3a7c5e-0000-4000-8000-000000000002, service: a}
- {name: go-hello, id: 4f3a7c5e-0000-4000-8000-000000000003, service: a}
upstreams:
- {name: up, targets: [{target: h}, {target: 'h:8000'}, {target: 'h:99999'}]}
"#,
        expect![[r#"
            in 'consumers':
              - in entry 1 of 'consumers':
                in 'keyauth_credentials':
                  - in entry 2 of 'keyauth_credentials': uniqueness violation: 'keyauth_credentials' entity with key set to '***' already declared
            in 'keyauth_credentials':
              - in entry 1 of 'keyauth_credentials':
                in 'consumer': required field missing
              - in entry 2 of 'keyauth_credentials':
                in 'consumer': invalid reference 'consumer: nobody' (no such entry in 'consumers')
            in 'plugins':
              - in entry 1 of 'plugins':
                in 'consumer': value must be null
              - in entry 3 of 'plugins': uniqueness violation: 'plugins' entity with primary key set to 'e916e763-8ed1-5950-b735-cdcd247fa19e' already declared
              - in entry 5 of 'plugins': uniqueness violation: 'plugins' entity with name, service set to 'go-hello, 72734e2a-702d-5711-b9ef-697178108ad8' already declared
            in 'routes':
              - in entry 1 of 'routes':
                in 'service': invalid reference 'service: nope' (no such entry in 'services')
              - in entry 2 of 'routes':
                in 'service': invalid reference 'service: {"id":"4f3a7c5e-0000-4000-8000-000000000009"}' (no such entry in 'services')
              - in entry 3 of 'routes':
                in 'service': expected a record
            in 'services':
              - in entry 1 of 'services':
                in 'routes':
                  - in entry 1 of 'routes':
                    in 'service': must be left out: the entry is inside another entry of 'services'
              - in entry 3 of 'services': uniqueness violation: 'services' entity with name set to 'a' already declared
              - in entry 5 of 'services': uniqueness violation: 'services' entity with primary key set to '4f3a7c5e-0000-4000-8000-000000000001' already declared
            in 'upstreams':
              - in entry 1 of 'upstreams':
                in 'targets':
                  - in entry 2 of 'targets': uniqueness violation: 'targets' entity with upstream, target set to '152df2f3-4eb2-505d-ba48-f128b77c4e89, h:8000' already declared
                  - in entry 3 of 'targets':
                    in 'target': Invalid target ('h:99999'); not a valid hostname or ip address"#]],
    );
}

#[test]
fn plugins_share_a_protocol_with_what_they_are_on() {
    tree(
        r#"
services:
- name: tcp
  protocol: tcp
  host: h
  plugins: [{name: go-hello}]
  routes:
  - name: t
    protocols: [tcp]
    sources: [{ip: 10.0.0.0/8}]
    plugins:
    - {name: go-hello}
    - {name: basic-auth, protocols: [tcp]}
- {name: lonely, host: h, plugins: [{name: go-hello}]}
"#,
        expect![[r#"
            in 'services':
              - in entry 1 of 'services':
                in 'plugins':
                  - in entry 1 of 'plugins':
                    in 'protocols': must match the protocols of at least one route pointing to this Plugin's service
                in 'routes':
                  - in entry 1 of 'routes':
                    in 'plugins':
                      - in entry 1 of 'plugins':
                        in 'protocols': must match the associated route's protocols"#]],
    );
}

#[test]
fn credentials_are_stored_whether_or_not_their_plugins_are_there() {
    let text = "
_format_version: '3.0'
consumers:
- username: c
  acls: [{group: g}, {group: h}]
  keyauth_credentials: [{key: k}, {}]
  jwt_secrets: [{key: issuer, secret: s}]
  oauth2_credentials:
  - {name: app, client_id: app, hash_secret: true, oauth2_tokens: [{access_token: t, expires_in: 60}]}
- custom_id: d
  id: 4f3a7c5e-0000-4000-8000-00000000000d
acls: [{group: i, consumer: c}]
basicauth_credentials: [{username: u, password: p, consumer: {username: c}}]
hmacauth_credentials: [{username: u, consumer: {id: 4f3a7c5e-0000-4000-8000-00000000000d}}]
";
    let set = load(text, Syntax::Yaml, &HashMap::new(), NOW).expect("is accepted");
    let entities = set.entities();
    let c = entities.consumers.by_username("c").expect("c").id;
    let d = entities.consumers.by_custom_id("d").expect("d").id;
    for (kind, key, consumer) in [
        (CredentialKind::KeyAuth, "k", Some(c)),
        (CredentialKind::Jwt, "issuer", Some(c)),
        (CredentialKind::BasicAuth, "u", Some(c)),
        (CredentialKind::HmacAuth, "u", Some(d)),
        (CredentialKind::OAuth2, "app", Some(c)),
        (CredentialKind::OAuth2Token, "t", Some(c)),
        (CredentialKind::Acl, "g", None),
        (CredentialKind::KeyAuth, "issuer", None),
    ] {
        let found = entities.credentials.by_key(kind, key).map(|credential| credential.consumer);
        assert_eq!(found, consumer, "{kind:?} {key}");
    }
    let mut groups: Vec<_> = entities
        .credentials
        .of_consumer(CredentialKind::Acl, c)
        .iter()
        .map(|credential| credential.fields["group"].as_str().unwrap_or_default())
        .collect();
    groups.sort();
    assert_eq!(groups, ["g", "h", "i"]);
    let keys = entities.credentials.of_consumer(CredentialKind::KeyAuth, c);
    let drawn = keys.iter().find(|credential| credential.key.as_deref() != Some("k"));
    assert_eq!(drawn.and_then(|credential| credential.key.as_deref()).map(str::len), Some(32));
    let jwt = entities.credentials.by_key(CredentialKind::Jwt, "issuer").expect("a JWT secret");
    assert_eq!((&jwt.fields["algorithm"], &jwt.fields["secret"]), (&json!("HS256"), &json!("s")));
}

#[test]
fn credentials_are_checked_whether_or_not_their_plugins_are_there() {
    let text = "
_format_version: '3.0'
consumers:
- username: c
  acls: nonsense
  basicauth_credentials: [{username: u}]
  jwt_secrets: [{algorithm: RS256}]
  keyauth_credentials: [{key: hush}, {key: hush}]
acls: [{group: g}, {group: h, consumer: nobody}, {group: i, consumer: c}, {group: i, consumer: c, tags: [x]}]
";
    let error = load(text, Syntax::Yaml, &HashMap::new(), NOW).expect_err("is wrong");
    expect![[r#"
        in 'acls':
          - in entry 1 of 'acls':
            in 'consumer': required field missing
          - in entry 2 of 'acls':
            in 'consumer': invalid reference 'consumer: nobody' (no such entry in 'consumers')
          - in entry 4 of 'acls': uniqueness violation: 'acls' entity with primary key set to 'fd781c84-b418-57ba-998b-7bdc0bddd14b' already declared
        in 'consumers':
          - in entry 1 of 'consumers':
            in 'acls': expected an array
            in 'basicauth_credentials':
              - in entry 1 of 'basicauth_credentials':
                in 'password': required field missing
            in 'jwt_secrets':
              - in entry 1 of 'jwt_secrets':
                in '@entity':
                  - in entry 1 of '@entity': failed conditional validation given value of field 'algorithm'
                in 'rsa_public_key': required field missing
            in 'keyauth_credentials':
              - in entry 2 of 'keyauth_credentials': uniqueness violation: 'keyauth_credentials' entity with key set to '***' already declared"#]].assert_eq(&error.to_string());
}

#[test]
fn a_plugin_of_the_reference_is_said_to_be_missing() {
    let text =
        "_format_version: '3.0'\nplugins: [{name: acme, config: {account_email: a@b.test}}, {name: nope}]\n";
    let error = load(text, Syntax::Yaml, &HashMap::new(), NOW).expect_err("neither is there");
    expect![[r#"
        in 'plugins':
          - in entry 1 of 'plugins':
            in 'name': plugin 'acme' is not in polygate yet; there are acl, basic-auth, bot-detection, correlation-id, cors, datadog, file-log, grpc-web, hmac-auth, http-log, ip-restriction, jwt, key-auth, ldap-auth, loggly, oauth2, opentelemetry, post-function, pre-function, prometheus, proxy-cache, rate-limiting, redirect, request-size-limiting, request-termination, request-transformer, response-ratelimiting, response-transformer, session, statsd, syslog, tcp-log, udp-log, zipkin; remove it, or enable one of this name that a plugin server has
          - in entry 2 of 'plugins':
            in 'name': plugin 'nope' not enabled; add it to the 'plugins' configuration property"#]]
    .assert_eq(&error.to_string());
}

#[test]
fn lists_entries_for_machines() {
    let text = "
_format_version: '3.0'
services:
- name: s
  host: h
  routes:
  - {name: bad, id: 4f3a7c5e-0000-4000-8000-000000000001, tags: [x], hosts: [a, '**']}
";
    let error = refused(text);
    assert_eq!(
        error.fields(),
        json!({"services": [{"routes": [{"hosts": [null, "invalid wildcard: must have at most one wildcard"]}]}]})
    );
    let DeclarativeError::Invalid(report) = error else { panic!("{error}") };
    let [entry] = report.entries.as_slice() else { panic!("{report:?}") };
    assert_eq!((entry.collection.as_str(), entry.path.as_str()), ("routes", "services[0].routes[0]"));
    assert_eq!(entry.id.as_deref(), Some("4f3a7c5e-0000-4000-8000-000000000001"));
    assert_eq!((entry.name.as_deref(), entry.tags.as_slice()), (Some("bad"), &["x".to_owned()][..]));
    assert_eq!(
        entry.errors.flatten(),
        [("hosts[1]".to_owned(), "invalid wildcard: must have at most one wildcard")]
    );
}

#[test]
fn nulls_of_fields_with_a_default_become_the_default() {
    let entities = loaded(
        "
_format_version: '3.0'
services: [{name: s, host: h, retries: ~, read_timeout: ~}]
routes: [{name: r, paths: [/], regex_priority: ~, path_handling: ~, service: ~}]
upstreams: [{name: u, slots: ~, healthchecks: {active: {timeout: ~, healthy: {successes: ~}}}}]
vaults: [{name: env, prefix: my-vault, config: {prefix: SECRET_}}]
",
    );
    let service = entities.services.values().next().expect("one service");
    assert_eq!((service.retries, service.read_timeout), (5, 60_000));
    assert_eq!(entities.upstreams.values().next().expect("one upstream").slots, 10_000);
    assert_eq!(entities.vaults.values().next().expect("one vault").config["prefix"], json!("SECRET_"));
}

#[test]
fn a_byte_order_mark_is_not_part_of_the_document() {
    for (text, syntax) in [
        ("\u{feff}_format_version: '3.0'\n", Syntax::Yaml),
        ("\u{feff}{\"_format_version\": \"3.0\"}", Syntax::Json),
        ("\u{feff}{\"_format_version\": \"3.0\"}", Syntax::Guess),
    ] {
        let document = super::parse(text, syntax).unwrap_or_else(|error| panic!("{syntax:?}: {error}"));
        assert_eq!(document["_format_version"], "3.0", "{syntax:?}");
    }
}
