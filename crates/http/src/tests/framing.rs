//! Answers with every kind of body, whole and not, to every kind of client.

use crate::tests::{GET, holding, run, setup};

/// What a client gets: the lines that delimit the body, and what is behind the head until the connection ends or
/// rests.
async fn relayed(request: &str, answer: &str, held: bool) -> (Vec<String>, String) {
    let mut setup = setup();
    if held {
        setup.plugins.push(holding());
    }
    setup.settings.keepalive_timeout = crate::tests::secs(1);
    let world = setup.open();
    let mut upstream = world.upstream();
    let mut client = world.client();
    client.send(format!("{request}\r\nHost: a\r\nConnection: keep-alive\r\n\r\n")).await;
    let mut connection = upstream.accept().await;
    connection.request().await;
    connection.send(answer).await;
    connection.finish().await;
    let head = client.head().await.unwrap();
    let delimits = |line: &&str| {
        ["Content-Length:", "Transfer-Encoding:", "Connection:"].iter().any(|name| line.starts_with(name))
    };
    (head.lines().filter(delimits).map(str::to_owned).collect(), client.rest().await)
}

const SIZED: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
const UNTIL_CLOSE: &str = "HTTP/1.1 200 OK\r\n\r\nhello";

#[test]
fn to_every_kind_of_client() {
    run(async {
        let length = "Content-Length: 5";
        let chunked = "Transfer-Encoding: chunked";
        let (stays, ends) = ("Connection: keep-alive", "Connection: close");
        let in_chunks = "5\r\nhello\r\n0\r\n\r\n";
        for (request, answer, lines, body) in [
            ("GET / HTTP/1.1", SIZED, vec![length, stays], "hello"),
            ("GET / HTTP/1.1", CHUNKED, vec![chunked, stays], in_chunks),
            ("GET / HTTP/1.1", UNTIL_CLOSE, vec![chunked, stays], in_chunks),
            ("GET / HTTP/1.0", SIZED, vec![length, stays], "hello"),
            ("GET / HTTP/1.0", CHUNKED, vec![ends], "hello"),
            ("GET / HTTP/1.0", UNTIL_CLOSE, vec![ends], "hello"),
            ("HEAD / HTTP/1.1", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", vec![length, stays], ""),
            ("HEAD / HTTP/1.1", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", vec![stays], ""),
            ("HEAD / HTTP/1.1", "HTTP/1.1 200 OK\r\n\r\n", vec![stays], ""),
            ("HEAD / HTTP/1.0", "HTTP/1.1 200 OK\r\n\r\n", vec![stays], ""),
            ("GET / HTTP/1.1", "HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\n", vec![stays], ""),
            (
                "GET / HTTP/1.1",
                "HTTP/1.1 204 No\r\nContent-Length: 0\r\n\r\n",
                vec!["Content-Length: 0", stays],
                "",
            ),
            ("GET / HTTP/1.1", "HTTP/1.1 304 No\r\nContent-Length: 5\r\n\r\n", vec![length, stays], ""),
            ("GET / HTTP/1.1", "HTTP/1.1 304 No\r\n\r\n", vec![stays], ""),
            (
                "GET / HTTP/1.1",
                "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
                vec!["Content-Length: 0", stays],
                "",
            ),
        ] {
            assert_eq!(
                relayed(request, answer, false).await,
                (lines.iter().map(|line| line.to_string()).collect(), body.to_owned()),
                "{request} {answer}"
            );
        }
    });
}

#[test]
fn held_back() {
    run(async {
        let stays = "Connection: keep-alive";
        for (request, answer, lines, body) in [
            ("GET / HTTP/1.1", SIZED, vec!["Content-Length: 5", stays], "hello"),
            ("GET / HTTP/1.1", CHUNKED, vec!["Content-Length: 5", stays], "hello"),
            ("GET / HTTP/1.0", UNTIL_CLOSE, vec!["Content-Length: 5", stays], "hello"),
            (
                "HEAD / HTTP/1.1",
                "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
                vec!["Content-Length: 5", stays],
                "",
            ),
            ("GET / HTTP/1.1", "HTTP/1.1 204 No\r\n\r\n", vec![stays], ""),
        ] {
            assert_eq!(
                relayed(request, answer, true).await,
                (lines.iter().map(|line| line.to_string()).collect(), body.to_owned()),
                "{request} {answer}"
            );
        }
    });
}

/// What is held back has lines as plugins could have set them, and a `Via` that begins anew; what is relayed has the
/// upstream's.
#[test]
fn names_and_via_of_what_is_held_back() {
    run(async {
        let answer = "HTTP/1.1 200 OK\r\nx_Under: 1\r\nVia: 1.0 up\r\nContent-Length: 0\r\n\r\n";
        for (held, lines) in [
            (false, ["x_Under: 1", "Via: 1.0 up, 1.1 kong/3.10.0"]),
            (true, ["x-Under: 1", "Via: 1.1 kong/3.10.0"]),
        ] {
            let mut setup = setup();
            if held {
                setup.plugins.push(holding());
            }
            let world = setup.open();
            world.upstream().answer_all(answer);
            let mut client = world.client();
            client.send(GET).await;
            let head = client.answer().await.head;
            for line in lines {
                assert!(head.contains(&format!("\r\n{line}\r\n")), "{held}: {head}");
            }
        }
    });
}

/// Broken answers: what the client gets of the body, which must not look whole.
#[test]
fn broken_off() {
    run(async {
        for (request, answer, body) in [
            ("GET / HTTP/1.1", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello", "hello"),
            (
                "GET / HTTP/1.1",
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
                "5\r\nhello\r\n",
            ),
            (
                "GET / HTTP/1.1",
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhello",
                "5\r\nhello\r\n",
            ),
            (
                "GET / HTTP/1.1",
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nz\r\n",
                "5\r\nhello\r\n",
            ),
            (
                "GET / HTTP/1.1",
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello0\r\n\r\n",
                "5\r\nhello\r\n",
            ),
        ] {
            assert_eq!(relayed(request, answer, false).await.1, body, "{answer}");
        }
    });
}

#[test]
fn broken_off_while_held_back() {
    run(async {
        for (answer, status) in [
            ("HTTP/1.1 200 OK\r\nX-Secret: 1\r\nContent-Length: 9\r\n\r\nhello", 502),
            ("HTTP/1.1 200 OK\r\nX-Secret: 1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", 502),
            ("HTTP/1.1 200 OK\r\nX-Secret: 1\r\nTransfer-Encoding: chunked\r\n\r\nz\r\n", 502),
        ] {
            let mut setup = setup();
            setup.plugins.push(holding());
            let world = setup.open();
            let (_upstream, mut client, mut connection) = world.asked().await;
            connection.send(answer).await;
            connection.finish().await;
            let told = client.answer().await;
            assert_eq!((told.status(), told.header("X-Secret")), (status, None), "{answer}");
            assert_eq!(told.header("Connection"), Some("keep-alive"));
        }
    });
}

#[test]
fn reset_in_the_middle_of_the_body() {
    run(async {
        let world = setup().open();
        let (_upstream, mut client, mut connection) = world.asked().await;
        connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n").await;
        client.head().await;
        assert_eq!(client.bytes(10).await, "5\r\nhello\r\n");
        connection.reset();
        assert_eq!(client.rest().await, "");
        assert_eq!(world.ends().await[0].body_sent, 10);
    });
}

/// To an old client a body ends with the connection: only a reset says that it is not whole.
#[test]
fn pieces_come_when_they_are_sent() {
    run(async {
        let world = setup().open();
        let mut upstream = world.upstream();
        for (request, head) in [
            (GET, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
            ("GET / HTTP/1.0\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\n"),
        ] {
            let mut client = world.client();
            client.send(request).await;
            let mut connection = upstream.accept().await;
            connection.request().await;
            connection.send(head).await;
            client.head().await;
            let piece = if head.contains("chunked") { "2\r\nab\r\n" } else { "ab" };
            for _ in 0..2 {
                tokio::time::sleep(crate::tests::secs(30)).await;
                connection.send(piece).await;
                assert_eq!(crate::tests::seconds(client.bytes(piece.len())).await, (0, piece.to_owned()));
            }
            connection.reset();
        }
    });
}

/// More than any buffer holds, in all framings.
#[test]
fn large_bodies() {
    run(async {
        let body: String = (0..50_000).map(|at| format!("{at:06}")).collect();
        let chunks: String = body
            .as_bytes()
            .chunks(7777)
            .map(|chunk| format!("{:x}\r\n{}\r\n", chunk.len(), std::str::from_utf8(chunk).unwrap()))
            .collect();
        for answer in [
            format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()),
            format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}0\r\n\r\n"),
            format!("HTTP/1.0 200 OK\r\n\r\n{body}"),
        ] {
            for request in [GET, "GET / HTTP/1.0\r\nHost: a\r\n\r\n"] {
                let world = setup().open().capacity(3000);
                let mut upstream = world.upstream();
                let mut client = world.client();
                client.send(request).await;
                let mut connection = upstream.accept().await;
                let answer = answer.clone();
                tokio::task::spawn_local(async move {
                    connection.request().await;
                    connection.send(answer).await;
                    connection.finish().await;
                });
                assert!(client.answer().await.body == body);
            }
        }
    });
}

/// A body that is streamed, all of which came together with the head.
#[test]
fn what_is_here_already_has_a_length() {
    let cases = [
        ("3\r\nabc\r\n0\r\nA: b\r\n\r\n", Some("Content-Length: 3")),
        ("0\r\n\r\n", Some("Content-Length: 0")),
        ("3\r\nabc\r\n0\r\n", Some("Transfer-Encoding: chunked")),
        ("3\r\nab", Some("Transfer-Encoding: chunked")),
        // More than may come, though it is not there yet.
        ("b\r\n", None),
        ("a\r\n0123456789\r\n1\r\n", None),
    ];
    for (body, expected) in cases {
        run(async move {
            let mut setup = setup();
            setup.route["request_buffering"] = false.into();
            setup.settings.client_max_body_size = 10;
            let world = setup.open();
            let mut upstream = world.upstream();
            let mut client = world.client();
            client
                .send(format!("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{body}"))
                .await;
            match expected {
                Some(line) => {
                    let head = upstream.accept().await.head().await.unwrap();
                    assert!(head.lines().any(|it| it == line), "{body:?} {head}");
                }
                None => {
                    assert_eq!(client.answer().await.status(), 413, "{body:?}");
                    assert!(!upstream.is_visited());
                }
            }
        });
    }
}
