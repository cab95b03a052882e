//! Consumers known by user name and password (RFC 7617; bundled-plugins.md, section 3).

use std::sync::Arc;

use polygate_chain::credentials::user_and_password;
use polygate_chain::pdk::service_request;
use polygate_chain::{Exchange, Phase};
use polygate_model::{Credential, CredentialKind};
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use serde::Deserialize;
use subtle::ConstantTimeEq as _;

use crate::auth::{self, Attempt, Refusal};
use crate::encoding::hex;
use crate::plugin::{Bundled, Hooks, Outcome, configure};

pub const PLUGIN: Bundled = Bundled {
    name: "basic-auth",
    priority: 1100,
    phases: &[Phase::Access],
    schema: include_str!("basic_auth/schema.json"),
    checks: &[],
    configure: configure::<BasicAuth>,
};

/// Where credentials may stand, the first first.
const HEADERS: [&str; 2] = ["Proxy-Authorization", "Authorization"];

#[derive(Deserialize)]
struct BasicAuth {
    hide_credentials: bool,
    anonymous: Option<String>,
    realm: String,
}

impl Hooks for BasicAuth {
    async fn access(&self, exchange: &mut Exchange) -> Outcome {
        let anonymous = self.anonymous.as_deref();
        if auth::is_settled(exchange, anonymous) {
            return Ok(());
        }
        let attempt = self.attempt(exchange);
        auth::conclude(exchange, anonymous, attempt, auth::challenge)
    }
}

impl BasicAuth {
    fn attempt(&self, exchange: &mut Exchange) -> Attempt {
        let refusal = || {
            let challenge = auth::scheme("Basic", Some(&self.realm));
            Ok(Err(Refusal { message: "Unauthorized".into(), challenge }))
        };
        let shown = HEADERS.into_iter().find_map(|name| {
            let credentials = encoded(exchange.request.headers.get(name)?)?;
            Some((name, user_and_password(credentials)?))
        });
        let Some((header, (user, password))) = shown else { return refusal() };
        if self.hide_credentials {
            service_request::clear_header(exchange, header);
        }
        let credentials = &exchange.session.environment.entities.credentials;
        let known =
            str::from_utf8(&user).ok().and_then(|user| credentials.by_key(CredentialKind::BasicAuth, user));
        match known.filter(|credential| is_password_of(credential, &password)).cloned() {
            Some(credential) => {
                let user = credential.key.clone().unwrap_or_default();
                auth::admit(exchange, credential, &user).map(Ok)
            }
            None => refusal(),
        }
    }
}

/// What follows the scheme, of which two spellings count.
fn encoded(line: &[u8]) -> Option<&[u8]> {
    let line = line.trim_ascii_start();
    let rest = line.strip_prefix(b"Basic").or_else(|| line.strip_prefix(b"basic"))?;
    Some(rest.trim_ascii())
}

/// Passwords are kept as a hash over them and the consumer.
fn is_password_of(credential: &Arc<Credential>, password: &[u8]) -> bool {
    let salted = [password, credential.consumer.to_string().as_bytes()].concat();
    let hash = hex(digest(&SHA1_FOR_LEGACY_USE_ONLY, &salted).as_ref());
    let kept = credential.fields.get("password").and_then(|kept| kept.as_str()).unwrap_or_default();
    hash.as_bytes().ct_eq(kept.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::tests::{access, handler, with_entities};

    #[test]
    fn passwords_have_to_be_right() {
        let entities = json!({ "consumers": [
            { "username": "ann", "basicauth_credentials": [{ "username": "ann", "password": "a:b" }] },
        ] });
        for (header, value, is_admitted) in [
            ("authorization", "Basic YW5uOmE6Yg==", true),
            ("authorization", "basicYW5uOmE6Yg==", true),
            ("proxy-authorization", "Basic YW5uOmE6Yg==", true),
            ("authorization", "Basic YW5uOmE6Yw==", false),
            ("authorization", "Basic YW5u", false),
            ("authorization", "Bearer YW5uOmE6Yg==", false),
        ] {
            let mut exchange = with_entities("GET", "/", &[(header, value)], entities.clone());
            access(&*handler("basic-auth", json!({"hide_credentials": true})), &mut exchange);
            assert_eq!(exchange.consumer.is_some(), is_admitted, "{header}: {value}");
            assert_eq!(exchange.response.status, if is_admitted { 0 } else { 401 });
            assert_eq!(
                exchange.request.headers.contains(header),
                !is_admitted && value != "Basic YW5uOmE6Yw=="
            );
        }
    }
}
