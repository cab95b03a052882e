//! The client and the upstream against each other: what one sends, the other must have seen.

use polygate_testkit::echo::md5_hex;
use polygate_testkit::{Connection, EchoUpstream, Load, Reply, Request};
use serde_json::json;

#[test]
fn header_lines_stay_as_they_are() {
    let upstream = EchoUpstream::start();
    let request = Request::get("/a?b=c").header("X-Two", "1").header("x-two", "").header("X-Bytes", b"\xff");
    let answer = request.send(upstream.address()).expect(200);
    let expected =
        json!([["Host", "example.com"], ["X-Two", "1"], ["x-two", ""], ["X-Bytes", { "base64": "/w==" }]]);
    assert_eq!(answer.json()["headers"], expected);
    assert_eq!(upstream.last("/a?b=c").header_bytes("X-TWO"), [b"1".as_slice(), b""]);
}

#[test]
fn chunks_are_joined() {
    let upstream = EchoUpstream::start();
    let mut connection = Connection::open(upstream.address()).expect("the upstream listens");
    let head = b"POST /chunks HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
    connection.write(head).expect("the upstream reads");
    connection.write(b"3\r\nabc\r\n10;x=y\r\n0123456789abcdef\r\n0\r\n\r\n").expect("the upstream reads");
    let answer = connection.read_response("POST").expect("an answer");
    assert_eq!(answer.json()["body"]["content"], "abc0123456789abcdef");
}

#[test]
fn large_bodies_are_described_by_length_and_md5() {
    let upstream = EchoUpstream::start();
    let body = vec![0xa5; 1 << 20];
    let answer = Request::post("/", body.clone()).send(upstream.address()).expect(200);
    assert_eq!(answer.json()["body"], json!({ "length": body.len(), "md5": md5_hex(&body) }));
}

#[test]
fn a_script_chooses_the_answer() {
    let upstream =
        EchoUpstream::scripted(|request| Reply::new(418, request.target.clone()).header("X-A", "b"));
    let mut connection = Connection::open(upstream.address()).expect("the upstream listens");
    for target in ["/one", "/two"] {
        let answer = connection.send(&Request::get(target)).expect("an answer").expect(418);
        assert_eq!((answer.text().as_str(), answer.header("x-a")), (target, Some("b")));
    }
}

#[test]
fn a_load_reports_wrong_answers() {
    let upstream = EchoUpstream::scripted(|request| Reply::new(200, request.target.clone()));
    let load = Load::start(upstream.address(), 2, &Request::get("/right"), |answer| {
        if answer.text() == "/wrong" { Ok(()) } else { Err(answer.text()) }
    });
    polygate_testkit::eventually(std::time::Duration::from_secs(10), "an answer", || {
        (load.answered() > 2).then_some(())
    });
    let outcome = load.stop();
    assert_eq!(outcome.failures.len(), outcome.answered);
    assert!(outcome.failures.iter().all(|failure| failure == "/right"), "{outcome:?}");
}
