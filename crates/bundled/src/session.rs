//! Consumers known by a sealed cookie, after another plugin has authenticated them (bundled-plugins.md, section 3).

mod attributes;
mod sealed;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use polygate_chain::exchange::{Authenticated, AuthenticatedBy};
use polygate_chain::pdk::headers::Change;
use polygate_chain::pdk::{Content, client, request, response, service_request};
use polygate_chain::{Exchange, Handler, Phase, Value};
use polygate_telemetry::log;
use serde::Deserialize;

use self::attributes::Attributes;
use self::sealed::{Limits, Sealer, Session};
use crate::plugin::{self, Bundled, Hooks, Outcome};
use crate::reply::maybe_line;
use crate::shared::Shared;
use crate::{auth, cookies};

pub const PLUGIN: Bundled = Bundled {
    name: "session",
    priority: 1900,
    phases: &[Phase::Access],
    schema: include_str!("session/schema.json"),
    checks: &[("storage", check_storage)],
    configure,
};

/// Bytes of name and value that browsers keep (RFC 6265, section 6.1).
const LARGEST: usize = 4096;

#[derive(Deserialize)]
struct Config {
    secret: String,
    audience: Option<String>,
    #[serde(flatten)]
    limits: Limits,
    cookie_name: Option<String>,
    #[serde(flatten)]
    attributes: Attributes,
    remember: Option<bool>,
    remember_cookie_name: Option<String>,
    remember_rolling_timeout: Option<f64>,
    remember_absolute_timeout: Option<f64>,
    response_headers: Option<Vec<Told>>,
    request_headers: Option<Vec<Told>>,
    read_body_for_logout: Option<bool>,
    logout_methods: Option<Vec<String>>,
    logout_query_arg: Option<String>,
    logout_post_arg: Option<String>,
}

/// What clients and upstreams may be told of a session.
#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "kebab-case")]
enum Told {
    Id,
    Audience,
    Subject,
    Timeout,
    IdlingTimeout,
    RollingTimeout,
    AbsoluteTimeout,
}

/// One of the two cookies.
struct Cookie {
    name: String,
    limits: Limits,
    sealer: Sealer,
    /// Whether it outlives the browser.
    stays: bool,
}

struct SessionPlugin {
    audience: String,
    cookie: Cookie,
    remember: Option<Cookie>,
    attributes: Attributes,
    to_client: Vec<Told>,
    to_upstream: Vec<Told>,
    logout: Logout,
}

/// What ends a session.
struct Logout {
    methods: Vec<String>,
    query_argument: Option<String>,
    body_argument: Option<String>,
}

/// The session that a request came with.
struct Opened {
    session: Session,
    /// It comes from the longer one of the two cookies alone.
    is_remembered: bool,
}

fn check_storage(value: &serde_json::Value) -> Result<(), String> {
    match value.as_str() {
        Some("kong") => Err("'kong' needs a database, which there is not yet: use 'cookie'".to_owned()),
        _ => Ok(()),
    }
}

fn configure(plugin: &Arc<polygate_model::Plugin>, _: &Arc<Shared>) -> Result<Arc<dyn Handler>, String> {
    let config: Config = plugin::config(plugin)?;
    let audience = config.audience.unwrap_or_else(|| "default".to_owned());
    let cookie = |name: String, limits, stays| {
        let sealer = Sealer::new(&config.secret, &name, &audience)?;
        Ok::<_, String>(Cookie { name, limits, sealer, stays })
    };
    let name = config.cookie_name.unwrap_or_else(|| "session".to_owned());
    let longer = Limits {
        idling_timeout: None,
        rolling_timeout: config.remember_rolling_timeout,
        absolute_timeout: config.remember_absolute_timeout,
    };
    let remember = config.remember_cookie_name.unwrap_or_else(|| "remember".to_owned());
    let reads_body = config.read_body_for_logout.unwrap_or_default();
    plugin::handler(SessionPlugin {
        cookie: cookie(name, config.limits, false)?,
        remember: config.remember.unwrap_or_default().then(|| cookie(remember, longer, true)).transpose()?,
        attributes: config.attributes,
        to_client: config.response_headers.unwrap_or_default(),
        to_upstream: config.request_headers.unwrap_or_default(),
        logout: Logout {
            methods: config.logout_methods.unwrap_or_default(),
            query_argument: config.logout_query_arg,
            body_argument: config.logout_post_arg.filter(|_| reads_body),
        },
        audience,
    })
}

impl Hooks for SessionPlugin {
    async fn access(&self, exchange: &mut Exchange) -> Outcome {
        let now = now();
        let opened = self.open(exchange, now);
        let headers = self.told(&self.to_upstream, opened.as_ref().map(|opened| &opened.session), now);
        service_request::set_headers(exchange, headers)?;
        let Some(opened) = opened else { return Ok(()) };
        if self.logout.is_asked(exchange).await {
            let ended = self
                .cookies()
                .map(|cookie| self.attributes.ended(&cookie.name).into_bytes().into())
                .collect();
            let headers = vec![Change { name: "Set-Cookie".into(), values: ended }];
            return response::exit(exchange, 200, Content::Nothing, headers);
        }
        let Some(consumer) = exchange.session.environment.consumer(opened.session.consumer).cloned() else {
            return Ok(());
        };
        let credential = Value::from(&serde_json::json!({ "id": opened.session.credential }));
        let by = Some(AuthenticatedBy::Given(credential));
        client::authenticate(exchange, Some(Authenticated::Known(consumer)), by)?;
        if !opened.session.groups.is_empty() {
            auth::set_groups(exchange, &opened.session.groups);
        }
        let identifier = opened.session.credential.clone();
        exchange.session.kept.put(opened);
        auth::tell_upstream(exchange, Some(&identifier))
    }

    /// A cookie for whom a plugin authenticated in this request, or for whom the old one does not suffice.
    fn header(&self, exchange: &mut Exchange) -> Outcome {
        let consumer = exchange.known_consumer().map(|consumer| consumer.id);
        let credential = exchange.credential.as_ref().and_then(|by| by.id());
        let (Some(consumer), Some(credential)) = (consumer, credential) else { return Ok(()) };
        let opened = exchange.session.kept.get::<Opened>();
        let opened = opened
            .filter(|it| it.session.consumer == consumer && it.session.credential.as_str() == &*credential);
        let now = now();
        let (session, is_new) = match opened {
            Some(Opened { session, is_remembered: false }) if !self.cookie.limits.is_worn(session, now) => {
                (session.clone(), false)
            }
            Some(Opened { session, .. }) => (session.renewed(now), true),
            None => (
                Session::begin(
                    consumer,
                    credential.into_owned(),
                    auth::groups(exchange).unwrap_or_default(),
                    now,
                )?,
                true,
            ),
        };
        for told in self.told(&self.to_client, Some(&session), now) {
            response::set_header(exchange, told)?;
        }
        if is_new {
            for cookie in self.cookies() {
                self.set(exchange, cookie, &session, now)?;
            }
        }
        Ok(())
    }
}

impl SessionPlugin {
    fn cookies(&self) -> impl Iterator<Item = &Cookie> {
        [Some(&self.cookie), self.remember.as_ref()].into_iter().flatten()
    }

    fn open(&self, exchange: &Exchange, now: f64) -> Option<Opened> {
        self.cookies().find_map(|cookie| {
            let value = cookies::find(&exchange.request.headers, &cookie.name)?;
            let session = cookie.sealer.open(value).filter(|session| cookie.limits.hold(session, now))?;
            Some(Opened { session, is_remembered: cookie.stays })
        })
    }

    fn set(&self, exchange: &mut Exchange, cookie: &Cookie, session: &Session, now: f64) -> Outcome {
        let value = cookie.sealer.seal(session)?;
        if cookie.name.len() + value.len() > LARGEST {
            log!(Error, "[session] the cookie {} is larger than {LARGEST} bytes: not set", cookie.name);
            return Ok(());
        }
        let lifetime = cookie.limits.left(session, now).filter(|_| cookie.stays);
        let text = self.attributes.set(&cookie.name, &value, lifetime);
        response::add_header(exchange, Change::line("Set-Cookie", text))
    }

    /// Lines about a session; without one, those that take away what the client says of it.
    fn told(&self, what: &[Told], session: Option<&Session>, now: f64) -> Vec<Change<'_>> {
        let value = |told| session.and_then(|session| self.value(told, session, now));
        what.iter().map(|told| maybe_line(told.name(), value(*told))).collect()
    }

    fn value(&self, told: Told, session: &Session, now: f64) -> Option<String> {
        let limits = &self.cookie.limits;
        let left = match told {
            Told::Id => return Some(session.id.clone()),
            Told::Audience => return Some(self.audience.clone()),
            Told::Subject => return Some(session.consumer.to_string()),
            Told::Timeout => limits.left(session, now),
            Told::IdlingTimeout => limits.idling(session, now),
            Told::RollingTimeout => limits.rolling(session, now),
            Told::AbsoluteTimeout => limits.absolute(session, now),
        };
        left.map(|seconds| format!("{:.0}", seconds.floor()))
    }
}

impl Told {
    fn name(self) -> &'static str {
        match self {
            Self::Id => "Session-Id",
            Self::Audience => "Session-Audience",
            Self::Subject => "Session-Subject",
            Self::Timeout => "Session-Timeout",
            Self::IdlingTimeout => "Session-Idling-Timeout",
            Self::RollingTimeout => "Session-Rolling-Timeout",
            Self::AbsoluteTimeout => "Session-Absolute-Timeout",
        }
    }
}

impl Logout {
    async fn is_asked(&self, exchange: &mut Exchange) -> bool {
        if !self.methods.iter().any(|method| method == exchange.request.method.as_str()) {
            return false;
        }
        let in_query = |name: &String| *request::get_query(exchange, None).get(name) != Value::Nil;
        if self.query_argument.as_ref().is_some_and(in_query) {
            return true;
        }
        let Some(argument) = &self.body_argument else { return false };
        // One that breaks off says nothing.
        let _ = exchange.request_body.read().await;
        let body = request::get_body(exchange, None, None, None).unwrap_or(Value::Nil);
        *body.get(argument) != Value::Nil
    }
}

/// Seconds since 1970.
fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}
