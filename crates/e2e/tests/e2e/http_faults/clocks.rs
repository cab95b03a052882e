//! H5, H6, H19: each clock measures what its name says, between two steps and never over a whole body.

use std::sync::Mutex;
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::Instant;

use polygate_testkit::{Connection, Gateway, Request, eventually};
use serde_json::{Value, json};

use crate::http_faults::site::{
    PATIENCE, Setup, ask, connect, expect_served, get, metric, millis, slowly, upload, upload_head,
};
use crate::http_faults::upstream::{OK, Peer, Upstream};
use crate::program::{PY, Program};

/// Short against an upload of the tests, long against a step of it on a busy machine.
const SHORT: u64 = 500;
/// Longer than any test.
const LONG: u64 = 60_000;

/// One time-out ejects the target.
fn strict(upstream: &Upstream) -> Setup {
    let passive = json!({ "unhealthy": { "timeouts": 1, "tcp_failures": 1 } });
    Setup::pool(&[(upstream.address(), 10)], json!({ "passive": passive }))
}

fn times(read: u64, write: u64) -> Value {
    json!({ "read_timeout": read, "write_timeout": write, "retries": 0 })
}

/// Sends a body in steps that are shorter than the clocks, over a time that is longer.
#[track_caller]
fn upload_slowly(gateway: &Gateway, path: &str, length: usize) -> u16 {
    let mut connection = connect(gateway);
    connection.write(upload_head("POST", path, length).as_bytes()).expect("the gateway reads");
    let step = vec![b'a'; length / 20];
    slowly(20, millis(100), || drop(connection.write(&step)));
    connection.read_response("POST").map_or(0, |answer| answer.status)
}

#[test]
fn h05_a_steady_upload_takes_as_long_as_it_takes() {
    let upstream = Upstream::answering(OK);
    let gateway = strict(&upstream).service(times(SHORT, SHORT)).start();
    for (path, length) in
        [("/", 2_000_000), ("/unbuffered", 200_000), ("/", 200_000), ("/unbuffered", 2_000_000)]
    {
        assert_eq!(upload_slowly(&gateway, path, length), 200, "{length} bytes to {path}");
        assert_eq!(upstream.requests().last().expect("it came").body.len(), length);
        expect_served(&gateway);
    }
}

/// The clock of the upload is the client's, not the upstream's.
#[test]
fn h05_a_client_that_pauses_does_not_cost_its_upstream() {
    let upstream = Upstream::answering(OK);
    let gateway = strict(&upstream).service(times(SHORT, SHORT)).start();
    for path in ["/unbuffered", "/"] {
        let mut connection = connect(&gateway);
        let length = 2_000_000;
        connection.write(upload_head("POST", path, length).as_bytes()).expect("the gateway reads");
        connection.write(&vec![b'a'; length / 2]).expect("the gateway reads");
        thread::sleep(millis(3 * SHORT));
        connection.write(&vec![b'a'; length / 2]).expect("the gateway reads on");
        assert_eq!(connection.read_response("POST").expect("an answer").status, 200, "{path}");
        expect_served(&gateway);
    }
}

#[test]
fn h05_an_upstream_that_does_not_read_is_left_after_write_timeout() {
    let upstream = Upstream::start(|peer| {
        drop(peer.head());
        thread::sleep(PATIENCE * 2);
    });
    let gateway = Setup::of(&upstream).service(times(LONG, 300)).start();
    for path in ["/", "/unbuffered"] {
        let start = Instant::now();
        let answer = ask(&gateway, upload("POST", path, 40_000_000));
        assert_eq!(answer.status, 504, "{path}");
        assert!(start.elapsed() < PATIENCE, "{path}");
    }
}

/// What a plugin sets is one of the clocks, too.
#[test]
fn h05_write_timeout_may_be_a_plugins() {
    let upstream = Upstream::start(|peer| {
        drop(peer.head());
        thread::sleep(PATIENCE * 2);
    });
    let gateway = Setup::of(&upstream).service(times(LONG, LONG)).python().start();
    let program = Program::new(PY).call("access", "kong.service.set_timeouts", json!([LONG, 300, LONG]));
    let request = program.load_into(Request::post("/", vec![b'a'; 40_000_000]));
    assert_eq!(ask(&gateway, request.to_bytes()).status, 504);
}

#[test]
fn h05_an_upstream_that_does_not_answer_is_left_after_read_timeout() {
    let upstream = Upstream::start(|peer| {
        drop(peer.request());
        thread::sleep(PATIENCE * 2);
    });
    let gateway = Setup::of(&upstream).service(times(300, LONG)).start();
    for request in [get("/", "").into_bytes(), upload("POST", "/", 10), upload("POST", "/", 2_000_000)] {
        assert_eq!(ask(&gateway, request).status, 504);
    }
}

/// Answers the path's last part: how many steps of 100 ms to take, and how long to pause after the first.
fn trickle(peer: &mut Peer) {
    while let Some(request) = peer.request() {
        let paused = request.target() == "/paused";
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n");
        for step in 0..20 {
            thread::sleep(millis(if paused && step == 1 { LONG } else { 100 }));
            if !peer.send(b"a") {
                return;
            }
        }
    }
}

#[test]
fn h05_read_timeout_is_the_time_between_two_reads() {
    let upstream = Upstream::start(trickle);
    let gateway = Setup::of(&upstream).service(times(SHORT, SHORT)).start();
    let mut connection = connect(&gateway);
    connection.write(get("/steady", "").as_bytes()).expect("the gateway reads");
    assert_eq!(connection.read_response("GET").expect("a whole answer").body.len(), 20);
    let mut connection = connect(&gateway);
    connection.write(get("/paused", "").as_bytes()).expect("the gateway reads");
    let error = connection.read_response("GET").map(|answer| answer.status).expect_err("a broken answer");
    assert_eq!(error.kind(), std::io::ErrorKind::UnexpectedEof, "{error}");
}

/// Sends as much as anybody takes, and tells when nobody does any more.
fn endless(ended: Sender<()>) -> Upstream {
    let ended = Mutex::new(ended);
    Upstream::start(move |peer| {
        if peer.head().is_none() {
            return;
        }
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 20000000000\r\n\r\n");
        while peer.send(&[b'a'; 65536]) {}
        // The test may have failed meanwhile.
        let _ = ended.lock().expect("no holder panics").send(());
    })
}

#[test]
fn h06_a_client_that_does_not_read_is_left_after_send_timeout() {
    for conf in ["nginx_proxy_send_timeout = 500ms", "nginx_http_send_timeout = 500ms"] {
        let (ended, told) = channel();
        let upstream = endless(ended);
        let gateway = Setup::of(&upstream).conf(conf).service(times(LONG, LONG)).start();
        let mut connection = connect(&gateway);
        connection.write(get("/", "").as_bytes()).expect("the gateway reads");
        told.recv_timeout(PATIENCE)
            .unwrap_or_else(|_| panic!("{conf}: the upstream's connection is still open"));
        eventually(PATIENCE, "no connection is open", || {
            (metric(&gateway, "polygate_connections_active") == 0.0).then_some(())
        });
        drop(connection);
    }
}

/// Reads 40 MB in steps that are shorter than the clock, over a time that is longer.
#[test]
fn h06_a_client_that_reads_slowly_gets_everything() {
    const LENGTH: usize = 40_000_000;
    let upstream = Upstream::start(|peer| {
        while peer.request().is_some() {
            peer.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {LENGTH}\r\n\r\n").as_bytes());
            peer.send(&vec![b'a'; LENGTH]);
        }
    });
    let gateway = Setup::of(&upstream).conf("nginx_proxy_send_timeout = 500ms").start();
    let mut connection = connect(&gateway);
    connection.write(get("/", "Connection: close\r\n").as_bytes()).expect("the gateway reads");
    let (mut buffer, mut read) = (vec![0; 65536], 0);
    let mut read_until = |connection: &mut Connection, wanted: usize| {
        while read < wanted {
            match connection.read_some(&mut buffer).expect("the gateway sends") {
                0 => break,
                length => read += length,
            }
        }
        read
    };
    for step in 1..=20 {
        read_until(&mut connection, step * LENGTH / 20);
        thread::sleep(millis(100));
    }
    assert!(read_until(&mut connection, usize::MAX) > LENGTH);
}

#[test]
fn h19_without_keep_alive_a_head_may_still_come_in_pieces() {
    let upstream = Upstream::answering(OK);
    for conf in ["nginx_http_keepalive_timeout = 0", "nginx_proxy_keepalive_timeout = 0"] {
        let gateway = Setup::of(&upstream).conf(conf).start();
        let request = get("/", "X-A: 1\r\n");
        for cut in [1, 10, 16, request.len() - 2, request.len() - 1] {
            let mut connection = connect(&gateway);
            connection.write(&request.as_bytes()[..cut]).expect("the gateway reads");
            thread::sleep(millis(200));
            connection.write(&request.as_bytes()[cut..]).expect("the gateway reads on");
            let answer = connection.read_response("GET").expect("an answer");
            assert_eq!((answer.status, answer.closes()), (200, true), "{conf}, cut at {cut}");
            assert_eq!(connection.rest().expect("the end"), b"", "{conf}, cut at {cut}");
        }
    }
}

/// A body is no head either.
#[test]
fn h19_without_keep_alive_a_body_may_still_come_in_pieces() {
    let upstream = Upstream::answering(OK);
    let gateway = Setup::of(&upstream).conf("nginx_http_keepalive_timeout = 0").start();
    assert_eq!(upload_slowly(&gateway, "/", 2000), 200);
}
