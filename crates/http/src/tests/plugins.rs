//! What plugins do to requests and responses, over the whole way.

use std::sync::{Arc, Mutex};

use polygate_chain::{Failure, Phase, Value};
use serde_json::json;

use crate::tests::{GET, OK, World, broken, holding, pdk, plugin, run, settle, setup};

/// A gateway whose plugin exits in `phase`.
fn exiting(phase: Phase) -> World {
    let mut setup = setup();
    let exiting = plugin("exiting", &[phase], async |exchange| {
        let headers = Value::from(&json!({"X-Made-By": "plugin"}));
        pdk(exchange, "kong.response.exit", &[201.into(), "made".into(), headers]).await;
        Ok(())
    });
    match phase {
        Phase::Rewrite => setup.globals.push(exiting),
        _ => setup.plugins.push(exiting),
    }
    setup.open()
}

#[test]
fn answers_instead_of_the_upstream() {
    run(async {
        for phase in [Phase::Rewrite, Phase::Access] {
            let world = exiting(phase);
            let upstream = world.upstream();
            for (request, body) in [(GET, "made"), ("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", "")] {
                let mut client = world.client();
                client.send(request).await;
                client.finish().await;
                let head = client.head().await.unwrap();
                assert!(head.starts_with("HTTP/1.1 201 Created\r\n"), "{head}");
                assert!(
                    head.contains("X-Made-By: plugin\r\n") && head.contains("Content-Length: 4\r\n"),
                    "{head}"
                );
                assert!(
                    head.contains("X-Kong-Response-Latency: ") && !head.contains("X-Kong-Proxy"),
                    "{head}"
                );
                assert_eq!(client.rest().await, body);
            }
            assert!(!upstream.is_visited());
        }
    });
}

#[test]
fn an_answer_in_place_of_the_upstreams() {
    run(async {
        let world = exiting(Phase::Response);
        let (_upstream, mut client, mut connection) = world.asked().await;
        connection
            .send(
                "HTTP/1.1 201 Fine\r\nContent-Length: 8\r\nContent-Type: text/plain\r\nServer: up\r\nX-Up: 1\r\n\r\n\
                 upstream",
            )
            .await;
        let answer = client.answer().await;
        assert_eq!((answer.line(), &*answer.body), ("HTTP/1.1 201 Created", "made"));
        for (name, value) in [("X-Up", "1"), ("Server", "up"), ("Content-Type", "text/plain; charset=UTF-8")]
        {
            assert_eq!(answer.header(name), Some(value));
        }
        client.send(GET).await;
        connection.request().await;
    });
}

#[test]
fn no_content_is_not_described() {
    run(async {
        for phase in [Phase::Access, Phase::Response] {
            let mut setup = setup();
            setup.plugins.push(plugin("exiting", &[phase], async |exchange| {
                pdk(exchange, "kong.response.exit", &[204.into(), "x".into()]).await;
                Ok(())
            }));
            let world = setup.open();
            world
                .upstream()
                .answer_all("HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nContent-Length: 2\r\n\r\nok");
            let mut client = world.client();
            client.send(GET).await;
            client.finish().await;
            let head = client.head().await.unwrap();
            assert!(
                head.starts_with("HTTP/1.1 204 No Content\r\n") && !head.contains("\r\nContent-"),
                "{head}"
            );
            assert_eq!(client.rest().await, "");
        }
    });
}

#[test]
fn the_date_of_the_gateway_is_for_the_client() {
    run(async {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let mut setup = setup();
        setup.plugins.push(plugin("logging", &[Phase::Log], {
            let seen = seen.clone();
            async move |exchange| {
                let dates = exchange.response.headers.get_all("Date").map(<[u8]>::to_vec);
                seen.lock().unwrap().push(dates.collect::<Vec<_>>());
                Ok(())
            }
        }));
        let world = setup.open();
        let (_upstream, mut client, mut connection) = world.asked().await;
        connection.send(OK).await;
        let answer = client.answer().await;
        assert!(answer.head.starts_with("HTTP/1.1 200 OK\r\nDate: "), "{}", answer.head);
        client.send(GET).await;
        connection.request().await;
        connection
            .send("HTTP/1.1 200 OK\r\nDate: upstream's\r\nX-Dated: 1\r\nContent-Length: 0\r\n\r\n")
            .await;
        let answer = client.answer().await;
        assert_eq!((answer.header("Date"), answer.head.matches("Date: ").count()), (Some("upstream's"), 1));
        settle().await;
        assert_eq!(*seen.lock().unwrap(), [vec![], vec![b"upstream's".to_vec()]]);
    });
}

#[test]
fn a_log_handler_that_panics_ends_alone() {
    run(async {
        let seen = Arc::new(Mutex::new(0));
        let mut setup = setup();
        setup.plugins.push(plugin("panicking", &[Phase::Log], {
            let seen = seen.clone();
            async move |_| {
                *seen.lock().unwrap() += 1;
                panic!("it was told to");
            }
        }));
        let world = setup.open();
        let (_upstream, mut client, mut connection) = world.asked().await;
        for requests in 1..3 {
            connection.send(OK).await;
            assert_eq!(client.answer().await.status(), 200);
            settle().await;
            assert_eq!(*seen.lock().unwrap(), requests);
            client.send(GET).await;
            connection.request().await;
        }
    });
}

#[test]
fn a_plugin_that_breaks_down_ends_the_request() {
    run(async {
        for phase in [Phase::Rewrite, Phase::Access, Phase::Response] {
            let mut setup = setup();
            setup.globals.push(plugin("breaking", &[phase], async |exchange| {
                pdk(exchange, "kong.response.set_header", &["X-Own".into(), "1".into()]).await;
                Err(broken())
            }));
            let world = setup.open();
            let upstream = world.upstream();
            let mut client = world.client();
            client.send(GET).await;
            settle().await;
            assert_eq!(upstream.is_visited(), phase == Phase::Response);
            upstream.answer_all("HTTP/1.1 200 OK\r\nContent-Length: 6\r\nX-Secret: 1\r\n\r\nsecret");
            let answer = client.answer().await;
            assert_eq!((answer.status(), answer.header("X-Polygate-Reason")), (500, Some("plugin_error")));
            assert_eq!(answer.header("X-Secret"), None);
            assert!(!answer.body.contains("secret"));
            client.send(GET).await;
            assert_eq!(client.answer().await.status(), 500, "the connection goes on");
        }
    });
}

/// It is not about a plugin server, of which the header would tell.
#[test]
fn a_failure_of_the_gateways_own_plugins_has_no_reason_for_clients() {
    run(async {
        let mut setup = setup();
        setup
            .globals
            .push(plugin("own", &[Phase::Access], async |_| Err(Failure { is_shown: false, ..broken() })));
        let mut client = setup.open().client();
        client.send(GET).await;
        let answer = client.answer().await;
        assert_eq!((answer.status(), answer.header("X-Polygate-Reason")), (500, None));
    });
}

#[test]
fn texts_that_plugins_answer_with_get_the_charset() {
    run(async {
        for (given, sent) in [
            ("text/plain", "text/plain; charset=UTF-8"),
            ("text/plain; charset=x", "text/plain; charset=x"),
            ("application/x", "application/x"),
        ] {
            let mut setup = setup();
            setup.globals.push(plugin("answering", &[Phase::Access], async move |exchange| {
                let headers = Value::from(&json!({"Content-Type": given}));
                pdk(exchange, "kong.response.exit", &[Value::Int(200), "text".into(), headers]).await;
                Ok(())
            }));
            let mut client = setup.open().client();
            client.send(GET).await;
            assert_eq!(client.answer().await.header("Content-Type"), Some(sent));
        }
    });
}

#[test]
fn what_a_plugin_makes_of_a_request() {
    run(async {
        let mut setup = setup().stream_bodies();
        setup.has_access_log = true;
        setup.plugins.push(plugin("changing", &[Phase::Access], async |exchange| {
            let set = "kong.service.request.set_header";
            pdk(exchange, "kong.service.request.set_method", &["PATCH".into()]).await;
            pdk(exchange, "kong.service.request.set_path", &["/other".into()]).await;
            pdk(exchange, "kong.service.request.set_raw_query", &["a=b".into()]).await;
            pdk(exchange, set, &["x-LeTTers".into(), "1".into()]).await;
            pdk(exchange, set, &["Content-Length".into(), "99".into()]).await;
            pdk(exchange, "kong.service.request.set_raw_body", &["other body".into()]).await;
            Ok(())
        }));
        let world = setup.open();
        let mut upstream = world.upstream();
        let mut client = world.client();
        client.send("PUT /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nX-lEtters-too: 2\r\n\r\nabc").await;
        let mut connection = upstream.accept().await;
        let request = connection.request().await;
        assert_eq!((request.line(), &*request.body), ("PATCH /other?a=b HTTP/1.1", "other body"));
        assert_eq!(request.headers("Content-Length").collect::<Vec<_>>(), ["10"]);
        assert!(request.head.contains("\r\nx-LeTTers: 1\r\n"), "{}", request.head);
        assert!(request.head.contains("\r\nX-lEtters-too: 2\r\n"), "{}", request.head);
        connection.send(OK).await;
        assert_eq!(client.answer().await.status(), 200);
        client.send(GET).await;
        assert_eq!(
            connection.request().await.line(),
            "PATCH /other?a=b HTTP/1.1",
            "the client's body was thrown away"
        );
        let log = world.access_log().await;
        assert!(log.contains("\"PUT /x HTTP/1.1\" 200 2"), "what came, not what went on: {log}");
    });
}

#[test]
fn headers_set_before_there_is_a_response() {
    run(async {
        let upstreams = "X-Both: upstream\r\nX-Up: 1\r\nServer: up\r\nETag: \"u\"\r\n";
        for (held, both) in [(false, vec!["upstream", "plugin"]), (true, vec!["upstream"])] {
            let mut setup = setup();
            setup.plugins.push(plugin("early", &[Phase::Access], async |exchange| {
                for name in ["X-Both", "x-oWn", "Server", "ETag", "Content-Length"] {
                    let value = if name == "Content-Length" { "77" } else { "plugin" };
                    pdk(exchange, "kong.response.set_header", &[name.into(), value.into()]).await;
                }
                Ok(())
            }));
            if held {
                setup.plugins.push(holding());
            }
            let world = setup.open();
            world.upstream().answer_all(format!(
                "HTTP/1.1 200 OK\r\n{upstreams}Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
            ));
            let mut client = world.client();
            client.send(GET).await;
            let answer = client.answer().await;
            let all = |name: &str| answer.headers(name).map(str::to_owned).collect::<Vec<_>>();
            assert_eq!(all("X-Both"), both, "{held}");
            assert_eq!(all("Server"), ["up"]);
            assert_eq!(all("ETag"), ["\"u\""]);
            assert!(answer.head.contains("\r\nx-oWn: plugin\r\n"), "{}", answer.head);
            assert_eq!(answer.body, "ok");
        }
    });
}

#[test]
fn what_a_plugin_makes_of_a_response() {
    run(async {
        let mut setup = setup();
        setup.plugins.push(plugin("changing", &[Phase::Response], async |exchange| {
            assert_eq!(
                exchange.service_response.as_ref().unwrap().body.as_deref(),
                Some(b"hello".as_slice())
            );
            pdk(exchange, "kong.response.set_status", &[299.into()]).await;
            pdk(exchange, "kong.response.set_header", &["x-New".into(), "1".into()]).await;
            pdk(exchange, "kong.response.clear_header", &["X-Old".into()]).await;
            Ok(())
        }));
        let world = setup.open();
        world.upstream().answer_all("HTTP/1.1 200 Fine\r\nX-Old: 1\r\nContent-Length: 5\r\n\r\nhello");
        let mut client = world.client();
        client.send(GET).await;
        let answer = client.answer().await;
        assert_eq!(
            (answer.line(), &*answer.body),
            ("HTTP/1.1 299 ", "hello"),
            "the phrase belongs to the status"
        );
        assert!(
            answer.head.contains("\r\nx-New: 1\r\n") && !answer.head.contains("X-Old"),
            "{}",
            answer.head
        );
    });
}

#[test]
fn retries_that_a_plugin_chose() {
    run(async {
        let mut setup = setup();
        setup.service["retries"] = json!(5);
        setup.plugins.push(plugin("retries", &[Phase::Access], async |exchange| {
            exchange.session.upstream.retries = Some(1);
            Ok(())
        }));
        let world = setup.open();
        world.upstream().doors(vec![crate::tests::Door::Refused(libc::ECONNREFUSED); 9]);
        let mut client = world.client();
        client.send(GET).await;
        assert_eq!(client.answer().await.status(), 502);
        assert_eq!(world.ends().await[0].tries, [502, 502]);
    });
}
