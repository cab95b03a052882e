//! What becomes of a client's connection after a request.

use polygate_chain::Phase;
use polygate_net::accept::Stop;
use std::time::Duration;
use tokio::time::sleep;

use crate::tests::{GET, OK, Setup, pdk, plugin, run, seconds, secs, settle, setup};

/// Answers everything, reading no body.
pub fn deaf() -> Setup {
    let mut setup = setup();
    setup.plugins.push(plugin("deaf", &[Phase::Access], async |exchange| {
        pdk(exchange, "kong.response.exit", &[200.into(), "no".into()]).await;
        Ok(())
    }));
    setup
}

#[test]
fn requests_sent_together_are_answered_in_order() {
    run(async {
        let world = setup().open();
        let mut upstream = world.upstream();
        let mut client = world.client();
        let requests: Vec<_> = (0..50)
            .map(|at| format!("PUT /{at} HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbod{}", at % 10))
            .collect();
        client.send(requests.concat()).await;
        let mut connection = upstream.accept().await;
        for at in 0..50 {
            let request = connection.request().await;
            assert_eq!(request.line(), format!("PUT /{at} HTTP/1.1"));
            assert_eq!(request.body, format!("bod{}", at % 10));
            connection.send(format!("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{at:02}")).await;
        }
        for at in 0..50 {
            assert_eq!(client.answer().await.body, format!("{at:02}"));
        }
    });
}

#[test]
fn so_many_requests_and_no_more() {
    run(async {
        let mut setup = setup();
        setup.settings.keepalive_requests = 3;
        let world = setup.open();
        world.upstream().answer_all(OK);
        let mut client = world.client();
        client.send(GET.repeat(4)).await;
        let mut said = Vec::new();
        for _ in 0..3 {
            said.push(client.answer().await.header("Connection").unwrap().to_owned());
        }
        assert_eq!(said, ["keep-alive", "keep-alive", "close"]);
        assert_eq!(client.rest().await, "");
        assert_eq!(world.statuses().await, [200; 3]);
    });
}

#[test]
fn one_request_for_each_connection() {
    run(async {
        let mut setup = setup();
        setup.settings.keepalive_timeout = Duration::ZERO;
        let world = setup.open();
        world.upstream().answer_all(OK);
        let mut client = world.client();
        // In two pieces, as this setting once was taken for the time of heads.
        client.send(&GET[..20]).await;
        sleep(secs(1)).await;
        client.send(&GET[20..]).await;
        assert_eq!(client.answer().await.header("Connection"), Some("close"));
        assert_eq!(client.rest().await, "");
    });
}

#[test]
fn old_clients_have_to_ask_for_it() {
    run(async {
        let world = setup().open();
        world.upstream().answer_all(OK);
        for (version, asked, told) in [
            ("1.0", "", "close"),
            ("1.0", "Connection: keep-alive\r\n", "keep-alive"),
            ("1.1", "Connection: close\r\n", "close"),
            ("1.1", "Connection: x, Close\r\n", "close"),
            ("1.1", "", "keep-alive"),
        ] {
            let mut client = world.client();
            client.send(format!("GET / HTTP/{version}\r\nHost: a\r\n{asked}\r\n")).await;
            let answer = client.answer().await;
            assert_eq!(answer.header("Connection"), Some(told), "{version} {asked}");
            client.send(GET).await;
            match told {
                "close" => assert_eq!(client.rest().await, ""),
                _ => assert_eq!(client.answer().await.status(), 200),
            }
        }
    });
}

#[test]
fn a_body_that_nobody_wants_is_read_and_thrown_away() {
    run(async {
        let world = deaf().open();
        let mut client = world.client();
        client.send("PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab").await;
        assert_eq!(client.answer().await.body, "no");
        sleep(secs(20)).await;
        client.send("c\r\n0\r\n\r\n").await;
        client.send(GET).await;
        assert_eq!(client.answer().await.body, "no");
    });
}

/// It is not kept, so that its length is limited by what is thrown away only.
#[test]
fn a_body_that_nobody_wants_may_be_longer_than_others() {
    run(async {
        let mut setup = deaf();
        setup.settings.client_max_body_size = 10;
        let world = setup.open();
        let mut client = world.client();
        let body = format!("14\r\n{}\r\n0\r\n\r\n", "x".repeat(20));
        client
            .send(format!("PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{body}{GET}"))
            .await;
        for _ in 0..2 {
            assert_eq!(client.answer().await.body, "no");
        }
    });
}

#[test]
fn but_not_for_long() {
    run(async {
        let world = deaf().open();
        let mut client = world.client();
        client.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n").await;
        assert_eq!(client.answer().await.body, "no");
        for _ in 0..20 {
            client.send("x").await;
            sleep(secs(1)).await;
        }
        assert_eq!(seconds(client.rest()).await, (10, String::new()), "30 s in all");
    });
}

#[test]
fn and_not_for_many_bytes() {
    run(async {
        let world = deaf().open().capacity(1 << 20);
        let mut client = world.client();
        client.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n").await;
        assert_eq!(client.answer().await.body, "no");
        let piece = "x".repeat(1 << 20);
        for _ in 0..64 {
            client.send(&piece).await;
        }
        settle().await;
        client.send("x").await;
        let (waited, rest) = seconds(client.rest()).await;
        assert_eq!((waited, &*rest), (0, ""), "64 MiB in all");
    });
}

#[test]
fn a_broken_body_that_nobody_wants() {
    run(async {
        let world = deaf().open();
        let mut client = world.client();
        client.send("PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n").await;
        client.send(GET).await;
        assert_eq!(client.answer().await.body, "no");
        assert_eq!(client.rest().await, "");
        assert_eq!(world.statuses().await, [200], "what follows it is no request");
    });
}

/// Without that the system of the client would throw the answer away.
#[test]
fn the_last_answer_can_be_read_while_more_is_sent() {
    run(async {
        let world = setup().open();
        let mut client = world.client();
        client.send("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n").await;
        for _ in 0..4 {
            sleep(secs(1)).await;
            client.send("x".repeat(60_000)).await;
        }
        assert_eq!(client.answer().await.status(), 400);
        assert_eq!(client.rest().await, "", "it was told the end");
        assert!(client.try_send("x").await.is_ok());
        sleep(secs(2)).await;
        assert!(client.try_send("x").await.is_ok(), "the system answers with a reset");
        assert!(client.try_send("x").await.is_err(), "5 s in all");
    });
}

#[test]
fn a_stop_ends_what_is_idle_and_finishes_what_is_not() {
    run(async {
        let world = setup().open();
        let mut upstream = world.upstream();
        let (mut silent, mut idle, mut busy) = (world.client(), world.client(), world.client());
        idle.send(GET).await;
        let mut connection = upstream.accept().await;
        connection.request().await;
        connection.send(OK).await;
        idle.answer().await;
        busy.send(GET).await;
        connection.request().await;
        world.stop.send(Stop::Graceful).unwrap();
        assert_eq!(seconds(silent.rest()).await, (0, String::new()));
        assert_eq!(seconds(idle.rest()).await, (0, String::new()));
        sleep(secs(10)).await;
        connection.send(OK).await;
        assert_eq!(busy.answer().await.header("Connection"), Some("close"));
        assert_eq!(busy.rest().await, "");
    });
}

/// A request may be on its way on an idle connection, so that it waits for one more.
#[test]
fn a_worker_that_retires_ends_connections_with_their_next_response() {
    run(async {
        let world = setup().open();
        let mut upstream = world.upstream();
        let mut idle = world.client();
        idle.send(GET).await;
        let mut connection = upstream.accept().await;
        connection.request().await;
        connection.send(OK).await;
        assert_ne!(idle.answer().await.header("Connection"), Some("close"));
        world.stop.send(Stop::Retired).unwrap();
        sleep(secs(10)).await;
        idle.send(GET).await;
        connection.request().await;
        connection.send(OK).await;
        assert_eq!(idle.answer().await.header("Connection"), Some("close"));
        assert_eq!(idle.rest().await, "");
    });
}
