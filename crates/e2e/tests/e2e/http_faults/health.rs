//! H3: only what an upstream did counts against it.

use std::fs;
use std::process::Command;
use std::thread;

use polygate_testkit::{Connection, Gateway, eventually};
use serde_json::{Value, json};

use crate::http_faults::site::{
    PATIENCE, Setup, ask, ask_on, chunked_head, connect, expect_served, get, millis, refusing, upload_head,
};
use crate::http_faults::upstream::{OK, Upstream};

/// The first fault ejects the target.
fn strict() -> Value {
    json!({ "passive": { "unhealthy": { "tcp_failures": 1, "timeouts": 1, "http_failures": 1 } } })
}

/// What a client does wrong in the middle of an upload costs its target nothing.
#[track_caller]
fn expect_innocent(conf: &str, wrong: impl Fn(Connection, &str)) {
    let upstream = Upstream::answering(OK);
    let gateway = Setup::pool(&[(upstream.address(), 10)], strict())
        .conf(conf)
        .service(json!({ "retries": 0 }))
        .start();
    for (number, path) in ["/", "/unbuffered", "/"].into_iter().enumerate() {
        wrong(connect(&gateway), path);
        wait_for_end(&gateway, 2 * number + 1);
        expect_served(&gateway);
    }
    let log = gateway.error_log();
    let blamed: Vec<_> =
        log.lines().filter(|line| line.contains("[error]") && line.contains("upstream")).collect();
    assert!(blamed.is_empty(), "{blamed:?}");
}

/// Waits until the log phase of this many requests has run.
#[track_caller]
fn wait_for_end(gateway: &Gateway, count: usize) {
    let what = "a line in the access log for each request";
    eventually(PATIENCE, what, || (gateway.access_log().len() >= count).then_some(()));
}

/// So that the gateway has begun to send it upstream.
fn send_in_part(connection: &mut Connection, bytes: impl AsRef<[u8]>) {
    drop(connection.write(bytes.as_ref()));
    thread::sleep(millis(200));
}

#[test]
fn h03_uploads_that_break_off() {
    for (sent, length) in [(2_000_000, 3_000_000), (10, 100), (0, 100)] {
        expect_innocent("", |mut connection, path| {
            let head = upload_head("POST", path, length);
            send_in_part(&mut connection, [head.as_bytes(), &vec![b'a'; sent]].concat());
        });
    }
}

#[test]
fn h03_uploads_that_are_half_closed_in_the_middle() {
    expect_innocent("", |mut connection, path| {
        send_in_part(&mut connection, format!("{}abc", upload_head("POST", path, 100)));
        connection.finish().expect("a connected socket");
        assert_eq!(connection.read_response("POST").expect("an answer").status, 400, "{path}");
    });
}

#[test]
fn h03_bad_chunks() {
    for size in [10, 2_000_000] {
        expect_innocent("", |mut connection, path| {
            let good = format!("{}{size:x}\r\n{}\r\n", chunked_head(path), "a".repeat(size));
            send_in_part(&mut connection, good);
            drop(connection.write(b"zz\r\n"));
            // Part of it may have been sent: then only the connection's end is left as an answer.
            if let Ok(answer) = connection.read_response("POST") {
                assert_eq!(answer.status, 400, "{path}");
            }
        });
    }
}

#[test]
fn h03_chunks_that_break_off() {
    expect_innocent("", |mut connection, path| {
        send_in_part(&mut connection, format!("{}100\r\nabc", chunked_head(path)));
    });
}

#[test]
fn h03_clients_that_stall() {
    expect_innocent("nginx_http_client_body_timeout = 300ms", |mut connection, path| {
        send_in_part(&mut connection, format!("{}abc", upload_head("POST", path, 100)));
        if let Ok(answer) = connection.read_response("POST") {
            assert_eq!(answer.status, 408, "{path}");
        }
    });
}

#[test]
fn h03_bodies_over_the_limit() {
    expect_innocent("nginx_http_client_max_body_size = 1k", |mut connection, path| {
        send_in_part(
            &mut connection,
            format!("{}800\r\n{}\r\n0\r\n\r\n", chunked_head(path), "a".repeat(2048)),
        );
        assert_eq!(connection.read_response("POST").expect("an answer").status, 413, "{path}");
    });
}

/// Clients that leave while the upstream works, or while its answer is sent.
#[test]
fn h03_clients_that_leave_before_the_end_of_the_answer() {
    let upstream = Upstream::start(|peer| {
        while let Some(request) = peer.request() {
            match request.target() {
                "/works" => drop(peer.ends_within(PATIENCE)),
                "/sends" => {
                    peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n");
                    while peer.send(&[b'a'; 65536]) {}
                }
                _ => drop(peer.send(OK)),
            }
        }
    });
    let gateway = Setup::pool(&[(upstream.address(), 10)], strict()).service(json!({ "retries": 0 })).start();
    for (number, path) in ["/works", "/sends", "/works"].into_iter().enumerate() {
        let mut connection = connect(&gateway);
        send_in_part(&mut connection, get(path, ""));
        drop(connection);
        wait_for_end(&gateway, 2 * number + 1);
        expect_served(&gateway);
    }
}

/// The other half: what the upstream does wrong still counts.
#[test]
fn h03_faults_of_the_upstream_count() {
    let good = Upstream::answering(OK);
    let nonsense = Upstream::start(|peer| {
        drop(peer.request());
        peer.send(b"nonsense\r\n\r\n");
    });
    let silent = Upstream::start(|peer| {
        drop(peer.request());
        thread::sleep(PATIENCE);
    });
    for bad in [refusing(), nonsense.address(), silent.address()] {
        let gateway = Setup::pool(&[(bad, 1000), (good.address(), 1)], strict())
            .service(json!({ "retries": 0, "read_timeout": 700 }))
            .start();
        let first = ask(&gateway, get("/", "")).status;
        assert!(matches!(first, 502 | 504), "{first}");
        (0..3).for_each(|_| expect_served(&gateway));
    }
}

/// The gateway's own trouble: no descriptor is left for a connection upstream.
#[test]
fn h03_no_descriptors_left() {
    let upstream = Upstream::start(|peer| {
        if peer.request().is_some() {
            peer.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok");
        }
    });
    let gateway = Setup::pool(&[(upstream.address(), 10)], strict()).service(json!({ "retries": 0 })).start();
    let mut connection = connect(&gateway);
    assert_eq!(ask_on(&mut connection, get("/", "")).status, 200);
    eventually(PATIENCE, "the connection upstream ends", || (upstream.ended() == 1).then_some(()));
    thread::sleep(millis(100));
    limit_descriptors(&gateway, first_free_descriptor(&gateway));
    let status = ask_on(&mut connection, get("/", "")).status;
    assert!(status >= 500, "{status}: a descriptor was left");
    limit_descriptors(&gateway, 1024);
    expect_served(&gateway);
}

fn first_free_descriptor(gateway: &Gateway) -> usize {
    let taken = |number: &usize| fs::symlink_metadata(format!("/proc/{}/fd/{number}", gateway.pid())).is_ok();
    (0..).find(|number| !taken(number)).expect("a free number")
}

#[track_caller]
fn limit_descriptors(gateway: &Gateway, limit: usize) {
    let pid = gateway.pid().to_string();
    let status = Command::new("prlimit").args(["--pid", &pid, &format!("--nofile={limit}:")]).status();
    assert!(status.is_ok_and(|status| status.success()), "prlimit (util-linux) can be run");
}
