//! Upstreams and the health of their targets, as the Admin API shows them when there is no database.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use http::StatusCode;
use polygate_balancer::{Balancer, TargetHealth, TargetState};
use polygate_model::{Entities, Id, Target, Upstream};
use serde_json::{Value, json};

/// What the answers are made of.
pub struct Upstreams<'a> {
    pub entities: &'a Entities,
    pub balancers: &'a HashMap<String, Arc<Balancer>>,
    pub node: Id,
}

/// Status and body.
type Answer = (StatusCode, Value);

/// Entries of a page unless the query asks for another number.
const PAGE: usize = 100;
const LARGEST_PAGE: usize = 1000;

impl Upstreams<'_> {
    /// `/upstreams/<key>/targets` and `.../targets/all`: the newest first. Without a database there are no old
    /// entries of a target, so both are the same.
    pub fn targets(&self, key: &str, path: &str, query: &str) -> Answer {
        self.page(key, path, query, row)
    }

    /// `/upstreams/<key>/health`.
    pub fn health(&self, key: &str, path: &str, query: &str) -> Answer {
        let Some(upstream) = self.upstream(key) else { return not_found() };
        let balancer = self.balancers.get(&upstream.name);
        if matches!(argument(query, "balancer_health"), Some("1" | "true" | "on")) {
            let data = balancer.map(|balancer| balancer_health(balancer));
            return (StatusCode::OK, json!({ "data": data, "next": null, "node_id": self.node }));
        }
        let health = balancer.map(|balancer| balancer.health()).unwrap_or_default();
        let (status, mut body) = self.page(key, path, query, |target| {
            let mut row = row(target);
            if let Some(known) = health.iter().find(|known| known.target == target.id) {
                row["health"] = known.state.as_str().into();
                row["data"] = details(target, known);
            }
            row
        });
        if status == StatusCode::OK {
            body["node_id"] = json!(self.node);
        }
        (status, body)
    }

    /// By id or by name.
    fn upstream(&self, key: &str) -> Option<&Arc<Upstream>> {
        let upstreams = &self.entities.upstreams;
        let by_id = key.parse::<Id>().ok().and_then(|id| upstreams.get(&id));
        by_id.or_else(|| upstreams.values().find(|upstream| upstream.name == key))
    }

    fn page(&self, key: &str, path: &str, query: &str, row: impl Fn(&Target) -> Value) -> Answer {
        let Some(upstream) = self.upstream(key) else { return not_found() };
        let size = match argument(query, "size").map(str::parse) {
            None => PAGE,
            Some(Ok(size @ 1..=LARGEST_PAGE)) => size,
            Some(_) => return refuse(9, "invalid size", "size must be an integer between 1 and 1000"),
        };
        let start: usize = match argument(query, "offset").map(|offset| (offset, offset.parse())) {
            None => 0,
            Some((_, Ok(start))) => start,
            Some((offset, Err(_))) => {
                return refuse(7, "invalid offset", &format!("'{offset}' is not a valid offset"));
            }
        };
        let mut targets: Vec<_> =
            self.entities.targets.values().filter(|it| it.upstream.id == upstream.id).collect();
        targets.sort_by(|a, b| b.created_at.total_cmp(&a.created_at).then_with(|| a.target.cmp(&b.target)));
        let rows: Vec<_> = targets.iter().skip(start).take(size).map(|target| row(target)).collect();
        let end = start.saturating_add(size);
        let mut page = json!({ "data": rows, "next": null });
        if end < targets.len() {
            page["offset"] = json!(end.to_string());
            let size = argument(query, "size").map(|size| format!("&size={size}")).unwrap_or_default();
            page["next"] = format!("{path}?offset={end}{size}").into();
        }
        (StatusCode::OK, page)
    }
}

fn not_found() -> Answer {
    (StatusCode::NOT_FOUND, json!({ "message": "Not found" }))
}

fn refuse(code: u8, name: &str, message: &str) -> Answer {
    (StatusCode::BAD_REQUEST, json!({ "code": code, "name": name, "message": message }))
}

/// The value of an argument that needs no decoding.
fn argument<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value)
}

/// A target with all members, those that are not set too.
fn row(target: &Target) -> Value {
    json!({
        "id": target.id,
        "created_at": target.created_at,
        "updated_at": target.updated_at,
        "target": target.target,
        "weight": target.weight,
        "upstream": target.upstream,
        "tags": target.tags,
    })
}

/// What the balancer knows of one target.
fn details(target: &Target, health: &TargetHealth) -> Value {
    let (host, port) = target.target.rsplit_once(':').unwrap_or((&target.target, ""));
    let sum = |is_wanted: fn(bool) -> bool| {
        let wanted = health.addresses.iter().filter(|address| is_wanted(address.is_healthy));
        wanted.map(|address| u64::from(address.weight)).sum::<u64>()
    };
    let (available, unavailable) = (sum(|is_healthy| is_healthy), sum(|is_healthy| !is_healthy));
    let dns = health.addresses.first().map(|address| match address.addr {
        _ if health.is_srv => "SRV",
        SocketAddr::V4(_) => "A",
        SocketAddr::V6(_) => "AAAA",
    });
    let addresses = health.addresses.iter().map(|address| {
        json!({
            "ip": address.addr.ip().to_string(),
            "port": address.addr.port(),
            "weight": address.weight,
            "health": health.state_of(address).as_str(),
        })
    });
    json!({
        "host": host.trim_start_matches('[').trim_end_matches(']'),
        "port": port.parse::<u16>().ok(),
        "dns": dns,
        "nodeWeight": target.weight,
        "weight": { "total": available + unavailable, "available": available, "unavailable": unavailable },
        "addresses": addresses.collect::<Vec<_>>(),
    })
}

/// What the balancer says of the whole upstream.
fn balancer_health(balancer: &Balancer) -> Value {
    let targets = balancer.health();
    let weight = |is_wanted: fn(bool) -> bool| {
        let addresses = targets.iter().flat_map(|target| &target.addresses);
        addresses.filter(|it| is_wanted(it.is_healthy)).map(|it| u64::from(it.weight)).sum::<u64>()
    };
    let (available, unavailable) = (weight(|is_healthy| is_healthy), weight(|is_healthy| !is_healthy));
    let is_healthy = balancer.is_healthy();
    let word = if is_healthy { TargetState::Healthy } else { TargetState::Unhealthy }.as_str();
    let is_unchecked = targets.iter().any(|target| target.state == TargetState::HealthchecksOff);
    json!({
        "id": balancer.upstream().id,
        "health": if is_unchecked { TargetState::HealthchecksOff.as_str() } else { word },
        "balancer_health": word,
        "details": {
            "healthy": is_healthy,
            "weight": { "total": available + unavailable, "available": available, "unavailable": unavailable },
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plugins::Enabled;
    use crate::{compile, declarative};

    const TEXT: &str = "
        _format_version: '3.0'
        upstreams:
        - name: checked
          healthchecks: {passive: {unhealthy: {tcp_failures: 1}}}
          targets:
          - {target: '127.0.0.1:81', weight: 5, created_at: 1}
          - {target: '[::1]:82', created_at: 2, tags: [new]}
          - {target: 'unknown.example.com:83', created_at: 3, weight: 0}
        - name: unchecked
          targets: [{target: '127.0.0.2'}]
    ";

    fn ask(test: impl FnOnce(&Upstreams)) {
        let set = declarative::from_text(TEXT, &Enabled::default()).unwrap();
        let entities = set.entities();
        let balancers = compile::balancers(entities, 1);
        test(&Upstreams { entities, balancers: &balancers, node: Id::nil() });
    }

    fn targets(body: &Value) -> Vec<&str> {
        body["data"].as_array().unwrap().iter().map(|row| row["target"].as_str().unwrap()).collect()
    }

    #[test]
    fn targets_are_listed_the_newest_first() {
        ask(|upstreams| {
            let (status, body) = upstreams.targets("checked", "/upstreams/checked/targets", "");
            assert_eq!(status, StatusCode::OK);
            assert_eq!(targets(&body), ["unknown.example.com:83", "[::1]:82", "127.0.0.1:81"]);
            assert_eq!(body["next"], Value::Null);
            let row = &body["data"][1];
            assert_eq!((&row["weight"], &row["tags"]), (&json!(100), &json!(["new"])));
            assert_eq!(body["data"][0]["tags"], Value::Null, "what is not set is there");
            let id = row["upstream"]["id"].as_str().unwrap();
            assert_eq!(upstreams.targets(id, "", "").1["data"], body["data"], "an id leads there too");
            assert_eq!(upstreams.targets("none", "", "").0, StatusCode::NOT_FOUND);
        });
    }

    #[test]
    fn pages_lead_to_the_next_one() {
        ask(|upstreams| {
            let path = "/upstreams/checked/targets";
            let (_, body) = upstreams.targets("checked", path, "size=2");
            assert_eq!(targets(&body), ["unknown.example.com:83", "[::1]:82"]);
            assert_eq!(body["next"], "/upstreams/checked/targets?offset=2&size=2");
            let (_, body) = upstreams.targets("checked", path, "offset=2&size=2");
            assert_eq!((targets(&body), &body["next"]), (vec!["127.0.0.1:81"], &Value::Null));
            for (query, code) in [("size=0", 9), ("size=1001", 9), ("size=x", 9), ("offset=x", 7)] {
                let (status, body) = upstreams.targets("checked", path, query);
                assert_eq!((status, &body["code"]), (StatusCode::BAD_REQUEST, &json!(code)), "{query}");
            }
        });
    }

    #[test]
    fn the_health_of_each_address_is_shown() {
        ask(|upstreams| {
            let id = upstreams.entities.targets.values().find(|it| it.target == "127.0.0.1:81").unwrap().id;
            upstreams.balancers["checked"].set_health(id, None, false);
            let (_, body) = upstreams.health("checked", "", "");
            assert_eq!(body["node_id"], json!(Id::nil()));
            let health: Vec<_> = body["data"].as_array().unwrap().iter().map(|row| &row["health"]).collect();
            assert_eq!(health, ["DNS_ERROR", "HEALTHY", "UNHEALTHY"]);
            assert_eq!(
                body["data"][2]["data"],
                json!({
                    "host": "127.0.0.1", "port": 81, "dns": "A", "nodeWeight": 5,
                    "weight": {"total": 5, "available": 0, "unavailable": 5},
                    "addresses": [{"ip": "127.0.0.1", "port": 81, "weight": 5, "health": "UNHEALTHY"}],
                })
            );
            assert_eq!(body["data"][1]["data"]["host"], "::1");
            let (_, body) = upstreams.health("unchecked", "", "");
            assert_eq!(body["data"][0]["health"], "HEALTHCHECKS_OFF");
            assert_eq!(body["data"][0]["data"]["addresses"][0]["health"], "HEALTHCHECKS_OFF");
        });
    }

    #[test]
    fn the_health_of_the_balancer_is_one_answer() {
        ask(|upstreams| {
            let data = |name| upstreams.health(name, "", "balancer_health=1").1["data"].clone();
            assert_eq!(
                (&data("checked")["health"], &data("unchecked")["health"]),
                (&json!("HEALTHY"), &json!("HEALTHCHECKS_OFF"))
            );
            for target in upstreams.entities.targets.values() {
                upstreams.balancers["checked"].set_health(target.id, None, false);
            }
            let data = data("checked");
            assert_eq!(
                (&data["health"], &data["balancer_health"]),
                (&json!("UNHEALTHY"), &json!("UNHEALTHY"))
            );
            assert_eq!(data["details"]["weight"], json!({"total": 105, "available": 0, "unavailable": 105}));
        });
    }
}
