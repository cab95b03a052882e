//! H4, H8, H22: which connections to upstreams are kept, for how long, and what it means that one was not.

use std::thread;

use polygate_testkit::{Connection, Gateway, eventually};
use serde_json::json;

use crate::http_faults::site::{
    PATIENCE, Setup, ask, ask_on, chunked_head, connect, expect_served, get, millis, upload, upload_head,
};
use crate::http_faults::upstream::{OK, Peer, Upstream};

/// Answers as soon as it has the head, and takes the body for what it is.
fn eager(peer: &mut Peer) {
    while let Some(request) = peer.head() {
        peer.send(OK);
        let coded = !request.values("Transfer-Encoding").is_empty();
        let length = request.values("Content-Length").first().and_then(|length| length.parse().ok());
        if peer.skip(coded, length.unwrap_or(0)).is_none() {
            return;
        }
    }
}

/// A client that was answered before its upload had ended, and does not end it.
#[track_caller]
fn answered_early(gateway: &Gateway, head: &str) -> Connection {
    let mut connection = connect(gateway);
    connection.write(head.as_bytes()).expect("the gateway reads");
    connection.write(b"5\r\nabcde\r\n").expect("the gateway reads");
    assert_eq!(connection.read_response("POST").expect("an early answer").status, 200);
    connection
}

#[test]
fn h04_an_early_answer_does_not_reach_the_next_client() {
    let upstream = Upstream::start(eager);
    let gateway = Setup::of(&upstream).service(json!({ "retries": 0, "read_timeout": 5000 })).start();
    for head in [upload_head("POST", "/unbuffered", 100), chunked_head("/unbuffered")] {
        let early: Vec<_> = (0..3).map(|_| answered_early(&gateway, &head)).collect();
        (0..5).for_each(|_| expect_served(&gateway));
        drop(early);
        (0..5).for_each(|_| expect_served(&gateway));
    }
}

/// An upload that goes on behind its answer: it is read or the connection ends, and nothing of it is taken for a request.
#[test]
fn h04_the_rest_of_an_upload_is_no_request() {
    let upstream = Upstream::start(eager);
    let gateway = Setup::of(&upstream).start();
    let smuggled = get("/smuggled", "");
    for _ in 0..3 {
        let mut connection =
            answered_early(&gateway, &upload_head("POST", "/unbuffered", 10 + smuggled.len()));
        drop(connection.write(smuggled.as_bytes()));
        drop(connection.write(get("/second", "").as_bytes()));
        if let Ok(answer) = connection.read_response("GET") {
            assert_eq!(answer.status, 200);
        }
        expect_served(&gateway);
    }
    let targets: Vec<_> = upstream.requests().iter().map(|request| request.target().to_owned()).collect();
    assert!(!targets.iter().any(|target| target == "/smuggled"), "{targets:?}");
}

/// Nobody waits for ever for the rest of an upload whose answer was sent.
#[test]
fn h04_a_client_that_stalls_behind_an_early_answer_is_left() {
    let upstream = Upstream::start(eager);
    let conf = "nginx_http_client_body_timeout = 300ms\nnginx_http_keepalive_timeout = 300ms";
    let gateway = Setup::of(&upstream).conf(conf).start();
    for head in [upload_head("POST", "/unbuffered", 100), chunked_head("/unbuffered")] {
        let mut connection = answered_early(&gateway, &head);
        connection.rest().expect("the end of the connection");
    }
    eventually(PATIENCE, "both connections to the upstream end", || (upstream.ended() >= 2).then_some(()));
}

/// A refusal before the end of a large upload reaches a client that sends on.
#[test]
fn h04_an_early_refusal_is_passed_on() {
    let upstream = Upstream::start(|peer| {
        drop(peer.head());
        peer.send(b"HTTP/1.1 413 Payload Too Large\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno");
        peer.ends_within(PATIENCE);
    });
    let gateway = Setup::of(&upstream).start();
    for path in ["/", "/unbuffered"] {
        assert_eq!(ask(&gateway, upload("POST", path, 5_000_000)).status, 413, "{path}");
    }
}

/// An answer that nobody read to its end does not go to the next client.
#[test]
fn h04_the_rest_of_an_answer_is_no_answer() {
    let upstream = Upstream::start(|peer| {
        while let Some(request) = peer.request() {
            if request.target() == "/long" {
                peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\n");
                peer.send(&vec![b'a'; 10_000_000]);
                continue;
            }
            let stray: &[u8] = b"HTTP/1.1 500 Stray\r\nContent-Length: 0\r\n\r\n";
            peer.send(&if request.target() == "/more" { [OK, stray].concat() } else { OK.to_vec() });
        }
    });
    let gateway = Setup::of(&upstream).start();
    for _ in 0..3 {
        let mut connection = connect(&gateway);
        connection.write(get("/long", "").as_bytes()).expect("the gateway reads");
        thread::sleep(millis(100));
        drop(connection);
        expect_served(&gateway);
        ask(&gateway, get("/more", "")).expect(200);
        // What comes at the same time as the next request cannot be told from its answer.
        thread::sleep(millis(50));
        expect_served(&gateway);
    }
}

/// Closes each connection when the second request comes, without a word.
fn fickle(peer: &mut Peer) {
    if peer.request().is_some() {
        peer.send(OK);
        drop(peer.head());
    }
}

/// Closes each connection soon after its first answer.
fn brief(peer: &mut Peer) {
    if peer.request().is_some() {
        peer.send(OK);
        thread::sleep(millis(50));
    }
}

#[test]
fn h08_a_kept_connection_that_the_upstream_had_closed_is_no_try() {
    let upstream = Upstream::start(brief);
    let gateway = Setup::of(&upstream).service(json!({ "retries": 0 })).start();
    for method in ["GET", "POST", "PUT", "DELETE", "PATCH"] {
        let mut connection = connect(&gateway);
        for _ in 0..3 {
            let answer = ask_on(&mut connection, upload(method, "/", 10));
            assert_eq!(answer.status, 200, "{method}: {}", answer.text());
            thread::sleep(millis(150));
        }
    }
}

#[test]
fn h08_a_kept_connection_that_closes_at_once_is_no_try() {
    let upstream = Upstream::start(fickle);
    let gateway = Setup::of(&upstream).service(json!({ "retries": 0 })).start();
    for method in ["GET", "PUT", "DELETE", "HEAD", "OPTIONS"] {
        for _ in 0..3 {
            let request = format!("{method} / HTTP/1.1\r\nHost: a\r\n\r\n");
            let mut connection = connect(&gateway);
            connection.write(request.as_bytes()).expect("the gateway reads");
            assert_eq!(connection.read_response("HEAD").expect("an answer").status, 200, "{method}");
        }
    }
}

/// A kept connection that fails counts neither as a try nor against the target.
#[test]
fn h08_a_kept_connection_that_closes_does_not_eject_the_target() {
    let upstream = Upstream::start(fickle);
    let health = json!({ "passive": { "unhealthy": { "tcp_failures": 1 } } });
    let gateway = Setup::pool(&[(upstream.address(), 10)], health).start();
    (0..6).for_each(|_| expect_served(&gateway));
}

#[test]
fn h22_idle_connections_are_closed_when_their_time_has_come() {
    let upstream = Upstream::answering(OK);
    let gateway = Setup::of(&upstream).conf("upstream_keepalive_idle_timeout = 1").start();
    expect_served(&gateway);
    assert_eq!(upstream.ended(), 0);
    // Nothing comes that could make the gateway look.
    eventually(PATIENCE, "the upstream sees the end", || (upstream.ended() == 1).then_some(()));
    expect_served(&gateway);
    assert_eq!(upstream.connections(), 2);
}

#[test]
fn h22_connections_that_are_used_stay() {
    let upstream = Upstream::answering(OK);
    let gateway = Setup::of(&upstream).conf("upstream_keepalive_idle_timeout = 5").start();
    for _ in 0..5 {
        expect_served(&gateway);
        thread::sleep(millis(100));
    }
    assert_eq!((upstream.connections(), upstream.ended()), (1, 0));
}

/// What an upstream closed while it was idle is dropped, not kept until its time comes.
#[test]
fn h22_connections_that_the_upstream_closed_are_let_go() {
    let upstream = Upstream::start(brief);
    let gateway = Setup::of(&upstream).start();
    expect_served(&gateway);
    let sockets = || std::fs::read_to_string("/proc/net/tcp").expect("the kernel's list");
    let port = format!(":{:04X} 08 ", upstream.address().port());
    let waiting = |port: &str| sockets().lines().filter(|line| line.contains(port)).count();
    // 08 is CLOSE_WAIT: the other side has closed, this one has not.
    eventually(PATIENCE, "no socket waits to be closed", || (waiting(&port) == 0).then_some(()));
}
