//! H13, H14, H15, H20: what is coded, how long and which message it is, in both directions.

use polygate_testkit::Response;

use crate::http_faults::site::{Setup, ask, chunked_head, expect_served, get};
use crate::http_faults::upstream::{OK, Upstream};

/// Sends requests, none of which may reach the upstream; their statuses.
#[track_caller]
fn statuses(requests: &[String]) -> Vec<(String, u16)> {
    let upstream = Upstream::answering(OK);
    let gateway = Setup::of(&upstream).start();
    let status = |request: &String| (request.clone(), ask(&gateway, request).status);
    let statuses = requests.iter().map(status).collect();
    assert_eq!(upstream.requests().len(), 0, "{:?}", upstream.requests());
    expect_served(&gateway);
    statuses
}

fn coded(lines: &str) -> String {
    format!("POST / HTTP/1.1\r\nHost: a.example\r\n{lines}\r\n\r\n2\r\nok\r\n0\r\n\r\n")
}

/// What an upstream's answer comes to, with a fresh upstream that ends its connections.
#[track_caller]
fn through(answer: &str) -> (Response, usize) {
    let bytes = answer.as_bytes().to_vec();
    let upstream = Upstream::start(move |peer| {
        if peer.request().is_some() {
            peer.send(&bytes);
        }
    });
    let gateway = Setup::of(&upstream).start();
    let answer = ask(&gateway, get("/", ""));
    (answer, upstream.requests().len())
}

/// The upstream had the request and its answer is no answer: 502 at once.
#[track_caller]
fn expect_bad_gateway(answer: &str) {
    let (response, tries) = through(answer);
    assert_eq!((response.status, tries), (502, 1), "{answer:?}: {response:?}");
}

fn chunked_answer(lines: &str) -> String {
    format!("HTTP/1.1 200 OK\r\n{lines}\r\n\r\n14\r\n01234567890123456789\r\n0\r\n\r\n")
}

#[test]
fn h13_unknown_transfer_codings_are_not_implemented() {
    let codings =
        ["gzip, chunked", "cow, chunked", "gzip", "deflate", "chunkedx", "x-chunked", "gzip,gzip,chunked"];
    let requests: Vec<_> =
        codings.iter().map(|coding| coded(&format!("Transfer-Encoding: {coding}"))).collect();
    for (request, status) in statuses(&requests) {
        assert_eq!(status, 501, "{request:?}");
    }
    let two_lines = coded("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked");
    assert_eq!(statuses(&[two_lines])[0].1, 501);
}

/// Either is right: what the coding means is unknown, and where the body ends too.
#[test]
fn h13_chunks_in_the_wrong_place_are_refused() {
    let codings = ["identity, chunked", "chunked, gzip", "chunked;x=1", "\"chunked\"", "identity"];
    let requests: Vec<_> =
        codings.iter().map(|coding| coded(&format!("Transfer-Encoding: {coding}"))).collect();
    for (request, status) in statuses(&requests) {
        assert!(matches!(status, 400 | 501), "{status} for {request:?}");
    }
}

#[test]
fn h13_chunked_twice_is_refused() {
    let lines = [
        "Transfer-Encoding: chunked, chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked,Chunked",
    ];
    for (request, status) in statuses(&lines.map(coded)) {
        assert_eq!(status, 400, "{request:?}");
    }
}

#[test]
fn h13_a_length_beside_chunks_is_refused() {
    let lines = [
        "Transfer-Encoding: chunked\r\nContent-Length: 12",
        "Content-Length: 0\r\nTransfer-Encoding: chunked",
        "Content-Length: 3\r\nContent-Length: 4",
        "Content-Length: 3, 3",
        "Content-Length: -1",
        "Content-Length: +3",
        "Content-Length: 3x",
        "Content-Length: 99999999999999999999999",
    ];
    for (request, status) in statuses(&lines.map(coded)) {
        assert_eq!(status, 400, "{request:?}");
    }
}

#[test]
fn h13_chunked_in_any_letters_is_the_one_coding() {
    let upstream = Upstream::answering(OK);
    let gateway = Setup::of(&upstream).start();
    for line in ["Transfer-Encoding: chunked", "transfer-encoding: Chunked", "Transfer-Encoding: CHUNKED "] {
        assert_eq!(ask(&gateway, coded(line)).status, 200, "{line}");
        assert_eq!(upstream.requests().last().expect("it came").body, b"ok", "{line}");
    }
}

#[test]
fn h13_answers_in_other_codings_are_bad() {
    for coding in ["gzip, chunked", "gzip", "cow, chunked", "chunked, chunked", "chunked, gzip"] {
        expect_bad_gateway(&chunked_answer(&format!("Transfer-Encoding: {coding}")));
    }
    expect_bad_gateway(&chunked_answer("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"));
}

#[test]
fn h14_the_coding_wins_over_the_length() {
    for lines in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 5",
        "Transfer-Encoding: chunked\r\nContent-Length: 500",
        "Transfer-Encoding: chunked\r\nContent-Length: junk",
    ] {
        let (answer, tries) = through(&chunked_answer(lines));
        assert_eq!(
            (answer.status, answer.text().as_str(), tries),
            (200, "01234567890123456789", 1),
            "{lines:?}"
        );
        let lengths = answer.header_bytes("Content-Length");
        assert!(lengths.is_empty() || lengths == [b"20"], "{lines:?}: {lengths:?}");
    }
}

/// One value goes out, or none of the answer.
#[test]
fn h14_a_length_said_twice() {
    for lines in ["Content-Length: 5, 5", "Content-Length: 5\r\nContent-Length: 5"] {
        let (answer, tries) = through(&format!("HTTP/1.1 200 OK\r\n{lines}\r\n\r\nhello"));
        match answer.status {
            200 => {
                assert_eq!((answer.header("Content-Length"), answer.text()), (Some("5"), "hello".to_owned()))
            }
            status => assert_eq!((status, tries), (502, 1), "{lines:?}"),
        }
    }
}

#[test]
fn h14_lengths_that_are_none_are_bad() {
    for length in
        ["5, 6", "5\r\nContent-Length: 6", "junk", "-5", "+5", "5x", "0x5", "99999999999999999999999"]
    {
        expect_bad_gateway(&format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\nhello"));
    }
}

#[test]
fn h15_an_unasked_101_is_bad() {
    expect_bad_gateway(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    );
    expect_bad_gateway("HTTP/1.1 101 Switching Protocols\r\n\r\n");
}

/// A 101 must not leave the client or the next one without an answer either.
#[test]
fn h15_an_unasked_101_that_stays_open_is_bad_too() {
    let upstream = Upstream::start(|peer| {
        while let Some(request) = peer.request() {
            let strange: &[u8] =
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n";
            peer.send(if request.target() == "/next" { OK } else { strange });
        }
    });
    let gateway = Setup::of(&upstream).start();
    assert_eq!(ask(&gateway, get("/", "")).status, 502);
    expect_served(&gateway);
}

#[test]
fn h15_interim_answers_are_no_answers() {
    let (answer, tries) = through(
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n\
         HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    );
    assert_eq!((answer.status, answer.text().as_str(), tries), (200, "ok", 1));
}

/// An upgrade is asked for as such, never sent on as something else.
#[test]
fn h15_websockets_are_asked_for() {
    let upstream = Upstream::answering(OK);
    let gateway = Setup::of(&upstream).start();
    let key = "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: eA==\r\n";
    for connection in ["Upgrade", "keep-alive, Upgrade", "Upgrade, close", "upgrade"] {
        let lines = format!("Connection: {connection}\r\nUpgrade: websocket\r\n{key}");
        assert_eq!(ask(&gateway, get("/ws", &lines)).status, 200, "{connection}");
    }
    for request in upstream.requests() {
        assert_eq!(request.values("Upgrade"), ["websocket"]);
        assert_eq!(request.values("Connection"), ["keep-alive, Upgrade"]);
    }
}

#[test]
fn h20_header_names_of_upstreams_pass() {
    let names = ["X-A[0]", "X/Y", "X(Z)", "X{1}", "X@B", "X=C", "X?D", "X\"E\""];
    let lines: String = names.iter().map(|name| format!("{name}: 1\r\n")).collect();
    let (answer, tries) = through(&format!("HTTP/1.1 200 OK\r\n{lines}Content-Length: 2\r\n\r\nok"));
    assert_eq!((answer.status, tries), (200, 1));
    for name in names {
        assert_eq!(answer.header(name), Some("1"), "{name}");
    }
}

#[test]
fn h20_control_characters_of_upstreams_are_bad() {
    for line in ["X-A: a\0b", "X-A: a\rb", "X\x01: 1", "X A: 1", "no colon", ": 1"] {
        expect_bad_gateway(&format!("HTTP/1.1 200 OK\r\n{line}\r\nContent-Length: 2\r\n\r\nok"));
    }
}

/// A chunked request, sent by the way it should be: for the tests above to mean something.
#[test]
fn chunks_pass_in_both_directions() {
    let upstream = Upstream::answering(chunked_answer("Transfer-Encoding: chunked").as_bytes());
    let gateway = Setup::of(&upstream).start();
    let answer = ask(&gateway, format!("{}2\r\nok\r\n0\r\n\r\n", chunked_head("/")));
    assert_eq!((answer.status, answer.text().as_str()), (200, "01234567890123456789"));
    assert_eq!(upstream.only().body, b"ok");
}
