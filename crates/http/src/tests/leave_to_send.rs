//! Clients that hold their body back until they are told to send it (RFC 9110, section 10.1.1).

use polygate_chain::Phase;
use tokio::time::sleep;

use crate::tests::keep_alive::deaf;
use crate::tests::{OK, plugin, run, seconds, secs, settle, setup};

#[test]
fn leave_to_send_is_given_when_the_body_is_wanted() {
    run(async {
        let mut setup = setup();
        setup.plugins.push(plugin("slow", &[Phase::Access], async |_| {
            sleep(secs(5)).await;
            Ok(())
        }));
        let world = setup.open();
        let mut upstream = world.upstream();
        let mut client = world.client();
        client.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n").await;
        let (waited, leave) = seconds(client.answer()).await;
        assert_eq!((waited, &*leave.head), (5, "HTTP/1.1 100 Continue\r\n\r\n"));
        assert!(!upstream.is_visited());
        client.send("body").await;
        let mut connection = upstream.accept().await;
        let request = connection.request().await;
        assert_eq!((&*request.body, request.header("Expect")), ("body", None));
        connection.send(OK).await;
        let answer = client.answer().await;
        assert_eq!((&*answer.body, answer.header("Connection")), ("ok", Some("keep-alive")));
        let ended = world.ends().await.remove(0);
        assert_eq!(ended.body_sent, 2, "leave is no body");
    });
}

#[test]
fn no_leave_to_send_what_nobody_wants() {
    run(async {
        let world = deaf().open();
        let mut client = world.client();
        client.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n").await;
        let answer = client.answer().await;
        assert_eq!((answer.status(), answer.header("Connection")), (200, Some("close")));
        assert_eq!(client.rest().await, "");
    });
}

/// It may send the body without waiting: leave that comes late would be taken for an answer by some.
#[test]
fn no_leave_to_send_what_has_come() {
    run(async {
        let world = setup().open();
        world.upstream().answer_all(OK);
        let mut client = world.client();
        client
            .send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\nbody")
            .await;
        assert_eq!(client.answer().await.line(), "HTTP/1.1 200 OK");
    });
}

#[test]
fn no_leave_to_send_behind_an_early_answer() {
    run(async {
        let world = setup().stream_bodies().open();
        let mut upstream = world.upstream();
        upstream.capacity(10);
        let mut client = world.client();
        client.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n").await;
        let mut connection = upstream.accept().await;
        connection.send("HTTP/1.1 403 N").await;
        let sending = tokio::task::spawn_local(async move {
            connection.send("o\r\nContent-Length: 2\r\n\r\n").await;
            connection.head().await;
            settle().await;
            connection.send("no").await;
            connection
        });
        let answer = client.answer().await;
        assert_eq!((answer.line(), &*answer.body), ("HTTP/1.1 403 No", "no"));
        assert_eq!(answer.header("Connection"), Some("close"));
        assert_eq!(client.rest().await, "");
        sending.await.unwrap();
    });
}
