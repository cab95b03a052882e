//! What is known of a request when it has ended: sizes, the access log, counters.

use std::sync::atomic::Ordering::Relaxed;

use polygate_chain::Phase;
use tokio::time::sleep;

use crate::METRICS;
use crate::tests::{GET, OK, pdk, plugin, run, secs, settle, setup};

/// Whatever comes over the connection is counted, to the byte and for the right request.
#[test]
fn sizes() {
    run(async {
        let mut setup = setup();
        setup.settings.client_max_body_size = 1000;
        let world = setup.open();
        let upstream = world.upstream();
        upstream.capacity(1 << 20);
        upstream.answer_all("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
        let put = "PUT / HTTP/1.1\r\nHost: a\r\n";
        for request in [
            GET.to_owned(),
            format!("\r\n\r\n{GET}"),
            "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
            "GET / HTTP/1.0\r\n\r\n".to_owned(),
            format!("{put}Content-Length: 5\r\n\r\nhello"),
            format!("{put}Transfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n0\r\nA: b\r\n\r\n"),
            format!("{put}Content-Length: 1001\r\n\r\n"),
            "GET /%2 HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
            "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n".to_owned(),
            "nonsense\r\n".to_owned(),
            "TRACE / HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
        ] {
            let before = world.ends().await.len();
            let mut client = world.client();
            client.send(&request).await;
            client.finish().await;
            let answer = client.rest().await;
            let ended = world.ends().await.remove(before);
            let body = answer.split_once("\r\n\r\n").unwrap().1;
            assert_eq!(ended.received, request.len() as u64, "{request}");
            assert_eq!(ended.sent, answer.len() as u64, "{request}");
            assert_eq!(ended.body_sent, body.len() as u64, "{request}");
        }
    });
}

#[test]
fn sizes_of_requests_that_come_together() {
    run(async {
        let world = setup().open();
        world.upstream().answer_all(OK);
        let requests = [GET, "PUT /long HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", GET];
        let mut client = world.client();
        client.send(requests.concat()).await;
        client.finish().await;
        let answers = client.rest().await;
        let ends = world.ends().await;
        for (request, ended) in requests.iter().zip(&ends) {
            assert_eq!((ended.received, ended.body_sent), (request.len() as u64, 2));
        }
        assert_eq!(ends.iter().map(|ended| ended.sent).sum::<u64>(), answers.len() as u64);
    });
}

#[test]
fn sizes_of_a_head_that_came_too_late() {
    run(async {
        let world = setup().open();
        let mut client = world.client();
        client.send("GET / HTTP/1.1\r\nHo").await;
        let answer = client.answer().await;
        let ended = world.ends().await.remove(0);
        assert_eq!((ended.status, ended.received, ended.body_sent), (408, 18, answer.body.len() as u64));
    });
}

#[test]
fn lines_of_the_access_log() {
    run(async {
        let mut setup = setup();
        setup.has_access_log = true;
        setup.route["paths"] = serde_json::json!(["/api"]);
        let world = setup.open();
        let mut upstream = world.upstream();
        let ask = async |request: &str| {
            let mut client = world.client();
            client.send(request).await;
            client
        };
        let basic = "Authorization: Basic YWxpY2U6c2VjcmV0\r\n";
        let mut client = ask(&format!(
            "GET /api?q=\"\u{e9} HTTP/1.1\r\nHost: a\r\n{basic}User-Agent: a\"b\r\nReferer: r\\s\r\n\r\n"
        ))
        .await;
        let mut connection = upstream.accept().await;
        connection.request().await;
        connection.send(OK).await;
        client.answer().await;
        ask("GET /none HTTP/1.0\r\n\r\n").await.rest().await;
        ask("BAD\x1b LINE\r\n\r\n").await.rest().await;
        ask("GET /api HTTP/1.1\r\nHost: a\r\nHost: b\r\nUser-Agent: u\r\n\r\n").await.rest().await;
        ask("GET /late HTTP/1.1\r\n").await.rest().await;
        let leaving = ask("DELETE /api HTTP/1.1\r\nHost: a\r\n\r\n").await;
        settle().await;
        leaving.reset();
        let log = world.access_log().await;
        let lines: Vec<_> = log.lines().map(without_date_and_id).collect();
        assert_eq!(
            lines,
            [
                r#"203.0.113.9 - alice [] "GET /api?q=\x22\xC3\xA9 HTTP/1.1" 200 2 "r\x5Cs" "a\x22b""#,
                r#"203.0.113.9 - - [] "GET /none HTTP/1.0" 404 103 "-" "-""#,
                r#"203.0.113.9 - - [] "BAD\x1B LINE" 400 "#,
                r#"203.0.113.9 - - [] "GET /api HTTP/1.1" 400 "#,
                r#"203.0.113.9 - - [] "" 408 "#,
                r#"203.0.113.9 - - [] "DELETE /api HTTP/1.1" 499 0 "-" "-""#,
            ]
            .map(str::to_owned)
        );
    });
}

fn without_date_and_id(line: &str) -> String {
    let (start, rest) = line.split_once('[').unwrap();
    let (date, rest) = rest.split_once(']').unwrap();
    assert!(date.len() == "26/Nov/2026:02:30:22 +0000".len(), "{date}");
    let (rest, id) = rest.split_once(" kong_request_id: ").unwrap();
    assert_eq!(id.len(), 34);
    // How long the gateway's own page is does not matter here.
    let end = [" 400 ", " 408 "].iter().find_map(|status| Some(rest.find(status)? + 5)).unwrap_or(rest.len());
    format!("{start}[]{}", &rest[..end])
}

/// The log phase of who takes part, and of nobody else, once.
#[test]
fn log_phases() {
    run(async {
        let logged = std::sync::Arc::<std::sync::Mutex<Vec<&'static str>>>::default();
        let logs = |name: &'static str| {
            let logged = logged.clone();
            plugin(name, &[Phase::Log], async move |_| {
                logged.lock().unwrap().push(name);
                Ok(())
            })
        };
        let answers = |name: &'static str, phase: Phase| {
            plugin(name, &[phase], async move |exchange| {
                if exchange.request.headers.get("X-Answer") == Some(name.as_bytes()) {
                    pdk(exchange, "kong.response.exit", &[418.into()]).await;
                }
                if exchange.request.headers.get("X-Break") == Some(name.as_bytes()) {
                    return Err(crate::tests::broken());
                }
                Ok(())
            })
        };
        let mut setup = setup();
        setup.route["paths"] = serde_json::json!(["/api"]);
        setup.service["retries"] = 0.into();
        setup.globals = vec![logs("global"), answers("in-rewrite", Phase::Rewrite)];
        setup.plugins = vec![
            logs("a-scoped"),
            answers("in-access", Phase::Access),
            answers("in-response", Phase::Response),
        ];
        let world = setup.open();
        let mut upstream = world.upstream();
        upstream.capacity(1 << 20);
        let both = ["global", "a-scoped"];
        let global = ["global"];
        for (lines, status, expected) in [
            ("GET /api HTTP/1.1\r\nX-Answer: in-rewrite", 418, &global[..]),
            ("GET /api HTTP/1.1\r\nX-Break: in-rewrite", 500, &global),
            ("GET /none HTTP/1.1", 404, &global),
            ("GET /api/%2 HTTP/1.1", 400, &global),
            ("GET /api HTTP/1.1\r\nHost: second", 400, &global),
            ("GET /api HTTP/1.1\r\nX-Answer: in-access", 418, &both),
            ("GET /api HTTP/1.1\r\nX-Break: in-access", 500, &both),
            ("GET /api HTTP/1.1\r\nX-Answer: in-response", 418, &both),
            ("GET /api HTTP/1.1\r\nX-Break: in-response", 500, &both),
            ("GET /api HTTP/1.1\r\nX-Upstream: breaks", 502, &both),
            ("GET /api HTTP/1.1", 200, &both),
        ] {
            let mut client = world.client();
            client.send(format!("{lines}\r\nHost: a\r\n\r\n")).await;
            let answered = async {
                let mut connection = upstream.accept().await;
                let request = connection.request().await;
                if request.header("X-Upstream").is_none() {
                    connection
                        .send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
                        .await;
                }
            };
            let answer = tokio::select! {
                answer = client.answer() => answer,
                () = async { answered.await; std::future::pending().await } => unreachable!(),
            };
            assert_eq!(answer.status(), status, "{lines}");
            settle().await;
            let mut names = std::mem::take(&mut *logged.lock().unwrap());
            names.sort_by_key(|name| both.iter().position(|it| it == name));
            assert_eq!(names, expected, "{lines}");
        }
        let mut client = world.client();
        client.send("GET /api HTTP/1.1\r\nHost: a\r\n\r\n").await;
        settle().await;
        client.reset();
        settle().await;
        assert_eq!(logged.lock().unwrap().len(), 2, "a client that has left");
        assert_eq!(world.statuses().await.last(), Some(&499));
    });
}

#[test]
fn counters() {
    run(async {
        let mut setup = setup();
        setup.plugins.push(plugin("odd", &[Phase::Access], async |exchange| {
            if exchange.request.headers.contains("X-Odd") {
                pdk(exchange, "kong.response.exit", &[477.into()]).await;
            }
            Ok(())
        }));
        let world = setup.open();
        let mut upstream = world.upstream();
        let scrape = polygate_telemetry::metrics::Scrape::default();
        let mut client = world.client();
        client.send("GET / HTTP/1.1\r\nHost: a\r\nX-Odd: 1\r\n\r\n".repeat(3)).await;
        for _ in 0..3 {
            client.answer().await;
        }
        client.send("GE").await;
        client.rest().await;
        let mut leaving = world.client();
        leaving.send(GET).await;
        let _connection = upstream.accept().await;
        let node = world.worker.gateway().environment.node.clone();
        assert_eq!(node.statistics.requests_active.load(Relaxed), 1);
        leaving.reset();
        sleep(secs(1)).await;
        METRICS.show(&scrape);
        let shown = scrape.render();
        for line in [
            r#"polygate_http_requests_total{code="477"} 3"#,
            r#"polygate_refused_requests_total{reason="head_timeout"}"#,
            r#"polygate_http_requests_total{code="499"}"#,
            "polygate_client_gone_total",
        ] {
            assert!(shown.contains(line), "{line} is not in {shown}");
        }
        assert_eq!(node.statistics.requests_active.load(Relaxed), 0);
        assert_eq!(node.statistics.requests_total.load(Relaxed), 5);
    });
}
