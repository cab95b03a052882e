//! What a balancer is told: only what the upstream did counts for its health.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use polygate_balancer::Balancer;
use polygate_model::{Id, Target};
use serde_json::json;

use crate::tests::{Door, GET, OK, Setup, Upstream, World, run, settle, setup};

fn addresses() -> [SocketAddr; 2] {
    [([10, 0, 1, 1], 81).into(), ([10, 0, 1, 2], 82).into()]
}

/// Two targets, of which one is taken out at the first fault of any kind.
fn balanced() -> Setup {
    balanced_by("round-robin", 1)
}

/// Two targets that so many faults in a row take out.
fn balanced_by(algorithm: &str, limit: u32) -> Setup {
    let healthy = json!({"http_statuses": [200], "successes": 1});
    let unhealthy = json!({
        "http_statuses": [500], "http_failures": limit, "tcp_failures": limit, "timeouts": limit,
    });
    let off = json!({"http_statuses": [], "http_failures": 0, "tcp_failures": 0, "timeouts": 0});
    let upstream = json!({
        "id": Id::from_u128(9), "created_at": 0, "updated_at": 0, "name": "pair.test", "algorithm": algorithm,
        "hash_on": "none", "hash_fallback": "none", "hash_on_cookie_path": "/", "slots": 100, "use_srv_name": false,
        "healthchecks": {
            "threshold": 0.0,
            "passive": {"type": "http", "healthy": healthy, "unhealthy": unhealthy},
            "active": {
                "type": "http", "timeout": 1.0, "concurrency": 1, "http_path": "/", "https_verify_certificate": true,
                "healthy": healthy, "unhealthy": off,
            },
        },
    });
    let targets: Vec<Arc<Target>> = addresses()
        .iter()
        .zip(10..)
        .map(|(address, id)| {
            let target = json!({
                "id": Id::from_u128(id), "created_at": 0.0, "updated_at": 0.0, "target": address.to_string(),
                "weight": 100, "upstream": {"id": Id::from_u128(9)},
            });
            Arc::new(serde_json::from_value(target).unwrap())
        })
        .collect();
    let balancer = Balancer::new(Arc::new(serde_json::from_value(upstream).unwrap()), &targets, 1);
    let mut setup = setup();
    setup.service["host"] = json!("pair.test");
    setup.balancers.insert("pair.test".into(), Arc::new(balancer));
    setup
}

fn healthy(world: &World) -> usize {
    let health = world.worker.gateway().balancers["pair.test"].health();
    health.iter().flat_map(|target| &target.addresses).filter(|address| address.is_healthy).count()
}

#[test]
fn another_try_goes_to_another_target() {
    run(async {
        let world = balanced().open();
        let [first, second] = addresses().map(Upstream::at);
        for upstream in [first, second] {
            upstream.doors([Door::Refused(libc::ECONNREFUSED)]);
            upstream.answer_all(OK);
        }
        let mut client = world.client();
        client.send(GET).await;
        let answer = client.answer().await;
        // Both have refused once: nobody is left, and that is said.
        assert_eq!(answer.status(), 503);
        assert_eq!(world.ends().await[0].tries, [502, 502]);
        assert_eq!(healthy(&world), 0);
    });
}

#[test]
fn one_that_is_out_is_not_asked() {
    run(async {
        let world = balanced().open();
        let [first, second] = addresses().map(Upstream::at);
        first.doors(vec![Door::Refused(libc::ECONNREFUSED); 10]);
        second.answer_all(OK);
        for _ in 0..6 {
            let mut client = world.client();
            client.send(GET).await;
            assert_eq!(client.answer().await.status(), 200);
        }
        let tries: Vec<_> = world.ends().await.into_iter().flat_map(|ended| ended.tries).collect();
        assert_eq!(tries.iter().filter(|failure| **failure == 502).count(), 1);
        assert_eq!((tries.len(), healthy(&world)), (7, 1));
    });
}

#[test]
fn what_an_upstream_does_counts() {
    run(async {
        for (answer, is_fault) in [
            (OK, false),
            ("HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", true),
            ("HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", false),
            ("nonsense\r\n\r\n", true),
            ("HTTP/1.1 101 Go\r\n\r\n", true),
        ] {
            let world = balanced().open();
            for upstream in addresses().map(Upstream::at) {
                upstream.answer_all(answer);
            }
            let mut client = world.client();
            client.send(GET).await;
            client.answer().await;
            assert_eq!(healthy(&world), if is_fault { 1 } else { 2 }, "{answer}");
        }
    });
}

/// An answer that breaks off counts, though its head was all right.
#[test]
fn what_breaks_off_counts() {
    run(async {
        let world = balanced().open();
        let mut upstreams = addresses().map(Upstream::at);
        let mut client = world.client();
        client.send(GET).await;
        settle().await;
        let visited = upstreams.iter_mut().find(|upstream| upstream.is_visited()).unwrap();
        let mut connection = visited.accept().await;
        connection.request().await;
        connection.send(&OK[..OK.len() - 1]).await;
        client.head().await;
        assert_eq!(healthy(&world), 2);
        drop(connection);
        client.closed().await;
        assert_eq!(healthy(&world), 1);
    });
}

#[test]
fn what_a_client_does_not_counts_for_nobody() {
    run(async {
        for rest in ["zz\r\n", "3\r\nab", ""] {
            let mut setup = balanced().stream_bodies();
            setup.settings.client_max_body_size = 10;
            let world = setup.open();
            let _upstreams = addresses().map(Upstream::at);
            for leaves in [false, true] {
                let mut client = world.client();
                let head = "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
                client.send(format!("{head}3\r\nabc\r\n{rest}")).await;
                settle().await;
                if leaves {
                    client.reset();
                } else {
                    client.closed().await;
                }
                settle().await;
                assert_eq!(healthy(&world), 2, "{rest:?} {leaves}");
            }
        }
    });
}

#[test]
fn what_the_gateway_lacks_does_not() {
    run(async {
        let world = balanced().open();
        for upstream in addresses().map(Upstream::at) {
            upstream.doors([Door::Refused(libc::EMFILE), Door::Refused(libc::EADDRNOTAVAIL)]);
            upstream.answer_all(OK);
        }
        let mut client = world.client();
        client.send(GET).await;
        assert_eq!(client.answer().await.status(), 500);
        assert_eq!(healthy(&world), 2);
    });
}

/// The connections of a target are those of requests under way, however they end.
#[test]
fn least_connections_heeds_every_end() {
    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Leaves {
        Nobody,
        Client,
        Upstream,
    }
    run(async {
        let part = &OK[..OK.len() - 1];
        for (answer, leaves) in [
            (OK, Leaves::Nobody),
            ("HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", Leaves::Nobody),
            ("nonsense\r\n\r\n", Leaves::Nobody),
            ("", Leaves::Client),
            (part, Leaves::Client),
            ("", Leaves::Upstream),
            (part, Leaves::Upstream),
        ] {
            let mut setup = balanced_by("least-connections", 0);
            setup.service["retries"] = json!(0);
            let world = setup.open();
            let mut upstreams = addresses().map(Upstream::at);
            let mut client = world.client();
            client.send(GET).await;
            settle().await;
            let visited = upstreams.iter_mut().find(|upstream| upstream.is_visited()).unwrap();
            let mut connection = visited.accept().await;
            connection.request().await;
            let balancer = world.worker.gateway().balancers["pair.test"].clone();
            let pick = || balancer.pick(b"", &[], Instant::now()).unwrap();
            let busy = (0..20).map(|_| pick().addr()).collect::<BTreeSet<_>>();
            assert_eq!(busy.len(), 1, "the other one has less to do");
            connection.send(answer).await;
            settle().await;
            match leaves {
                Leaves::Nobody => drop(client.answer().await),
                Leaves::Client => client.reset(),
                Leaves::Upstream => drop(connection),
            }
            assert_eq!(world.ends().await.len(), 1, "{answer:?} {leaves:?}");
            for _ in 0..20 {
                let (first, second) = (pick(), pick());
                assert_ne!(first.addr(), second.addr(), "{answer:?} {leaves:?}");
            }
        }
    });
}
