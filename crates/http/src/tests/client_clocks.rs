//! How long a client may take for each part of what it does.

use tokio::time::sleep;

use crate::tests::{GET, OK, pdk, plugin, run, seconds, secs, setup};
use polygate_chain::Phase;

#[test]
fn a_client_that_says_nothing_is_told_nothing() {
    run(async {
        let mut setup = setup();
        setup.settings.client_header_timeout = secs(7);
        let world = setup.open();
        let mut client = world.client();
        assert_eq!(seconds(client.rest()).await, (7, String::new()));
        assert_eq!(world.ends().await, []);
    });
}

#[test]
fn a_head_must_come_in_time_however_slowly_it_does() {
    run(async {
        let mut setup = setup();
        setup.settings.client_header_timeout = secs(7);
        let world = setup.open();
        let mut client = world.client();
        sleep(secs(5)).await;
        client.send("GET / HTTP/1.1\r\n").await;
        sleep(secs(5)).await;
        client.send("Host: a\r\n").await;
        let (waited, answer) = seconds(client.answer()).await;
        assert_eq!((waited, answer.status()), (2, 408), "7 s from its first byte on");
        assert_eq!(answer.header("Connection"), Some("close"));
        assert_eq!(client.rest().await, "");
        assert_eq!(world.statuses().await, [408]);
    });
}

#[test]
fn empty_lines_are_no_beginning() {
    run(async {
        let mut setup = setup();
        setup.settings.client_header_timeout = secs(7);
        let world = setup.open();
        let mut client = world.client();
        sleep(secs(5)).await;
        client.send("\r\n\r\n").await;
        assert_eq!(seconds(client.rest()).await, (2, String::new()));
    });
}

#[test]
fn an_idle_connection_is_closed() {
    run(async {
        let mut setup = setup();
        setup.settings.keepalive_timeout = secs(11);
        let world = setup.open();
        world.upstream().answer_all(OK);
        let mut client = world.client();
        for _ in 0..3 {
            client.send(GET).await;
            let answer = client.answer().await;
            assert_eq!((answer.status(), answer.header("Connection")), (200, Some("keep-alive")));
            sleep(secs(10)).await;
        }
        assert_eq!(seconds(client.rest()).await, (1, String::new()));
    });
}

#[test]
fn a_later_head_has_the_time_of_heads() {
    run(async {
        let mut setup = setup();
        setup.settings.keepalive_timeout = secs(2);
        setup.settings.client_header_timeout = secs(20);
        let world = setup.open();
        world.upstream().answer_all(OK);
        let mut client = world.client();
        client.send(GET).await;
        client.answer().await;
        client.send(&GET[..10]).await;
        sleep(secs(19)).await;
        client.send(&GET[10..]).await;
        assert_eq!(client.answer().await.status(), 200);
    });
}

#[test]
fn a_body_may_take_long_but_not_pause() {
    run(async {
        let mut setup = setup();
        setup.settings.client_body_timeout = secs(5);
        let world = setup.open();
        let upstream = world.upstream();
        let mut client = world.client();
        client.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n").await;
        for _ in 0..4 {
            sleep(secs(4)).await;
            client.send("x").await;
        }
        let (waited, answer) = seconds(client.answer()).await;
        assert_eq!((waited, answer.status()), (5, 408));
        assert_eq!(answer.header("Connection"), Some("close"));
        assert!(!upstream.is_visited());
        assert_eq!(world.statuses().await, [408]);
    });
}

#[test]
fn a_streamed_body_that_pauses_is_the_clients_doing() {
    run(async {
        let mut setup = setup().stream_bodies();
        setup.settings.client_body_timeout = secs(5);
        setup.service["read_timeout"] = 1.into();
        let world = setup.open();
        let mut upstream = world.upstream();
        let mut client = world.client();
        client.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nx").await;
        let mut connection = upstream.accept().await;
        let (waited, answer) = seconds(client.answer()).await;
        assert_eq!((waited, answer.status()), (5, 408));
        connection.closed().await;
        assert_eq!(world.ends().await[0].tries, [0], "no fault of the upstream");
        assert!(!upstream.is_visited(), "and no other try");
    });
}

#[test]
fn a_client_must_read() {
    run(async {
        let mut setup = setup();
        setup.settings.client_send_timeout = secs(9);
        let world = setup.open().capacity(1000);
        let (_upstream, mut client, mut connection) = world.asked().await;
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n").await;
        connection.send("x".repeat(60_000)).await;
        sleep(secs(8)).await;
        client.bytes(500).await;
        let (waited, ()) = seconds(connection.closed()).await;
        assert_eq!(waited, 9, "from the last byte that it took");
        assert_eq!(world.ends().await[0].sent, 1500);
    });
}

#[test]
fn a_client_that_does_not_read_the_gateways_own_answer() {
    run(async {
        let mut setup = setup();
        setup.settings.client_send_timeout = secs(9);
        setup.plugins.push(plugin("large", &[Phase::Access], async |exchange| {
            let body = "x".repeat(50_000);
            pdk(exchange, "kong.response.exit", &[200.into(), body.into()]).await;
            Ok(())
        }));
        let world = setup.open().capacity(1000);
        let mut client = world.client();
        client.send(GET).await;
        sleep(secs(10)).await;
        assert_eq!(world.ends().await[0].sent, 1000);
        client.closed().await;
    });
}

/// The gateway reads no more of a body than the upstream takes; that is no pause of the client's.
#[test]
fn a_client_that_is_kept_waiting() {
    run(async {
        let mut setup = setup().stream_bodies();
        setup.settings.client_body_timeout = secs(5);
        let world = setup.open().capacity(1000);
        let mut upstream = world.upstream();
        upstream.capacity(1000);
        let mut client = world.client();
        let sending = tokio::task::spawn_local(async move {
            client.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n").await;
            client.send("x".repeat(100_000)).await;
            client.answer().await.status()
        });
        let mut connection = upstream.accept().await;
        connection.head().await;
        for _ in 0..10 {
            sleep(secs(50)).await;
            connection.bytes(10_000).await;
        }
        connection.send(OK).await;
        assert_eq!(sending.await.unwrap(), 200);
    });
}

/// It may have nothing more to send when the upstream goes on at last: its time begins then.
#[test]
fn a_client_that_was_kept_waiting() {
    run(async {
        let mut setup = setup().stream_bodies();
        setup.settings.client_body_timeout = secs(5);
        let world = setup.open();
        let mut upstream = world.upstream();
        upstream.capacity(1000);
        let mut client = world.client();
        client.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 6000\r\n\r\n").await;
        let mut connection = upstream.accept().await;
        connection.head().await;
        client.send("x".repeat(5000)).await;
        sleep(secs(30)).await;
        connection.bytes(4000).await;
        sleep(secs(4)).await;
        client.send("x".repeat(1000)).await;
        connection.bytes(2000).await;
        connection.send(OK).await;
        assert_eq!(client.answer().await.status(), 200);
    });
}

/// What delimits a body is progress, too.
#[test]
fn a_chunk_that_is_announced_slowly() {
    run(async {
        let mut setup = setup();
        setup.settings.client_body_timeout = secs(5);
        let world = setup.open();
        world.upstream().answer_all(OK);
        let mut client = world.client();
        client.send("PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n").await;
        for byte in b"0000002\r\nab\r\n0\r\n\r\n" {
            sleep(secs(4)).await;
            client.send([*byte]).await;
        }
        assert_eq!(client.answer().await.status(), 200);
    });
}
