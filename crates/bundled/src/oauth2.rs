//! An OAuth 2.0 provider (RFC 6749), and consumers known by its tokens (RFC 6750; bundled-plugins.md, section 3).

mod authorize;
mod client;
mod config;
mod issue;
mod parameters;
mod pkce;
mod problem;
mod store;
#[cfg(test)]
mod tests;
mod token;

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use http::Method;
use polygate_chain::pdk::headers::Change;
use polygate_chain::pdk::{Content, headers, request, response, service_request};
use polygate_chain::{Exchange, Handler, Key, Phase, Value};
use polygate_model::{CredentialKind, Id};

use self::config::Config;
use self::parameters::Parameters;
use self::problem::Problem;
pub use self::store::Store;
use self::store::Token;
use crate::auth::{self, Attempt};
use crate::plugin::{self, Bundled, Hooks, Outcome};
use crate::reply::maybe_line;
use crate::shared::Shared;

pub const PLUGIN: Bundled = Bundled {
    name: "oauth2",
    priority: 1400,
    phases: &[Phase::Access],
    schema: include_str!("oauth2/schema.json"),
    checks: &[("grants", config::check_grants)],
    configure,
};

const ACCESS_TOKEN: &str = "access_token";
const FORM: &[u8] = b"application/x-www-form-urlencoded";

/// What the upstream is told of a token. A client's own words never reach it.
const SCOPE: &str = "X-Authenticated-Scope";
const USER: &str = "X-Authenticated-UserId";

struct OAuth2 {
    plugin: Id,
    config: Config,
    shared: Arc<Shared>,
}

/// Why nobody was authenticated.
#[derive(Clone, Copy)]
enum Refusal {
    Missing,
    Invalid,
    /// It counts for all services, and the configuration wants one for this.
    Global,
}

/// A token that a request came with.
struct Shown {
    token: String,
    is_in_header: bool,
}

fn configure(plugin: &Arc<polygate_model::Plugin>, shared: &Arc<Shared>) -> Result<Arc<dyn Handler>, String> {
    plugin::handler(OAuth2 { plugin: plugin.id, config: plugin::config(plugin)?, shared: shared.clone() })
}

impl Hooks for OAuth2 {
    async fn access(&self, exchange: &mut Exchange) -> Outcome {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.serve(exchange, now.as_secs_f64()).await
    }
}

impl OAuth2 {
    /// `now` is in seconds since 1970.
    async fn serve(&self, exchange: &mut Exchange, now: f64) -> Outcome {
        let path = request::get_path(exchange);
        let path = path.strip_suffix('/').unwrap_or(path);
        let (is_token, is_authorization) =
            (path.ends_with("/oauth2/token"), path.ends_with("/oauth2/authorize"));
        let is_post = exchange.request.method == Method::POST;
        match (is_token, is_authorization) {
            (true, _) if is_post => self.serve_token(exchange, now).await,
            (_, true) if is_post => self.serve_authorization(exchange, now).await,
            (true, _) => self.refuse_method(exchange, "token"),
            (_, true) => self.refuse_method(exchange, "authorization"),
            _ => self.authenticate(exchange, now).await,
        }
    }

    async fn authenticate(&self, exchange: &mut Exchange, now: f64) -> Outcome {
        let anonymous = self.config.anonymous.as_deref();
        tell_upstream(exchange, None)?;
        if auth::is_settled(exchange, anonymous) {
            return Ok(());
        }
        let attempt = self.attempt(exchange, now).await;
        // No anonymous consumer stands in for a token of the wrong kind, as in the reference.
        let anonymous = anonymous.filter(|_| !matches!(attempt, Ok(Err(Refusal::Global))));
        auth::conclude(exchange, anonymous, attempt, |exchange, refusal| self.refuse(exchange, refusal))
    }

    async fn attempt(&self, exchange: &mut Exchange, now: f64) -> Attempt<Refusal> {
        let Some(shown) = self.shown(exchange).await else { return Ok(Err(Refusal::Missing)) };
        if self.config.hide_credentials {
            self.hide(exchange, &shown).await?;
        }
        if shown.token.is_empty() {
            return Ok(Err(Refusal::Missing));
        }
        let entities = exchange.session.environment.entities.clone();
        let Some(token) = self.shared.grants.access(&entities.credentials, &shown.token, now) else {
            return Ok(Err(Refusal::Invalid));
        };
        let counts = match (token.service, self.config.global_credentials) {
            (None, true) => true,
            (None, false) => return Ok(Err(Refusal::Global)),
            (service, _) => service == service_of(exchange),
        };
        let client = entities.credentials.by_key(CredentialKind::OAuth2, &token.client);
        let client = client.filter(|it| it.consumer == token.consumer && counts && !token.is_expired(now));
        let Some(client) = client.cloned() else { return Ok(Err(Refusal::Invalid)) };
        auth::admit(exchange, client, &token.client)?;
        tell_upstream(exchange, Some(&token)).map(Ok)
    }

    /// The header comes before the query and the body.
    async fn shown(&self, exchange: &mut Exchange) -> Option<Shown> {
        let Some(value) = headers::first(&exchange.request.headers, self.config.header().as_bytes()) else {
            let token = Parameters::read(exchange).await.text(ACCESS_TOKEN)?.to_owned();
            return Some(Shown { token, is_in_header: false });
        };
        // What is no text is no token.
        let value = str::from_utf8(value).unwrap_or("-");
        let token = match value.split_ascii_whitespace().collect::<Vec<_>>().as_slice() {
            [scheme, token] if ["bearer", "token"].iter().any(|it| scheme.eq_ignore_ascii_case(it)) => token,
            _ => value,
        };
        Some(Shown { token: token.to_owned(), is_in_header: true })
    }

    async fn hide(&self, exchange: &mut Exchange, shown: &Shown) -> Outcome {
        if shown.is_in_header {
            service_request::clear_header(exchange, self.config.header());
            return Ok(());
        }
        if exchange.request.query.is_some() {
            let arguments = without_token(request::get_query(exchange, None));
            service_request::set_query(exchange, &arguments)?;
            // An empty query stays one, as in the reference.
            exchange.request.query.get_or_insert_default();
        }
        let kind = headers::first(&exchange.request.headers, b"content-type").unwrap_or_default();
        let is_form = kind.windows(FORM.len()).any(|part| part == FORM);
        if !is_form || exchange.request.method == Method::GET {
            return Ok(());
        }
        // One that breaks off is not sent on anyway.
        let _ = exchange.request_body.read().await;
        match request::get_body(exchange, None, None, None) {
            Ok(body) => service_request::set_body(exchange, &without_token(body), None),
            Err(_) => Ok(()),
        }
    }

    fn refuse(&self, exchange: &mut Exchange, refusal: Refusal) -> Outcome {
        const INVALID: &str = "The access token is invalid or has expired";
        let (problem, is_told) = match refusal {
            Refusal::Missing => (Problem::new("invalid_request", "The access token is missing"), false),
            Refusal::Invalid => (Problem::new("invalid_token", INVALID), true),
            Refusal::Global => {
                let description = "The access token is global, but the current plugin is configured without \
                                   'global_credentials'";
                (Problem::new("invalid_token", description), true)
            }
        };
        let told = is_told.then(|| Problem::new("invalid_token", INVALID));
        self.challenge(exchange, 401, &problem, told.as_ref())
    }

    fn refuse_method(&self, exchange: &mut Exchange, endpoint: &str) -> Outcome {
        let method = &exchange.request.method;
        let description = format!("The HTTP method {method} is invalid for the {endpoint} endpoint");
        let problem = Problem::new("invalid_method", description);
        self.challenge(exchange, 405, &problem, Some(&problem))
    }

    /// `told` is what the challenge says (RFC 6750, section 3).
    fn challenge(
        &self,
        exchange: &mut Exchange,
        status: u16,
        problem: &Problem,
        told: Option<&Problem>,
    ) -> Outcome {
        let mut challenge = auth::scheme("Bearer", self.config.realm.as_deref());
        if let Some(Problem { error, description }) = told {
            challenge.push_str(&format!(" error=\"{error}\" error_description=\"{description}\""));
        }
        let headers = vec![Change::line("WWW-Authenticate", challenge)];
        response::exit(exchange, status, Content::Json(problem.to_json().to_string()), headers)
    }

    /// Whether a secret may be said over the connection.
    fn check_https(&self, exchange: &Exchange) -> Result<(), Problem> {
        let session = &exchange.session;
        if session.connection.tls.is_some() {
            return Ok(());
        }
        let insecure = Problem::new("access_denied", "You must use HTTPS");
        if !self.config.accept_http_if_already_terminated || !session.peer_is_trusted {
            return Err(insecure);
        }
        let mut lines = headers::lines(&exchange.request.headers, b"x-forwarded-proto");
        match (lines.next(), lines.next()) {
            (Some(scheme), None) if scheme.eq_ignore_ascii_case(b"https") => Ok(()),
            (_, Some(_)) => Err(Problem::new("access_denied", "Only one X-Forwarded-Proto header allowed")),
            _ => Err(insecure),
        }
    }

    /// The service that codes and tokens made by this request count for; none if they count everywhere.
    fn bound_to(&self, exchange: &Exchange) -> Option<Id> {
        service_of(exchange).filter(|_| !self.config.global_credentials)
    }
}

fn service_of(exchange: &Exchange) -> Option<Id> {
    exchange.session.service().map(|service| service.id)
}

fn tell_upstream(exchange: &mut Exchange, token: Option<&Token>) -> Outcome {
    let lines = vec![
        maybe_line(SCOPE, token.and_then(|token| token.scope.clone())),
        maybe_line(USER, token.and_then(|token| token.user.clone())),
    ];
    service_request::set_headers(exchange, lines)
}

fn without_token(mut arguments: Value) -> Value {
    if let Value::Map(members) = &mut arguments {
        members.retain(|(key, _)| *key != Key::from(ACCESS_TOKEN));
    }
    arguments
}
