//! Request bodies that plugins read or put another one in the place of.

use polygate_chain::Phase;
use tokio::time::sleep;

use crate::tests::{GET, OK, Setup, pdk, plugin, run, secs, settle, setup};

/// Reads the body before anybody else.
fn reading() -> Setup {
    let mut setup = setup().stream_bodies();
    setup.settings.client_max_body_size = 100_000;
    setup.settings.client_body_timeout = secs(5);
    setup.plugins.push(plugin("reading", &[Phase::Access], async |exchange| {
        // What goes wrong is no business of a plugin that does not look.
        let _ = exchange.request_body.read().await;
        Ok(())
    }));
    setup
}

#[test]
fn a_body_that_a_plugin_reads_goes_on_whole() {
    run(async {
        for length in [1, 5000, 16_384, 16_385, 99_999] {
            let world = reading().open();
            let mut upstream = world.upstream();
            let mut client = world.client();
            let body = "x".repeat(length);
            client.send("PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n").await;
            client.send(format!("{length:x}\r\n{body}\r\n0\r\n\r\n")).await;
            let mut connection = upstream.accept().await;
            let request = connection.request().await;
            assert_eq!(request.header("Content-Length"), Some(&*length.to_string()));
            assert_eq!(request.header("Transfer-Encoding"), None);
            assert!(request.body == body);
            connection.send(OK).await;
            assert_eq!(client.answer().await.status(), 200);
        }
    });
}

/// Half a body is no body: nothing of it goes upstream.
#[test]
fn a_body_that_fails_while_a_plugin_reads_it() {
    run(async {
        let chunked = "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        let too_large = format!("{chunked}186a1\r\n{}\r\n0\r\n\r\n", "x".repeat(100_001));
        for (request, ends, status) in [
            (too_large.as_str(), false, 413),
            ("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 100001\r\n\r\n", false, 413),
            (&format!("{chunked}3\r\nabcd\r\n0\r\n\r\n"), false, 400),
            (&format!("{chunked}3\r\nabc\r\n"), false, 408),
            (&format!("{chunked}3\r\nabc\r\n"), true, 400),
        ] {
            let world = reading().open().capacity(1 << 20);
            let upstream = world.upstream();
            let mut client = world.client();
            client.send(request).await;
            if ends {
                client.finish().await;
            }
            let answer = client.answer().await;
            assert_eq!((answer.status(), answer.header("Connection")), (status, Some("close")));
            assert!(!upstream.is_visited());
            assert_eq!(world.statuses().await, [status]);
        }
        let world = reading().open();
        let upstream = world.upstream();
        let mut client = world.client();
        client.send(format!("{chunked}3\r\nabc\r\n")).await;
        settle().await;
        client.reset();
        assert_eq!(world.statuses().await, [499]);
        assert!(!upstream.is_visited());
    });
}

/// The client's own body is read after the answer, when a plugin put another one in its place.
#[test]
fn a_body_in_place_of_one_that_still_comes() {
    run(async {
        let mut setup = setup().stream_bodies();
        setup.plugins.push(plugin("changing", &[Phase::Access], async |exchange| {
            pdk(exchange, "kong.service.request.set_raw_body", &["new".into()]).await;
            Ok(())
        }));
        let world = setup.open();
        let mut upstream = world.upstream();
        let mut client = world.client();
        client.send("PUT /x HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nold").await;
        let mut connection = upstream.accept().await;
        assert_eq!(connection.request().await.body, "new");
        sleep(secs(10)).await;
        connection.send(OK).await;
        assert_eq!(client.answer().await.status(), 200);
        client.send(format!("old{GET}")).await;
        assert_eq!(connection.request().await.line(), "GET / HTTP/1.1");
    });
}

/// It decides after it has seen the body, whose end may be a failure.
#[test]
fn a_plugin_that_answers_a_broken_body_itself() {
    run(async {
        let mut setup = setup();
        setup.plugins.push(plugin("reading", &[Phase::Access], async |exchange| {
            assert!(exchange.request_body.read().await.is_err());
            pdk(exchange, "kong.response.exit", &[422.into(), "no".into()]).await;
            Ok(())
        }));
        let world = setup.open();
        let mut client = world.client();
        client.send("PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n").await;
        client.send(GET).await;
        assert_eq!(client.answer().await.status(), 422);
        assert_eq!(client.rest().await, "", "nobody knows where the next request begins");
    });
}
