//! Plugins that have the last word on a response: its head, and its body as it passes.

use std::sync::Arc;

use polygate_chain::pdk::headers::Change;
use polygate_chain::pdk::{Content, Context, response};
use polygate_chain::{BodyFilter, Exchange, Failure, Handler, LocalFuture, Phase, Phases, Plugin};
use polygate_http1::Headers;
use serde_json::json;

use crate::tests::{GET, OK, World, broken, holding, plugin, run, setup};

/// Says in a header what it saw, and writes the body in capitals, with a sign and the trailer `X-Taken` behind it.
#[derive(Clone, Copy)]
pub enum Filtering {
    Marking,
    KeepingLength,
    Answering,
    Breaking,
}

impl Plugin for Filtering {
    fn name(&self) -> &str {
        "filtering"
    }

    fn priority(&self) -> i64 {
        1
    }

    fn phases(&self) -> Phases {
        Phases::NONE
    }

    fn configure(&self, _: &Arc<polygate_model::Plugin>) -> Arc<dyn Handler> {
        Arc::new(*self)
    }
}

impl Handler for Filtering {
    fn run<'a>(&'a self, _: Phase, _: Context<'a>) -> LocalFuture<'a, Result<(), Failure>> {
        panic!("it has no phases")
    }

    fn header(&self, exchange: &mut Exchange) -> Result<(), Failure> {
        let status = exchange.response.status.to_string();
        exchange.response.headers.insert("X-Seen", status);
        match self {
            Self::Marking | Self::KeepingLength => Ok(()),
            Self::Answering => {
                let headers = vec![Change::line("X-Made-By", "filter")];
                response::exit(exchange, 418, Content::Text("made".into()), headers).map_err(|_| broken())
            }
            Self::Breaking => Err(broken()),
        }
    }

    fn body(&self, _: &mut Exchange) -> Option<Box<dyn BodyFilter>> {
        match self {
            Self::Marking => Some(Box::new(Marker::default())),
            Self::KeepingLength => Some(Box::new(Marker { keeps_length: true, ..Marker::default() })),
            Self::Answering | Self::Breaking => None,
        }
    }
}

#[derive(Default)]
struct Marker {
    keeps_length: bool,
    taken: Vec<u8>,
}

impl BodyFilter for Marker {
    fn piece(&mut self, _: &mut Exchange, piece: &[u8], out: &mut Vec<u8>) {
        out.extend(piece.to_ascii_uppercase());
    }

    fn trailers(&mut self, trailers: &mut Headers) {
        self.taken = trailers.get("X-Taken").unwrap_or_default().to_vec();
        trailers.remove("X-Taken");
    }

    fn end(&mut self, _: &mut Exchange, out: &mut Vec<u8>) {
        if !self.keeps_length {
            out.extend_from_slice(b"!");
        }
        out.extend_from_slice(&self.taken);
    }

    fn keeps_length(&self) -> bool {
        self.keeps_length
    }
}

fn filtering(filtering: Filtering) -> World {
    let mut setup = setup();
    setup.globals.push(Arc::new(filtering));
    setup.open()
}

#[test]
fn heads_and_bodies_of_upstreams() {
    run(async {
        for (how, body, length) in
            [(Filtering::Marking, "OK!", None), (Filtering::KeepingLength, "OK", Some("2"))]
        {
            let world = filtering(how);
            world.upstream().answer_all(OK);
            let mut client = world.client();
            for _ in 0..2 {
                client.send(GET).await;
                let answer = client.answer().await;
                assert_eq!((answer.status(), &*answer.body), (200, body));
                assert_eq!((answer.header("X-Seen"), answer.header("Content-Length")), (Some("200"), length));
            }
        }
    });
}

#[test]
fn a_body_is_not_held_back() {
    run(async {
        let world = filtering(Filtering::Marking);
        let (_upstream, mut client, mut connection) = world.asked().await;
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\none").await;
        assert!(client.until(|bytes| bytes.ends_with(b"3\r\nONE\r\n")).await);
        connection.send("two").await;
        assert!(client.until(|bytes| bytes.ends_with(b"\r\nTWO\r\n1\r\n!\r\n0\r\n\r\n")).await);
    });
}

#[test]
fn one_filter_takes_what_the_one_before_gives() {
    run(async {
        let mut setup = setup();
        setup.globals.push(Arc::new(Filtering::Marking));
        setup.plugins.push(holding());
        let world = setup.open();
        world.upstream().answer_all(OK);
        let mut client = world.client();
        client.send(GET).await;
        let answer = client.answer().await;
        assert_eq!((&*answer.body, answer.header("Content-Length")), ("OK!", Some("3")), "{}", answer.head);
    });
}

#[test]
fn answers_of_the_gateway_and_of_plugins() {
    run(async {
        let mut setup = setup();
        setup.route["hosts"] = json!(["a.test"]);
        setup.globals.push(Arc::new(Filtering::Marking));
        let world = setup.open();
        let mut client = world.client();
        client.send("GET / HTTP/1.1\r\nHost: unknown.test\r\n\r\n").await;
        let answer = client.answer().await;
        assert_eq!(answer.header("X-Seen"), Some("404"));
        assert!(answer.body.contains("NO ROUTE MATCHED") && answer.body.ends_with('!'), "{}", answer.body);

        let mut setup = crate::tests::setup();
        setup.globals.push(Arc::new(Filtering::Marking));
        setup.plugins.push(plugin("exiting", &[Phase::Access], async |exchange| {
            response::exit(exchange, 201, Content::Text("made".into()), Vec::new()).map_err(|_| broken())
        }));
        let world = setup.open();
        let mut client = world.client();
        client.send(GET).await;
        let answer = client.answer().await;
        assert_eq!((answer.status(), &*answer.body, answer.header("X-Seen")), (201, "MADE!", Some("201")));
    });
}

#[test]
fn an_answer_takes_the_place_of_the_body() {
    run(async {
        for (how, line, body) in [
            (Filtering::Answering, "HTTP/1.1 418 I'm a teapot", "made"),
            (Filtering::Breaking, "HTTP/1.1 500 Internal Server Error", "unexpected"),
        ] {
            let world = filtering(how);
            world.upstream().answer_all(OK);
            let mut client = world.client();
            client.send(GET).await;
            let answer = client.answer().await;
            assert_eq!(answer.line(), line);
            assert!(answer.body.contains(body), "{}", answer.body);
            // The upstream's connection carried a body that nobody read, and serves nobody else.
            client.send(GET).await;
            assert_eq!(client.answer().await.line(), line);
        }
    });
}
