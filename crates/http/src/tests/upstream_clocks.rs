//! How long an upstream may take to connect, between two writes and between two reads.

use serde_json::json;
use tokio::time::sleep;

use crate::tests::{Door, GET, OK, Setup, run, seconds, secs, setup};

/// 2 s to connect, 3 s between writes, 5 s between reads, and one try.
fn hurried() -> Setup {
    let mut setup = setup();
    setup.service["connect_timeout"] = json!(2000);
    setup.service["write_timeout"] = json!(3000);
    setup.service["read_timeout"] = json!(5000);
    setup.service["retries"] = json!(0);
    setup
}

#[test]
fn connecting() {
    run(async {
        let world = hurried().open();
        world.upstream().doors([Door::Silent]);
        let mut client = world.client();
        client.send(GET).await;
        let (waited, answer) = seconds(client.answer()).await;
        assert_eq!((waited, answer.status()), (2, 504));
        assert_eq!(answer.header("Connection"), Some("keep-alive"));
        assert_eq!(world.ends().await[0].tries, [504]);
    });
}

#[test]
fn connecting_without_a_limit() {
    run(async {
        let mut setup = hurried();
        setup.service["connect_timeout"] = json!(0);
        let world = setup.open();
        let upstream = world.upstream();
        upstream.doors([Door::Silent]);
        let mut client = world.client();
        client.send(GET).await;
        sleep(secs(10_000)).await;
        assert_eq!(world.ends().await, []);
    });
}

#[test]
fn writing_a_body_of_any_kind() {
    run(async {
        for (kind, length) in [("memory", 10_000), ("file", 100_000), ("stream", 100_000)] {
            let setup = if kind == "stream" { hurried().stream_bodies() } else { hurried() };
            let world = setup.open().capacity(1_000_000);
            let mut upstream = world.upstream();
            upstream.capacity(2000);
            let mut client = world.client();
            client.send(format!("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n")).await;
            client.send("x".repeat(length)).await;
            let mut connection = upstream.accept().await;
            for _ in 0..3 {
                sleep(secs(2)).await;
                connection.bytes(1000).await;
            }
            let (waited, answer) = seconds(client.answer()).await;
            assert_eq!((waited, answer.status()), (3, 504), "{kind}: from its last read on");
            assert_eq!(world.ends().await[0].tries, [504]);
        }
    });
}

#[test]
fn a_long_upload_is_no_late_answer() {
    run(async {
        let world = hurried().stream_bodies().open();
        let mut upstream = world.upstream();
        let mut client = world.client();
        client.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n").await;
        let mut connection = upstream.accept().await;
        connection.head().await;
        for _ in 0..10 {
            sleep(secs(8)).await;
            client.send("x").await;
            connection.bytes(1).await;
        }
        sleep(secs(4)).await;
        connection.send(OK).await;
        assert_eq!(client.answer().await.status(), 200);
    });
}

#[test]
fn reading_begins_when_all_is_sent() {
    run(async {
        let world = hurried().stream_bodies().open();
        let mut upstream = world.upstream();
        let mut client = world.client();
        client.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n").await;
        let _connection = upstream.accept().await;
        sleep(secs(20)).await;
        client.send("0123456789").await;
        let (waited, answer) = seconds(client.answer()).await;
        assert_eq!((waited, answer.status()), (5, 504));
        assert_eq!(world.ends().await[0].tries, [504]);
    });
}

#[test]
fn reading_a_head() {
    run(async {
        let world = hurried().open();
        let (_upstream, mut client, mut connection) = world.asked().await;
        for byte in OK.as_bytes().chunks(1).take(6) {
            sleep(secs(4)).await;
            connection.send(byte).await;
        }
        let (waited, answer) = seconds(client.answer()).await;
        assert_eq!((waited, answer.status()), (5, 504), "each byte is progress");
        connection.closed().await;
    });
}

#[test]
fn reading_a_body() {
    run(async {
        let world = hurried().open();
        let (_upstream, mut client, mut connection) = world.asked().await;
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n").await;
        for _ in 0..4 {
            sleep(secs(4)).await;
            connection.send("x").await;
        }
        let (waited, ()) = seconds(connection.closed()).await;
        assert_eq!(waited, 5);
        let head = client.head().await.unwrap();
        assert!(head.contains("Content-Length: 10\r\n"), "{head}");
        assert_eq!(client.rest().await, "xxxx", "what there is of it");
    });
}

/// It may do other things until the client has read: it is not asked for more.
#[test]
fn a_slow_client_is_not_a_slow_upstream() {
    run(async {
        let world = hurried().open().capacity(1000);
        let mut upstream = world.upstream();
        upstream.capacity(1000);
        let mut client = world.client();
        client.send(GET).await;
        let mut connection = upstream.accept().await;
        connection.request().await;
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n").await;
        let sending = tokio::task::spawn_local(async move {
            connection.send("x".repeat(100_000)).await;
            connection
        });
        sleep(secs(50)).await;
        assert_eq!(client.answer().await.body.len(), 100_000);
        sending.await.unwrap();
    });
}

#[test]
fn a_plugins_clocks_win() {
    run(async {
        let mut setup = hurried();
        setup.plugins.push(crate::tests::plugin(
            "clocks",
            &[polygate_chain::Phase::Access],
            async |exchange| {
                exchange.session.upstream.timeouts = Some([1000, 1000, 9000]);
                Ok(())
            },
        ));
        let world = setup.open();
        let _upstream = world.upstream();
        let mut client = world.client();
        client.send(GET).await;
        assert_eq!(seconds(client.answer()).await.0, 9);
    });
}
