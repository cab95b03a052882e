//! New tokens.

use polygate_chain::Exchange;
use polygate_chain::pdk::PdkError;
use polygate_model::Credential;
use polygate_model::schema::random_text;
use serde_json::{Map, Value};

use super::OAuth2;
use super::store::Token;

/// In whose name a client gets a token, and for what.
pub struct Granted {
    pub user: Option<String>,
    pub scope: Option<String>,
}

impl OAuth2 {
    /// Keeps a new token, and answers what the client is told of it (RFC 6749, section 5.1).
    pub fn issue(
        &self,
        exchange: &Exchange,
        client: &Credential,
        granted: Granted,
        refresh: Option<String>,
        now: f64,
    ) -> Result<Map<String, Value>, PdkError> {
        let service = self.bound_to(exchange);
        if service.is_none() && !self.config.global_credentials {
            return Err(PdkError::thrown("oauth2: a route without a service needs 'global_credentials'"));
        }
        let expires_in = self.config.token_expiration as i64;
        let ttl = self.config.refresh_token_ttl;
        let token = Token {
            access: random_text(),
            refresh,
            client: client.key.clone().unwrap_or_default(),
            consumer: client.consumer,
            service,
            user: granted.user,
            scope: granted.scope,
            made: now,
            expires_in,
            ends: (expires_in > 0 && ttl > 0.0).then_some(now + ttl),
        };
        let mut told = Map::new();
        told.insert("access_token".to_owned(), token.access.as_str().into());
        told.insert("token_type".to_owned(), "bearer".into());
        if expires_in > 0 {
            told.insert("expires_in".to_owned(), expires_in.into());
        }
        if let Some(refresh) = &token.refresh {
            told.insert("refresh_token".to_owned(), refresh.as_str().into());
        }
        self.shared.grants.put(token);
        Ok(told)
    }

    /// A token that never expires needs none.
    pub fn new_refresh_token(&self) -> Option<String> {
        (self.config.token_expiration > 0.0).then(random_text)
    }
}
