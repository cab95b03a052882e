//! H2, H7 and the framing of uploads: a body arrives whole or not at all.

use std::fs;
use std::thread;

use polygate_testkit::{Connection, Gateway, Request, eventually};
use serde_json::json;

use crate::http_faults::site::{
    PATIENCE, Setup, ask, ask_on, chunked_head, connect, expect_served, millis, upload, upload_head,
    wait_for_access,
};
use crate::http_faults::upstream::{OK, Upstream};
use crate::program::{GO, Program};

/// A gateway whose plugin reads every body that [`read_by_plugin`] sends.
fn reading(upstream: &Upstream, conf: &str) -> Gateway {
    Setup::of(upstream).conf(conf).go().start()
}

/// A head whose plugin reads the body; it ends with these lines.
fn read_by_plugin(path: &str, lines: &str) -> String {
    let program = Program::new(GO).call("access", "copy_body", json!([]));
    let request = program.load_into(Request::new("POST", path)).to_bytes();
    let head = String::from_utf8(request).expect("a program is text");
    format!("{}{lines}\r\n\r\n", head.strip_suffix("\r\n").expect("the end of the head"))
}

/// Broken in one way, each of these paths is refused, and nothing goes upstream.
#[track_caller]
fn expect_broken(conf: &str, status: u16, breaks: impl Fn(&mut Connection, &str)) {
    let upstream = Upstream::answering(OK);
    let gateway = reading(&upstream, conf);
    for path in ["/", "/unbuffered"] {
        let mut connection = connect(&gateway);
        breaks(&mut connection, path);
        let answer = connection.read_response("POST").expect("an answer");
        assert_eq!(answer.status, status, "{path}: {}", answer.text());
    }
    assert_eq!(upstream.requests().len(), 0, "{:?}", upstream.requests());
    expect_served(&gateway);
}

fn send(connection: &mut Connection, bytes: impl AsRef<[u8]>) {
    // Who refuses does not read on.
    drop(connection.write(bytes.as_ref()));
}

#[test]
fn h02_a_body_that_a_plugin_reads_arrives() {
    let upstream = Upstream::answering(OK);
    let gateway = reading(&upstream, "");
    let chunked = read_by_plugin("/", "Transfer-Encoding: chunked");
    ask(&gateway, format!("{chunked}3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n")).expect(200);
    let long = read_by_plugin("/unbuffered", "Content-Length: 2000000");
    ask(&gateway, format!("{long}{}", "a".repeat(2_000_000))).expect(200);
    let bodies: Vec<_> = upstream.requests().into_iter().map(|request| request.body).collect();
    assert_eq!(bodies[0], b"abcde");
    assert_eq!(bodies[1].len(), 2_000_000);
}

#[test]
fn h02_a_body_over_the_limit_is_too_large_for_a_plugin_too() {
    expect_broken("nginx_http_client_max_body_size = 1k", 413, |connection, path| {
        let head = read_by_plugin(path, "Transfer-Encoding: chunked");
        send(connection, format!("{head}800\r\n{}\r\n0\r\n\r\n", "a".repeat(2048)));
    });
    expect_broken("nginx_http_client_max_body_size = 1k", 413, |connection, path| {
        send(connection, format!("{}{}", read_by_plugin(path, "Content-Length: 2048"), "a".repeat(2048)));
    });
}

#[test]
fn h02_a_badly_chunked_body_is_refused_under_a_plugin_too() {
    for chunks in
        ["zz\r\nabc\r\n0\r\n\r\n", "3\r\nabcde\r\n0\r\n\r\n", "-1\r\n", "\r\n", "3\r\nabc\r\nxyz\r\n"]
    {
        expect_broken("", 400, |connection, path| {
            send(connection, format!("{}{chunks}", read_by_plugin(path, "Transfer-Encoding: chunked")));
        });
    }
}

#[test]
fn h02_a_body_that_stalls_times_out_under_a_plugin_too() {
    for lines in ["Content-Length: 100", "Transfer-Encoding: chunked"] {
        expect_broken("nginx_http_client_body_timeout = 300ms", 408, |connection, path| {
            send(connection, format!("{}3\r\nabc", read_by_plugin(path, lines)));
        });
    }
}

/// A client that shuts its side down in the middle still reads: it broke the body off.
#[test]
fn h02_a_body_that_breaks_off_is_refused_under_a_plugin_too() {
    for lines in ["Content-Length: 100", "Transfer-Encoding: chunked"] {
        expect_broken("", 400, |connection, path| {
            send(connection, format!("{}3\r\nabc", read_by_plugin(path, lines)));
            connection.finish().expect("a connected socket");
        });
    }
}

#[test]
fn h02_a_client_that_leaves_sends_nothing_upstream() {
    let upstream = Upstream::answering(OK);
    let gateway = reading(&upstream, "");
    for (number, path) in ["/", "/unbuffered"].into_iter().enumerate() {
        let mut connection = connect(&gateway);
        send(&mut connection, format!("{}abc", read_by_plugin(path, "Content-Length: 100")));
        thread::sleep(millis(100));
        drop(connection);
        eventually(PATIENCE, "a line in the access log", || {
            (gateway.access_log().len() > number).then_some(())
        });
        let line = gateway.access_log().pop().expect("a line");
        assert!(line.contains("\" 499 ") || line.contains("\" 400 "), "{line}");
    }
    assert_eq!(upstream.requests().len(), 0, "{:?}", upstream.requests());
}

/// The same without a plugin.
#[test]
fn h02_a_broken_body_is_refused_and_nothing_goes_upstream() {
    let upstream = Upstream::answering(OK);
    let conf = "nginx_http_client_max_body_size = 1k\nnginx_http_client_body_timeout = 300ms";
    let gateway = Setup::of(&upstream).conf(conf).start();
    let chunked = chunked_head("/");
    let large = format!("{chunked}800\r\n{}\r\n0\r\n\r\n", "a".repeat(2048));
    for (request, status) in [
        (large, 413),
        (String::from_utf8(upload("POST", "/", 2048)).expect("text"), 413),
        (format!("{chunked}zz\r\nabc\r\n0\r\n\r\n"), 400),
        (format!("{chunked}3\r\nabc"), 408),
        (format!("{}abc", upload_head("POST", "/", 100)), 408),
    ] {
        assert_eq!(ask(&gateway, &request).status, status, "{:?}", &request[..80]);
    }
    assert_eq!(upstream.requests().len(), 0, "{:?}", upstream.requests());
    expect_served(&gateway);
}

#[test]
fn a_limit_holds_for_bodies_that_are_streamed() {
    let upstream = Upstream::answering(OK);
    let gateway = Setup::of(&upstream).conf("nginx_http_client_max_body_size = 1k").start();
    let large = format!("{}4e20\r\n{}\r\n0\r\n\r\n", chunked_head("/unbuffered"), "a".repeat(20_000));
    assert_eq!(ask(&gateway, large).status, 413);
    assert!(upstream.requests().iter().all(|request| request.body.is_empty()), "no whole body reached it");
    expect_served(&gateway);
}

/// `request_buffering` promises the upstream a length.
#[test]
fn h07_a_buffered_body_has_a_length() {
    let upstream = Upstream::answering(OK);
    let gateway = Setup::of(&upstream).start();
    for size in [0, 1000, 1_000_000, 3_000_000] {
        let chunks = if size == 0 { String::new() } else { format!("{size:x}\r\n{}\r\n", "a".repeat(size)) };
        ask(&gateway, format!("{}{chunks}0\r\n\r\n", chunked_head("/"))).expect(200);
        let requests = upstream.requests();
        let seen = requests.last().expect("it came");
        assert_eq!(seen.values("Content-Length"), [size.to_string()], "{size} bytes");
        assert_eq!(seen.body.len(), size);
    }
}

/// A body that waits for its rest does not wait in memory.
#[test]
fn h07_uploads_that_stall_do_not_fill_the_memory() {
    const SENT: usize = 1_000_000;
    const COUNT: usize = 200;
    let upstream = Upstream::answering(OK);
    let gateway = Setup::of(&upstream).start();
    expect_served(&gateway);
    let before = resident(&gateway);
    let uploads: Vec<_> = (0..COUNT)
        .map(|_| {
            let mut connection = connect(&gateway);
            // Without a length nobody knows that more is to come.
            send(&mut connection, format!("{}{SENT:x}\r\n", chunked_head("/")));
            send(&mut connection, vec![b'a'; SENT]);
            connection
        })
        .collect();
    thread::sleep(millis(500));
    let grown = resident(&gateway).saturating_sub(before);
    assert!(grown < COUNT * SENT / 4, "{} MB more for {COUNT} uploads of 1 MB", grown / 1_000_000);
    drop(uploads);
    expect_served(&gateway);
}

/// The memory that a gateway has in use, in bytes.
fn resident(gateway: &Gateway) -> usize {
    let status = fs::read_to_string(format!("/proc/{}/status", gateway.pid())).expect("the gateway runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a size");
    line.trim().trim_end_matches(" kB").parse::<usize>().expect("a number") * 1024
}

/// A body that nobody wants does not keep the next request from being answered.
#[test]
fn a_connection_goes_on_behind_a_body_that_was_not_read() {
    let upstream = Upstream::answering(OK);
    let gateway = Setup::of(&upstream).service(json!({ "routes": [{ "paths": ["/known"] }] })).start();
    let mut connection = connect(&gateway);
    for _ in 0..2 {
        assert_eq!(ask_on(&mut connection, upload("POST", "/unknown", 200_000)).status, 404);
        assert_eq!(ask_on(&mut connection, crate::http_faults::site::get("/known", "")).status, 200);
    }
    drop(connection);
    wait_for_access(&gateway, &["/unknown", "\" 404 "]);
}
