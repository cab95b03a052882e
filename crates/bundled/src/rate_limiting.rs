//! So many requests in a window of time (bundled-plugins.md, section 4).

mod identifier;
mod policy;
mod synced;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use polygate_chain::pdk::headers::Change;
use polygate_chain::pdk::{PdkError, response};
use polygate_chain::{Exchange, Handler, Phase};
use polygate_value::number;
use serde::Deserialize;
use serde_json::Value;

use self::identifier::LimitBy;
pub use self::policy::{Policy, PolicyConfig};
use crate::counters::{Key, Limit, Moment, Period};
use crate::plugin::{self, Bundled, Hooks, Outcome};
use crate::reply::refuse_with;
use crate::shared::Shared;

pub use self::identifier::{By, identifier_of};

pub const PLUGIN: Bundled = Bundled {
    name: "rate-limiting",
    priority: 910,
    phases: &[Phase::Access],
    schema: include_str!("rate_limiting/schema.json"),
    checks: &[("rate_limiting", check)],
    configure,
};

#[derive(Deserialize)]
struct Config {
    #[serde(flatten)]
    limits: Limits,
    #[serde(flatten)]
    by: LimitBy,
    #[serde(flatten)]
    policy: PolicyConfig,
    hide_client_headers: bool,
    error_code: Option<f64>,
    error_message: Option<String>,
}

/// How much each period lets through.
#[derive(Deserialize)]
pub struct Limits {
    second: Option<f64>,
    minute: Option<f64>,
    hour: Option<f64>,
    day: Option<f64>,
    month: Option<f64>,
    year: Option<f64>,
}

struct RateLimiting {
    plugin: polygate_model::Id,
    limits: Vec<Limit>,
    by: LimitBy,
    policy: Policy,
    hide_headers: bool,
    status: f64,
    message: String,
}

fn configure(plugin: &Arc<polygate_model::Plugin>, shared: &Arc<Shared>) -> Result<Arc<dyn Handler>, String> {
    let config: Config = plugin::config(plugin)?;
    plugin::handler(RateLimiting {
        plugin: plugin.id,
        limits: config.limits.list(),
        by: config.by,
        policy: Policy::new(config.policy, PLUGIN.name, shared),
        hide_headers: config.hide_client_headers,
        status: config.error_code.unwrap_or(429.0),
        message: config.error_message.unwrap_or_else(|| "API rate limit exceeded".to_owned()),
    })
}

impl Hooks for RateLimiting {
    async fn access(&self, exchange: &mut Exchange) -> Outcome {
        let identifier = self.by.identifier(exchange);
        let key = Key { plugin: self.plugin, name: String::new(), identifier };
        let now = Moment::now();
        let Some((fits, used)) = self.policy.admit(exchange, &key, &self.limits, now).await? else {
            return Ok(());
        };
        let told = if self.hide_headers { Vec::new() } else { told(&self.limits, &used, fits, now) };
        if fits {
            return response::set_headers(exchange, told);
        }
        // The schema lets any number pass, as the reference does.
        if !(100.0..=599.0).contains(&self.status) {
            let status = self.status;
            return Err(PdkError::thrown(format!("error_code {status}: a response has one from 100 to 599")));
        }
        refuse_with(exchange, self.status as u16, &self.message, told)
    }
}

impl Limits {
    /// From the shortest period to the longest.
    pub fn list(&self) -> Vec<Limit> {
        let limits = [self.second, self.minute, self.hour, self.day, self.month, self.year];
        let limit = |(period, most): (Period, Option<f64>)| Some(Limit { period, most: most? });
        Period::ALL.into_iter().zip(limits).filter_map(limit).collect()
    }
}

/// What clients are told: of each period, and of the one with the least left, the longer one of two.
fn told(limits: &[Limit], used: &[f64], fits: bool, now: Moment) -> Vec<Change<'static>> {
    let own = if fits { 1.0 } else { 0.0 };
    let left = |(limit, used): (&Limit, &f64)| (limit.period, limit.most, (limit.most - used - own).max(0.0));
    let left = limits.iter().zip(used).map(left);
    let mut told = Vec::with_capacity(2 * left.len() + 4);
    for (period, most, left) in left.clone() {
        let (limit, remaining) = names(period);
        told.extend([Change::line(limit, number(most)), Change::line(remaining, number(left))]);
    }
    let least = left.rev().min_by(|(.., one), (.., other)| one.total_cmp(other));
    if let Some((period, most, left)) = least {
        let reset = now.until_end_of(period).to_string();
        told.push(Change::line("RateLimit-Limit", number(most)));
        told.push(Change::line("RateLimit-Remaining", number(left)));
        if !fits {
            told.push(Change::line("Retry-After", reset.clone()));
        }
        told.push(Change::line("RateLimit-Reset", reset));
    }
    told
}

/// The headers of a period.
fn names(period: Period) -> (&'static str, &'static str) {
    match period {
        Period::Second => ("X-RateLimit-Limit-Second", "X-RateLimit-Remaining-Second"),
        Period::Minute => ("X-RateLimit-Limit-Minute", "X-RateLimit-Remaining-Minute"),
        Period::Hour => ("X-RateLimit-Limit-Hour", "X-RateLimit-Remaining-Hour"),
        Period::Day => ("X-RateLimit-Limit-Day", "X-RateLimit-Remaining-Day"),
        Period::Month => ("X-RateLimit-Limit-Month", "X-RateLimit-Remaining-Month"),
        Period::Year => ("X-RateLimit-Limit-Year", "X-RateLimit-Remaining-Year"),
    }
}

/// Limits of longer periods are not lower than those of shorter ones.
fn check(config: &Value) -> Result<(), String> {
    let limit = |period: &Period| Some((period.as_str(), config.get(period.as_str())?.as_f64()?));
    let limits: Vec<_> = Period::ALL.iter().filter_map(limit).collect();
    for pair in limits.windows(2) {
        let [(shorter, fewer), (longer, more)] = pair else { continue };
        if more < fewer {
            return Err(format!(
                "The limit for {longer}({more:.1}) cannot be lower than the limit for {shorter}({fewer:.1})"
            ));
        }
    }
    match config.get("sync_rate").and_then(Value::as_f64) {
        Some(rate) if rate != -1.0 && rate < 0.02 => {
            Err("sync_rate must be greater than 0.02, or -1 to disable".to_owned())
        }
        _ => Ok(()),
    }
}
