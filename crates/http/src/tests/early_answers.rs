//! What an upstream says before it has the whole request, and before its answer.

use serde_json::json;
use tokio::time::sleep;

use crate::tests::{GET, OK, run, seconds, secs, settle, setup};

const UPLOAD: &str = "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n";

#[test]
fn the_upload_goes_on_while_the_answer_is_relayed() {
    run(async {
        let world = setup().stream_bodies().open();
        let mut upstream = world.upstream();
        let mut client = world.client();
        client.send(UPLOAD).await;
        let mut connection = upstream.accept().await;
        connection.head().await;
        connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await;
        assert!(client.head().await.unwrap().starts_with("HTTP/1.1 200 OK\r\n"));
        for piece in ["01234", "56789"] {
            client.send(piece).await;
            assert_eq!(connection.bytes(5).await, piece);
            connection.send(format!("5\r\n{piece}\r\n")).await;
            assert_eq!(client.bytes(10).await, format!("5\r\n{piece}\r\n"));
        }
        connection.send("0\r\n\r\n").await;
        assert_eq!(client.bytes(5).await, "0\r\n\r\n");
        client.send(UPLOAD).await;
        client.send("abcdefghij").await;
        assert_eq!(
            connection.request().await.body,
            "abcdefghij",
            "it went whole, so the connection is used again"
        );
    });
}

#[test]
fn a_connection_whose_request_did_not_go_whole_is_not_used_again() {
    run(async {
        let world = setup().stream_bodies().open();
        let mut upstream = world.upstream();
        let mut client = world.client();
        client.send(UPLOAD).await;
        client.send("abc").await;
        let mut first = upstream.accept().await;
        first.head().await;
        first.send("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno").await;
        let answer = client.answer().await;
        assert_eq!((answer.status(), &*answer.body), (403, "no"));
        first.closed().await;
        client.send("defghij").await;
        client.send(GET).await;
        let mut second = upstream.accept().await;
        second.request().await;
        second.send(OK).await;
        assert_eq!(client.answer().await.status(), 200, "what was left of the body is read and thrown away");
    });
}

#[test]
fn an_answer_and_an_end_in_the_middle_of_the_upload() {
    run(async {
        let world = setup().stream_bodies().open();
        let mut upstream = world.upstream();
        let mut client = world.client();
        client.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\nabc").await;
        let mut connection = upstream.accept().await;
        connection.bytes(10).await;
        connection.send("HTTP/1.1 413 No\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno").await;
        connection.finish().await;
        let answer = client.answer().await;
        assert_eq!((answer.status(), &*answer.body), (413, "no"));
        assert_eq!(world.ends().await[0].tries, [0]);
    });
}

/// As simple clients do it. What it does not read waits on the way, and the upload passes by.
#[test]
fn a_client_that_reads_only_when_it_has_sent_all() {
    run(async {
        let world = setup().stream_bodies().open().capacity(1000);
        let mut upstream = world.upstream();
        let mut client = world.client();
        let body = "x".repeat(200_000);
        tokio::task::spawn_local(async move {
            let mut connection = upstream.accept().await;
            connection.head().await;
            connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await;
            connection.send(format!("7530\r\n{}\r\n0\r\n\r\n", "y".repeat(30_000))).await;
            connection.bytes(200_000).await;
        });
        client.send(format!("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", body.len())).await;
        client.send(body).await;
        assert_eq!(client.answer().await.body.len(), 30_000);
    });
}

#[test]
fn hints_come_before_the_answer() {
    run(async {
        let world = setup().open();
        let (_upstream, mut client, mut connection) = world.asked().await;
        connection.send("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n").await;
        let (waited, hints) = seconds(client.answer()).await;
        assert_eq!((waited, &*hints.head), (0, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"));
        sleep(secs(50)).await;
        connection.send("HTTP/1.1 102 Processing\r\n\r\n").await;
        assert_eq!(client.answer().await.status(), 102);
        sleep(secs(50)).await;
        connection.send(OK).await;
        assert_eq!(client.answer().await.body, "ok");
        let ended = world.ends().await.remove(0);
        assert_eq!((ended.status, ended.body_sent), (200, 2), "hints are no body");
    });
}

#[test]
fn hints_say_nothing_of_connections_and_lengths() {
    run(async {
        let world = setup().open();
        let (_upstream, mut client, mut connection) = world.asked().await;
        let lines = "Connection: close, X-Own\r\nX-Own: 1\r\nTransfer-Encoding: chunked\r\nContent-Length: 7\r\nLink: </a>\r\n";
        connection.send(format!("HTTP/1.1 103 Early Hints\r\n{lines}\r\n")).await;
        assert_eq!(client.head().await.unwrap(), "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
        connection.send(OK).await;
        assert_eq!(client.answer().await.body, "ok");
    });
}

/// RFC 9110, section 15.2.
#[test]
fn an_old_client_gets_no_hints() {
    run(async {
        let world = setup().open();
        let mut upstream = world.upstream();
        let mut client = world.client();
        client.send("GET / HTTP/1.0\r\n\r\n").await;
        let mut connection = upstream.accept().await;
        connection.request().await;
        connection.send("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n").await;
        settle().await;
        connection.send(OK).await;
        assert_eq!(client.answer().await.line(), "HTTP/1.1 200 OK");
    });
}

/// Hints without an end must not fill the memory.
#[test]
fn hints_that_nobody_reads_are_left_out() {
    run(async {
        let world = setup().open().capacity(1000);
        let (_upstream, mut client, mut connection) = world.asked().await;
        let hint = format!("HTTP/1.1 103 Early Hints\r\nLink: {}\r\n\r\n", "x".repeat(1000));
        for _ in 0..1000 {
            connection.send(&hint).await;
        }
        settle().await;
        connection.send(OK).await;
        let mut hints = 0;
        while client.answer().await.status() == 103 {
            hints += 1;
        }
        assert!((1..100).contains(&hints), "{hints}");
    });
}

#[test]
fn hints_after_the_client_has_ended() {
    run(async {
        let world = setup().open();
        let mut upstream = world.upstream();
        let mut client = world.client();
        client.send(GET).await;
        client.finish().await;
        let mut connection = upstream.accept().await;
        connection.request().await;
        settle().await;
        connection.send("HTTP/1.1 103 Early Hints\r\n\r\n").await;
        settle().await;
        connection.send(OK).await;
        assert_eq!(client.answer().await.line(), "HTTP/1.1 103 Early Hints");
        assert_eq!(client.answer().await.line(), "HTTP/1.1 200 OK");
        assert_eq!(client.rest().await, "");
    });
}

#[test]
fn protocols_are_not_switched_unasked() {
    run(async {
        let world = setup().open();
        let (upstream, mut client, mut connection) = world.asked().await;
        connection.send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n").await;
        assert_eq!(client.answer().await.status(), 502);
        connection.closed().await;
        assert_eq!(world.ends().await[0].tries, [502]);
        assert!(!upstream.is_visited());
    });
}

/// The client waits for the end of its own upload and so does the upstream; neither is late.
#[test]
fn an_upstream_that_answers_early_waits_for_the_client() {
    run(async {
        let mut setup = setup().stream_bodies();
        setup.service["read_timeout"] = json!(5000);
        let world = setup.open();
        let mut upstream = world.upstream();
        let mut client = world.client();
        client.send(UPLOAD).await;
        let mut connection = upstream.accept().await;
        connection.head().await;
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n").await;
        for _ in 0..2 {
            sleep(secs(30)).await;
            client.send("abcde").await;
            connection.bytes(5).await;
        }
        sleep(secs(4)).await;
        connection.send("0123456789").await;
        assert_eq!(client.answer().await.body, "0123456789");
    });
}

/// A body that never ends well is no reason to wait for ever.
#[test]
fn an_upstream_that_answers_early_and_a_client_that_stalls() {
    run(async {
        let mut setup = setup().stream_bodies();
        setup.settings.client_body_timeout = secs(20);
        setup.service["read_timeout"] = json!(5000);
        let world = setup.open();
        let mut upstream = world.upstream();
        let mut client = world.client();
        client.send(UPLOAD).await;
        let mut connection = upstream.accept().await;
        connection.head().await;
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n").await;
        let (waited, ()) = seconds(connection.closed()).await;
        assert_eq!(waited, 25);
        client.closed().await;
    });
}
