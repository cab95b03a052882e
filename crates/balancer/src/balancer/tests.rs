use polygate_model::entities::Algorithm;

use super::*;
use crate::fixture::{target, upstream};
use crate::table::TargetState;

fn balancer(upstream: Upstream, targets: &[Target]) -> Balancer {
    let targets: Vec<_> = targets.iter().cloned().map(Arc::new).collect();
    Balancer::new(Arc::new(upstream), &targets, 1)
}

fn plain(addr: &str) -> TargetAddress {
    TargetAddress { addr: addr.parse().unwrap(), weight: None, srv_target: None }
}

fn pick(balancer: &Balancer, tried: &[SocketAddr]) -> Option<String> {
    balancer.pick(b"", tried, Instant::now()).ok().map(|pick| pick.addr().to_string())
}

fn sorted_picks(balancer: &Balancer, count: usize) -> Vec<String> {
    let mut picks: Vec<_> = (0..count).map(|_| pick(balancer, &[]).unwrap()).collect();
    picks.sort_unstable();
    picks
}

/// Two failed connections make unhealthy, one good answer makes healthy; probes come every 10 s, 1 s when unhealthy.
fn checked() -> Upstream {
    let mut upstream = upstream();
    upstream.healthchecks.active.healthy.interval = Some(10.0);
    upstream.healthchecks.active.unhealthy.interval = Some(1.0);
    upstream.healthchecks.passive.unhealthy.tcp_failures = 2;
    upstream.healthchecks.active.healthy.successes = 1;
    upstream
}

fn fail(balancer: &Balancer, addr: &str, times: usize) {
    let key = addr.parse::<SocketAddr>().unwrap();
    for _ in 0..times {
        let pick = loop {
            let pick = balancer.pick(b"", &[], Instant::now()).unwrap();
            if pick.addr() == key {
                break pick;
            }
        };
        balancer.report(&pick, Outcome::TcpFailure);
    }
}

/// Waits for the time of all first probes, and reports that of one peer.
fn probe(balancer: &Balancer, now: Instant, addr: &str, outcome: Outcome) {
    balancer.due_probes(now, 0);
    let due = balancer.due_probes(now + Duration::from_secs(1), usize::MAX).unwrap();
    let probe = due.probes.iter().find(|probe| probe.addr() == addr.parse().unwrap()).unwrap();
    balancer.report_probe(probe, Some(outcome));
}

fn addresses(due: Option<Due>) -> Vec<String> {
    due.unwrap().probes.iter().map(|probe| probe.addr().to_string()).collect()
}

#[test]
fn addresses_are_ready_and_names_wait_to_be_resolved() {
    let targets = [target(1, "10.0.0.1:80", 100), target(2, "web.test:81", 100)];
    let balancer = balancer(upstream(), &targets);
    let name = UnresolvedTarget { id: Id::from_u128(2), host: "web.test".into(), port: 81 };
    assert_eq!(balancer.names(), [name]);
    assert_eq!(sorted_picks(&balancer, 2), ["10.0.0.1:80", "10.0.0.1:80"]);
    balancer.set_addresses(Id::from_u128(2), &[plain("10.0.0.2:81"), plain("10.0.0.3:81")]);
    assert_eq!(sorted_picks(&balancer, 3), ["10.0.0.1:80", "10.0.0.2:81", "10.0.0.3:81"]);
    let hosts: Vec<_> =
        (0..3).map(|_| balancer.pick(b"", &[], Instant::now()).unwrap().host().to_string()).collect();
    assert_eq!(hosts.iter().filter(|host| *host == "web.test").count(), 2);
    balancer.set_addresses(Id::from_u128(2), &[]);
    assert_eq!(sorted_picks(&balancer, 2), ["10.0.0.1:80", "10.0.0.1:80"]);
}

#[test]
fn nobody_to_ask_is_an_error() {
    assert_eq!(pick(&balancer(upstream(), &[]), &[]), None);
    assert_eq!(pick(&balancer(upstream(), &[target(1, "web.test:80", 100)]), &[]), None);
    let switched_off = balancer(upstream(), &[target(1, "10.0.0.1:80", 0)]);
    let error = switched_off.pick(b"", &[], Instant::now()).unwrap_err();
    assert_eq!(error.to_string(), "failure to get a peer from the ring-balancer");
}

#[test]
fn srv_records_bring_weight_and_name() {
    let upstream = Upstream { use_srv_name: true, ..upstream() };
    let balancer = balancer(upstream, &[target(1, "svc.test:80", 100)]);
    let record = |addr: &str, weight, name: &str| TargetAddress {
        weight: Some(weight),
        srv_target: Some(name.into()),
        ..plain(addr)
    };
    let records = [record("10.0.0.1:1", 2, "one.test"), record("10.0.0.2:2", 0, "two.test")];
    assert!(!balancer.health()[0].is_srv);
    balancer.set_addresses(Id::from_u128(1), &records);
    assert!(balancer.health()[0].is_srv);
    let mut picks: Vec<_> = (0..3).map(|_| balancer.pick(b"", &[], Instant::now()).unwrap()).collect();
    picks.sort_by_key(Pick::addr);
    let hosts: Vec<_> = picks.iter().map(|pick| &**pick.host()).collect();
    assert_eq!(hosts, ["one.test", "one.test", "two.test"]);
}

#[test]
fn a_retry_goes_elsewhere_while_it_can() {
    for algorithm in
        [Algorithm::RoundRobin, Algorithm::LeastConnections, Algorithm::ConsistentHashing, Algorithm::Latency]
    {
        let upstream = Upstream { algorithm, ..upstream() };
        let balancer = balancer(upstream, &[target(1, "10.0.0.1:80", 100), target(2, "10.0.0.2:80", 1)]);
        let first: SocketAddr = "10.0.0.1:80".parse().unwrap();
        let second: SocketAddr = "10.0.0.2:80".parse().unwrap();
        assert_eq!(pick(&balancer, &[first]).as_deref(), Some("10.0.0.2:80"), "{algorithm:?}");
        assert!(pick(&balancer, &[first, second]).is_some(), "{algorithm:?}");
    }
}

#[test]
fn failures_take_a_peer_out_until_a_probe_or_a_person_brings_it_back() {
    let balancer = balancer(checked(), &[target(1, "10.0.0.1:80", 100), target(2, "10.0.0.2:80", 100)]);
    fail(&balancer, "10.0.0.1:80", 2);
    assert_eq!(sorted_picks(&balancer, 3), ["10.0.0.2:80"; 3]);
    let states: Vec<_> = balancer.health().iter().map(|target| target.state.as_str()).collect();
    assert_eq!(states, ["UNHEALTHY", "HEALTHY"]);
    fail(&balancer, "10.0.0.2:80", 2);
    assert_eq!(pick(&balancer, &[]), None);
    assert!(!balancer.is_healthy());
    probe(&balancer, Instant::now(), "10.0.0.1:80", Outcome::Status(200));
    assert_eq!(pick(&balancer, &[]).as_deref(), Some("10.0.0.1:80"));
    balancer.set_health(Id::from_u128(2), None, true);
    assert_eq!(sorted_picks(&balancer, 2), ["10.0.0.1:80", "10.0.0.2:80"]);
}

#[test]
fn a_504_is_a_time_out_where_these_are_counted() {
    for (timeouts, http_failures, reason) in
        [(1, 0, Some("timeout")), (1, 1, Some("timeout")), (0, 1, Some("http_failure")), (0, 0, None)]
    {
        let mut upstream = upstream();
        let rule = &mut upstream.healthchecks.passive.unhealthy;
        (rule.timeouts, rule.http_failures, rule.http_statuses) = (timeouts, http_failures, vec![504]);
        let balancer = balancer(upstream, &[target(1, "10.0.0.1:80", 1)]);
        let pick = balancer.pick(b"", &[], Instant::now()).unwrap();
        balancer.report(&pick, Outcome::Status(504));
        let ejections = balancer.health()[0].addresses[0].ejections;
        let found = ejections.iter().find(|(_, count)| *count > 0).map(|(verdict, _)| verdict.label());
        assert_eq!(found, reason, "{timeouts} {http_failures}");
    }
}

#[test]
fn too_little_available_weight_closes_the_balancer() {
    let mut upstream = checked();
    upstream.healthchecks.threshold = 50.0;
    let targets =
        [target(1, "10.0.0.1:80", 100), target(2, "10.0.0.2:80", 150), target(3, "none.test:80", 0)];
    let balancer = balancer(upstream, &targets);
    assert!(balancer.is_healthy());
    balancer.set_health(Id::from_u128(2), None, false);
    assert!(!balancer.is_healthy(), "100 of 250 is not more than half");
    assert_eq!(pick(&balancer, &[]), None);
    balancer.set_health(Id::from_u128(2), None, true);
    balancer.set_health(Id::from_u128(1), None, false);
    assert_eq!(pick(&balancer, &[]).as_deref(), Some("10.0.0.2:80"));
}

#[test]
fn health_shows_what_is_switched_off_or_unresolved() {
    let balancer = balancer(upstream(), &[target(1, "10.0.0.1:80", 7), target(2, "web.test:80", 100)]);
    let health = balancer.health();
    assert_eq!(health[0].state.as_str(), "HEALTHCHECKS_OFF");
    let rows: Vec<_> =
        health[0].addresses.iter().map(|it| (it.addr.to_string(), it.weight, it.is_healthy)).collect();
    assert_eq!(rows, [("10.0.0.1:80".to_owned(), 7, true)]);
    assert_eq!((health[1].state.as_str(), health[1].addresses.len()), ("DNS_ERROR", 0));
}

#[test]
fn checks_are_on_when_something_can_make_unhealthy() {
    type Row = (&'static str, fn(&mut Upstream));
    let changes: [Row; 5] = [
        ("HEALTHCHECKS_OFF", |it| it.healthchecks.passive.healthy.successes = 1),
        ("HEALTHCHECKS_OFF", |it| it.healthchecks.active.unhealthy.timeouts = 1),
        ("HEALTHY", |it| it.healthchecks.passive.unhealthy.timeouts = 1),
        ("HEALTHY", |it| it.healthchecks.active.healthy.interval = Some(1.0)),
        ("HEALTHY", |it| it.healthchecks.active.unhealthy.interval = Some(1.0)),
    ];
    for (number, (state, change)) in changes.into_iter().enumerate() {
        let mut upstream = upstream();
        change(&mut upstream);
        let balancer = balancer(upstream, &[target(1, "10.0.0.1:80", 1)]);
        assert_eq!(balancer.health()[0].state.as_str(), state, "{number}");
    }
}

#[test]
fn probes_are_due_by_the_state_of_their_peer() {
    let targets = [
        target(1, "10.0.0.1:80", 1),
        target(2, "10.0.0.2:80", 1),
        target(3, "10.0.0.3:80", 0),
        target(4, "a:80", 1),
    ];
    let balancer = balancer(checked(), &targets);
    let start = Instant::now();
    let at = |seconds| start + Duration::from_secs_f64(seconds);
    assert_eq!(addresses(balancer.due_probes(start, 0)), [""; 0]);
    let due = balancer.due_probes(at(1.0), usize::MAX).unwrap();
    assert_eq!(due.probes.len(), 2, "neither the one without weight nor the one without an address");
    assert_eq!(addresses(balancer.due_probes(at(100.0), 9)), [""; 0], "one at a time");
    due.probes.iter().for_each(|probe| balancer.report_probe(probe, Some(Outcome::Status(200))));
    drop(due);
    assert_eq!(balancer.due_probes(at(2.0), 9).unwrap().pause, Duration::from_secs(1), "states may change");
    balancer.set_health(Id::from_u128(2), None, false);
    assert_eq!(addresses(balancer.due_probes(at(2.2), 9)), ["10.0.0.2:80"], "a tenth later at most");
    assert_eq!(addresses(balancer.due_probes(at(12.2), 1)), ["10.0.0.2:80"], "the longest overdue first");
    assert_eq!(addresses(balancer.due_probes(at(12.2), 9)), ["10.0.0.1:80"]);
    let unprobed = Balancer::new(Arc::new(upstream()), &[], 1);
    assert!(unprobed.due_probes(start, 9).is_none());
}

#[test]
fn probes_are_counted_and_what_they_do() {
    let mut upstream = checked();
    upstream.healthchecks.active.unhealthy.timeouts = 1;
    let balancer = balancer(upstream, &[target(1, "10.0.0.1:80", 1)]);
    let start = Instant::now();
    let outcomes = [
        Some(Outcome::Status(200)),
        Some(Outcome::Status(404)),
        Some(Outcome::Timeout),
        Some(Outcome::Timeout),
        None,
    ];
    balancer.due_probes(start, 0);
    for (number, outcome) in (1..).zip(outcomes) {
        let due = balancer.due_probes(start + Duration::from_secs(20 * number), 1).unwrap();
        balancer.report_probe(&due.probes[0], outcome);
    }
    let address = &balancer.health()[0].addresses[0];
    let some = |counts: &[(Verdict, u64)]| -> Vec<_> {
        counts
            .iter()
            .filter(|(_, count)| *count > 0)
            .map(|(verdict, count)| (verdict.label(), *count))
            .collect()
    };
    assert_eq!(some(&address.probes), [("success", 1), ("timeout", 2), ("neutral", 1)]);
    assert_eq!((address.is_healthy, some(&address.ejections)), (false, vec![("timeout", 1)]));
}

#[test]
fn an_address_that_stays_keeps_its_health() {
    let balancer = balancer(checked(), &[target(1, "web.test:80", 100)]);
    let id = Id::from_u128(1);
    balancer.set_addresses(id, &[plain("10.0.0.1:80"), plain("10.0.0.2:80")]);
    fail(&balancer, "10.0.0.1:80", 2);
    balancer.set_addresses(id, &[plain("10.0.0.3:80"), plain("10.0.0.1:80")]);
    assert_eq!(sorted_picks(&balancer, 2), ["10.0.0.3:80"; 2]);
}

#[test]
fn the_next_configuration_inherits_what_is_known() {
    let old = balancer(checked(), &[target(1, "web.test:80", 100), target(2, "gone.test:80", 1)]);
    old.set_addresses(Id::from_u128(1), &[plain("10.0.0.1:80"), plain("10.0.0.2:80")]);
    old.set_addresses(Id::from_u128(2), &[plain("10.0.0.9:80")]);
    old.set_health(Id::from_u128(1), Some("10.0.0.1:80".parse().unwrap()), false);
    let new = balancer(checked(), &[target(1, "web.test:80", 50), target(2, "other.test:80", 1)]);
    let start = Instant::now();
    old.due_probes(start, 0);
    let under_way = old.due_probes(start + Duration::from_secs(1), 1).unwrap();
    new.inherit(&old);
    let second = Duration::from_secs(1);
    assert_eq!(addresses(new.due_probes(start + second, 9)), ["10.0.0.2:80"], "the other's is under way");
    drop(under_way);
    assert_eq!(addresses(new.due_probes(start + second, 9)), [""; 0], "nobody is probed anew at once");
    let health = new.health();
    let rows: Vec<_> =
        health[0].addresses.iter().map(|address| (address.weight, address.is_healthy)).collect();
    assert_eq!(rows, [(50, false), (50, true)]);
    assert_eq!(health[1].state, TargetState::DnsError);
    let unchecked = balancer(upstream(), &[target(1, "web.test:80", 50)]);
    unchecked.inherit(&new);
    let is_healthy =
        |balancer: &Balancer| balancer.health()[0].addresses.iter().all(|address| address.is_healthy);
    assert!(is_healthy(&unchecked) && !is_healthy(&new), "what nobody checks cannot be out");
    assert_eq!(sorted_picks(&unchecked, 2), ["10.0.0.1:80", "10.0.0.2:80"]);
    let again = balancer(checked(), &[target(1, "web.test:80", 50)]);
    again.inherit(&unchecked);
    assert!(is_healthy(&again), "nor is it later");
}

#[test]
fn a_pick_is_an_open_connection_until_it_is_dropped() {
    let upstream = Upstream { algorithm: Algorithm::LeastConnections, ..upstream() };
    let balancer = balancer(upstream, &[target(1, "10.0.0.1:80", 1), target(2, "10.0.0.2:80", 1)]);
    let first = balancer.pick(b"", &[], Instant::now()).unwrap();
    let second = balancer.pick(b"", &[], Instant::now()).unwrap();
    assert_ne!(first.addr(), second.addr());
    let freed = first.addr();
    drop(first);
    assert_eq!(balancer.pick(b"", &[], Instant::now()).unwrap().addr(), freed);
}

#[test]
fn a_balancer_is_shared_between_threads() {
    let targets: Vec<_> = (1..=4).map(|number| target(number, &format!("10.0.0.{number}:80"), 1)).collect();
    let balancer = balancer(checked(), &targets);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..500 {
                    let pick = balancer.pick(b"", &[], Instant::now()).unwrap();
                    balancer.report(&pick, Outcome::Status(200));
                }
            });
        }
    });
    assert_eq!(balancer.table().slots.iter().map(|slot| slot.peer.connections()).sum::<usize>(), 0);
}
