use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use polygate_chain::Exchange;
use ring::hmac;
use serde_json::{Value, json};

use crate::tests::{access, handler, with_entities};

fn token(claims: &Value, secret: &str) -> String {
    let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(&json!({"alg": "HS256"})), part(claims));
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let signature = BASE64_URL_SAFE_NO_PAD.encode(hmac::sign(&key, signed.as_bytes()));
    format!("{signed}.{signature}")
}

fn asked(target: &str, fields: &[(&str, &str)]) -> Exchange {
    let secrets =
        json!([{ "key": "k", "secret": "s" }, { "key": "512", "secret": "s", "algorithm": "HS512" }]);
    let entities = json!({ "consumers": [{ "username": "ann", "jwt_secrets": secrets }] });
    with_entities("GET", target, fields, entities)
}

fn body(config: Value, mut exchange: Exchange) -> String {
    access(&*handler("jwt", config), &mut exchange);
    match &exchange.session.answer {
        Some(answer) => String::from_utf8(answer.body.to_vec()).unwrap(),
        None => exchange.known_consumer().unwrap().username.clone().unwrap(),
    }
}

#[test]
fn the_credential_says_which_algorithm_counts() {
    let message = |text: &str| json!({ "message": text }).to_string();
    for (claims, secret, expected) in [
        (json!({"iss": "k"}), "s", "ann".to_owned()),
        (json!({"iss": "k"}), "t", message("Invalid signature")),
        (json!({"iss": "512"}), "s", message("Invalid algorithm")),
        (json!({"iss": "none"}), "s", message("No credentials found for given 'iss'")),
        (json!({"iss": 7}), "s", message("No credentials found for given 'iss'")),
        (json!({"iss": ""}), "s", message("Invalid 'iss' in claims")),
        (json!({}), "s", message("No mandatory 'iss' in claims")),
    ] {
        let line = format!("Bearer {}", token(&claims, secret));
        assert_eq!(body(json!({}), asked("/", &[("authorization", &line)])), expected, "of {claims}");
    }
}

#[test]
fn tokens_come_from_three_places() {
    let config = json!({"cookie_names": ["sid"]});
    let (one, other) = (token(&json!({"iss": "k"}), "s"), token(&json!({"iss": "k", "a": 1}), "s"));
    let bearer = format!("Bearer {one}");
    let cookie = |token: &str| format!("a=b; sid={token}");
    let several = json!({"message": "Multiple tokens provided"}).to_string();
    for (target, fields, expected) in [
        (format!("/?jwt={one}"), vec![], "ann"),
        ("/".to_owned(), vec![("cookie", cookie(&one))], "ann"),
        (format!("/?jwt={one}"), vec![("cookie", cookie(&one)), ("authorization", bearer.clone())], "ann"),
        (format!("/?jwt={other}"), vec![("authorization", bearer.clone())], several.as_str()),
        ("/".to_owned(), vec![("authorization", one.clone())], "{\"message\":\"Unauthorized\"}"),
    ] {
        let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        assert_eq!(body(config.clone(), asked(&target, &fields)), expected, "{target} {fields:?}");
    }
}

#[test]
fn claims_about_time() {
    let far = 4_102_444_800_u64;
    let config = json!({"claims_to_verify": ["exp", "nbf"], "maximum_expiration": 3600});
    for (claims, expected) in [
        (json!({"iss": "k", "exp": 1, "nbf": 1}), json!({"exp": "token expired"})),
        (
            json!({"iss": "k", "exp": "1", "nbf": far}),
            json!({"exp": "must be a number", "nbf": "token not valid yet"}),
        ),
        (json!({"iss": "k", "exp": far, "nbf": 1}), json!({"exp": "exceeds maximum allowed expiration"})),
    ] {
        let line = format!("Bearer {}", token(&claims, "s"));
        let got = body(config.clone(), asked("/", &[("authorization", &line)]));
        assert_eq!(serde_json::from_str::<Value>(&got).unwrap(), expected, "of {claims}");
    }
}
