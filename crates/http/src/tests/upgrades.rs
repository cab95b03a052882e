//! Requests that ask for a WebSocket, and what follows.

use bytes::Bytes;
use polygate_chain::{Answer, Phase, Source};
use polygate_net::accept::Stop;
use serde_json::json;
use tokio::time::sleep;

use crate::tests::peer::Peer;
use crate::tests::{Door, OK, Setup, World, plugin, run, seconds, secs, settle, setup};

const ASK: &str = "GET /a HTTP/1.1\r\nHost: a.test\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n\
                   Sec-WebSocket-Key: x\r\n\r\n";
const AGREE: &str = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                     Sec-WebSocket-Accept: y\r\n\r\n";

/// A tunnel: its world, the client's end, the upstream's.
async fn tunnel(setup: Setup) -> (World, Peer, Peer) {
    let world = setup.open();
    let mut upstream = world.upstream();
    let mut client = world.client();
    client.send(ASK).await;
    let mut connection = upstream.accept().await;
    let request = connection.head().await.unwrap();
    assert!(request.contains("\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"), "{request}");
    assert!(request.contains("\r\nSec-WebSocket-Key: x\r\n"), "{request}");
    connection.send(AGREE).await;
    let head = client.head().await.unwrap();
    assert!(head.starts_with("HTTP/1.1 101 Switching Protocols\r\n"), "{head}");
    for line in ["Connection: upgrade", "Upgrade: websocket", "Sec-WebSocket-Accept: y"] {
        assert_eq!(head.matches(line).count(), 1, "{line}: {head}");
    }
    assert!(!head.contains("Content-Length") && !head.contains("Transfer-Encoding"), "{head}");
    (world, client, connection)
}

#[test]
fn both_sides_say_what_they_like() {
    run(async {
        let (world, mut client, mut upstream) = tunnel(setup()).await;
        for round in 0..100 {
            let (up, down) = (format!("up {round}"), format!("down {round}"));
            client.send(&up).await;
            upstream.send(&down).await;
            assert_eq!((upstream.bytes(up.len()).await, client.bytes(down.len()).await), (up, down));
        }
        assert!(world.ends().await.is_empty(), "the way ends with the tunnel");
        drop(client);
        upstream.closed().await;
        drop(upstream);
        let ends = world.ends().await;
        assert_eq!((ends.len(), ends[0].status, ends[0].tries.clone()), (1, 101, vec![0]));
        assert!(ends[0].received > 490 && ends[0].body_sent == 690, "{ends:?}");
    });
}

#[test]
fn each_side_may_end_first() {
    run(async {
        let (world, mut client, mut upstream) = tunnel(setup()).await;
        client.send("last").await;
        client.finish().await;
        assert_eq!(upstream.rest().await, "last");
        upstream.send("answer").await;
        upstream.finish().await;
        assert_eq!(client.rest().await, "answer");
        assert_eq!(world.statuses().await, [101]);

        let (world, mut client, mut upstream) = tunnel(setup()).await;
        upstream.finish().await;
        assert_eq!(client.rest().await, "");
        client.send("still").await;
        client.finish().await;
        assert_eq!(upstream.rest().await, "still");
        assert_eq!(world.statuses().await, [101]);
    });
}

#[test]
fn a_side_that_breaks_off_ends_the_other() {
    run(async {
        let (world, client, mut upstream) = tunnel(setup()).await;
        client.reset();
        upstream.closed().await;
        assert_eq!(world.statuses().await, [101]);
        let (world, mut client, upstream) = tunnel(setup()).await;
        upstream.reset();
        client.closed().await;
        assert_eq!(world.statuses().await, [101]);
    });
}

/// `read_timeout` is for silence; each word of either side begins it anew.
#[test]
fn silence_has_a_limit() {
    run(async {
        let mut setup = setup();
        setup.service["read_timeout"] = json!(5000);
        let (world, mut client, mut upstream) = tunnel(setup).await;
        for _ in 0..3 {
            sleep(secs(4)).await;
            client.send("x").await;
            upstream.bytes(1).await;
            sleep(secs(4)).await;
            upstream.send("y").await;
            client.bytes(1).await;
        }
        let (waited, ()) = seconds(client.closed()).await;
        assert_eq!(waited, 5);
        upstream.closed().await;
        assert_eq!(world.statuses().await, [101]);
    });
}

/// What it has to say itself does not make up for it.
#[test]
fn who_takes_nothing_is_not_waited_for() {
    run(async {
        let mut setup = setup();
        setup.settings.client_send_timeout = secs(9);
        let (world, mut client, mut upstream) = tunnel(setup).await;
        tokio::task::spawn_local(async move { while upstream.try_send([b'x'; 1000]).await.is_ok() {} });
        let chatter = async {
            while client.try_send("y").await.is_ok() {
                sleep(secs(1)).await;
            }
        };
        let (waited, ()) = seconds(chatter).await;
        assert!((9..=11).contains(&waited), "{waited}");
        assert_eq!(world.statuses().await, [101]);
    });
}

#[test]
fn a_gateway_that_stops_lets_both_finish() {
    run(async {
        let (world, mut client, mut upstream) = tunnel(setup()).await;
        world.stop.send(Stop::Graceful).unwrap();
        sleep(secs(10)).await;
        client.send("still").await;
        assert_eq!(upstream.bytes(5).await, "still");
        drop(upstream);
        client.closed().await;
        drop(client);
        assert_eq!(world.statuses().await, [101]);
    });
}

#[test]
fn a_peer_that_is_not_there_is_left_for_another() {
    run(async {
        let world = setup().open();
        let mut upstream = world.upstream();
        upstream.doors([Door::Refused(libc::ECONNREFUSED)]);
        let mut client = world.client();
        client.send(ASK).await;
        let mut connection = upstream.accept().await;
        assert!(connection.head().await.unwrap().contains("\r\nUpgrade: websocket\r\n"));
        connection.send(AGREE).await;
        client.head().await.unwrap();
        client.send("up").await;
        assert_eq!(connection.bytes(2).await, "up");
        drop((client, connection));
        assert_eq!(world.ends().await[0].tries, [502, 0]);
    });
}

#[test]
fn who_does_not_read_holds_the_other_back() {
    run(async {
        let (_world, _client, mut upstream) = tunnel(setup()).await;
        let mut sent = 0;
        while tokio::time::timeout(secs(1), upstream.send([b'x'; 1000])).await.is_ok() {
            sent += 1000;
        }
        // Two connections and one read.
        assert!(sent < 200_000, "{sent}");
    });
}

#[test]
fn what_a_client_says_too_early_waits() {
    run(async {
        let world = setup().open();
        let mut upstream = world.upstream();
        let mut client = world.client();
        client.send([ASK, "early"].concat()).await;
        let mut connection = upstream.accept().await;
        connection.head().await.unwrap();
        settle().await;
        assert_eq!(connection.received(), b"");
        connection.send(AGREE).await;
        client.head().await.unwrap();
        assert_eq!(connection.bytes(5).await, "early");
    });
}

/// Then it is a request like any other, and so is what is behind it.
#[test]
fn an_upstream_may_refuse() {
    run(async {
        let world = setup().open();
        let mut upstream = world.upstream();
        let mut client = world.client();
        client.send([ASK, crate::tests::GET].concat()).await;
        let mut connection = upstream.accept().await;
        connection.head().await.unwrap();
        connection.send(OK).await;
        assert_eq!(client.answer().await.body, "ok");
        let next = connection.request().await;
        assert_eq!((next.line(), next.header("Upgrade")), ("GET / HTTP/1.1", None));
        connection.send(OK).await;
        assert_eq!(client.answer().await.body, "ok");
        assert_eq!(world.statuses().await, [200, 200]);
    });
}

#[test]
fn other_protocols_are_not_asked_for() {
    run(async {
        for lines in [
            "Connection: Upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n",
            "Connection: Upgrade\r\nUpgrade: foo/2\r\n",
            "Connection: Upgrade\r\nUpgrade: websocket, h2c\r\n",
            "Upgrade: websocket\r\n",
            "Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 1\r\n",
        ] {
            let world = setup().open();
            let mut upstream = world.upstream();
            let mut client = world.client();
            client.send(format!("GET / HTTP/1.1\r\nHost: a.test\r\n{lines}\r\nx")).await;
            let mut connection = upstream.accept().await;
            let request = connection.request().await;
            assert_eq!((request.header("Upgrade"), request.header("Connection")), (None, Some("keep-alive")));
            connection.send(AGREE).await;
            assert_eq!(client.answer().await.status(), 502, "nobody asked: {lines}");
        }
    });
}

#[test]
fn an_upstream_agrees_to_what_was_asked_for() {
    run(async {
        let world = setup().open();
        let mut upstream = world.upstream();
        let mut client = world.client();
        client.send(ASK).await;
        let mut connection = upstream.accept().await;
        connection.head().await.unwrap();
        connection.send(AGREE.replace("websocket", "h2c")).await;
        assert_eq!(client.answer().await.status(), 502);
    });
}

#[test]
fn plugins_run_before_and_after() {
    run(async {
        let mut setup = setup();
        setup
            .plugins
            .push(plugin("held", &[Phase::Response], async |_| panic!("there is nothing to hold back")));
        setup.plugins.push(plugin("asked", &[Phase::Access], async |exchange| {
            exchange.response.headers.append("X-Plugin", "ran");
            Ok(())
        }));
        let world = setup.open();
        let mut upstream = world.upstream();
        let mut client = world.client();
        client.send(ASK).await;
        let mut connection = upstream.accept().await;
        connection.head().await.unwrap();
        connection.send(AGREE).await;
        assert!(client.head().await.unwrap().contains("\r\nX-Plugin: ran\r\n"));
    });
}

#[test]
fn a_plugin_may_answer_instead() {
    run(async {
        let mut setup = setup();
        setup.plugins.push(plugin("gate", &[Phase::Access], async |exchange| {
            let answer = Answer { source: Source::Exit, status: 403, body: Bytes::from_static(b"no") };
            (exchange.session.answer, exchange.response.status) = (Some(answer), 403);
            Ok(())
        }));
        let world = setup.open();
        let upstream = world.upstream();
        let mut client = world.client();
        client.send(ASK).await;
        assert_eq!(client.answer().await.status(), 403);
        assert!(!upstream.is_visited());
    });
}
