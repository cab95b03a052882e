//! Clients that send no more, and clients that are gone.

use polygate_chain::Phase;
use serde_json::json;
use tokio::time::sleep;

use crate::tests::{Door, GET, OK, holding, pdk, plugin, run, secs, settle, setup};

#[test]
fn one_that_sends_no_more_gets_its_answer() {
    run(async {
        let world = setup().open();
        let mut upstream = world.upstream();
        let mut client = world.client();
        client.send(GET).await;
        client.finish().await;
        let mut connection = upstream.accept().await;
        connection.request().await;
        sleep(secs(10)).await;
        connection.send(OK).await;
        let answer = client.answer().await;
        assert_eq!((answer.line(), &*answer.body), ("HTTP/1.1 200 OK", "ok"));
        assert_eq!(client.rest().await, "");
        assert_eq!(world.statuses().await, [200]);
    });
}

#[test]
fn one_that_sends_no_more_before_the_gateway_answers_for_the_upstream() {
    run(async {
        let world = setup().open();
        let mut upstream = world.upstream();
        let mut client = world.client();
        client.send(GET).await;
        client.finish().await;
        let mut connection = upstream.accept().await;
        connection.request().await;
        settle().await;
        connection.send("nonsense\r\n\r\n").await;
        assert_eq!(client.answer().await.line(), "HTTP/1.1 502 Bad Gateway");
        assert_eq!(client.rest().await, "");
    });
}

#[test]
fn one_that_sends_no_more_in_the_middle_of_the_answer() {
    run(async {
        let world = setup().open();
        let mut upstream = world.upstream();
        for head in ["Content-Length: 4\r\n\r\nab", "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n"] {
            let mut client = world.client();
            client.send(GET).await;
            let mut connection = upstream.accept().await;
            connection.request().await;
            connection.send(format!("HTTP/1.1 200 OK\r\n{head}")).await;
            settle().await;
            client.finish().await;
            settle().await;
            connection.send(if head.contains("chunked") { "2\r\ncd\r\n0\r\n\r\n" } else { "cd" }).await;
            assert_eq!(client.answer().await.body, "abcd");
            assert_eq!(client.rest().await, "");
            // Kept, and not to be used for the next one.
            connection.reset();
        }
    });
}

#[test]
fn one_that_sends_no_more_while_the_answer_is_held_back() {
    run(async {
        let mut setup = setup();
        setup.plugins.push(holding());
        let world = setup.open();
        let (_upstream, mut client, mut connection) = world.asked().await;
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab").await;
        settle().await;
        client.finish().await;
        settle().await;
        connection.send("cd").await;
        let answer = client.answer().await;
        assert_eq!((answer.line(), &*answer.body), ("HTTP/1.1 200 OK", "abcd"));
        assert_eq!(client.rest().await, "");
    });
}

#[test]
fn what_was_asked_before_the_end_is_answered() {
    run(async {
        let world = setup().open();
        world.upstream().answer_all(OK);
        let mut client = world.client();
        client.send(GET.repeat(3)).await;
        client.finish().await;
        for _ in 0..3 {
            let answer = client.answer().await;
            assert_eq!((answer.line(), &*answer.body), ("HTTP/1.1 200 OK", "ok"));
        }
        assert_eq!(client.rest().await, "");
    });
}

#[test]
fn the_upstream_does_not_work_for_nobody() {
    run(async {
        for resets in [true, false] {
            let world = setup().open();
            let (upstream, client, mut connection) = world.asked().await;
            if resets {
                client.reset();
            } else {
                drop(client);
            }
            connection.closed().await;
            let ended = world.ends().await.remove(0);
            assert_eq!((ended.status, ended.body_sent, ended.tries), (499, 0, vec![0]));
            assert!(!upstream.is_visited(), "no other try");
        }
    });
}

#[test]
fn one_that_leaves_in_the_middle_of_the_answer() {
    run(async {
        for held in [true, false] {
            let mut setup = setup();
            if held {
                setup.plugins.push(holding());
            }
            let world = setup.open();
            let (_upstream, client, mut connection) = world.asked().await;
            connection.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab").await;
            settle().await;
            client.reset();
            connection.closed().await;
            assert_eq!(world.statuses().await, [if held { 499 } else { 200 }]);
        }
    });
}

#[test]
fn one_that_leaves_in_the_middle_of_its_body() {
    run(async {
        for (buffering, resets, status) in
            [(true, true, 499), (true, false, 400), (false, true, 499), (false, false, 400)]
        {
            let mut setup = setup();
            setup.route["request_buffering"] = json!(buffering);
            let world = setup.open();
            let mut upstream = world.upstream();
            let mut client = world.client();
            client.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc").await;
            settle().await;
            if resets {
                client.reset();
            } else {
                client.finish().await;
                assert_eq!(client.answer().await.status(), 400);
                assert_eq!(client.rest().await, "");
            }
            assert_eq!(world.statuses().await, [status], "{buffering} {resets}");
            assert_eq!(upstream.is_visited(), !buffering);
            if !buffering {
                upstream.accept().await.closed().await;
                assert!(!upstream.is_visited(), "no other try");
            }
        }
    });
}

#[test]
fn one_that_leaves_while_a_plugin_works() {
    run(async {
        let mut setup = setup();
        setup.plugins.push(plugin("slow", &[Phase::Access], async |exchange| {
            sleep(secs(5)).await;
            pdk(exchange, "kong.response.exit", &[200.into(), "late".into()]).await;
            Ok(())
        }));
        let world = setup.open();
        let mut client = world.client();
        client.send(GET).await;
        settle().await;
        drop(client);
        sleep(secs(6)).await;
        assert_eq!(world.statuses().await, [200], "the event was driven to its end");
    });
}

#[test]
fn one_that_leaves_while_the_gateway_connects() {
    run(async {
        let world = setup().open();
        world.upstream().doors(vec![Door::Silent; 10]);
        let mut client = world.client();
        client.send(GET).await;
        sleep(secs(10)).await;
        client.reset();
        assert_eq!(world.ends().await.remove(0).tries, [0], "no fault of the upstream");
        assert_eq!(world.statuses().await, [499]);
    });
}

#[test]
fn one_that_has_sent_its_body_and_sends_no_more() {
    run(async {
        for buffering in [true, false] {
            let mut setup = setup();
            setup.route["request_buffering"] = json!(buffering);
            let world = setup.open();
            let mut upstream = world.upstream();
            let mut client = world.client();
            client
                .send("PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
                .await;
            client.finish().await;
            let mut connection = upstream.accept().await;
            assert_eq!(connection.request().await.body, "abc");
            sleep(secs(5)).await;
            connection.send(OK).await;
            assert_eq!(client.answer().await.body, "ok");
            assert_eq!(client.rest().await, "");
        }
    });
}
