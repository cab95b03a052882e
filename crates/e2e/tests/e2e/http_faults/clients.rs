//! H9, H23, H24: clients that leave, that say they have no more to say, and that say nothing at all.

use std::fs;
use std::thread;
use std::time::Instant;

use polygate_testkit::{Connection, Gateway, eventually};
use serde_json::json;

use crate::http_faults::site::{
    PATIENCE, Setup, ask_on, chunked_head, connect, expect_served, get, metric, millis, upload, upload_head,
    wait_for_access,
};
use crate::http_faults::upstream::{OK, Upstream};

/// Works on `/work` for as long as the gateway waits.
fn working() -> Upstream {
    Upstream::start(|peer| {
        while let Some(request) = peer.request() {
            if request.target().ends_with("/work") {
                peer.ends_within(2 * PATIENCE);
                return;
            }
            peer.send(OK);
        }
    })
}

/// Waits until the upstream has this many requests.
#[track_caller]
fn wait_for_requests(upstream: &Upstream, count: usize) {
    eventually(PATIENCE, "a request upstream", || (upstream.requests().len() >= count).then_some(()));
}

#[test]
fn h09_the_upstream_is_told_that_its_client_left() {
    let upstream = working();
    let gateway = Setup::of(&upstream).start();
    let requests =
        [get("/work", "").into_bytes(), upload("POST", "/work", 10), upload("PUT", "/unbuffered/work", 10)];
    for (number, request) in requests.into_iter().enumerate() {
        let mut connection = connect(&gateway);
        connection.write(&request).expect("the gateway reads");
        wait_for_requests(&upstream, number + 1);
        drop(connection);
        eventually(PATIENCE, "the upstream's connection ends", || (upstream.ended() > number).then_some(()));
        eventually(PATIENCE, "an access line", || (gateway.access_log().len() > number).then_some(()));
        let line = gateway.access_log().pop().expect("a line");
        assert!(line.contains("\" 499 "), "{line}");
    }
    // Retries are for clients that are there.
    assert_eq!(upstream.requests().len(), 3);
    assert_eq!(metric(&gateway, "polygate_client_gone_total"), 3.0);
    expect_served(&gateway);
}

#[test]
fn h09_nothing_is_tried_again_for_a_client_that_left() {
    let upstream = Upstream::start(|peer| {
        drop(peer.request());
        thread::sleep(PATIENCE);
    });
    let gateway = Setup::of(&upstream).service(json!({ "read_timeout": 300, "retries": 5 })).start();
    let mut connection = connect(&gateway);
    connection.write(get("/work", "").as_bytes()).expect("the gateway reads");
    wait_for_requests(&upstream, 1);
    drop(connection);
    thread::sleep(millis(1200));
    assert_eq!(upstream.requests().len(), 1);
    wait_for_access(&gateway, &["/work", "\" 499 "]);
}

/// The answer is under way already: what was begun is what is logged.
#[test]
fn h09_a_client_that_leaves_amid_an_answer_ends_it() {
    let upstream = Upstream::start(|peer| {
        drop(peer.request());
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 20000000000\r\n\r\n");
        while peer.send(&[b'a'; 65536]) {}
    });
    let gateway = Setup::of(&upstream).start();
    let mut connection = connect(&gateway);
    connection.write(get("/long", "").as_bytes()).expect("the gateway reads");
    connection.read_some(&mut [0; 1000]).expect("some of an answer");
    drop(connection);
    eventually(PATIENCE, "the upstream's connection ends", || (upstream.ended() == 1).then_some(()));
    wait_for_access(&gateway, &["/long"]);
}

#[test]
fn h09_an_upload_that_breaks_off_is_logged_as_bad() {
    let upstream = Upstream::answering(OK);
    let gateway = Setup::of(&upstream).start();
    for (number, head) in [upload_head("POST", "/", 100), chunked_head("/")].into_iter().enumerate() {
        let mut connection = connect(&gateway);
        connection.write(format!("{head}3\r\nabc").as_bytes()).expect("the gateway reads");
        thread::sleep(millis(100));
        drop(connection);
        eventually(PATIENCE, "an access line", || (gateway.access_log().len() > number).then_some(()));
        let line = gateway.access_log().pop().expect("a line");
        assert!(line.contains("\" 400 "), "{line}");
    }
    assert_eq!(upstream.requests().len(), 0);
    expect_served(&gateway);
}

/// Who has nothing more to say may still listen.
#[test]
fn h09_a_client_that_half_closes_gets_its_answer() {
    let upstream = Upstream::start(|peer| {
        while peer.request().is_some() {
            thread::sleep(millis(300));
            peer.send(OK);
        }
    });
    let gateway = Setup::of(&upstream).start();
    let chunked = format!("{}2\r\nok\r\n0\r\n\r\n", chunked_head("/"));
    let requests = [
        get("/", "").into_bytes(),
        upload("POST", "/", 10),
        upload("POST", "/unbuffered", 10),
        upload("POST", "/", 2_000_000),
        chunked.into_bytes(),
    ];
    for request in requests {
        let mut connection = connect(&gateway);
        connection.write(&request).expect("the gateway reads");
        connection.finish().expect("a connected socket");
        let answer = connection.read_response("GET").expect("an answer");
        assert_eq!((answer.status, answer.text().as_str()), (200, "ok"));
        assert_eq!(connection.rest().expect("the end"), b"");
    }
    wait_for_access(&gateway, &["\" 200 "]);
    assert!(gateway.access_log().iter().all(|line| !line.contains("\" 499 ")), "{:?}", gateway.access_log());
}

#[test]
fn h09_a_client_that_half_closes_gets_all_its_answers() {
    let upstream = Upstream::answering(OK);
    let gateway = Setup::of(&upstream).start();
    let mut connection = connect(&gateway);
    connection.write(get("/", "").repeat(3).as_bytes()).expect("the gateway reads");
    connection.finish().expect("a connected socket");
    for _ in 0..3 {
        assert_eq!(connection.read_response("GET").expect("an answer").status, 200);
    }
    assert_eq!(connection.rest().expect("the end"), b"");
}

fn behind_proxies(upstream: &Upstream) -> Gateway {
    let listen = "proxy_listen = {proxy} proxy_protocol";
    let trust = "trusted_ips = 127.0.0.1\nreal_ip_header = proxy_protocol";
    Setup::of(upstream).conf(listen).conf(trust).start()
}

const PROXY: &str = "PROXY TCP4 192.0.2.1 192.0.2.2 1111 2222\r\n";

#[test]
fn h23_a_proxy_header_may_come_in_pieces() {
    let upstream = Upstream::answering(OK);
    let gateway = behind_proxies(&upstream);
    let request = format!("{PROXY}{}", get("/", ""));
    for cut in [1, 5, 6, 20, PROXY.len() - 1, PROXY.len(), PROXY.len() + 3] {
        let mut connection = connect(&gateway);
        connection.write(&request.as_bytes()[..cut]).expect("the gateway reads");
        thread::sleep(millis(50));
        assert_eq!(ask_on(&mut connection, &request.as_bytes()[cut..]).status, 200, "cut at {cut}");
        assert_eq!(upstream.requests().last().expect("it came").values("X-Real-IP"), ["192.0.2.1"]);
    }
}

#[test]
fn h23_half_a_proxy_header_costs_nothing() {
    let upstream = Upstream::answering(OK);
    let gateway = behind_proxies(&upstream);
    let halves: Vec<_> = (0..300).map(|_| half(&gateway)).collect();
    thread::sleep(millis(500));
    let before = processor_time(&gateway);
    thread::sleep(millis(2000));
    let spent = processor_time(&gateway) - before;
    // Ticks of 10 ms: a tenth of one core.
    assert!(spent <= 20, "{} ms of processor time in 2 s for {} connections", spent * 10, halves.len());
    for mut connection in halves.into_iter().take(3) {
        let rest = format!("{}{}", &PROXY[20..], get("/", ""));
        assert_eq!(ask_on(&mut connection, rest).status, 200);
    }
}

fn half(gateway: &Gateway) -> Connection {
    let mut connection = connect(gateway);
    connection.write(&PROXY.as_bytes()[..20]).expect("the gateway reads");
    connection
}

/// What a gateway has used, in ticks.
fn processor_time(gateway: &Gateway) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{}/stat", gateway.pid())).expect("the gateway runs");
    let (_, rest) = stat.rsplit_once(')').expect("a name in parentheses");
    rest.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<u64>().expect("a number")).sum()
}

/// Nothing, half a head, an idle connection, half the next head.
#[test]
fn h24_quit_does_not_wait_for_connections_without_a_request() {
    let upstream = Upstream::answering(OK);
    for bytes in ["", "GET / HT", "GET / HTTP/1.1\r\nHost: a\r\n"] {
        for used in [false, true] {
            let mut gateway = Setup::of(&upstream).start();
            let mut connection = connect(&gateway);
            if used {
                ask_on(&mut connection, get("/", "")).expect(200);
            }
            connection.write(bytes.as_bytes()).expect("the gateway reads");
            thread::sleep(millis(100));
            let start = Instant::now();
            gateway.quit();
            assert!(gateway.ended().success());
            assert!(start.elapsed() < PATIENCE, "{bytes:?}, used: {used}");
            assert_eq!(connection.rest().expect("the end"), b"", "{bytes:?}, used: {used}");
        }
    }
}

#[test]
fn h24_quit_waits_for_a_request_under_way() {
    let upstream = Upstream::start(|peer| {
        while peer.request().is_some() {
            thread::sleep(millis(1000));
            peer.send(OK);
        }
    });
    let mut gateway = Setup::of(&upstream).start();
    let mut connection = connect(&gateway);
    connection.write(get("/", "").as_bytes()).expect("the gateway reads");
    wait_for_requests(&upstream, 1);
    gateway.quit();
    let answer = connection.read_response("GET").expect("an answer");
    assert_eq!((answer.status, answer.closes()), (200, true));
    assert_eq!(connection.rest().expect("the end"), b"");
    assert!(gateway.ended().success());
}
