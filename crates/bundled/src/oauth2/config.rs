//! The configuration, and what it asks of the users and scopes that a client names.

use serde::Deserialize;
use subtle::ConstantTimeEq as _;

use super::parameters::Parameters;
use super::problem::Problem;

#[derive(Deserialize)]
pub struct Config {
    pub scopes: Option<Vec<String>>,
    pub mandatory_scope: bool,
    pub provision_key: String,
    /// Seconds.
    pub token_expiration: f64,
    pub enable_authorization_code: bool,
    pub enable_implicit_grant: bool,
    pub enable_client_credentials: bool,
    pub enable_password_grant: bool,
    pub hide_credentials: bool,
    pub accept_http_if_already_terminated: bool,
    pub anonymous: Option<String>,
    pub global_credentials: bool,
    pub auth_header_name: Option<String>,
    /// Seconds; 0 is no limit.
    pub refresh_token_ttl: f64,
    pub reuse_refresh_token: bool,
    pub pkce: Option<Pkce>,
    pub realm: Option<String>,
}

/// Of which clients a code challenge is asked.
#[derive(Deserialize, Debug, Clone, Copy, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum Pkce {
    None,
    /// Of public ones.
    Lax,
    Strict,
}

const GRANTS: [&str; 4] = [
    "enable_authorization_code",
    "enable_implicit_grant",
    "enable_client_credentials",
    "enable_password_grant",
];

pub fn check_grants(config: &serde_json::Value) -> Result<(), String> {
    match GRANTS.iter().any(|name| config[name] == true) {
        true => Ok(()),
        false => Err(format!("at least one of these fields must be true: {}", GRANTS.join(", "))),
    }
}

impl Config {
    pub fn header(&self) -> &str {
        self.auth_header_name.as_deref().unwrap_or("authorization")
    }

    /// The user in whose name a trusted application asks.
    pub fn user<'p>(&self, parameters: &'p Parameters) -> Result<&'p str, Problem> {
        self.check_provision_key(parameters)?;
        let user = parameters.text("authenticated_userid").filter(|user| !user.trim().is_empty());
        user.ok_or(Problem::new("invalid_authenticated_userid", "Missing authenticated_userid parameter"))
    }

    fn check_provision_key(&self, parameters: &Parameters) -> Result<(), Problem> {
        let shown = parameters.text("provision_key").unwrap_or_default();
        match self.provision_key.as_bytes().ct_eq(shown.as_bytes()).into() {
            true => Ok(()),
            false => Err(Problem::new("invalid_provision_key", "Invalid provision_key")),
        }
    }

    /// The scopes that a client asks for, with a blank between them (RFC 6749, section 3.3).
    pub fn scope(&self, parameters: &Parameters) -> Result<Option<String>, Problem> {
        let invalid = |description: String| Problem::new("invalid_scope", description);
        let mut scopes = Vec::new();
        if let (Some(known), asked) = (&self.scopes, parameters.get("scope"))
            && !asked.is_nil()
        {
            let asked = asked.as_str().ok_or_else(|| invalid("scope must be a string".to_owned()))?;
            scopes.extend(asked.split_ascii_whitespace());
            if let Some(unknown) = scopes.iter().find(|scope| !known.iter().any(|it| it == *scope)) {
                return Err(invalid(format!("\"{unknown}\" is an invalid scope")));
            }
        }
        if scopes.is_empty() && self.mandatory_scope {
            return Err(invalid("You must specify a scope".to_owned()));
        }
        Ok((!scopes.is_empty()).then(|| scopes.join(" ")))
    }
}
