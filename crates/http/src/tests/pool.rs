//! Which upstream connections are kept, and for how long.

use std::time::Duration;

use tokio::time::sleep;

use crate::tests::peer::Peer;
use crate::tests::{GET, OK, Upstream, World, run, seconds, secs, settle, setup};

/// Has a new client ask over `connection`.
async fn exchange(world: &World, connection: &mut Peer) {
    let mut client = world.client();
    client.send(GET).await;
    connection.request().await;
    connection.send(OK).await;
    assert_eq!(client.answer().await.body, "ok");
}

/// Has a new client ask over a new connection.
async fn open(world: &World, upstream: &mut Upstream) -> Peer {
    let mut client = world.client();
    client.send(GET).await;
    let mut connection = upstream.accept().await;
    connection.request().await;
    connection.send(OK).await;
    assert_eq!(client.answer().await.body, "ok");
    connection
}

#[test]
fn one_connection_carries_many_requests() {
    run(async {
        let world = setup().open();
        let mut upstream = world.upstream();
        let mut connection = open(&world, &mut upstream).await;
        for _ in 0..20 {
            exchange(&world, &mut connection).await;
        }
        assert!(!upstream.is_visited());
    });
}

#[test]
fn so_many_requests_and_no_more() {
    run(async {
        let mut setup = setup();
        setup.settings.upstream_max_requests = 3;
        let world = setup.open();
        let mut upstream = world.upstream();
        let mut connection = open(&world, &mut upstream).await;
        for _ in 0..2 {
            exchange(&world, &mut connection).await;
        }
        assert_eq!(seconds(connection.rest()).await, (0, String::new()));
        open(&world, &mut upstream).await;
    });
}

/// Answers three requests at a time and says which of their connections are closed then.
async fn closed_of_three(size: usize) -> Vec<bool> {
    let mut setup = setup();
    setup.settings.upstream_pool_size = size;
    setup.settings.upstream_idle = Duration::ZERO;
    let world = setup.open();
    let mut upstream = world.upstream();
    let (mut clients, mut connections) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        let mut client = world.client();
        client.send(GET).await;
        let mut connection = upstream.accept().await;
        connection.request().await;
        clients.push(client);
        connections.push(connection);
    }
    for (client, connection) in clients.iter_mut().zip(&mut connections) {
        connection.send(OK).await;
        client.answer().await;
    }
    let mut closed = Vec::new();
    for mut connection in connections {
        closed.push(tokio::time::timeout(secs(1000), connection.rest()).await.is_ok());
    }
    closed
}

#[test]
fn so_many_connections_and_no_more() {
    for (size, closed) in [(0, 3), (1, 2), (2, 1), (3, 0), (512, 0)] {
        // Those that lay idle for longest go.
        let expected = [0, 1, 2].map(|at| at < closed);
        run(async move { assert_eq!(closed_of_three(size).await, expected, "{size}") });
    }
}

#[test]
fn the_one_used_last_is_used_next() {
    run(async {
        let world = setup().open();
        let mut upstream = world.upstream();
        let (mut a, mut b) = (world.client(), world.client());
        a.send(GET).await;
        let mut first = upstream.accept().await;
        b.send(GET).await;
        let mut second = upstream.accept().await;
        for connection in [&mut second, &mut first] {
            connection.request().await;
            connection.send(OK).await;
            settle().await;
        }
        for _ in 0..3 {
            exchange(&world, &mut first).await;
        }
    });
}

#[test]
fn an_idle_one_is_closed_though_nobody_asks() {
    run(async {
        let mut setup = setup();
        setup.settings.upstream_idle = secs(30);
        let world = setup.open();
        let mut upstream = world.upstream();
        let mut connection = open(&world, &mut upstream).await;
        sleep(secs(29)).await;
        exchange(&world, &mut connection).await;
        let (waited, rest) = seconds(connection.rest()).await;
        assert!((30..=31).contains(&waited) && rest.is_empty(), "{waited}");
        // The sweeper begins again with the next one.
        let mut connection = open(&world, &mut upstream).await;
        let (waited, _) = seconds(connection.rest()).await;
        assert!((30..=31).contains(&waited), "{waited}");
    });
}

#[test]
fn one_that_the_upstream_closes_is_given_up() {
    run(async {
        let world = setup().open();
        let mut upstream = world.upstream();
        let mut connection = open(&world, &mut upstream).await;
        connection.finish().await;
        assert_eq!(seconds(connection.rest()).await.0, 1, "at the next look");
    });
}

#[test]
fn one_on_which_the_upstream_talks_unasked_is_not_used() {
    run(async {
        let world = setup().open();
        let mut upstream = world.upstream();
        let mut connection = open(&world, &mut upstream).await;
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison").await;
        open(&world, &mut upstream).await;
        connection.closed().await;
    });
}

#[test]
fn some_answers_leave_nothing_to_keep() {
    run(async {
        for answer in [
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: x, Close\r\n\r\nok",
            "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok more",
            "HTTP/1.1 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        ] {
            let world = setup().open();
            let (_upstream, mut client, mut connection) = world.asked().await;
            connection.send(answer).await;
            assert_eq!(client.answer().await.body, "ok", "{answer}");
            assert_eq!(seconds(connection.closed()).await.0, 0, "{answer}");
        }
    });
}

#[test]
fn some_answers_do() {
    run(async {
        for answer in [
            "HTTP/1.0 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nok",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Trailer: 1\r\n\r\n",
        ] {
            let world = setup().open();
            let (_upstream, mut client, mut connection) = world.asked().await;
            connection.send(answer).await;
            assert_eq!(client.answer().await.body, "ok", "{answer}");
            exchange(&world, &mut connection).await;
        }
    });
}
