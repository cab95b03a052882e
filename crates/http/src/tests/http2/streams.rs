//! Requests that go their way side by side over one connection.

use std::future::poll_fn;

use bytes::Bytes;
use h2::Reason;
use http::Method;
use polygate_chain::Phase;
use tokio::task::spawn_local;
use tokio::time::sleep;

use crate::tests::http2::client::{Client, content};
use crate::tests::http2::frames::{DATA, END_STREAM, HEADERS, RawClient, fields};
use crate::tests::{OK, plugin, run, seconds, secs, settle, setup};

#[test]
fn a_hundred_requests_wait_for_their_own_answers() {
    run(async {
        let world = setup().open();
        let mut upstream = world.upstream();
        let mut client = Client::open(&world).await;
        let mut waiting = Vec::new();
        for number in 0..100 {
            waiting.push((number, client.get(&format!("/{number}")).await, upstream.accept().await));
        }
        for (number, response, mut connection) in waiting.into_iter().rev() {
            let request = connection.request().await;
            assert_eq!(request.line(), format!("GET /{number} HTTP/1.1"));
            let body = format!("for {number}");
            let length = body.len();
            connection.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}")).await;
            let response = response.await.unwrap();
            assert_eq!(response.headers()["content-length"], length.to_string());
            assert_eq!(content(response).await.unwrap(), body);
        }
        assert_eq!(world.statuses().await, [200; 100]);
    });
}

#[test]
fn answers_that_come_together_are_sent_together() {
    run(async {
        let world = setup().open();
        let mut upstream = world.upstream();
        let mut client = RawClient::open(&world).await;
        let mut connections = Vec::new();
        for number in 0..10 {
            client.headers(2 * number + 1, &fields(&[(":method", Some(b"GET"))]), END_STREAM).await.unwrap();
            let mut connection = upstream.accept().await;
            connection.request().await;
            connections.push(connection);
        }
        let before = client.writes();
        for connection in &mut connections {
            // No waiting in between: all are there before the gateway has its turn.
            let body = "x".repeat(4_000);
            connection.send(format!("HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n{body}")).await;
        }
        for _ in 0..10 {
            assert_eq!(client.next(DATA).await.unwrap().payload.len(), 4_000);
        }
        assert_eq!(client.writes() - before, 1);
    });
}

#[test]
fn lines_of_one_connection_stay_there() {
    run(async {
        let world = setup().open();
        world.upstream().answer_all(
            "HTTP/1.1 200 Fine\r\nConnection: keep-alive, x-own\r\nX-Own: 1\r\nKeep-Alive: timeout=5\r\n\
             Transfer-Encoding: chunked\r\nX-A: 1\r\nx-a: 2\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
        );
        let mut client = Client::open(&world).await;
        let response = client.get("/").await.await.unwrap();
        for name in ["connection", "keep-alive", "transfer-encoding", "x-own", "content-length"] {
            assert!(!response.headers().contains_key(name), "{name}");
        }
        let values: Vec<_> = response.headers().get_all("x-a").iter().collect();
        assert_eq!(values, ["1", "2"]);
        assert_eq!(content(response).await.unwrap(), "abcde");
    });
}

#[test]
fn a_response_without_a_body_is_its_head() {
    run(async {
        let world = setup().open();
        world.upstream().answer_all("HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\n\r\n");
        let mut client = RawClient::open(&world).await;
        client.headers(1, &fields(&[(":method", Some(b"GET"))]), END_STREAM).await.unwrap();
        let head = client.next(HEADERS).await.unwrap();
        assert_eq!(head.flags & END_STREAM, END_STREAM);
    });
}

#[test]
fn the_last_content_ends_the_stream() {
    run(async {
        let world = setup().open();
        world.upstream().answer_all(OK);
        let mut client = RawClient::open(&world).await;
        client.headers(1, &fields(&[(":method", Some(b"GET"))]), END_STREAM).await.unwrap();
        let data = client.next(DATA).await.unwrap();
        assert_eq!((data.flags & END_STREAM, &*data.payload), (END_STREAM, &b"ok"[..]));
    });
}

#[test]
fn a_body_comes_as_it_is_sent() {
    run(async {
        let mut setup = setup();
        setup.route["request_buffering"] = false.into();
        let world = setup.open();
        let mut upstream = world.upstream();
        let mut client = Client::open(&world).await;
        let (response, mut body) = client.begin(Method::PUT, "/").await;
        let mut connection = upstream.accept().await;
        assert!(connection.head().await.unwrap().contains("\r\nTransfer-Encoding: chunked\r\n"));
        body.send_data(Bytes::from_static(b"abc"), false).unwrap();
        assert_eq!(connection.bytes(8).await, "3\r\nabc\r\n");
        body.send_data(Bytes::from_static(b"d"), true).unwrap();
        assert_eq!(connection.bytes(11).await, "1\r\nd\r\n0\r\n\r\n");
        connection.send(OK).await;
        assert_eq!(content(response.await.unwrap()).await.unwrap(), "ok");
    });
}

#[test]
fn a_body_has_a_limit_and_a_clock() {
    run(async {
        let mut setup = setup();
        setup.settings.client_max_body_size = 3;
        let world = setup.open();
        let mut client = Client::open(&world).await;
        let (response, mut body) = client.begin(Method::PUT, "/").await;
        body.send_data(Bytes::from_static(b"abcd"), false).unwrap();
        assert_eq!(response.await.unwrap().status(), 413);
        let (response, _body) = client.begin(Method::PUT, "/").await;
        let (waited, response) = seconds(response).await;
        assert_eq!((waited, response.unwrap().status().as_u16()), (60, 408));
        assert_eq!(world.statuses().await, [413, 408]);
    });
}

#[test]
fn a_client_that_gives_a_request_up_leaves_the_others_alone() {
    run(async {
        let world = setup().open();
        let mut upstream = world.upstream();
        let mut client = Client::open(&world).await;
        let kept = client.get("/kept").await;
        let mut kept_connection = upstream.accept().await;
        let (response, mut body) = client.begin(Method::GET, "/given-up").await;
        body.send_data(Bytes::new(), true).unwrap();
        let mut connection = upstream.accept().await;
        connection.request().await;
        body.send_reset(Reason::CANCEL);
        drop(response);
        connection.closed().await;
        assert_eq!(world.statuses().await, [499]);
        kept_connection.request().await;
        kept_connection.send(OK).await;
        assert_eq!(content(kept.await.unwrap()).await.unwrap(), "ok");
    });
}

#[test]
fn an_answer_that_breaks_off_is_no_whole_one() {
    run(async {
        let world = setup().open();
        let mut upstream = world.upstream();
        let mut client = Client::open(&world).await;
        let response = client.get("/").await;
        let mut connection = upstream.accept().await;
        connection.request().await;
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc").await;
        let response = response.await.unwrap();
        drop(connection);
        assert_eq!(content(response).await.unwrap_err().reason(), Some(Reason::INTERNAL_ERROR));
    });
}

/// Who opens no window gets nothing, and costs no memory.
#[test]
fn a_client_that_does_not_read_is_left() {
    run(async {
        let world = setup().open();
        let mut upstream = world.upstream();
        let mut client = Client::open(&world).await;
        let response = client.get("/").await;
        let mut connection = upstream.accept().await;
        connection.request().await;
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\n").await;
        let sent = spawn_local(async move {
            let mut sent = 0;
            while connection.try_send([b'x'; 1000]).await.is_ok() {
                sent += 1000;
            }
            sent
        });
        let _response = response.await.unwrap();
        let (waited, sent) = seconds(sent).await;
        assert_eq!(waited, 60);
        // Its window, what waits to be sent, and what the connections to and from the gateway hold.
        let sent = sent.unwrap();
        assert!((65_535..500_000).contains(&sent), "{sent}");
        assert_eq!(world.statuses().await, [200]);
    });
}

#[test]
fn what_an_upstream_says_first_is_passed_on() {
    run(async {
        let world = setup().open();
        let mut upstream = world.upstream();
        let mut client = Client::open(&world).await;
        let mut response = client.get("/").await;
        let mut connection = upstream.accept().await;
        connection.request().await;
        connection.send("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n").await;
        let hints = poll_fn(|cx| response.poll_informational(cx)).await.unwrap().unwrap();
        assert_eq!((hints.status().as_u16(), &hints.headers()["link"]), (103, &"</a>".parse().unwrap()));
        connection.send(OK).await;
        assert_eq!(content(response.await.unwrap()).await.unwrap(), "ok");
    });
}

#[test]
fn a_connection_ends_when_nothing_comes_any_more() {
    run(async {
        let world = setup().open();
        world.upstream().answer_all(OK);
        let client = Client::open(&world).await;
        let (waited, ended) = seconds(client.connection).await;
        assert_eq!(waited, 60, "client_header_timeout, before the first request");
        ended.unwrap().unwrap();

        let mut client = Client::open(&world).await;
        content(client.get("/").await.await.unwrap()).await.unwrap();
        let (waited, ended) = seconds(client.connection).await;
        assert_eq!(waited, 75, "keepalive_timeout");
        ended.unwrap().unwrap();
    });
}

#[test]
fn a_connection_carries_so_many_requests() {
    run(async {
        let mut setup = setup();
        setup.settings.keepalive_requests = 3;
        let world = setup.open();
        world.upstream().answer_all(OK);
        let mut client = Client::open(&world).await;
        for _ in 0..3 {
            assert_eq!(content(client.get("/").await.await.unwrap()).await.unwrap(), "ok");
        }
        settle().await;
        assert!(poll_fn(|cx| client.requests.poll_ready(cx)).await.is_err());
        client.connection.await.unwrap().unwrap();
    });
}

#[test]
fn a_graceful_stop_lets_requests_come_to_their_end() {
    run(async {
        let world = setup().open();
        let mut upstream = world.upstream();
        let mut client = Client::open(&world).await;
        let response = client.get("/").await;
        let mut connection = upstream.accept().await;
        world.stop.send_replace(polygate_net::accept::Stop::Graceful);
        settle().await;
        assert!(poll_fn(|cx| client.requests.poll_ready(cx)).await.is_err(), "no further request");
        sleep(secs(30)).await;
        connection.request().await;
        connection.send(OK).await;
        assert_eq!(content(response.await.unwrap()).await.unwrap(), "ok");
        let (waited, ended) = seconds(client.connection).await;
        assert_eq!(waited, 0);
        ended.unwrap().unwrap();
    });
}

#[test]
fn plugins_see_the_version_and_answer() {
    run(async {
        let mut setup = setup();
        setup.plugins.push(plugin("asked", &[Phase::Access], async |exchange| {
            assert_eq!(exchange.request.version, http::Version::HTTP_2);
            exchange.session.answer = Some(polygate_chain::Answer {
                source: polygate_chain::Source::Exit,
                status: 418,
                body: Bytes::from_static(b"no"),
            });
            exchange.response.status = 418;
            Ok(())
        }));
        let world = setup.open();
        let mut client = Client::open(&world).await;
        let response = client.get("/").await.await.unwrap();
        assert_eq!(response.status(), 418);
        assert_eq!(content(response).await.unwrap(), "no");
        let ends = world.ends().await;
        assert!(
            ends[0].received > 0 && ends[0].sent > ends[0].body_sent && ends[0].body_sent == 2,
            "{ends:?}"
        );
    });
}
