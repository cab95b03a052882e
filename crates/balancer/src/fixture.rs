//! Entities for tests.

use polygate_model::entities::{
    ActiveChecks, Algorithm, CheckKind, Healthchecks, HealthyRule, PassiveChecks, UnhealthyRule,
};
use polygate_model::{HashOn, Id, Reference, Target, Upstream};

/// Round robin, no health checks.
pub fn upstream() -> Upstream {
    let healthy = HealthyRule { interval: None, http_statuses: vec![200], successes: 0 };
    let unhealthy = UnhealthyRule {
        interval: None,
        http_statuses: vec![500],
        http_failures: 0,
        tcp_failures: 0,
        timeouts: 0,
    };
    let active = ActiveChecks {
        kind: CheckKind::Http,
        timeout: 1.0,
        concurrency: 10,
        http_path: "/".into(),
        https_sni: None,
        https_verify_certificate: true,
        headers: None,
        healthy: healthy.clone(),
        unhealthy: unhealthy.clone(),
    };
    let passive = PassiveChecks { kind: CheckKind::Http, healthy, unhealthy };
    Upstream {
        id: Id::from_u128(1),
        created_at: 0,
        updated_at: 0,
        name: "up".into(),
        algorithm: Algorithm::RoundRobin,
        hash_on: HashOn::None,
        hash_fallback: HashOn::None,
        hash_on_header: None,
        hash_fallback_header: None,
        hash_on_cookie: None,
        hash_on_cookie_path: "/".into(),
        hash_on_query_arg: None,
        hash_fallback_query_arg: None,
        hash_on_uri_capture: None,
        hash_fallback_uri_capture: None,
        slots: 10_000,
        host_header: None,
        client_certificate: None,
        use_srv_name: false,
        healthchecks: Healthchecks { active, passive, threshold: 0.0 },
        tags: None,
    }
}

pub fn target(number: u128, target: &str, weight: u32) -> Target {
    Target {
        id: Id::from_u128(number),
        created_at: 0.0,
        updated_at: 0.0,
        target: target.into(),
        weight,
        upstream: Reference { id: Id::from_u128(1) },
        tags: None,
    }
}
