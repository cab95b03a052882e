//! What `/metrics` has of the targets of upstreams.

use std::collections::HashMap;
use std::sync::Arc;

use polygate_balancer::{Balancer, TargetHealth, TargetState};
use polygate_model::Entities;
use polygate_telemetry::metrics::{Labels, Scrape};

/// A scrape has this many addresses of targets at the most.
const MOST: usize = 1000;

pub fn show(scrape: &Scrape, balancers: &HashMap<String, Arc<Balancer>>, entities: &Entities) {
    let mut upstreams: Vec<_> = balancers.iter().collect();
    upstreams.sort_by_key(|(name, _)| *name);
    let (mut left, mut unshown) = (MOST, 0);
    for (upstream, balancer) in upstreams {
        for health in balancer.health() {
            let count = health.addresses.len().max(1);
            match entities.targets.get(&health.target) {
                Some(target) if count <= left => {
                    left -= count;
                    target_health(scrape, upstream, &target.target, &health);
                }
                _ => unshown += count,
            }
        }
    }
    scrape.gauge(
        "polygate_upstream_addresses_unshown",
        "Addresses of targets beyond the first 1000, of which no metric is shown.",
        &[],
        unshown as f64,
    );
}

fn target_health(scrape: &Scrape, upstream: &str, target: &str, health: &TargetHealth) {
    if health.addresses.is_empty() {
        let labels = [("upstream", upstream), ("target", target), ("address", "")];
        state(scrape, &labels, health.state);
    }
    for known in &health.addresses {
        let address = known.addr.to_string();
        let labels = [("upstream", upstream), ("target", target), ("address", &*address)];
        state(scrape, &labels, health.state_of(known));
        if health.state == TargetState::HealthchecksOff {
            continue;
        }
        for (verdict, count) in known.probes {
            let help = "Probes of active health checks, by what came of them.";
            let labels = [&labels[..], &[("outcome", verdict.label())]].concat();
            scrape.counted("polygate_upstream_probes_total", help, &labels, count as f64);
        }
        for (verdict, count) in known.ejections.into_iter().filter(|(verdict, _)| verdict.is_failure()) {
            let help = "Times that an address became unhealthy, by what health checks counted.";
            let labels = [&labels[..], &[("reason", verdict.label())]].concat();
            scrape.counted("polygate_upstream_ejections_total", help, &labels, count as f64);
        }
    }
}

/// With the name and the labels of the reference, which dashboards know.
fn state(scrape: &Scrape, labels: Labels, current: TargetState) {
    for state in TargetState::ALL {
        let label = state.as_str().to_ascii_lowercase();
        let labels = [labels, &[("state", &*label), ("subsystem", "http")]].concat();
        let help = "1 for the state of an address of a target.";
        scrape.gauge("kong_upstream_target_health", help, &labels, f64::from(u8::from(state == current)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plugins::Enabled;
    use crate::{compile, declarative};

    fn scrape(text: &str) -> String {
        let set = declarative::from_text(text, &Enabled::default()).unwrap();
        let balancers = compile::balancers(set.entities(), 1);
        let scrape = Scrape::default();
        show(&scrape, &balancers, set.entities());
        scrape.render()
    }

    #[test]
    fn each_address_has_its_state_and_counts() {
        let text = scrape(
            "_format_version: '3.0'
             \nupstreams: \
             \n- {name: off.test, targets: [{target: '10.0.0.1:80'}]} \
             \n- {name: on.test, targets: [{target: '10.0.0.2:80'}, {target: 'unknown.test:81'}], \
               healthchecks: {passive: {unhealthy: {tcp_failures: 1}}}}",
        );
        for line in [
            r#"kong_upstream_target_health{address="10.0.0.1:80",state="healthchecks_off",subsystem="http",target="10.0.0.1:80",upstream="off.test"} 1"#,
            r#"kong_upstream_target_health{address="10.0.0.1:80",state="healthy",subsystem="http",target="10.0.0.1:80",upstream="off.test"} 0"#,
            r#"kong_upstream_target_health{address="10.0.0.2:80",state="healthy",subsystem="http",target="10.0.0.2:80",upstream="on.test"} 1"#,
            r#"kong_upstream_target_health{address="",state="dns_error",subsystem="http",target="unknown.test:81",upstream="on.test"} 1"#,
            r#"polygate_upstream_probes_total{address="10.0.0.2:80",outcome="timeout",target="10.0.0.2:80",upstream="on.test"} 0"#,
            r#"polygate_upstream_ejections_total{address="10.0.0.2:80",reason="tcp_failure",target="10.0.0.2:80",upstream="on.test"} 0"#,
            "polygate_upstream_addresses_unshown 0",
        ] {
            assert!(text.lines().any(|it| it == line), "{line}\n{text}");
        }
        assert!(!text.contains(r#"reason="success""#), "{text}");
    }

    #[test]
    fn there_is_a_limit_to_what_is_shown() {
        let targets: String =
            (0..MOST + 3).map(|port| format!("{{target: '10.0.0.1:{}'}}, ", port + 1)).collect();
        let text = scrape(&format!(
            "_format_version: '3.0'\nupstreams: [{{name: many.test, targets: [{targets}]}}]"
        ));
        let shown = text.lines().filter(|line| line.contains(r#"state="healthchecks_off""#)).count();
        assert_eq!(shown, MOST);
        assert!(text.contains("polygate_upstream_addresses_unshown 3\n"), "{text}");
    }
}
