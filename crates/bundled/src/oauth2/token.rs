//! The token endpoint (RFC 6749, section 3.2).

use std::sync::Arc;

use polygate_chain::Exchange;
use polygate_chain::pdk::headers::Change;
use polygate_chain::pdk::{Content, PdkError, response};
use polygate_model::{Credential, CredentialKind};
use serde_json::{Map, Value as Json};

use super::authorize::{add_state, foreign_place, not_stored};
use super::client::{self, Shown};
use super::issue::Granted;
use super::parameters::Parameters;
use super::problem::Problem;
use super::{OAuth2, pkce};
use crate::plugin::Outcome;

const CLIENT_CREDENTIALS: &str = "client_credentials";

/// What comes of a request: a token, or a reason why not.
type Answer = Result<Result<Map<String, Json>, Problem>, PdkError>;

#[derive(Clone, Copy)]
enum Grant {
    AuthorizationCode,
    ClientCredentials,
    Password,
    RefreshToken,
}

struct Client {
    /// `None` where nobody has to be known yet.
    credential: Option<Arc<Credential>>,
    grant: Grant,
}

/// Why a client is not let in.
struct Refused {
    problem: Problem,
    /// It showed itself in the header, and so is asked again there.
    asks_again: bool,
}

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        Self { problem, asks_again: false }
    }
}

impl OAuth2 {
    pub async fn serve_token(&self, exchange: &mut Exchange, now: f64) -> Outcome {
        let parameters = Parameters::read(exchange).await;
        let (status, mut members, asks_again) = match self.client(exchange, &parameters) {
            Ok(client) => match self.token(exchange, &parameters, client, now)? {
                Ok(members) => (200, members, false),
                Err(problem) => (400, members_of(&problem), false),
            },
            Err(Refused { problem, asks_again }) => {
                (if asks_again { 401 } else { 400 }, members_of(&problem), asks_again)
            }
        };
        add_state(&mut members, &parameters);
        let mut headers = not_stored();
        if asks_again {
            headers.push(Change::line("www-authenticate", "Basic realm=\"OAuth2.0\""));
        }
        response::exit(exchange, status, Content::Json(Json::Object(members).to_string()), headers)
    }

    /// The client, if it is one. Of several problems the last one counts, as in the reference.
    fn client(&self, exchange: &Exchange, parameters: &Parameters) -> Result<Client, Refused> {
        self.check_https(exchange)?;
        let shown = Shown::of(exchange, parameters, self.config.header());
        let credentials = &exchange.session.environment.entities.credentials;
        let id = shown.id.as_deref();
        let credential = id.and_then(|id| credentials.by_key(CredentialKind::OAuth2, id));
        let uris = credential.and_then(|credential| client::redirect_uris(credential));
        let name = parameters.text("grant_type");
        let needs_place = name != Some(CLIENT_CREDENTIALS);
        let asks_again = shown.is_in_header && needs_place && uris.is_none();

        if let Some(credential) = credential {
            if client::is_public(credential) && shown.has_secret() {
                let problem = Problem::request("client_secret is disallowed for public clients");
                return Err(Refused { problem, asks_again });
            }
            if !client::is_public(credential) && !client::is_secret_of(credential, &shown.secret) {
                return Err(Refused { problem: Problem::client(), asks_again: shown.is_in_header });
            }
        }
        match uris {
            None if needs_place => return Err(Refused { problem: Problem::client(), asks_again }),
            Some(uris) if needs_place && client::redirect_uri(&uris, parameters).is_none() => {
                return Err(foreign_place().into());
            }
            _ => {}
        }
        let grant = name.and_then(|name| self.grant_of(name));
        let grant = grant.ok_or(Problem::new("unsupported_grant_type", "Invalid grant_type"))?;
        Ok(Client { credential: credential.cloned(), grant })
    }

    fn grant_of(&self, name: &str) -> Option<Grant> {
        Some(match name {
            "authorization_code" => Grant::AuthorizationCode,
            "refresh_token" => Grant::RefreshToken,
            CLIENT_CREDENTIALS if self.config.enable_client_credentials => Grant::ClientCredentials,
            "password" if self.config.enable_password_grant => Grant::Password,
            _ => return None,
        })
    }

    fn token(&self, exchange: &Exchange, parameters: &Parameters, client: Client, now: f64) -> Answer {
        if let Grant::ClientCredentials = client.grant
            && parameters.get("authenticated_userid").truth()
            && let Err(problem) = self.config.user(parameters)
        {
            return Ok(Err(problem));
        }
        let Some(credential) = client.credential else { return Ok(Err(Problem::client())) };
        let granted = match client.grant {
            Grant::AuthorizationCode => self.redeem(exchange, parameters, &credential, now),
            Grant::RefreshToken => return self.refresh(exchange, parameters, &credential, now),
            Grant::Password => self.config.user(parameters).and_then(|user| {
                Ok(Granted { user: Some(user.to_owned()), scope: self.config.scope(parameters)? })
            }),
            Grant::ClientCredentials => self.config.scope(parameters).map(|scope| {
                let user = parameters.text("authenticated_userid").map(str::to_owned);
                Granted { user, scope }
            }),
        };
        let granted = match granted {
            Ok(granted) => granted,
            Err(problem) => return Ok(Err(problem)),
        };
        let refresh = match client.grant {
            Grant::ClientCredentials => None,
            _ => self.new_refresh_token(),
        };
        self.issue(exchange, &credential, granted, refresh, now).map(Ok)
    }

    /// What a code stands for (RFC 6749, section 4.1.3). From then on it stands for nothing.
    fn redeem(
        &self,
        exchange: &Exchange,
        parameters: &Parameters,
        client: &Credential,
        now: f64,
    ) -> Result<Granted, Problem> {
        let invalid = || Problem::request("Invalid code");
        let shown = parameters.text("code").unwrap_or_default();
        let code = self.shared.grants.code(shown, now).ok_or_else(invalid)?;
        let is_clients = client.key.as_deref() == Some(&code.client) && client.consumer == code.consumer;
        let counts_here = match self.config.global_credentials {
            true => true,
            false => code.service == self.bound_to(exchange),
        };
        if !is_clients || !counts_here {
            return Err(invalid());
        }
        pkce::verify(self.config.pkce, client, code.challenge.as_deref(), parameters)?;
        let is_of_this = !self.config.global_credentials || code.plugin == self.plugin;
        if !is_of_this || !self.shared.grants.take_code(shown) {
            return Err(invalid());
        }
        Ok(Granted { user: Some(code.user.clone()), scope: code.scope.clone() })
    }

    /// A new token in the place of an old one (RFC 6749, section 6).
    fn refresh(&self, exchange: &Exchange, parameters: &Parameters, client: &Credential, now: f64) -> Answer {
        let invalid = Ok(Err(Problem::request("Invalid refresh_token")));
        let credentials = &exchange.session.environment.entities.credentials;
        let shown = parameters.text("refresh_token").unwrap_or_default();
        let Some(token) = self.shared.grants.refresh(credentials, shown, now) else { return invalid };
        if !self.config.global_credentials && token.service != self.bound_to(exchange) {
            return invalid;
        }
        if client.key.as_deref() != Some(&token.client) || client.consumer != token.consumer {
            return Ok(Err(Problem::client()));
        }
        let granted = Granted { user: token.user.clone(), scope: token.scope.clone() };
        if self.config.reuse_refresh_token {
            // The new one comes first, so that the refresh token is good at any time.
            let told = self.issue(exchange, client, granted, token.refresh.clone(), now)?;
            self.shared.grants.forget(credentials, &token);
            return Ok(Ok(told));
        }
        if !self.shared.grants.take(credentials, &token) {
            return invalid;
        }
        self.issue(exchange, client, granted, self.new_refresh_token(), now).map(Ok)
    }
}

fn members_of(problem: &Problem) -> Map<String, Json> {
    problem.to_json().as_object().cloned().unwrap_or_default()
}
