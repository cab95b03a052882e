//! What upstreams say that requests cost, counted in windows of time (bundled-plugins.md, section 4).

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use polygate_chain::pdk::headers::Change;
use polygate_chain::pdk::{Content, response};
use polygate_chain::{Exchange, Handler, Phase};
use polygate_value::number;
use serde::Deserialize;

use crate::counters::{Key, Limit, Moment};
use crate::plugin::{self, Bundled, Hooks, Outcome};
use crate::rate_limiting::{By, Limits, Policy, PolicyConfig, identifier_of};
use crate::reply::refuse;
use crate::shared::Shared;

pub const PLUGIN: Bundled = Bundled {
    name: "response-ratelimiting",
    priority: 900,
    phases: &[Phase::Access, Phase::Log],
    schema: include_str!("response_ratelimiting/schema.json"),
    checks: &[],
    configure,
};

#[derive(Deserialize)]
struct Config {
    header_name: Option<String>,
    limit_by: Option<By>,
    #[serde(flatten)]
    policy: PolicyConfig,
    block_on_first_violation: bool,
    hide_client_headers: bool,
    limits: BTreeMap<String, Limits>,
}

struct ResponseRateLimiting {
    plugin: polygate_model::Id,
    header: String,
    limit_by: Option<By>,
    policy: Policy,
    block: bool,
    hide_headers: bool,
    limits: BTreeMap<String, Vec<Limit>>,
}

/// What is known of a request since access.
struct Usage {
    identifier: String,
    at: Moment,
    /// By name: what was counted in each of its windows.
    used: BTreeMap<String, Vec<f64>>,
    /// What is still to be counted, elsewhere.
    owed: Vec<(String, f64)>,
}

fn configure(plugin: &Arc<polygate_model::Plugin>, shared: &Arc<Shared>) -> Result<Arc<dyn Handler>, String> {
    let config: Config = plugin::config(plugin)?;
    plugin::handler(ResponseRateLimiting {
        plugin: plugin.id,
        header: config.header_name.unwrap_or_else(|| "x-kong-limit".to_owned()),
        limit_by: config.limit_by,
        policy: Policy::new(config.policy, PLUGIN.name, shared),
        block: config.block_on_first_violation,
        hide_headers: config.hide_client_headers,
        limits: config.limits.into_iter().map(|(name, limits)| (name, limits.list())).collect(),
    })
}

impl Hooks for ResponseRateLimiting {
    async fn access(&self, exchange: &mut Exchange) -> Outcome {
        let (identifier, at) = (identifier_of(self.limit_by, exchange), Moment::now());
        let mut used = BTreeMap::new();
        for (name, limits) in &self.limits {
            let key = self.key(name, &identifier);
            let Some(counted) = self.policy.used(exchange, &key, limits, at).await? else { return Ok(()) };
            let least = left(limits, &counted).fold(f64::INFINITY, f64::min);
            if self.block && least <= 0.0 {
                return refuse(exchange, 429, &format!("API rate limit exceeded for '{name}'"));
            }
            response::set_header(
                exchange,
                Change::line(format!("X-RateLimit-Remaining-{name}"), number(least.max(0.0))),
            )?;
            used.insert(name.clone(), counted);
        }
        exchange.session.kept.put(Usage { identifier, at, used, owed: Vec::new() });
        Ok(())
    }

    fn header(&self, exchange: &mut Exchange) -> Outcome {
        let Some(mut usage) = exchange.session.kept.take::<Usage>() else { return Ok(()) };
        if exchange.service_response.is_none() {
            return Ok(());
        }
        let costs = exchange.response.headers.get(&self.header).map(costs).unwrap_or_default();
        let is_used_up = self.limits.iter().any(|(name, limits)| {
            let cost = costs.get(name).copied().unwrap_or_default();
            cost > 0.0 && left(limits, &usage.used[name]).any(|left| left <= 0.0)
        });
        response::clear_header(exchange, &self.header)?;
        if !self.hide_headers {
            self.tell(exchange, &usage, &costs)?;
        }
        if is_used_up {
            return response::exit(exchange, 429, Content::Text(Bytes::new()), Vec::new());
        }
        for (name, cost) in
            costs.into_iter().filter(|(name, cost)| *cost != 0.0 && self.limits.contains_key(name))
        {
            let key = self.key(&name, &usage.identifier);
            if self.policy.add_here(&key, &self.limits[&name], cost, usage.at).is_none() {
                usage.owed.push((name, cost));
            }
        }
        exchange.session.kept.put(usage);
        Ok(())
    }

    async fn log(&self, exchange: &mut Exchange) -> Outcome {
        let Some(usage) = exchange.session.kept.take::<Usage>() else { return Ok(()) };
        for (name, cost) in &usage.owed {
            let key = self.key(name, &usage.identifier);
            // Logged; the answer is long on its way.
            let _ = self.policy.add(exchange, &key, &self.limits[name], *cost, usage.at).await;
        }
        Ok(())
    }
}

impl ResponseRateLimiting {
    fn key(&self, name: &str, identifier: &str) -> Key {
        Key { plugin: self.plugin, name: name.to_owned(), identifier: identifier.to_owned() }
    }

    fn tell(&self, exchange: &mut Exchange, usage: &Usage, costs: &BTreeMap<String, f64>) -> Outcome {
        for (name, limits) in &self.limits {
            let cost = costs.get(name).copied().unwrap_or_default();
            for (limit, left) in limits.iter().zip(left(limits, &usage.used[name])) {
                let what = format!("{name}-{}", limit.period.as_str());
                let left = number((left - cost).max(0.0));
                response::set_header(
                    exchange,
                    Change::line(format!("X-RateLimit-Limit-{what}"), number(limit.most)),
                )?;
                response::set_header(exchange, Change::line(format!("X-RateLimit-Remaining-{what}"), left))?;
            }
        }
        Ok(())
    }
}

fn left<'a>(limits: &'a [Limit], used: &'a [f64]) -> impl Iterator<Item = f64> + 'a {
    limits.iter().zip(used).map(|(limit, used)| limit.most - used)
}

/// `video=2, image=1`. What has no number costs nothing.
fn costs(header: &[u8]) -> BTreeMap<String, f64> {
    let pair = |pair: &str| {
        let (name, cost) = pair.split_once('=')?;
        let cost = cost.trim().parse::<f64>().ok().filter(|cost| cost.is_finite())?;
        Some((name.trim().to_owned(), cost))
    };
    String::from_utf8_lossy(header).split(',').filter_map(pair).collect()
}
