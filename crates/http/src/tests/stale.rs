//! Kept connections that the upstream closes while a request is on its way: no try was made then.

use serde_json::json;

use crate::tests::peer::Peer;
use crate::tests::{GET, OK, Upstream, World, run, settle, setup};

/// A gateway that makes one try, and a connection that it keeps.
async fn kept(buffering: bool) -> (World, Upstream, Peer, Peer) {
    let mut setup = setup();
    setup.service["retries"] = json!(0);
    setup.route["request_buffering"] = json!(buffering);
    let world = setup.open();
    let (upstream, mut client, mut connection) = world.asked().await;
    connection.send(OK).await;
    assert_eq!(client.answer().await.status(), 200);
    (world, upstream, client, connection)
}

fn request(method: &str, length: usize) -> String {
    format!("{method} / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{}", "x".repeat(length))
}

#[test]
fn one_that_was_closed_before() {
    run(async {
        for method in ["GET", "POST"] {
            let (world, mut upstream, mut client, connection) = kept(true).await;
            drop(connection);
            settle().await;
            client.send(request(method, 5)).await;
            let mut next = upstream.accept().await;
            next.request().await;
            next.send(OK).await;
            assert_eq!(client.answer().await.status(), 200);
            assert_eq!(world.ends().await[1].tries, [0]);
        }
    });
}

#[test]
fn one_that_is_closed_instead_of_an_answer() {
    run(async {
        for (length, resets) in [(0, true), (0, false), (5, true), (50_000, false)] {
            let (world, mut upstream, mut client, mut connection) = kept(true).await;
            client.send(request("PUT", length)).await;
            connection.request().await;
            if resets {
                connection.reset();
            } else {
                drop(connection);
            }
            let mut next = upstream.accept().await;
            assert_eq!(next.request().await.body.len(), length);
            next.send(OK).await;
            assert_eq!(client.answer().await.status(), 200);
            assert_eq!(world.ends().await[1].tries, [0], "{length} {resets}");
        }
    });
}

/// The upstream may have done what it was asked for, or a streamed body is gone.
#[test]
fn one_that_is_closed_after_something_that_cannot_be_sent_twice() {
    for (buffering, method, length) in [(true, "POST", 5), (false, "PUT", 100_000)] {
        run(async move {
            let (world, upstream, mut client, mut connection) = kept(buffering).await;
            client.send(request(method, length)).await;
            connection.request().await;
            drop(connection);
            assert_eq!(client.answer().await.status(), 502, "{method}");
            assert_eq!(world.ends().await[1].tries, [502], "{method}");
            assert!(!upstream.is_visited(), "{method}");
        });
    }
}

#[test]
fn one_that_breaks_off_in_the_middle_of_a_head() {
    run(async {
        let (world, upstream, mut client, mut connection) = kept(true).await;
        client.send(GET).await;
        connection.request().await;
        connection.send("HTTP/1.1 2").await;
        drop(connection);
        assert_eq!(client.answer().await.status(), 502);
        assert_eq!(world.ends().await[1].tries, [502], "it has read the request and was about to answer");
        assert!(!upstream.is_visited());
    });
}

#[test]
fn a_new_one_that_is_closed_as_well() {
    run(async {
        let (world, mut upstream, mut client, mut connection) = kept(true).await;
        client.send(GET).await;
        connection.request().await;
        drop(connection);
        let mut next = upstream.accept().await;
        next.request().await;
        drop(next);
        assert_eq!(client.answer().await.status(), 502);
        assert_eq!(world.ends().await[1].tries, [502]);
        assert!(!upstream.is_visited());
    });
}
