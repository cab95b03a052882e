//! Where reads end must not matter: any split of the same bytes comes to the same.

use std::cell::RefCell;
use std::rc::Rc;

use crate::tests::peer::{Message, Peer};
use crate::tests::{Upstream, run, settle, setup};

/// A request of any kind.
fn request(random: &mut fastrand::Rng, at: usize) -> String {
    let lines = "x".repeat(random.usize(..200));
    let body: String = (0..random.usize(..3000)).map(|_| random.alphanumeric()).collect();
    match random.u8(..5) {
        0 => format!("\r\nGET /{at}?{lines} HTTP/1.1\r\nHost: a\r\n\r\n"),
        1 => format!("HEAD /{at} HTTP/1.1\r\nHost: a\r\nX-Lines: {lines}\r\nX-Lines: 2\r\n\r\n"),
        2 => format!("PUT /{at} HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{body}", body.len()),
        3 => format!("GET http://b.test/{at} HTTP/1.0\r\nConnection: keep-alive\r\nCookie: {lines}\r\n\r\n"),
        _ => {
            let chunks = chunked(random, &body, "X-Trailer: 1\r\n");
            format!("POST /{at} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}")
        }
    }
}

fn chunked(random: &mut fastrand::Rng, mut body: &str, trailers: &str) -> String {
    let mut chunks = String::new();
    while !body.is_empty() {
        let (chunk, rest) = body.split_at(random.usize(1..=body.len()));
        let extension = if random.bool() { ";a=\"b\"" } else { "" };
        chunks.push_str(&format!("{:X}{extension}\r\n{chunk}\r\n", chunk.len()));
        body = rest;
    }
    format!("{chunks}0\r\n{trailers}\r\n")
}

/// What differs from run to run is left out.
fn steady(mut message: Message) -> Message {
    let is_steady = |line: &&str| {
        let is_latency = line.split_once(':').is_some_and(|(name, _)| name.ends_with("-Latency"));
        !is_latency && !line.starts_with("Date:") && !line.starts_with("X-Kong-Request-Id:")
    };
    message.head = message.head.lines().filter(is_steady).collect::<Vec<_>>().join("\n");
    message
}

/// Answers with what was asked for, and notes it.
fn echo(mut upstream: Upstream, seen: Rc<RefCell<Vec<Message>>>, split: Option<u64>) {
    tokio::task::spawn_local(async move {
        loop {
            let mut connection = upstream.accept().await;
            let seen = seen.clone();
            tokio::task::spawn_local(async move {
                while let Some(request) = connection.next_request().await {
                    let body = if request.line().starts_with("HEAD") { "" } else { &request.body };
                    let mut random = fastrand::Rng::with_seed(body.len() as u64);
                    let answer = match body.len() % 2 {
                        0 => format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()),
                        _ => {
                            let chunks = chunked(&mut random, body, "");
                            format!(
                                "HTTP/1.1 103 H\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}"
                            )
                        }
                    };
                    seen.borrow_mut().push(steady(request));
                    send(&mut connection, &answer, split).await;
                }
            });
        }
    });
}

/// In one piece, or in many.
async fn send(peer: &mut Peer, bytes: &str, split: Option<u64>) {
    let Some(seed) = split else { return peer.send(bytes).await };
    let mut random = fastrand::Rng::with_seed(seed);
    let longest = 1 << random.u8(0..10);
    let mut rest = bytes.as_bytes();
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(random.usize(1..=longest).min(rest.len()));
        peer.send(piece).await;
        if random.u8(..4) > 0 {
            settle().await;
        }
        rest = after;
    }
}

/// What the upstream saw and the client got.
async fn outcome(requests: &[String], buffering: bool, split: Option<u64>) -> (Vec<Message>, Vec<Message>) {
    let mut setup = setup();
    setup.route["request_buffering"] = buffering.into();
    let world = setup.open();
    let seen = Rc::<RefCell<Vec<Message>>>::default();
    let upstream = world.upstream();
    if let Some(seed) = split {
        upstream.capacity(1 << fastrand::Rng::with_seed(seed).u8(2..16));
    }
    echo(upstream, seen.clone(), split);
    let mut client = world.client();
    let all = requests.concat();
    let answers = async {
        send(&mut client, &all, split).await;
        let mut answers = Vec::new();
        for request in requests {
            loop {
                let answer = match request.starts_with("HEAD") {
                    true => client.answer_to_head().await,
                    false => client.answer().await,
                };
                let is_final = answer.status() == 200;
                answers.push(steady(answer));
                if is_final {
                    break;
                }
            }
        }
        client.finish().await;
        assert_eq!(client.rest().await, "");
        answers
    };
    let answers = answers.await;
    let mut seen = seen.take();
    if !buffering {
        seen.iter_mut().for_each(without_framing);
    }
    (seen, answers)
}

/// A body that is streamed has a length when all of it came with the head.
fn without_framing(message: &mut Message) {
    let is_framing =
        |line: &str| line.starts_with("Content-Length:") || line.starts_with("Transfer-Encoding:");
    message.head = message.head.lines().filter(|line| !is_framing(line)).collect::<Vec<_>>().join("\n");
}

#[test]
fn any_split_comes_to_the_same() {
    for seed in 0..25 {
        run(async move {
            let mut random = fastrand::Rng::with_seed(seed);
            let buffering = random.bool();
            let requests: Vec<_> = (0..random.usize(1..6)).map(|at| request(&mut random, at)).collect();
            let whole = outcome(&requests, buffering, None).await;
            assert_eq!(whole.0.len(), requests.len());
            for split in 0..4 {
                let split = outcome(&requests, buffering, Some(seed * 100 + split)).await;
                assert!(split == whole, "seed {seed}: {split:#?} is not {whole:#?}");
            }
        });
    }
}

/// The same with every byte for itself, refusals too.
#[test]
fn byte_by_byte() {
    for request in [
        "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcX\r\n0\r\n\r\n",
        "nonsense",
    ] {
        run(async move {
            let mut outcomes = Vec::new();
            for split in [false, true] {
                let world = setup().open();
                let upstream = world.upstream();
                upstream.answer_all(crate::tests::OK);
                let mut client = world.client();
                if split {
                    for byte in request.as_bytes() {
                        client.send([*byte]).await;
                        settle().await;
                    }
                } else {
                    client.send(request).await;
                }
                client.finish().await;
                let answer = client.next_answer().await.map(steady);
                outcomes.push(answer.map(|answer| (answer.status(), answer.head)));
            }
            assert_eq!(outcomes[0], outcomes[1], "{request}");
        });
    }
}
