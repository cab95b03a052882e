//! The authorization endpoint (RFC 6749, section 3.1), which an application that has logged a user in calls: it gets the
//! address to send the user's browser to.

use std::sync::Arc;

use polygate_chain::pdk::headers::Change;
use polygate_chain::pdk::{Content, PdkError, query, response};
use polygate_chain::{Exchange, Key, Value};
use polygate_model::schema::random_text;
use polygate_model::{Credential, CredentialKind};
use serde_json::{Map, Value as Json};

use super::issue::Granted;
use super::parameters::Parameters;
use super::problem::Problem;
use super::store::{CODE_LIFETIME, Code};
use super::{OAuth2, client, pkce};
use crate::plugin::Outcome;

/// What the client hears, and where.
struct Told {
    members: Map<String, Json>,
    is_problem: bool,
    redirect_uri: Option<String>,
    is_in_fragment: bool,
}

/// What was asked for, and found to be right.
struct Asked<'p> {
    user: &'p str,
    scope: Option<String>,
    client: Arc<Credential>,
    challenge: Option<String>,
    wants_code: bool,
}

impl OAuth2 {
    pub async fn serve_authorization(&self, exchange: &mut Exchange, now: f64) -> Outcome {
        let parameters = Parameters::read(exchange).await;
        let mut told = self.authorize(exchange, &parameters, now)?;
        add_state(&mut told.members, &parameters);
        let status = if told.is_problem { 400 } else { 200 };
        let body = match &told.redirect_uri {
            Some(uri) => {
                let members = told.members.iter();
                let members =
                    members.map(|(name, value)| (Key::from(name.as_str()), Value::from(value))).collect();
                let address = with_members(uri, members, told.is_in_fragment)?;
                serde_json::json!({ "redirect_uri": address })
            }
            None => Json::Object(told.members),
        };
        response::exit(exchange, status, Content::Json(body.to_string()), not_stored())
    }

    fn authorize(&self, exchange: &Exchange, parameters: &Parameters, now: f64) -> Result<Told, PdkError> {
        let user = self.check_https(exchange).and_then(|()| self.config.user(parameters));
        let user = match user {
            Ok(user) => user,
            Err(problem) => return Ok(Told::problem(&problem, None)),
        };
        let entities = &exchange.session.environment.entities;
        let id = parameters.text("client_id").filter(|id| !id.is_empty());
        let known = id.and_then(|id| entities.credentials.by_key(CredentialKind::OAuth2, id));
        let uris = known.and_then(|client| client::redirect_uris(client));
        let wanted = uris.as_ref().map(|uris| client::redirect_uri(uris, parameters));
        // Whoever asks for a foreign place does not get there.
        let place = wanted.flatten().or_else(|| uris.as_ref()?.first().copied());

        let asked = self.asked(parameters, user, known, wanted);
        match asked {
            Ok(asked) => self.grant(exchange, asked, place, now),
            Err(problem) => Ok(Told::problem(&problem, place)),
        }
    }

    /// Of several problems the last one counts, as in the reference. `place` is that which the client wants: the inner
    /// `None` if it is not one of its own.
    fn asked<'p>(
        &self,
        parameters: &'p Parameters,
        user: &'p str,
        client: Option<&Arc<Credential>>,
        place: Option<Option<&str>>,
    ) -> Result<Asked<'p>, Problem> {
        let challenge = pkce::challenge(self.config.pkce, client.map(|client| &**client), parameters)?;
        let client = match place {
            None => return Err(Problem::client()),
            Some(None) => return Err(foreign_place()),
            Some(Some(_)) => client.ok_or_else(Problem::client)?,
        };
        let scope = self.config.scope(parameters)?;
        let wants_code = match parameters.text("response_type") {
            Some("code") if self.config.enable_authorization_code => true,
            Some("token") if self.config.enable_implicit_grant => false,
            _ => return Err(Problem::new("unsupported_response_type", "Invalid response_type")),
        };
        Ok(Asked { user, scope, client: client.clone(), challenge, wants_code })
    }

    fn grant(
        &self,
        exchange: &Exchange,
        asked: Asked<'_>,
        place: Option<&str>,
        now: f64,
    ) -> Result<Told, PdkError> {
        let members = match asked.wants_code {
            true => {
                let code = random_text();
                let members = Map::from_iter([("code".to_owned(), code.as_str().into())]);
                self.shared.grants.put_code(code, self.code(exchange, asked, now));
                return Ok(Told { members, ..Told::granted(place, false) });
            }
            false => {
                let granted = Granted { user: Some(asked.user.to_owned()), scope: asked.scope };
                self.issue(exchange, &asked.client, granted, None, now)?
            }
        };
        Ok(Told { members, ..Told::granted(place, true) })
    }

    fn code(&self, exchange: &Exchange, asked: Asked<'_>, now: f64) -> Code {
        Code {
            client: asked.client.key.clone().unwrap_or_default(),
            consumer: asked.client.consumer,
            plugin: self.plugin,
            service: self.bound_to(exchange),
            user: asked.user.to_owned(),
            scope: asked.scope,
            challenge: asked.challenge,
            ends: now + CODE_LIFETIME,
        }
    }
}

impl Told {
    fn problem(problem: &Problem, place: Option<&str>) -> Self {
        let members = problem.to_json().as_object().cloned().unwrap_or_default();
        Self { members, is_problem: true, ..Self::granted(place, false) }
    }

    fn granted(place: Option<&str>, is_in_fragment: bool) -> Self {
        let redirect_uri = place.map(str::to_owned);
        Self { members: Map::new(), is_problem: false, redirect_uri, is_in_fragment }
    }
}

pub fn foreign_place() -> Problem {
    Problem::request(
        "Invalid redirect_uri that does not match with any redirect_uri created with the application",
    )
}

/// A client's own text, which it gets back (RFC 6749, section 4.1.1).
pub fn add_state(members: &mut Map<String, Json>, parameters: &Parameters) {
    match parameters.get("state") {
        Value::Nil => {}
        state => drop(members.insert("state".to_owned(), state.to_json())),
    }
}

/// Answers with secrets are kept nowhere (RFC 6749, section 5.1).
pub fn not_stored() -> Vec<Change<'static>> {
    vec![Change::line("cache-control", "no-store"), Change::line("pragma", "no-cache")]
}

/// The address with more arguments in its query, or in its fragment.
fn with_members(uri: &str, mut members: Vec<(Key, Value)>, in_fragment: bool) -> Result<String, PdkError> {
    let (rest, fragment) = uri.split_once('#').map_or((uri, None), |(rest, it)| (rest, Some(it)));
    let (base, arguments) = rest.split_once('?').map_or((rest, None), |(base, it)| (base, Some(it)));
    let present = if in_fragment { fragment } else { arguments };
    if let Some(present) = present
        && let Value::Map(present) = query::to_table(present.as_bytes(), usize::MAX)
    {
        let is_new = |key: &Key| !members.iter().any(|(name, _)| name == key);
        let kept: Vec<_> = present.into_iter().filter(|(key, _)| is_new(key)).collect();
        members.extend(kept);
    }
    let members = query::encode(&Value::Map(members))?;
    Ok(match (in_fragment, fragment) {
        (true, _) => format!("{rest}#{members}"),
        (false, Some(fragment)) => format!("{base}?{members}#{fragment}"),
        (false, None) => format!("{base}?{members}"),
    })
}
