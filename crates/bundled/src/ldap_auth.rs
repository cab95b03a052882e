//! Users known to a directory (RFC 4513, section 5.1; bundled-plugins.md, section 3).

mod cache;
mod directory;
mod message;
mod name;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use polygate_chain::credentials::user_and_password;
use polygate_chain::exchange::AuthenticatedBy;
use polygate_chain::pdk::{PdkError, client, service_request};
use polygate_chain::services::{Remote, RemoteTls};
use polygate_chain::{Exchange, Handler, Key, Phase, Value};
use serde::Deserialize;
use uuid::Uuid;

use self::cache::Login;
pub use self::cache::Outcomes;
use self::directory::Directory;
pub use self::message::response;
use crate::auth::{self, Attempt, Refusal};
use crate::duration::{milliseconds, seconds};
use crate::plugin::{self, Bundled, Hooks, Outcome};
use crate::shared::Shared;

pub const PLUGIN: Bundled = Bundled {
    name: "ldap-auth",
    priority: 1200,
    phases: &[Phase::Access],
    schema: include_str!("ldap_auth/schema.json"),
    checks: &[],
    configure,
};

/// Where credentials may stand, the first first.
const HEADERS: [&str; 2] = ["Proxy-Authorization", "Authorization"];

#[derive(Deserialize)]
struct Config {
    ldap_host: String,
    ldap_port: u16,
    ldaps: bool,
    start_tls: bool,
    verify_ldap_host: bool,
    base_dn: String,
    attribute: String,
    /// Seconds.
    cache_ttl: f64,
    hide_credentials: bool,
    /// Milliseconds.
    timeout: Option<f64>,
    keepalive: Option<f64>,
    anonymous: Option<String>,
    header_type: Option<String>,
    realm: Option<String>,
}

struct LdapAuth {
    plugin: Uuid,
    config: Config,
    directory: Directory,
    cache_ttl: Duration,
    shared: Arc<Shared>,
}

fn configure(plugin: &Arc<polygate_model::Plugin>, shared: &Arc<Shared>) -> Result<Arc<dyn Handler>, String> {
    let config: Config = plugin::config(plugin)?;
    let tls = RemoteTls { server_name: None, verify: config.verify_ldap_host };
    let is_tls = config.ldaps || config.start_tls;
    let remote =
        Remote { host: config.ldap_host.clone(), port: config.ldap_port, tls: is_tls.then_some(tls) };
    let directory = Directory::new(
        remote,
        config.start_tls,
        milliseconds(config.timeout.unwrap_or(10_000.0)),
        milliseconds(config.keepalive.unwrap_or(60_000.0)),
        shared.services.clone(),
    );
    plugin::handler(LdapAuth {
        plugin: plugin.id,
        cache_ttl: seconds(config.cache_ttl),
        config,
        directory,
        shared: shared.clone(),
    })
}

impl Hooks for LdapAuth {
    async fn access(&self, exchange: &mut Exchange) -> Outcome {
        let anonymous = self.config.anonymous.as_deref();
        if auth::is_settled(exchange, anonymous) {
            return Ok(());
        }
        let attempt = self.attempt(exchange).await;
        auth::conclude(exchange, anonymous, attempt, auth::challenge)
    }
}

impl LdapAuth {
    async fn attempt(&self, exchange: &mut Exchange) -> Attempt {
        for header in HEADERS {
            let line = exchange.request.headers.get(header);
            let Some((user, password)) = line.and_then(|line| self.shown(line)) else { continue };
            if self.knows(&user, &password).await? {
                return self.admit(exchange, &user).map(Ok);
            }
        }
        let word = self.header_type();
        let word = if word == "ldap" { "LDAP" } else { word };
        let challenge = auth::scheme(word, self.config.realm.as_deref());
        Ok(Err(Refusal { message: "Unauthorized".into(), challenge }))
    }

    fn header_type(&self) -> &str {
        self.config.header_type.as_deref().unwrap_or("ldap")
    }

    /// User and password. An empty one of either is none: a bind without a password succeeds and authenticates nobody
    /// (RFC 4513, section 5.1.2).
    fn shown(&self, line: &[u8]) -> Option<(String, Vec<u8>)> {
        let word = self.header_type().as_bytes();
        let (start, rest) = line.split_at_checked(word.len())?;
        if !start.eq_ignore_ascii_case(word) || !rest.starts_with(b" ") {
            return None;
        }
        let (user, password) = user_and_password(rest.trim_ascii())?;
        let user = String::from_utf8(user).ok()?;
        (!user.is_empty() && !password.is_empty()).then_some((user, password))
    }

    /// Whether the directory takes the password. Not being able to ask is an error: nobody is refused for it.
    async fn knows(&self, user: &str, password: &[u8]) -> Result<bool, PdkError> {
        let Config { attribute, base_dn, .. } = &self.config;
        let name = format!("{attribute}={},{base_dn}", name::escaped(user));
        let login = Login { place: &self.directory.place, name: &name, password };
        let ask = self.directory.bind(&name, password);
        let known = self.shared.ldap.know(&login, self.cache_ttl, ask);
        self.directory.within(known).await.map_err(PdkError::thrown)
    }

    /// The user is no consumer, but has something that is the same for all their requests.
    fn admit(&self, exchange: &mut Exchange, user: &str) -> Outcome {
        if self.config.hide_credentials {
            HEADERS.into_iter().for_each(|header| service_request::clear_header(exchange, header));
        }
        let id = Uuid::new_v5(&self.plugin, user.as_bytes()).to_string();
        let credential = Value::table([(Key::from("id"), id.into()), (Key::from("username"), user.into())]);
        client::authenticate(exchange, None, Some(AuthenticatedBy::Given(credential)))?;
        auth::tell_upstream(exchange, Some(user))
    }
}
