//! Proof that the client which redeems a code is the one that asked for it (RFC 7636).

use polygate_chain::Value;
use polygate_model::Credential;
use ring::digest::{SHA256, digest};
use subtle::ConstantTimeEq as _;

use super::client::is_public;
use super::config::Pkce;
use super::parameters::Parameters;
use super::problem::Problem;
use crate::encoding::{from_base64, to_base64_url};

/// The challenge of an authorization request, without padding. `S256` is the only method.
pub fn challenge(
    pkce: Option<Pkce>,
    client: Option<&Credential>,
    parameters: &Parameters,
) -> Result<Option<String>, Problem> {
    let method = parameters.get("code_challenge_method");
    let challenge = match parameters.get("code_challenge") {
        Value::Nil if !method.is_nil() => {
            return Err(Problem::request("code_challenge is required when code_method is present"));
        }
        Value::Nil => {
            return match client.filter(|client| is_required(pkce, client)) {
                None => Ok(None),
                Some(client) => {
                    let kind = if is_public(client) { "public" } else { "confidential" };
                    Err(Problem::request(format!("code_challenge is required for {kind} clients")))
                }
            };
        }
        given => given.as_str().ok_or(Problem::request("code_challenge is not a string"))?,
    };
    if !method.is_nil() && !method.as_str().is_some_and(|method| matches!(method, "S256" | "s256")) {
        return Err(Problem::request("code_challenge_method is not supported, must be S256"));
    }
    let plain = from_base64(challenge).map(|bytes| to_base64_url(&bytes));
    Ok(Some(plain.unwrap_or_else(|| challenge.to_owned())))
}

/// Whether the request for a token proves what the request for its code promised.
pub fn verify(
    pkce: Option<Pkce>,
    client: &Credential,
    promised: Option<&str>,
    parameters: &Parameters,
) -> Result<(), Problem> {
    if promised.is_none() && !is_required(pkce, client) {
        return Ok(());
    }
    let verifier = match parameters.get("code_verifier") {
        Value::Nil => {
            return Err(Problem::request("code_verifier is required for PKCE authorization requests"));
        }
        given => given.as_bytes().ok_or(Problem::request("code_verifier is not a string"))?,
    };
    if !(43..=128).contains(&verifier.len()) {
        return Err(Problem::request("code_verifier must be between 43 and 128 characters"));
    }
    let proof = to_base64_url(digest(&SHA256, verifier).as_ref());
    match promised.is_some_and(|promised| proof.as_bytes().ct_eq(promised.as_bytes()).into()) {
        true => Ok(()),
        false => Err(Problem::new("invalid_grant", "Invalid code")),
    }
}

fn is_required(pkce: Option<Pkce>, client: &Credential) -> bool {
    match pkce.unwrap_or(Pkce::Lax) {
        Pkce::None => false,
        Pkce::Lax => is_public(client),
        Pkce::Strict => true,
    }
}
