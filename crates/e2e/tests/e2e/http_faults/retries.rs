//! H8: what is tried again: what did not reach an upstream, or may be done twice; however large it is.

use std::net::SocketAddr;
use std::thread;

use polygate_testkit::Gateway;
use serde_json::json;

use crate::http_faults::site::{PATIENCE, Setup, ask, refusing, upload};
use crate::http_faults::upstream::{OK, Upstream};

/// Around what is read ahead, on both sides.
const SIZES: [usize; 5] = [0, 1000, 1_000_000, 1_100_000, 5_000_000];

/// The first target fails, the second one does not.
fn pair(first: SocketAddr, second: &Upstream) -> Setup {
    Setup::pool(&[(first, 1000), (second.address(), 1)], json!({}))
}

#[track_caller]
fn expect_second(gateway: &Gateway, second: &Upstream, method: &str, path: &str, size: usize) {
    let answer = ask(gateway, upload(method, path, size));
    assert_eq!(answer.status, 200, "{method} {path} of {size} bytes: {}", answer.text());
    assert_eq!(second.requests().last().expect("it came").body.len(), size, "{method} {path}");
}

#[test]
fn h08_a_refused_connection_is_tried_again_whatever_the_size() {
    let second = Upstream::answering(OK);
    let gateway = pair(refusing(), &second).start();
    for size in SIZES {
        for method in ["POST", "PUT", "PATCH"] {
            expect_second(&gateway, &second, method, "/", size);
        }
    }
    expect_second(&gateway, &second, "POST", "/unbuffered", 1000);
    expect_second(&gateway, &second, "POST", "/unbuffered", 2_000_000);
}

#[test]
fn h08_a_time_out_of_what_may_be_done_twice_is_tried_again_whatever_the_size() {
    let silent = Upstream::start(|peer| {
        drop(peer.request());
        thread::sleep(PATIENCE);
    });
    let second = Upstream::answering(OK);
    let gateway = pair(silent.address(), &second).service(json!({ "read_timeout": 700 })).start();
    for size in SIZES {
        expect_second(&gateway, &second, "PUT", "/", size);
    }
    expect_second(&gateway, &second, "GET", "/", 0);
}

/// The upstream may have done it.
#[test]
fn h08_a_time_out_of_what_must_not_be_done_twice_is_not_tried_again() {
    let silent = Upstream::start(|peer| {
        drop(peer.request());
        thread::sleep(PATIENCE);
    });
    let second = Upstream::answering(OK);
    let gateway = pair(silent.address(), &second).service(json!({ "read_timeout": 700 })).start();
    for method in ["POST", "PATCH"] {
        assert_eq!(ask(&gateway, upload(method, "/", 10)).status, 504, "{method}");
    }
    assert_eq!((silent.requests().len(), second.requests().len()), (2, 0));
}

#[test]
fn h08_no_answer_to_what_may_be_done_twice_is_tried_again() {
    let mute = Upstream::start(|peer| drop(peer.request()));
    let second = Upstream::answering(OK);
    let gateway = pair(mute.address(), &second).start();
    for size in SIZES {
        expect_second(&gateway, &second, "PUT", "/", size);
    }
}

#[test]
fn h08_tries_end() {
    let mute = Upstream::start(|peer| drop(peer.request()));
    for (retries, method, tries) in [(0, "GET", 1), (1, "GET", 2), (5, "GET", 6), (5, "POST", 1)] {
        let before = mute.requests().len();
        let gateway = Setup::of(&mute).service(json!({ "retries": retries })).start();
        assert_eq!(ask(&gateway, upload(method, "/", 5)).status, 502);
        assert_eq!(mute.requests().len() - before, tries, "{retries} retries of {method}");
    }
}

/// The upstream had the request: what it answers is wrong, and asking again would not make it right.
#[test]
fn h08_a_malformed_answer_is_not_asked_for_again() {
    for answer in [
        "nonsense\r\n\r\n",
        "HTTP/1.1 200 OK\r\nbad line\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
        "HTTP/1.1 200 OK\r\nX-A: a\r\n b\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX A : 1\r\n\r\n",
        "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/1.1 abc OK\r\n\r\n",
        "HTTP/2.0 200 OK\r\n\r\n",
        "HTTX/1.1 200 OK\r\n\r\n",
        "\r\n\r\n\r\n\r\nnonsense\r\n\r\n",
    ] {
        let upstream = Upstream::answering(answer.as_bytes());
        let gateway = Setup::of(&upstream).start();
        for method in ["GET", "PUT", "DELETE", "POST"] {
            let before = upstream.requests().len();
            let status = ask(&gateway, upload(method, "/", 1)).status;
            assert_eq!((status, upstream.requests().len() - before), (502, 1), "{method}: {answer:?}");
        }
    }
}

/// A head that is too large is no better the second time.
#[test]
fn h08_an_answer_whose_head_never_ends_is_not_asked_for_again() {
    let answer = format!("HTTP/1.1 200 OK\r\nX-Long: {}\r\n\r\n", "a".repeat(2_000_000));
    let upstream = Upstream::answering(answer.as_bytes());
    let gateway = Setup::of(&upstream).start();
    assert_eq!(ask(&gateway, upload("PUT", "/", 1)).status, 502);
    assert_eq!(upstream.requests().len(), 1);
}

/// What was begun cannot be taken back.
#[test]
fn h08_an_answer_that_breaks_off_is_not_asked_for_again() {
    let upstream = Upstream::start(|peer| {
        drop(peer.request());
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
    });
    let gateway = Setup::of(&upstream).start();
    let mut connection = crate::http_faults::site::connect(&gateway);
    connection.write(&upload("PUT", "/", 1)).expect("the gateway reads");
    assert!(connection.read_response("PUT").is_err(), "a whole answer was made of a part");
    assert_eq!(upstream.requests().len(), 1);
}
