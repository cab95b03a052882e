//! Requests that the gateway answers itself, and what becomes of the connection then.

use polygate_chain::Phase;
use serde_json::json;
use tokio::time::sleep;

use crate::tests::{GET, Setup, plugin, run, secs, settle, setup};

/// What the first answer on a connection says; nothing may go upstream.
async fn refused(setup: Setup, request: &str) -> (u16, String) {
    let world = setup.open().capacity(1 << 20);
    let upstream = world.upstream();
    let mut client = world.client();
    client.send(request).await;
    let answer = client.answer().await;
    assert!(!upstream.is_visited(), "{request}");
    assert_eq!(world.statuses().await, [answer.status()]);
    let told = answer.header("Connection").unwrap().to_owned();
    let goes_on = tokio::time::timeout(secs(1), client.rest()).await.is_err();
    assert_eq!(goes_on, told != "close", "{request}");
    (answer.status(), told)
}

#[test]
fn what_http_does_not_allow() {
    run(async {
        for (request, status) in [
            ("GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
            ("GET / HTTP/1.1\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400),
            ("GET /%2%65 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
            ("GET /../x HTTP/1.1\r\nHost: a\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501),
            ("GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 2\r\n\r\n", 400),
            ("TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", 405),
        ] {
            assert_eq!(refused(setup(), request).await, (status, "close".into()), "{request}");
        }
        for (length, status) in [(9000, 414), (7000, 404)] {
            let mut setup = setup();
            setup.route["paths"] = json!(["/api"]);
            let request = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(length));
            assert_eq!(refused(setup, &request).await.0, status);
        }
        let lines = format!("X: {}\r\n", "x".repeat(8000)).repeat(5);
        assert_eq!(refused(setup(), &format!("GET / HTTP/1.1\r\nHost: a\r\n{lines}\r\n")).await.0, 400);
    });
}

#[test]
fn bodies_that_are_too_large() {
    run(async {
        let put = "PUT / HTTP/1.1\r\nHost: a\r\n";
        for (rest, status) in [
            ("Content-Length: 11\r\n\r\nhello world".to_owned(), 413),
            ("Transfer-Encoding: chunked\r\n\r\n6\r\nhello \r\n5\r\nworld\r\n0\r\n\r\n".to_owned(), 413),
            ("Content-Length: 11\r\nExpect: 100-continue\r\n\r\n".to_owned(), 413),
        ] {
            let mut setup = setup();
            setup.settings.client_max_body_size = 10;
            assert_eq!(refused(setup, &format!("{put}{rest}")).await, (status, "close".into()), "{rest}");
        }
    });
}

/// A streamed one is found out on its way: the upstream must not take its beginning for the whole.
#[test]
fn a_streamed_body_that_is_too_large() {
    run(async {
        let mut setup = setup().stream_bodies();
        setup.settings.client_max_body_size = 10;
        let world = setup.open();
        let mut upstream = world.upstream();
        let mut client = world.client();
        client.send("PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nhello \r\n").await;
        let mut connection = upstream.accept().await;
        connection.head().await;
        assert_eq!(connection.bytes(11).await, "6\r\nhello \r\n");
        client.send("5\r\nworld\r\n0\r\n\r\n").await;
        assert_eq!(client.answer().await.status(), 413);
        assert_eq!(connection.rest().await, "");
        assert!(!upstream.is_visited());
    });
}

#[test]
fn what_the_configuration_does_not_serve() {
    run(async {
        let stays = |status: u16| (status, "keep-alive".to_owned());
        let mut elsewhere = setup();
        elsewhere.route["paths"] = json!(["/api"]);
        assert_eq!(refused(elsewhere, GET).await, stays(404));
        let mut encrypted = setup();
        encrypted.service["protocol"] = json!("tls");
        assert_eq!(refused(encrypted, GET).await, stays(502), "never in the clear");
        let mut https = setup();
        https.route["protocols"] = json!(["https"]);
        assert_eq!(refused(https, GET).await, (426, "Upgrade".into()));
        let mut moved = setup();
        moved.route["protocols"] = json!(["https"]);
        moved.route["https_redirect_status_code"] = json!(301);
        assert_eq!(refused(moved, GET).await, stays(301));
        let mut long = setup();
        long.plugins.push(plugin("long", &[Phase::Access], async |exchange| {
            exchange.session.upstream.path = Some(format!("/{}", "x".repeat(70_000)));
            Ok(())
        }));
        assert_eq!(refused(long, GET).await, (414, "close".into()));
    });
}

/// What is left of a body does not become the next request.
#[test]
fn a_body_behind_a_refusal() {
    run(async {
        let mut setup = setup();
        setup.route["paths"] = json!(["/api"]);
        let world = setup.open();
        let mut client = world.client();
        client.send("PUT /none HTTP/1.1\r\nHost: a\r\nContent-Length: 40\r\n\r\n").await;
        assert_eq!(client.answer().await.status(), 404);
        sleep(secs(3)).await;
        client.send(&GET.repeat(2)[..40]).await;
        client.send(GET).await;
        assert_eq!(client.answer().await.status(), 404);
        settle().await;
        assert_eq!(world.statuses().await, [404, 404]);
    });
}
