//! When another try is made, and what is sent then.

use std::cell::RefCell;
use std::rc::Rc;

use serde_json::json;

use crate::NextUpstream;
use crate::tests::{Door, OK, Upstream, run, seconds, settle, setup};

/// What an upstream does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Refuses,
    Unreachable,
    Ends,
    Resets,
    Hangs,
    Nonsense,
    Switches,
    Status,
    /// There are no more descriptors, which is not its doing.
    NoResources,
}

const KINDS: [Kind; 9] = [
    Kind::Refuses,
    Kind::Unreachable,
    Kind::Ends,
    Kind::Resets,
    Kind::Hangs,
    Kind::Nonsense,
    Kind::Switches,
    Kind::Status,
    Kind::NoResources,
];

impl Kind {
    fn status(self) -> u16 {
        match self {
            Self::Unreachable | Self::Hangs => 504,
            Self::Status => 503,
            Self::NoResources => 500,
            _ => 502,
        }
    }

    fn door(self) -> Door {
        match self {
            Self::Refuses => Door::Refused(libc::ECONNREFUSED),
            Self::Unreachable => Door::Silent,
            Self::NoResources => Door::Refused(libc::EMFILE),
            _ => Door::Open,
        }
    }

    /// Goes wrong with all connections to come; `bodies` are those that were received.
    fn serve(self, mut upstream: Upstream, bodies: Rc<RefCell<Vec<String>>>) {
        upstream.doors(vec![self.door(); 10]);
        tokio::task::spawn_local(async move {
            let mut held = Vec::new();
            loop {
                let mut connection = upstream.accept().await;
                let body = connection.request().await.body;
                bodies.borrow_mut().push(body);
                match self {
                    Self::Ends => continue,
                    Self::Resets => {
                        connection.reset();
                        continue;
                    }
                    Self::Nonsense => connection.send("HTTP/1.1 200 OK\r\nno colon\r\n\r\n").await,
                    Self::Switches => connection.send("HTTP/1.1 101 Go\r\n\r\n").await,
                    Self::Status => connection.send("HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n").await,
                    _ => {}
                }
                held.push(connection);
            }
        });
    }

    fn is_allowed(self, rules: &NextUpstream) -> bool {
        match self {
            Self::Refuses | Self::Ends | Self::Resets => rules.error,
            Self::Unreachable | Self::Hangs => rules.timeout,
            Self::Nonsense | Self::Switches => rules.invalid_header,
            Self::Status => rules.statuses.contains(&503),
            Self::NoResources => false,
        }
    }

    fn is_before_sending(self) -> bool {
        matches!(self, Self::Refuses | Self::Unreachable)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Body {
    None,
    Memory,
    File,
    Stream,
}

fn rules() -> [NextUpstream; 5] {
    let none = NextUpstream { error: false, timeout: false, ..NextUpstream::default() };
    [
        NextUpstream::default(),
        NextUpstream { invalid_header: true, ..none.clone() },
        NextUpstream { statuses: vec![500, 503], ..none.clone() },
        NextUpstream {
            non_idempotent: true,
            invalid_header: true,
            statuses: vec![503],
            ..NextUpstream::default()
        },
        none,
    ]
}

/// Every kind of failure, with every method, rule and kind of body.
#[test]
fn all_reasons() {
    for kind in KINDS {
        for method in ["GET", "PUT", "POST", "LOCK"] {
            for rules in rules() {
                for body in [Body::None, Body::Memory, Body::File, Body::Stream] {
                    run(case(kind, method, rules.clone(), body));
                }
            }
        }
    }
}

async fn case(kind: Kind, method: &str, rules: NextUpstream, body: Body) {
    let shown = format!("{kind:?} {method} {rules:?} {body:?}");
    let is_idempotent = !matches!(method, "POST" | "PATCH" | "LOCK");
    let is_again = kind.is_allowed(&rules)
        && (kind.is_before_sending() || (is_idempotent || rules.non_idempotent) && body != Body::Stream);
    let mut setup = setup();
    setup.service["retries"] = json!(2);
    setup.route["request_buffering"] = json!(body != Body::Stream);
    setup.settings.next_upstream = rules;
    let world = setup.open();
    let bodies = Rc::<RefCell<Vec<String>>>::default();
    kind.serve(world.upstream(), bodies.clone());
    let mut client = world.client();
    let length = match body {
        Body::None => 0,
        Body::Memory => 5,
        Body::File => 20_000,
        // More than comes together with the head.
        Body::Stream => 100_000,
    };
    let content = "x".repeat(length);
    client.send(format!("{method} / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{content}")).await;
    let answer = client.answer().await;
    assert_eq!(answer.status(), kind.status(), "{shown}");
    let tries = world.ends().await.remove(0).tries;
    assert_eq!(tries.len(), if is_again { 3 } else { 1 }, "{shown}");
    let failed = match kind {
        Kind::NoResources => 0,
        Kind::Status if !is_again => 0,
        _ => kind.status(),
    };
    assert_eq!(tries[0], failed, "{shown}");
    let received = if kind.door_is_open() { tries.len() } else { 0 };
    assert_eq!(*bodies.borrow(), vec![content; received], "{shown}");
}

impl Kind {
    fn door_is_open(self) -> bool {
        matches!(self.door(), Door::Open)
    }
}

#[test]
fn as_often_as_the_service_says() {
    run(async {
        for retries in [0, 1, 7] {
            let mut setup = setup();
            setup.service["retries"] = json!(retries);
            let world = setup.open();
            world.upstream().doors(vec![Door::Refused(libc::ECONNREFUSED); 10]);
            let mut client = world.client();
            client.send(crate::tests::GET).await;
            assert_eq!(client.answer().await.status(), 502);
            assert_eq!(world.ends().await[0].tries, vec![502; retries + 1]);
        }
    });
}

#[test]
fn the_try_that_works() {
    run(async {
        for (length, buffering) in [(5, true), (50_000, true), (5, false)] {
            let mut setup = setup();
            setup.route["request_buffering"] = json!(buffering);
            let world = setup.open();
            let mut upstream = world.upstream();
            upstream.doors([Door::Refused(libc::ECONNREFUSED), Door::Silent]);
            let mut client = world.client();
            let body = "x".repeat(length);
            client
                .send(format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{body}"))
                .await;
            let (waited, mut connection) = seconds(upstream.accept()).await;
            assert_eq!(waited, 60);
            assert_eq!(connection.request().await.body, body);
            connection.send(OK).await;
            assert_eq!(client.answer().await.body, "ok");
            assert_eq!(world.ends().await[0].tries, [502, 504, 0]);
        }
    });
}

/// An upstream that takes only a part of the request has to have all of it the next time.
#[test]
fn a_try_that_broke_off_in_the_middle_of_the_body() {
    run(async {
        for length in [15_000, 100_000] {
            let world = setup().open();
            let mut upstream = world.upstream();
            upstream.capacity(2000);
            let mut client = world.client();
            let body = "x".repeat(length);
            tokio::task::spawn_local(async move {
                client
                    .send(format!("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{body}"))
                    .await;
                assert_eq!(client.answer().await.body, "ok");
            });
            let mut first = upstream.accept().await;
            first.bytes(5000).await;
            first.reset();
            let mut second = upstream.accept().await;
            assert_eq!(second.request().await.body.len(), length);
            second.send(OK).await;
            settle().await;
            assert_eq!(world.ends().await[0].tries, [502, 0]);
        }
    });
}

/// The answer is read, although the request could not be sent whole.
#[test]
fn an_upstream_that_says_no_and_reads_no_more() {
    run(async {
        for length in [15_000, 100_000] {
            let world = setup().open();
            let mut upstream = world.upstream();
            upstream.capacity(2000);
            let mut client = world.client();
            let body = "x".repeat(length);
            let sending = tokio::task::spawn_local(async move {
                client
                    .send(format!("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{body}"))
                    .await;
                client.answer().await.status()
            });
            let mut connection = upstream.accept().await;
            connection.bytes(500).await;
            connection.send("HTTP/1.1 413 No\r\nContent-Length: 0\r\n\r\n").await;
            assert_eq!(sending.await.unwrap(), 413);
            connection.closed().await;
        }
    });
}
