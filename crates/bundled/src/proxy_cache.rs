//! Answers of upstreams, kept for later requests (RFC 9111; bundled-plugins.md, section 4).

mod control;
mod key;
mod store;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use polygate_chain::exchange::ServiceResponse;
use polygate_chain::pdk::headers::Change;
use polygate_chain::pdk::{Content, response};
use polygate_chain::{Answer, BodyFilter, Exchange, Handler, Phase, Source};
use polygate_http1::Headers;
use polygate_model::Id;
use serde::Deserialize;

use self::control::Control;
use self::key::KeyParts;
pub use self::store::Store;
use self::store::{LARGEST, Stored};
use crate::plugin::{self, Bundled, Hooks, Outcome};
use crate::shared::Shared;

pub const PLUGIN: Bundled = Bundled {
    name: "proxy-cache",
    priority: 100,
    phases: &[Phase::Access],
    schema: include_str!("proxy_cache/schema.json"),
    checks: &[],
    configure,
};

const STATUS: &str = "X-Cache-Status";

/// What is of one connection, or made anew for each answer.
const NOT_KEPT: [&str; 10] = [
    "Connection",
    "Keep-Alive",
    "Proxy-Authenticate",
    "Proxy-Authorization",
    "TE",
    "Trailers",
    "Transfer-Encoding",
    "Upgrade",
    "Content-Length",
    "Date",
];

#[derive(Deserialize)]
struct Config {
    response_code: Vec<u16>,
    request_method: Vec<String>,
    content_type: Vec<String>,
    /// Seconds.
    cache_ttl: Option<u64>,
    storage_ttl: Option<u64>,
    cache_control: bool,
    ignore_uri_case: Option<bool>,
    vary_query_params: Option<Vec<String>>,
    vary_headers: Option<Vec<String>>,
    response_headers: Shown,
}

#[derive(Deserialize)]
struct Shown {
    age: Option<bool>,
    #[serde(rename = "X-Cache-Status")]
    status: Option<bool>,
    #[serde(rename = "X-Cache-Key")]
    key: Option<bool>,
}

struct ProxyCache {
    plugin: Id,
    config: Config,
    shared: Arc<Shared>,
}

/// A request whose answer may be kept.
struct Wanted {
    key: String,
}

/// An answer that is kept once its body has come.
struct Keeping {
    key: String,
    ttl: Duration,
    kept_for: Duration,
}

fn configure(plugin: &Arc<polygate_model::Plugin>, shared: &Arc<Shared>) -> Result<Arc<dyn Handler>, String> {
    plugin::handler(ProxyCache { plugin: plugin.id, config: plugin::config(plugin)?, shared: shared.clone() })
}

impl Hooks for ProxyCache {
    async fn access(&self, exchange: &mut Exchange) -> Outcome {
        let asked = Control::of(&exchange.request.headers);
        if !self.may_be_kept(exchange, &asked) {
            return self.tell(exchange, "Bypass");
        }
        let key = self.key(exchange);
        if self.config.response_headers.key.unwrap_or(true) {
            response::set_header(exchange, Change::line("X-Cache-Key", &key))?;
        }
        let Some(stored) = self.shared.cache.get(&key) else {
            if self.config.cache_control && asked.only_if_cached {
                return response::exit(exchange, 504, Content::Nothing, Vec::new());
            }
            exchange.session.kept.put(Wanted { key });
            return self.tell(exchange, "Miss");
        };
        if !self.is_fresh(&stored, &asked) {
            exchange.session.kept.put(Wanted { key });
            return self.tell(exchange, "Refresh");
        }
        self.tell(exchange, "Hit")?;
        self.answer(exchange, &stored);
        Ok(())
    }

    fn header(&self, exchange: &mut Exchange) -> Outcome {
        let Some(Wanted { key }) = exchange.session.kept.take() else { return Ok(()) };
        if exchange.session.answer.is_some() || exchange.service_response.is_none() {
            return Ok(());
        }
        match self.ttl(exchange) {
            Some(ttl) => {
                let kept_for = self.config.storage_ttl.map_or(ttl, Duration::from_secs);
                exchange.session.kept.put(Keeping { key, ttl, kept_for });
                Ok(())
            }
            None => self.tell(exchange, "Bypass"),
        }
    }

    fn body(&self, exchange: &mut Exchange) -> Option<Box<dyn BodyFilter>> {
        let keeping: Keeping = exchange.session.kept.take()?;
        // What is of HEAD has no body to keep.
        if exchange.head_only {
            return None;
        }
        let mut headers = exchange.response.headers.clone();
        headers.retain(|name, _| {
            let is = |other: &&str| other.as_bytes().eq_ignore_ascii_case(name);
            !NOT_KEPT.iter().any(&is) && !is(&STATUS) && !is(&"X-Cache-Key")
        });
        let stored = Stored {
            status: exchange.response.status,
            headers,
            body: Bytes::new(),
            since: SystemTime::now(),
            ttl: keeping.ttl,
            kept_for: keeping.kept_for,
        };
        let length = exchange.response.headers.text("Content-Length").and_then(|length| length.parse().ok());
        Some(Box::new(Keeper {
            key: keeping.key,
            stored: Some(stored),
            body: Vec::new(),
            length,
            shared: self.shared.clone(),
        }))
    }
}

impl ProxyCache {
    fn may_be_kept(&self, exchange: &Exchange, asked: &Control) -> bool {
        let is_refused =
            asked.no_store || asked.no_cache || exchange.request.headers.contains("Authorization");
        let method = exchange.request.method.as_str();
        self.config.request_method.iter().any(|it| it == method) && !(self.config.cache_control && is_refused)
    }

    fn key(&self, exchange: &Exchange) -> String {
        KeyParts {
            plugin: self.plugin,
            ignore_case: self.config.ignore_uri_case.unwrap_or_default(),
            query: self.config.vary_query_params.as_deref(),
            headers: self.config.vary_headers.as_deref().unwrap_or_default(),
        }
        .key(exchange)
    }

    /// Whether an answer is one that the client takes.
    fn is_fresh(&self, stored: &Stored, asked: &Control) -> bool {
        let age = stored.age();
        if !self.config.cache_control {
            return age <= stored.ttl;
        }
        let stale_for = age.saturating_sub(stored.ttl);
        let fresh_for = stored.ttl.saturating_sub(age);
        asked.max_age.is_none_or(|most| age <= most)
            && asked.min_fresh.is_none_or(|least| fresh_for >= least)
            && match asked.max_stale {
                Some(most) => stale_for <= most,
                None => stale_for.is_zero(),
            }
    }

    /// For how long the upstream's answer is fresh; `None` if it is not to be kept.
    fn ttl(&self, exchange: &Exchange) -> Option<Duration> {
        let head = &exchange.response;
        let kind = head.headers.text("Content-Type")?;
        let is_wanted = self.config.response_code.contains(&head.status)
            && self.config.content_type.iter().any(|wanted| control::is_same_type(wanted, kind));
        if !is_wanted {
            return None;
        }
        if !self.config.cache_control {
            return Some(Duration::from_secs(self.config.cache_ttl.unwrap_or(300)));
        }
        let said = Control::of(&head.headers);
        let is_refused = said.private || said.no_store || said.no_cache;
        said.lifetime(&head.headers).filter(|ttl| !is_refused && !ttl.is_zero())
    }

    fn tell(&self, exchange: &mut Exchange, status: &str) -> Outcome {
        match self.config.response_headers.status.unwrap_or(true) {
            true => response::set_header(exchange, Change::line(STATUS, status)),
            false => Ok(()),
        }
    }

    /// Answers as the upstream would: the log takes it for one of its answers, too.
    fn answer(&self, exchange: &mut Exchange, stored: &Stored) {
        let is_unchanged = control::is_unchanged(&exchange.request.headers, stored);
        let headers = &mut exchange.response.headers;
        for (name, value) in stored.headers.iter() {
            headers.append(name, value);
        }
        if self.config.response_headers.age.unwrap_or(true) {
            headers.insert("age", stored.age().as_secs().to_string());
        }
        let (status, body) = match is_unchanged {
            true => (304, Bytes::new()),
            false => (stored.status, stored.body.clone()),
        };
        if is_unchanged {
            headers.remove("Content-Type");
        } else {
            headers.insert("Content-Length", body.len().to_string());
        }
        exchange.response.status = status;
        exchange.proxied = true;
        let timings = &mut exchange.session.timings;
        let now = timings.now();
        timings.balancer.begin(now);
        timings.balancer.finish(now);
        exchange.service_response = Some(ServiceResponse { status, headers: Headers::new(), body: None });
        exchange.session.answer = Some(Answer { source: Source::Service, status, body });
    }
}

/// Takes the body along as it passes, and keeps it if it came whole.
struct Keeper {
    key: String,
    /// `None` once there is too much of it.
    stored: Option<Stored>,
    body: Vec<u8>,
    length: Option<usize>,
    shared: Arc<Shared>,
}

impl BodyFilter for Keeper {
    fn piece(&mut self, _: &mut Exchange, piece: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(piece);
        if self.body.len() + piece.len() > LARGEST {
            self.stored = None;
            self.body = Vec::new();
        } else if self.stored.is_some() {
            self.body.extend_from_slice(piece);
        }
    }

    fn end(&mut self, _: &mut Exchange, _: &mut Vec<u8>) {
        let is_whole = self.length.is_none_or(|length| length == self.body.len());
        if let Some(mut stored) = self.stored.take().filter(|_| is_whole) {
            stored.body = std::mem::take(&mut self.body).into();
            self.shared.cache.put(std::mem::take(&mut self.key), stored);
        }
    }

    fn keeps_length(&self) -> bool {
        true
    }
}
