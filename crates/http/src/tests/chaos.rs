//! Clients and upstreams that do anything at any time: nothing hangs, and nobody gets what is another's.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use fastrand::Rng;
use polygate_http1::{Decoder, Framing, Limits, RequestParser, ResponseParser};
use tokio::time::{sleep, timeout};

use crate::tests::peer::Peer;
use crate::tests::{Door, Upstream, World, run, secs, setup};

const LIMITS: Limits = Limits { line: 8192, head: 32768 };

/// What belongs to one request and to no other.
fn pattern(name: &str, length: usize) -> String {
    name.chars().chain([';']).cycle().take(length).collect()
}

fn request(random: &mut Rng, at: usize) -> String {
    let length = [0, 5, 500, 20_000][random.usize(..4)];
    let body = pattern(&format!("b{at}"), length);
    let method = ["GET", "PUT", "POST"][random.usize(..3)];
    let expects = if random.u8(..5) == 0 { "Expect: 100-continue\r\n" } else { "" };
    let lines = format!("Host: a\r\nX-Length: {length}\r\n{expects}");
    match random.bool() {
        true => format!("{method} /{at} HTTP/1.1\r\n{lines}Content-Length: {length}\r\n\r\n{body}"),
        false => {
            let chunk = if length == 0 { String::new() } else { format!("{length:x}\r\n{body}\r\n") };
            format!("{method} /{at} HTTP/1.1\r\n{lines}Transfer-Encoding: chunked\r\n\r\n{chunk}0\r\n\r\n")
        }
    }
}

async fn pause(random: &mut Rng) {
    match random.u8(..8) {
        0 => sleep(secs(random.u64(..70))).await,
        1..4 => sleep(Duration::from_millis(random.u64(..50))).await,
        _ => {}
    }
}

/// Sends piece by piece; whether somebody was there to the end.
async fn send(peer: &mut Peer, random: &mut Rng, bytes: &[u8]) -> bool {
    let mut rest = bytes;
    while !rest.is_empty() {
        let longest = 1 << random.u8(6..16);
        let (piece, after) = rest.split_at(random.usize(1..=longest).min(rest.len()));
        if !matches!(timeout(secs(100), peer.try_send(piece)).await, Ok(Ok(()))) {
            return false;
        }
        pause(random).await;
        rest = after;
    }
    true
}

/// Serves one connection until something goes wrong, mostly by its own doing.
async fn serve(mut connection: Peer, mut random: Rng) {
    let mut seen = 0;
    loop {
        let parse =
            |input: &[u8]| RequestParser::new(LIMITS).parse(input).expect("a request that keeps all rules");
        if !connection.until(|input| parse(input[seen..].into()).is_some()).await {
            return;
        }
        let head = parse(&connection.received()[seen..]).unwrap();
        seen += head.length;
        let name = String::from_utf8(head.target).unwrap();
        let is_early = random.u8(..6) == 0;
        if !is_early {
            let Some(end) = body(&mut connection, seen, head.framing, &name, &head.headers).await else {
                return;
            };
            seen = end;
        }
        pause(&mut random).await;
        if random.u8(..6) == 0
            && !send(&mut connection, &mut random, b"HTTP/1.1 103 Hint\r\nA: b\r\n\r\n").await
        {
            return;
        }
        let content = pattern(&name, [0, 3, 3000, 40_000][random.usize(..4)]);
        let length = content.len();
        let chunk = if length == 0 { String::new() } else { format!("{length:x}\r\n{content}\r\n") };
        let (answer, goes_on) = match random.u8(..14) {
            0..4 => (format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{content}"), true),
            4..8 => (format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{chunk}0\r\n\r\n"), true),
            8 => (format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{content}", length + 1), false),
            9 => (format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{chunk}"), false),
            10 => ("nonsense\r\n\r\n".to_owned(), false),
            11 => (
                format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{content}"),
                false,
            ),
            12 => (String::new(), false),
            _ => return sleep(secs(1000)).await,
        };
        if !send(&mut connection, &mut random, answer.as_bytes()).await || !goes_on {
            return if random.bool() {
                connection.reset()
            };
        }
        if is_early {
            let Some(end) = body(&mut connection, seen, head.framing, &name, &head.headers).await else {
                return;
            };
            seen = end;
        }
    }
}

/// Reads a request's body, which must be its own; where it ends.
async fn body(
    connection: &mut Peer,
    start: usize,
    framing: Framing,
    name: &str,
    headers: &polygate_http1::Headers,
) -> Option<usize> {
    let decode = |input: &[u8]| {
        let (content, used) = content(&input[start..], Decoder::new(framing));
        let own = pattern(&format!("b{}", &name[1..]), content.len());
        assert!(content == own, "the body of another request in that of {name}");
        used.map(|used| (content.len(), used))
    };
    if !connection.until(|input| decode(input).is_some()).await {
        return None;
    }
    let (length, used) = decode(connection.received())?;
    assert_eq!(headers.text("X-Length"), Some(&*length.to_string()), "a part of a body for the whole");
    Some(start + used)
}

/// What there is of a body, and where it ends if it does.
fn content(mut input: &[u8], mut decoder: Decoder) -> (String, Option<usize>) {
    let (length, mut content) = (input.len(), Vec::new());
    while !decoder.is_done() {
        let progress = decoder.advance(input).expect("a body that keeps all rules");
        let end = progress.skip + progress.content;
        content.extend_from_slice(&input[progress.skip..end]);
        input = &input[end..];
        if end == 0 {
            break;
        }
    }
    (String::from_utf8(content).unwrap(), decoder.is_done().then_some(length - input.len()))
}

/// What a client was told must be answers to its requests, one after the other, of which the last may be cut off.
fn check(mut received: &[u8], requests: usize) {
    let mut at = 0;
    while !received.is_empty() {
        let beginning = b"HTTP/1.1 ";
        let known = beginning.len().min(received.len());
        assert_eq!(received[..known], beginning[..known], "{:?}", String::from_utf8_lossy(received));
        let head = ResponseParser::new(LIMITS).parse(received).expect("a head that keeps all rules");
        let Some(head) = head else { return };
        received = &received[head.length..];
        if head.is_interim() {
            assert!(matches!(head.status, 100 | 103));
            continue;
        }
        let (content, used) = content(received, Decoder::new(head.framing_for(false)));
        if head.status == 200 {
            assert!(
                content == pattern(&format!("/{at}"), content.len()),
                "the answer to another request than {at}"
            );
        }
        at += 1;
        assert!(at <= requests, "more answers than requests");
        let Some(used) = used else { return };
        received = &received[used..];
    }
}

/// One client on one connection.
async fn client(world: &World, mut random: Rng) {
    let mut client = world.client();
    let requests: Vec<_> = (0..random.usize(1..5)).map(|at| request(&mut random, at)).collect();
    let all = requests.concat();
    let sent = if random.u8(..4) == 0 { random.usize(..all.len()) } else { all.len() };
    send(&mut client, &mut random, &all.as_bytes()[..sent]).await;
    match random.u8(..6) {
        0 => return client.reset(),
        1 => return,
        2 | 3 => client.finish().await,
        _ => {}
    }
    timeout(secs(3000), client.closed()).await.expect("every connection ends");
    check(client.received(), requests.len());
}

async fn world(seed: u64) {
    let mut random = Rng::with_seed(seed);
    let mut setup = setup();
    setup.route["request_buffering"] = random.bool().into();
    setup.service["retries"] = random.u16(..3).into();
    let world = setup.open().capacity(1 << random.u8(20..24));
    let mut upstream: Upstream = world.upstream();
    upstream.capacity(1 << random.u8(9..18));
    upstream.doors((0..4).map(|_| match random.u8(..8) {
        0 => Door::Silent,
        1 => Door::Refused(libc::ECONNREFUSED),
        _ => Door::Open,
    }));
    let mut of_upstream = Rng::with_seed(seed + 1_000_000);
    let serving = tokio::task::spawn_local(async move {
        let mut connections = tokio::task::JoinSet::new();
        loop {
            tokio::select! {
                connection = upstream.accept() => {
                    connections.spawn_local(serve(connection, of_upstream.fork()));
                }
                Some(served) = connections.join_next() => served.unwrap(),
            }
        }
    });
    for _ in 0..random.u8(1..4) {
        client(&world, random.fork()).await;
    }
    let ending = sleep(secs(3000));
    tokio::pin!(ending);
    let node = world.worker.gateway().environment.node.clone();
    ending.await;
    assert_eq!(node.statistics.requests_active.load(Relaxed), 0, "every request ends");
    assert!(!serving.is_finished(), "an upstream saw what it must not: {:?}", serving.await);
}

#[test]
fn anything_at_any_time() {
    for seed in 0..40 {
        let run = std::panic::catch_unwind(|| run(world(seed)));
        assert!(run.is_ok(), "seed {seed}");
    }
}
