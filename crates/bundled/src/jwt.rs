//! Consumers known by a signed token (RFC 7519; bundled-plugins.md, section 3).

mod retrieve;
mod signature;
#[cfg(test)]
mod tests;
mod token;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use http::Method;
use polygate_chain::pdk::headers::Change;
use polygate_chain::pdk::{Content, response};
use polygate_chain::{Exchange, Phase};
use polygate_model::{Credential, CredentialKind};
use serde::Deserialize;
use serde_json::{Value, json};

use self::retrieve::{Places, Tokens};
use self::token::Token;
use crate::auth::{self, Attempt};
use crate::encoding::from_base64;
use crate::plugin::{Bundled, Hooks, Outcome, configure};

pub const PLUGIN: Bundled = Bundled {
    name: "jwt",
    priority: 1450,
    phases: &[Phase::Access],
    schema: include_str!("jwt/schema.json"),
    checks: &[],
    configure: configure::<Jwt>,
};

#[derive(Deserialize)]
struct Jwt {
    #[serde(flatten)]
    places: Places,
    key_claim_name: Option<String>,
    secret_is_base64: bool,
    claims_to_verify: Option<Vec<Claim>>,
    maximum_expiration: Option<f64>,
    anonymous: Option<String>,
    run_on_preflight: bool,
    realm: Option<String>,
}

#[derive(Deserialize, Clone, Copy, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Claim {
    Exp,
    Nbf,
}

/// Why nobody was authenticated.
struct Refusal {
    body: Value,
    /// There was a token, and it is not a good one.
    is_invalid: bool,
}

impl Hooks for Jwt {
    async fn access(&self, exchange: &mut Exchange) -> Outcome {
        let anonymous = self.anonymous.as_deref();
        let is_preflight = !self.run_on_preflight && exchange.request.method == Method::OPTIONS;
        if is_preflight || auth::is_settled(exchange, anonymous) {
            return Ok(());
        }
        let attempt = self.attempt(exchange);
        auth::conclude(exchange, anonymous, attempt, |exchange, refusal| self.refuse(exchange, &refusal))
    }
}

impl Jwt {
    fn attempt(&self, exchange: &mut Exchange) -> Attempt<Refusal> {
        let text = match self.places.tokens(exchange) {
            Tokens::None => {
                return Ok(Err(Refusal { body: json!({"message": "Unauthorized"}), is_invalid: false }));
            }
            Tokens::Several => return invalid("Multiple tokens provided"),
            Tokens::One(text) => text,
        };
        let token = match Token::parse(&text) {
            Ok(token) => token,
            Err(why) => return invalid(format!("Bad token; {why}")),
        };
        let claim = self.key_claim_name.as_deref().unwrap_or("iss");
        let key = match token.member(claim) {
            None => return invalid(format!("No mandatory '{claim}' in claims")),
            Some(Value::String(key)) if key.is_empty() => {
                return invalid(format!("Invalid '{claim}' in claims"));
            }
            Some(key) => key.as_str(),
        };
        let credentials = &exchange.session.environment.entities.credentials;
        let known = key.and_then(|key| credentials.by_key(CredentialKind::Jwt, key));
        let Some(credential) = known.cloned() else {
            return invalid(format!("No credentials found for given '{claim}'"));
        };
        if let Err(why) = self.verify(&token, &credential) {
            return invalid(why);
        }
        let problems = self.claim_problems(&token);
        if !problems.is_empty() {
            return Ok(Err(Refusal { body: json!(problems), is_invalid: true }));
        }
        exchange.session.shared.insert("authenticated_jwt_token".to_owned(), text.as_str().into());
        let identifier = credential.key.clone().unwrap_or_default();
        auth::admit(exchange, credential, &identifier).map(Ok)
    }

    /// Checks the signature. The algorithm is the credential's, so that a token cannot choose a weaker one.
    fn verify(&self, token: &Token<'_>, credential: &Credential) -> Result<(), &'static str> {
        let field = |name: &str| credential.fields.get(name).and_then(Value::as_str);
        let algorithm = field("algorithm").unwrap_or("HS256");
        if token.algorithm() != Some(algorithm) {
            return Err("Invalid algorithm");
        }
        let name = if algorithm.starts_with("HS") { "secret" } else { "rsa_public_key" };
        let key = match (field(name), self.secret_is_base64) {
            (Some(key), true) => from_base64(key).map(Cow::from),
            (Some(key), false) => Some(key.as_bytes().into()),
            (None, _) => None,
        };
        let key = key.ok_or("Invalid key/secret")?;
        match signature::verify(algorithm, &key, token.signed.as_bytes(), &token.signature) {
            true => Ok(()),
            false => Err("Invalid signature"),
        }
    }

    /// What is wrong with the claims, by name.
    fn claim_problems(&self, token: &Token<'_>) -> BTreeMap<&'static str, &'static str> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        let mut problems = BTreeMap::new();
        for claim in self.claims_to_verify.iter().flatten() {
            let (name, problem) = match claim {
                Claim::Exp => ("exp", "token expired"),
                Claim::Nbf => ("nbf", "token not valid yet"),
            };
            match (token.claim(name).and_then(Value::as_f64), claim) {
                (None, _) => drop(problems.insert(name, "must be a number")),
                (Some(time), Claim::Exp) if time > now => {}
                (Some(time), Claim::Nbf) if time <= now => {}
                (Some(_), _) => drop(problems.insert(name, problem)),
            }
        }
        let longest = self.maximum_expiration.filter(|longest| *longest > 0.0 && problems.is_empty());
        if let Some(longest) = longest {
            match token.claim("exp").and_then(Value::as_f64) {
                None => drop(problems.insert("exp", "must be a number")),
                Some(time) if time - now > longest => {
                    problems.insert("exp", "exceeds maximum allowed expiration");
                }
                Some(_) => {}
            }
        }
        problems
    }

    fn refuse(&self, exchange: &mut Exchange, refusal: &Refusal) -> Outcome {
        let mut challenge = auth::scheme("Bearer", self.realm.as_deref());
        if refusal.is_invalid {
            challenge.push_str(" error=\"invalid_token\"");
        }
        let headers = vec![Change::line("WWW-Authenticate", challenge)];
        response::exit(exchange, 401, Content::Json(refusal.body.to_string()), headers)
    }
}

fn invalid(message: impl Into<String>) -> Attempt<Refusal> {
    Ok(Err(Refusal { body: json!({"message": message.into()}), is_invalid: true }))
}
