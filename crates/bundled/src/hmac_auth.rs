//! Consumers known by a signature over the request (draft-cavage-http-signatures-00; bundled-plugins.md, section 3).

mod signed;

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use polygate_chain::pdk::service_request;
use polygate_chain::{Exchange, Phase};
use polygate_model::CredentialKind;
use ring::digest::{SHA256, digest};
use ring::hmac;
use serde::Deserialize;

use self::signed::Signed;
use crate::auth::{self, Attempt, Refusal};
use crate::plugin::{Bundled, Hooks, Outcome, configure};

pub const PLUGIN: Bundled = Bundled {
    name: "hmac-auth",
    priority: 1030,
    phases: &[Phase::Access],
    schema: include_str!("hmac_auth/schema.json"),
    checks: &[],
    configure: configure::<HmacAuth>,
};

/// Where a signature may stand, the first first.
const HEADERS: [&str; 2] = ["Proxy-Authorization", "Authorization"];

const UNVERIFIED: &str = "HMAC signature cannot be verified";
const DATELESS: &str =
    "HMAC signature cannot be verified, a valid date or x-date header is required for HMAC Authentication";
const DIFFERENT: &str = "HMAC signature does not match";

#[derive(Deserialize)]
struct HmacAuth {
    hide_credentials: bool,
    clock_skew: Option<f64>,
    anonymous: Option<String>,
    validate_request_body: bool,
    enforce_headers: Option<Vec<String>>,
    algorithms: Option<Vec<String>>,
    realm: Option<String>,
}

impl Hooks for HmacAuth {
    async fn access(&self, exchange: &mut Exchange) -> Outcome {
        let anonymous = self.anonymous.as_deref();
        if auth::is_settled(exchange, anonymous) {
            return Ok(());
        }
        if self.validate_request_body {
            // One that breaks off has no digest that fits.
            let _ = exchange.request_body.read().await;
        }
        let attempt = self.attempt(exchange);
        auth::conclude(exchange, anonymous, attempt, auth::challenge)
    }
}

impl HmacAuth {
    fn attempt(&self, exchange: &mut Exchange) -> Attempt {
        let headers = &exchange.request.headers;
        if HEADERS.into_iter().all(|name| !headers.contains(name)) {
            return self.refuse("Unauthorized");
        }
        if !["X-Date", "Date"].into_iter().any(|name| self.is_now(headers.text(name))) {
            return self.refuse(DATELESS);
        }
        let shown = HEADERS.into_iter().find_map(|name| Some((name, Signed::parse(headers.text(name)?)?)));
        let Some((header, signed)) = shown.filter(|(_, signed)| self.is_enough(signed)) else {
            return self.refuse(UNVERIFIED);
        };
        let credentials = &exchange.session.environment.entities.credentials;
        let Some(credential) = credentials.by_key(CredentialKind::HmacAuth, &signed.username).cloned() else {
            return self.refuse(UNVERIFIED);
        };
        let secret = credential.fields.get("secret").and_then(|secret| secret.as_str()).unwrap_or_default();
        let key = hmac::Key::new(signed.algorithm, secret.as_bytes());
        let is_same = hmac::verify(&key, &signed.text(exchange), &signed.signature).is_ok();
        if !is_same || (self.validate_request_body && !has_digest(exchange)) {
            return self.refuse(DIFFERENT);
        }
        if self.hide_credentials {
            service_request::clear_header(exchange, header);
        }
        auth::admit(exchange, credential, &signed.username).map(Ok)
    }

    /// Whether a date is close enough to now.
    fn is_now(&self, date: Option<&str>) -> bool {
        let Some(date) = date.and_then(|date| httpdate::parse_http_date(date).ok()) else { return false };
        let seconds = |time: SystemTime| time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        (seconds(SystemTime::now()) - seconds(date)).abs() <= self.clock_skew.unwrap_or(300.0)
    }

    /// Whether what has to be signed is, with an algorithm that is allowed.
    fn is_enough(&self, signed: &Signed) -> bool {
        let is_signed = |name: &String| signed.headers.iter().any(|other| other.eq_ignore_ascii_case(name));
        self.enforce_headers.iter().flatten().all(is_signed)
            && self.algorithms.as_ref().is_none_or(|names| names.contains(&signed.algorithm_name))
    }

    fn refuse(&self, message: &'static str) -> Attempt {
        let challenge = auth::scheme("hmac", self.realm.as_deref());
        Ok(Err(Refusal { message: message.into(), challenge }))
    }
}

/// Whether the body has the digest that the request names (RFC 3230, section 4.3.2); an empty one needs none.
fn has_digest(exchange: &Exchange) -> bool {
    let Some(body) = exchange.request_body.held().and_then(|body| body.bytes().ok()) else { return false };
    match exchange.request.headers.text("Digest") {
        None => body.is_empty(),
        Some(named) => named == format!("SHA-256={}", BASE64_STANDARD.encode(digest(&SHA256, &body))),
    }
}
