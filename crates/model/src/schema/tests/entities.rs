//! The rules of the gateway's own entities.

use serde_json::{Value, json};

use crate::schema::EntitySchema;

fn check(collection: &str, given: &Value) -> Result<Value, Value> {
    let schema = EntitySchema::get(collection).expect(collection);
    let members = given.as_object().cloned().expect("an object");
    schema.check(members).map(Value::Object).map_err(|errors| errors.to_json())
}

fn refuses(collection: &str, rows: impl IntoIterator<Item = (Value, Value)>) {
    for (given, expected) in rows {
        assert_eq!(check(collection, &given), Err(expected), "{collection}: {given}");
    }
}

fn accepts(collection: &str, rows: impl IntoIterator<Item = Value>) {
    for given in rows {
        let result = check(collection, &given);
        assert!(result.is_ok(), "{collection}: {given}: {result:?}");
    }
}

#[test]
fn services() {
    let conditional = json!(["failed conditional validation given value of field 'protocol'"]);
    refuses(
        "services",
        [
            (json!({}), json!({"host": "required field missing"})),
            (json!({"host": "h:80"}), json!({"host": "must not have a port"})),
            (json!({"host": "a b"}), json!({"host": "invalid value: a b"})),
            (json!({"host": "h", "port": 65536}), json!({"port": "value should be between 0 and 65535"})),
            (
                json!({"host": "h", "retries": 32768}),
                json!({"retries": "value should be between 0 and 32767"}),
            ),
            (
                json!({"host": "h", "read_timeout": 0}),
                json!({"read_timeout": "value should be between 1 and 2147483646"}),
            ),
            (
                json!({"host": "h", "protocol": "ftp"}),
                json!({"protocol": "expected one of: grpc, grpcs, http, https, tcp, tls, tls_passthrough, udp"}),
            ),
            (json!({"host": "h", "path": "x"}), json!({"path": "should start with: /"})),
            (json!({"host": "h", "path": "/a//b"}), json!({"path": "must not have empty segments"})),
            (
                json!({"host": "h", "path": "/a b"}),
                json!({"path": "invalid path: '/a b' (characters outside of the reserved list of RFC 3986 found)"}),
            ),
            (json!({"host": "h", "path": "/a%2"}), json!({"path": "invalid url-encoded value: '%2'"})),
            (json!({"host": "h", "path": "/a%zz"}), json!({"path": "invalid url-encoded value: '%zz'"})),
            (
                json!({"host": "h", "name": "a b"}),
                json!({"name": "invalid value 'a b': the only accepted ascii characters are alphanumerics or ., -, _, and ~"}),
            ),
            (
                json!({"host": "h", "tags": ["a,b"]}),
                json!({"tags": ["invalid tag 'a,b': expected printable ascii (except `,` and `/`) or valid utf-8 sequences"]}),
            ),
            (
                json!({"host": "h", "tls_verify": true}),
                json!({"@entity": conditional, "tls_verify": "value must be null"}),
            ),
            (
                json!({"host": "h", "protocol": "tcp", "path": "/"}),
                json!({"@entity": conditional, "path": "value must be null"}),
            ),
            (json!({"url": "http://"}), json!({"host": "required field missing"})),
            (json!({"url": "http://h:x/"}), json!({"port": "expected an integer"})),
            (json!({"url": 5}), json!({"host": "required field missing", "url": "unknown field"})),
        ],
    );
    accepts(
        "services",
        [
            json!({"host": "::1"}),
            json!({"host": "h", "name": "na\u{ef}ve~1", "tags": ["a b", "\u{e9}"]}),
            json!({"host": "h", "protocol": "https", "tls_verify": true, "tls_verify_depth": 2}),
        ],
    );
}

#[test]
fn service_urls() {
    let rows = [
        ("http://example.com", json!(["http", "example.com", 80, null])),
        ("https://example.com/a?b=c", json!(["https", "example.com", 443, "/a"])),
        ("http://user:pass@example.com:8080/", json!(["http", "example.com", 8080, "/"])),
        ("grpc://[::1]:50051", json!(["grpc", "::1", 50051, null])),
        ("tcp://h", json!(["tcp", "h", 80, null])),
        ("//h:443", json!(["https", "h", 443, null])),
    ];
    for (url, expected) in rows {
        // What is given beside it does not count.
        let service = check("services", &json!({"url": url, "host": "other", "port": 1})).expect(url);
        assert_eq!(
            json!([service["protocol"], service["host"], service["port"], service["path"]]),
            expected,
            "{url}"
        );
        assert_eq!(service.get("url"), None);
    }
}

#[test]
fn routes() {
    let needs = |fields: &str, protocol: &str| json!({"@entity": [format!("must set one of {fields} when 'protocols' is '{protocol}'")]});
    refuses(
        "routes",
        [
            (json!({}), needs("'methods', 'hosts', 'headers', 'paths', 'snis'", "https")),
            (json!({"protocols": ["http"]}), needs("'methods', 'hosts', 'headers', 'paths'", "http")),
            (json!({"protocols": ["grpcs"]}), needs("'hosts', 'headers', 'paths', 'snis'", "grpcs")),
            (json!({"protocols": ["grpc"]}), needs("'hosts', 'headers', 'paths'", "grpc")),
            (
                json!({"protocols": ["tcp"]}),
                json!({"@entity": ["must set one of 'sources', 'destinations', 'snis' when 'protocols' is 'tcp', 'tls' or 'udp'"]}),
            ),
            (
                json!({"protocols": ["tls_passthrough"]}),
                json!({"@entity": ["must set snis when 'protocols' is 'tls_passthrough'"]}),
            ),
            (
                json!({"protocols": ["http", "grpc"], "paths": ["/"]}),
                json!({"protocols": "these sets are mutually exclusive: ('http', 'https'), ('grpc', 'grpcs')"}),
            ),
            (json!({"paths": ["/"], "methods": ["get"]}), json!({"methods": ["invalid value: get"]})),
            (
                json!({"paths": ["/"], "hosts": ["a.*.b"]}),
                json!({"hosts": ["invalid wildcard: must be placed at leftmost or rightmost label"]}),
            ),
            (
                json!({"paths": ["/"], "hosts": ["*a.b"]}),
                json!({"hosts": ["invalid wildcard: must be placed at leftmost or rightmost label"]}),
            ),
            (
                json!({"paths": ["/"], "hosts": ["*.a.*"]}),
                json!({"hosts": ["invalid wildcard: must have at most one wildcard"]}),
            ),
            (json!({"paths": ["/"], "hosts": ["a:99999"]}), json!({"hosts": ["invalid port number"]})),
            (json!({"paths": ["/"], "hosts": ["a b"]}), json!({"hosts": ["invalid hostname: a b"]})),
            (
                json!({"paths": ["a"]}),
                json!({"paths": ["should start with: / (fixed path) or ~/ (regex path)"]}),
            ),
            (json!({"paths": ["/a//b"]}), json!({"paths": ["must not have empty segments"]})),
            (
                json!({"paths": ["/a/../b"]}),
                json!({"paths": ["non-normalized path, consider use '/b' instead"]}),
            ),
            (
                json!({"paths": ["/%FF"]}),
                json!({"paths": ["its triplets are no UTF-8, and no request with such a path is matched"]}),
            ),
            (json!({"paths": ["/a%2"]}), json!({"paths": ["invalid url-encoded value: '%2'"]})),
            (json!({"paths": ["~/a("]}), json!({"paths": ["invalid regex: '/a(' (unclosed group)"]})),
            (
                json!({"paths": ["/"], "headers": {"Host": ["a"]}}),
                json!({"headers": {"Host": "cannot contain 'host' header, which must be specified in the 'hosts' attribute"}}),
            ),
            (
                json!({"paths": ["/"], "headers": {"a b": ["a"]}}),
                json!({"headers": {"a b": "bad header name 'a b', allowed characters are A-Z, a-z, 0-9, '_', and '-'"}}),
            ),
            (
                json!({"paths": ["/"], "snis": ["a.*.b"]}),
                json!({"snis": ["wildcard must be leftmost or rightmost character"]}),
            ),
            (
                json!({"paths": ["/"], "snis": ["*.*"]}),
                json!({"snis": ["only one wildcard must be specified"]}),
            ),
            (json!({"paths": ["/"], "snis": ["10.0.0.1"]}), json!({"snis": ["must not be an IP"]})),
            (
                json!({"protocols": ["http"], "paths": ["/"], "snis": ["a"]}),
                json!({"@entity": ["'snis' can only be set when 'protocols' is 'grpcs', 'https', 'tls' or 'tls_passthrough'"], "snis": "length must be 0"}),
            ),
            (
                json!({"paths": ["/"], "sources": [{"ip": "10.0.0.1"}]}),
                json!({"sources": "cannot set 'sources' when 'protocols' is 'http' or 'https'"}),
            ),
            (
                json!({"protocols": ["tcp"], "sources": [{}]}),
                json!({"sources": [{"@entity": ["at least one of these fields must be non-empty: 'ip', 'port'"]}]}),
            ),
            (
                json!({"protocols": ["tcp"], "sources": [{"ip": "x"}]}),
                json!({"sources": [{"ip": "invalid ip or cidr range: 'x'"}]}),
            ),
            (
                json!({"protocols": ["tcp"], "sources": [{"port": 1}], "paths": ["/"]}),
                json!({"paths": "cannot set 'paths' when 'protocols' is 'tcp', 'tls', 'tls_passthrough' or 'udp'"}),
            ),
            (
                json!({"protocols": ["grpc"], "paths": ["/"], "strip_path": true}),
                json!({"strip_path": "cannot set 'strip_path' when 'protocols' is 'grpc' or 'grpcs'"}),
            ),
            (
                json!({"paths": ["/"], "https_redirect_status_code": 303}),
                json!({"https_redirect_status_code": "expected one of: 426, 301, 302, 307, 308"}),
            ),
            (
                json!({"paths": ["/"], "path_handling": "v2"}),
                json!({"path_handling": "expected one of: v0, v1"}),
            ),
            (
                json!({"paths": ["/"], "service": {"id": "x"}}),
                json!({"service": {"id": "expected a valid UUID"}}),
            ),
            (json!({"paths": ["/"], "service": {}}), json!({"service": {"id": "missing primary key"}})),
        ],
    );
    accepts(
        "routes",
        [
            json!({"hosts": ["*.example.com", "example.*", "a.b:8080", "example.*:80"]}),
            json!({"paths": ["/a%2Fb", "/\u{e9}", "~/users/(?<id>\\d+)$"]}),
            json!({"headers": {"x_version": ["1", "~*v[0-9]+"]}}),
            json!({"snis": ["*.example.com"]}),
            json!({"protocols": ["tls", "tcp"], "destinations": [{"ip": "10.0.0.0/8", "port": 80}]}),
        ],
    );
    let grpc = check("routes", &json!({"protocols": ["grpc"], "paths": ["/"]})).unwrap();
    assert_eq!(grpc["strip_path"], json!(false));
}

#[test]
fn an_unknown_protocol_is_named() {
    let errors = check("routes", &json!({"protocols": ["gopher"], "paths": ["/"]})).unwrap_err();
    assert_eq!(errors["protocols"], json!("unknown type: gopher"));
}

#[test]
fn consumers_and_plugins() {
    refuses(
        "consumers",
        [
            (
                json!({}),
                json!({"@entity": ["at least one of these fields must be non-empty: 'custom_id', 'username'"]}),
            ),
            (
                json!({"username": ""}),
                json!({"@entity": ["at least one of these fields must be non-empty: 'custom_id', 'username'"], "username": "length must be at least 1"}),
            ),
            (json!({"username": "a", "id": "b"}), json!({"id": "expected a valid UUID"})),
            (json!({"username": "a", "created_at": 0}), json!({"created_at": "expected a valid timestamp"})),
        ],
    );
    refuses("plugins", [(json!({}), json!({"name": "required field missing"}))]);
}

#[test]
fn upstreams() {
    let failed =
        |field: &str| json!([format!("failed conditional validation given value of field '{field}'")]);
    refuses(
        "upstreams",
        [
            (json!({"name": "a b"}), json!({"name": "Invalid name ('a b'); must be a valid hostname"})),
            (
                json!({"name": "10.0.0.1"}),
                json!({"name": "Invalid name ('10.0.0.1'); no ip addresses allowed"}),
            ),
            (json!({"name": "a:80"}), json!({"name": "Invalid name ('a:80'); no port allowed"})),
            (json!({"name": "u", "slots": 9}), json!({"slots": "value should be between 10 and 65536"})),
            (
                json!({"name": "u", "hash_on": "header"}),
                json!({"@entity": failed("hash_on"), "hash_on_header": "required field missing"}),
            ),
            (
                json!({"name": "u", "hash_on": "ip", "hash_fallback": "ip"}),
                json!({"@entity": failed("hash_on"), "hash_fallback": "expected one of: none, consumer, header, cookie, path, query_arg, uri_capture"}),
            ),
            (
                json!({"name": "u", "hash_fallback": "ip"}),
                json!({"@entity": failed("hash_on"), "hash_fallback": "expected one of: none"}),
            ),
            (
                json!({"name": "u", "hash_on": "header", "hash_on_header": "X", "hash_fallback": "header", "hash_fallback_header": "X"}),
                json!({"@entity": ["values of these fields must be distinct: 'hash_on_header', 'hash_fallback_header'"]}),
            ),
            (
                json!({"name": "u", "hash_on": "cookie", "hash_on_cookie": "a b"}),
                json!({"@entity": failed("hash_on"), "hash_on_cookie": "invalid cookie name 'a b': it must be an HTTP token (RFC 9110, section 5.6.2)"}),
            ),
            (
                json!({"name": "u", "healthchecks": {"active": {"healthy": {"http_statuses": [99]}}}}),
                json!({"healthchecks": {"active": {"healthy": {"http_statuses": ["value should be between 100 and 999"]}}}}),
            ),
            (json!({"name": "u", "host_header": "a b"}), json!({"host_header": "invalid hostname: a b"})),
        ],
    );
    let upstream = check("upstreams", &json!({"name": "u"})).unwrap();
    assert_eq!(upstream["healthchecks"]["passive"]["unhealthy"]["http_statuses"], json!([429, 500, 503]));
    assert_eq!(upstream["healthchecks"]["active"]["concurrency"], json!(10));
}

#[test]
fn hashing_and_algorithm_go_together() {
    let rows = [
        (json!({}), ["round-robin", "none"]),
        (json!({"hash_on": "ip"}), ["consistent-hashing", "ip"]),
        (json!({"algorithm": "round-robin", "hash_on": "ip"}), ["consistent-hashing", "ip"]),
        (json!({"algorithm": "least-connections", "hash_on": "ip"}), ["least-connections", "none"]),
        (json!({"algorithm": "latency"}), ["latency", "none"]),
        (json!({"algorithm": "consistent-hashing", "hash_on": "none"}), ["round-robin", "none"]),
    ];
    for (mut given, expected) in rows {
        given["name"] = json!("u");
        let upstream = check("upstreams", &given).unwrap();
        assert_eq!([&upstream["algorithm"], &upstream["hash_on"]], expected, "{given}");
    }
}

#[test]
fn targets_and_vaults() {
    let upstream = json!({"id": "4f3a7c5e-0000-4000-8000-000000000001"});
    refuses(
        "targets",
        [
            (
                json!({"target": "a b", "upstream": upstream}),
                json!({"target": "Invalid target ('a b'); not a valid hostname or ip address"}),
            ),
            (
                json!({"target": "a", "weight": 65536, "upstream": upstream}),
                json!({"weight": "value should be between 0 and 65535"}),
            ),
            (json!({"target": "a"}), json!({"upstream": "required field missing"})),
        ],
    );
    refuses(
        "vaults",
        [
            (json!({"prefix": "env", "name": "env"}), json!({"prefix": "must not be one of: env"})),
            (json!({"prefix": "My", "name": "env"}), json!({"prefix": "invalid value: My"})),
            (json!({"prefix": "my", "name": "aws"}), json!({"name": "vault 'aws' is not installed"})),
            (
                json!({"prefix": "my", "name": "env", "config": {"prefix": "1"}}),
                json!({"config": {"prefix": "invalid value: 1"}}),
            ),
        ],
    );
}

#[test]
fn certificates() {
    let pem = |label: &str| format!("-----BEGIN {label}-----\nTUlJQg==\n-----END {label}-----\n");
    let (cert, key) = (pem("CERTIFICATE"), pem("RSA PRIVATE KEY"));
    refuses(
        "certificates",
        [
            (json!({"cert": "x", "key": key}), json!({"cert": "invalid certificate: no PEM block found"})),
            (json!({"cert": cert, "key": cert}), json!({"key": "invalid key: no PEM block found"})),
            (
                json!({"cert": cert.replace("=", "*"), "key": key}),
                json!({"cert": "invalid certificate: the PEM block is not base64"}),
            ),
            (
                json!({"cert": "-----BEGIN CERTIFICATE-----\nTU", "key": key}),
                json!({"cert": "invalid certificate: the PEM block has no end"}),
            ),
            (
                json!({"cert": cert, "key": key, "cert_alt": cert}),
                json!({"@entity": ["all or none of these fields must be set: 'cert_alt', 'key_alt'"]}),
            ),
        ],
    );
    accepts(
        "certificates",
        [json!({"cert": cert, "key": key}), json!({"cert": "{vault://env/c}", "key": "{vault://env/k}"})],
    );
    refuses(
        "ca_certificates",
        [(
            json!({"cert": cert.repeat(2)}),
            json!({"@entity": ["please submit only one certificate at a time"]}),
        )],
    );
    refuses(
        "snis",
        [(
            json!({"name": "a:1"}),
            json!({"certificate": "required field missing", "name": "must not have a port"}),
        )],
    );
}

#[test]
fn credentials() {
    let consumer = json!({"id": "4f3a7c5e-0000-4000-8000-000000000001"});
    refuses(
        "basicauth_credentials",
        [(
            json!({"consumer": consumer}),
            json!({"password": "required field missing", "username": "required field missing"}),
        )],
    );
    refuses("acls", [(json!({"group": "g"}), json!({"consumer": "required field missing"}))]);
    refuses(
        "jwt_secrets",
        [
            (
                json!({"consumer": consumer, "algorithm": "none"}),
                json!({"algorithm": "expected one of: HS256, HS384, HS512, RS256, RS384, RS512, ES256, ES384, ES512, PS256, PS384, PS512, EdDSA"}),
            ),
            (
                json!({"consumer": consumer, "algorithm": "RS256"}),
                json!({"@entity": ["failed conditional validation given value of field 'algorithm'"], "rsa_public_key": "required field missing"}),
            ),
        ],
    );
    refuses(
        "oauth2_credentials",
        [(
            json!({"consumer": consumer, "name": "a", "redirect_uris": ["x", "http://a/#b"]}),
            json!({"redirect_uris": ["cannot parse 'x'", "fragment not allowed in 'http://a/#b'"]}),
        )],
    );
    let key = check("keyauth_credentials", &json!({"consumer": consumer})).unwrap();
    assert_eq!(key["key"].as_str().map(str::len), Some(32));
}
