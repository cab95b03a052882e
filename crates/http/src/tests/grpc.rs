//! gRPC: HTTP/2 on both sides, with trailers, in both directions at a time.

use std::sync::Arc;

use bytes::Bytes;
use h2::client::ResponseFuture;
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, Request, Response};
use polygate_chain::{Answer, Phase, Source};
use serde_json::json;
use tokio::task::spawn_local;
use tokio::time::sleep;

use crate::tests::filters::Filtering;
use crate::tests::http2::client::{Client, content};
use crate::tests::http2::frames::{
    DATA, END_STREAM, Frame, GOAWAY, HEADERS, RawClient, SETTINGS, fields, frame,
};
use crate::tests::network::Door;
use crate::tests::{OK, Setup, Upstream, World, plugin, run, seconds, secs, settle, setup};

/// A service of gRPC behind a route of it.
fn grpc() -> Setup {
    let mut setup = setup();
    setup.service["protocol"] = json!("grpc");
    setup.route["protocols"] = json!(["grpc"]);
    setup
}

type Asked = (Request<RecvStream>, SendResponse<Bytes>);

/// The upstream's end of a connection, on which streams come.
struct Server(h2::server::Connection<crate::tests::pipe::End, Bytes>);

impl Server {
    async fn accept(upstream: &mut Upstream) -> Self {
        Self(h2::server::handshake(upstream.accept().await.into_end()).await.unwrap())
    }

    async fn asked(&mut self) -> Asked {
        self.0.accept().await.expect("a stream, not the end of the connection").unwrap()
    }

    /// Lets the connection go on beside the test.
    fn go_on(mut self) {
        spawn_local(async move { while self.0.accept().await.is_some() {} });
    }
}

/// Begins a call.
async fn call(client: &mut Client) -> (ResponseFuture, SendStream<Bytes>) {
    std::future::poll_fn(|cx| client.requests.poll_ready(cx)).await.unwrap();
    let request = Request::post("http://a.test/pkg.Service/Method");
    let request =
        request.header("content-type", "application/grpc+proto").header("x-bin", "AAE").body(()).unwrap();
    client.requests.send_request(request, false).unwrap()
}

/// A call whose stream the upstream has: the client's ends, the upstream's.
async fn called(world: &World) -> (Client, ResponseFuture, SendStream<Bytes>, Asked) {
    let mut upstream = world.upstream();
    let mut client = Client::open(world).await;
    let (response, body) = call(&mut client).await;
    let mut server = Server::accept(&mut upstream).await;
    let asked = server.asked().await;
    server.go_on();
    (client, response, body, asked)
}

fn answer() -> Response<()> {
    Response::builder().header("content-type", "application/grpc").body(()).unwrap()
}

fn status(code: &'static str) -> HeaderMap {
    HeaderMap::from_iter([("grpc-status".parse().unwrap(), code.parse().unwrap())])
}

async fn piece(body: &mut RecvStream) -> String {
    let piece = body.data().await.expect("content, not the end").unwrap();
    body.flow_control().release_capacity(piece.len()).unwrap();
    String::from_utf8(piece.to_vec()).unwrap()
}

/// The end of a body may come alone.
async fn ended(body: &mut RecvStream) {
    while let Some(rest) = body.data().await {
        assert_eq!(rest.unwrap(), "");
    }
}

#[test]
fn a_call_and_its_trailers() {
    run(async {
        let world = grpc().open();
        let (_client, response, mut body, (request, mut respond)) = called(&world).await;
        let (head, mut received) = request.into_parts();
        assert_eq!((head.method.as_str(), head.uri.path()), ("POST", "/pkg.Service/Method"));
        assert_eq!(head.uri.authority().unwrap(), "10.0.0.1");
        for (name, value) in [
            ("te", "trailers"),
            ("content-type", "application/grpc+proto"),
            ("x-bin", "AAE"),
            ("x-forwarded-host", "a.test"),
            ("via", "2 kong/3.10.0"),
        ] {
            assert_eq!(head.headers.get_all(name).iter().collect::<Vec<_>>(), [value], "{name}");
        }
        for name in ["host", "connection", "transfer-encoding", "content-length"] {
            assert!(!head.headers.contains_key(name), "{name}");
        }
        body.send_data("asked".into(), true).unwrap();
        assert_eq!(piece(&mut received).await, "asked");
        ended(&mut received).await;
        let mut stream = respond.send_response(answer(), false).unwrap();
        stream.send_data("said".into(), false).unwrap();
        stream.send_trailers(status("0")).unwrap();
        let (head, mut said) = response.await.unwrap().into_parts();
        assert_eq!(head.status, 200);
        assert_eq!(head.headers["content-type"], "application/grpc");
        assert!(!head.headers.contains_key("content-length"));
        assert_eq!(piece(&mut said).await, "said");
        assert!(said.data().await.is_none());
        assert_eq!(said.trailers().await.unwrap(), Some(status("0")));
        assert_eq!(world.statuses().await, [200]);
    });
}

/// What a filter takes of the trailers is not sent.
#[test]
fn filters_see_trailers() {
    run(async {
        let mut setup = grpc();
        setup.globals.push(Arc::new(Filtering::Marking));
        let world = setup.open();
        let (_client, response, _body, (_request, mut respond)) = called(&world).await;
        let mut stream = respond.send_response(answer(), false).unwrap();
        stream.send_data("said".into(), false).unwrap();
        let mut trailers = status("0");
        trailers.insert("x-taken", "taken".parse().unwrap());
        stream.send_trailers(trailers).unwrap();
        let mut said = response.await.unwrap().into_body();
        assert_eq!(piece(&mut said).await, "SAID");
        assert_eq!(piece(&mut said).await, "!taken");
        ended(&mut said).await;
        assert_eq!(said.trailers().await.unwrap(), Some(status("0")));
    });
}

/// Neither side waits for the other's end.
#[test]
fn both_sides_talk_at_a_time() {
    run(async {
        let world = grpc().open();
        let (_client, response, mut body, (request, mut respond)) = called(&world).await;
        let mut received = request.into_body();
        let mut stream = respond.send_response(answer(), false).unwrap();
        let mut said = response.await.unwrap().into_body();
        for round in 0..300 {
            let question = format!("question {round}");
            body.send_data(question.clone().into(), false).unwrap();
            assert_eq!(piece(&mut received).await, question);
            stream.send_data(format!("answer {round}").into(), false).unwrap();
            assert_eq!(piece(&mut said).await, format!("answer {round}"));
        }
        body.send_data(Bytes::new(), true).unwrap();
        ended(&mut received).await;
        stream.send_trailers(status("0")).unwrap();
        assert!(said.data().await.is_none());
        assert_eq!(said.trailers().await.unwrap(), Some(status("0")));
    });
}

/// A client takes a head behind which nothing comes for a status only if it ends the stream.
#[test]
fn an_answer_of_a_head_alone_stays_one() {
    run(async {
        let world = grpc().open();
        let mut upstream = world.upstream();
        let mut client = RawClient::open(&world).await;
        let kind: &[u8] = b"application/grpc";
        client.headers(1, &fields(&[("content-type", Some(kind))]), END_STREAM).await.unwrap();
        let mut server = Server::accept(&mut upstream).await;
        let (_request, mut respond) = server.asked().await;
        let mut head = answer();
        head.headers_mut().extend(status("12"));
        respond.send_response(head, true).unwrap();
        server.go_on();
        let head = client.next(HEADERS).await.unwrap();
        assert_eq!((head.flags & END_STREAM, head.status()), (END_STREAM, 200));
    });
}

/// A call over the connection that is kept, or a new one.
async fn exchange(client: &mut Client, upstream: &mut Upstream, kept: Option<Server>) -> Server {
    let (response, mut body) = call(client).await;
    body.send_data("asked".into(), true).unwrap();
    let mut server = match kept {
        Some(server) => server,
        None => Server::accept(upstream).await,
    };
    let (request, mut respond) = server.asked().await;
    let mut stream = respond.send_response(answer(), false).unwrap();
    stream.send_trailers(status("0")).unwrap();
    drop(request);
    let said = spawn_local(async { content(response.await.unwrap()).await.unwrap() });
    tokio::select! {
        // With its last call the connection ends.
        asked = server.0.accept() => assert!(asked.is_none(), "nothing else is asked"),
        () = settle() => {}
    }
    assert_eq!(said.await.unwrap(), "");
    server
}

#[test]
fn connections_are_kept() {
    run(async {
        let world = grpc().open();
        let mut upstream = world.upstream();
        let mut client = Client::open(&world).await;
        let mut server = None;
        for _ in 0..3 {
            server = Some(exchange(&mut client, &mut upstream, server).await);
        }
        assert!(!upstream.is_visited());
    });
}

#[test]
fn connections_carry_so_many_calls_and_no_more() {
    run(async {
        let mut setup = grpc();
        setup.settings.upstream_max_requests = 3;
        let world = setup.open();
        let mut upstream = world.upstream();
        let mut client = Client::open(&world).await;
        let mut server = exchange(&mut client, &mut upstream, None).await;
        for _ in 0..2 {
            server = exchange(&mut client, &mut upstream, Some(server)).await;
        }
        let (waited, next) = seconds(server.0.accept()).await;
        assert_eq!((waited, next.is_none()), (0, true));
        exchange(&mut client, &mut upstream, None).await;
    });
}

#[test]
fn an_idle_connection_is_closed_though_nobody_asks() {
    run(async {
        let mut setup = grpc();
        setup.settings.upstream_idle = secs(30);
        let world = setup.open();
        let mut upstream = world.upstream();
        let mut client = Client::open(&world).await;
        let server = exchange(&mut client, &mut upstream, None).await;
        sleep(secs(29)).await;
        let mut server = exchange(&mut client, &mut upstream, Some(server)).await;
        let (waited, next) = seconds(server.0.accept()).await;
        assert!((30..=31).contains(&waited) && next.is_none(), "{waited}");
        exchange(&mut client, &mut upstream, None).await;
    });
}

#[test]
fn a_client_that_gives_up_is_told_upstream() {
    run(async {
        let world = grpc().open();
        let (_client, response, mut body, (_request, mut respond)) = called(&world).await;
        body.send_reset(Reason::CANCEL);
        drop(response);
        let reset = std::future::poll_fn(|cx| respond.poll_reset(cx)).await.unwrap();
        assert_eq!(reset, Reason::CANCEL);
        assert_eq!(world.statuses().await, [499]);
    });
}

#[test]
fn what_an_upstream_does_not_take_up_is_asked_again() {
    run(async {
        let world = grpc().open();
        let mut upstream = world.upstream();
        let mut client = Client::open(&world).await;
        let (response, mut body) = call(&mut client).await;
        body.send_data("asked".into(), true).unwrap();
        let mut server = Server::accept(&mut upstream).await;
        let (request, mut respond) = server.asked().await;
        let mut received = request.into_body();
        tokio::select! {
            asked = piece(&mut received) => assert_eq!(asked, "asked"),
            _ = server.0.accept() => panic!("nothing else is asked"),
        }
        respond.send_reset(Reason::REFUSED_STREAM);
        server.go_on();
        let mut server = Server::accept(&mut upstream).await;
        let (request, mut respond) = server.asked().await;
        server.go_on();
        let mut received = request.into_body();
        assert_eq!(piece(&mut received).await, "asked", "a short body is still there");
        ended(&mut received).await;
        respond.send_response(answer(), false).unwrap().send_trailers(status("0")).unwrap();
        assert_eq!(response.await.unwrap().status(), 200);
    });
}

/// As an upstream that goes away says of calls that crossed its word (RFC 9113, section 6.8): `last` is the last call that
/// it takes up.
async fn going_away(last: u32) -> (Option<u16>, bool) {
    let world = grpc().open();
    let mut upstream = world.upstream();
    let mut client = Client::open(&world).await;
    let (response, mut body) = call(&mut client).await;
    body.send_data(Bytes::new(), true).unwrap();
    let mut connection = upstream.accept().await;
    connection.send(frame(SETTINGS, 0, 0, &[])).await;
    // The preface, settings, a window, and the head of the call.
    assert!(connection.until(|input| input.len() > 200).await);
    connection.send(frame(GOAWAY, 0, 0, &[last.to_be_bytes(), [0; 4]].concat())).await;
    settle().await;
    drop(connection);
    settle().await;
    if !upstream.is_visited() {
        return (Some(response.await.unwrap().status().as_u16()), false);
    }
    (None, true)
}

#[test]
fn a_call_that_crosses_a_goodbye_is_asked_again() {
    run(async {
        assert_eq!(going_away(0).await, (None, true));
        assert_eq!(going_away(1).await, (Some(502), false), "it may have been taken up");
    });
}

#[test]
fn a_silent_upstream_is_late() {
    run(async {
        let mut setup = grpc();
        setup.service["retries"] = json!(0);
        setup.service["read_timeout"] = json!(5000);
        let world = setup.open();
        let (_client, response, mut body, _asked) = called(&world).await;
        body.send_data(Bytes::new(), true).unwrap();
        let (waited, response) = seconds(response).await;
        assert_eq!((waited, response.unwrap().status().as_u16()), (5, 504));

        let (_client, response, mut body, (_request, mut respond)) = called(&world).await;
        body.send_data(Bytes::new(), true).unwrap();
        let _stream = respond.send_response(answer(), false).unwrap();
        let (waited, said) = seconds(content(response.await.unwrap())).await;
        assert_eq!((waited, said.unwrap_err().reason()), (5, Some(Reason::INTERNAL_ERROR)));
    });
}

/// What the client is told when its call fails, by status and gRPC's own.
async fn failed(world: &World, act: impl AsyncFnOnce(&mut Upstream)) -> (u16, String, String) {
    behind(Door::Open, world, act).await
}

async fn behind(door: Door, world: &World, act: impl AsyncFnOnce(&mut Upstream)) -> (u16, String, String) {
    let mut upstream = world.upstream();
    upstream.doors([door]);
    let mut client = Client::open(world).await;
    let (response, _body) = call(&mut client).await;
    act(&mut upstream).await;
    let response = response.await.unwrap();
    let line = |name| response.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(line("content-type"), "application/grpc");
    assert!(response.body().is_end_stream(), "the head is all");
    (response.status().as_u16(), line("grpc-status"), line("grpc-message"))
}

fn told(status: u16, code: &str, message: &str) -> (u16, String, String) {
    (status, code.to_owned(), message.to_owned())
}

#[test]
fn failures_are_told_in_the_words_of_grpc() {
    run(async {
        let mut setup = grpc();
        setup.service["retries"] = json!(0);
        setup.service["read_timeout"] = json!(5000);
        let world = setup.open();
        let invalid = "An invalid response was received from the upstream server";
        let refused = behind(Door::Refused(111), &world, async |_| {}).await;
        assert_eq!(refused, told(502, "13", invalid));
        let closed = failed(&world, async |upstream| drop(upstream.accept().await)).await;
        assert_eq!(closed, told(502, "13", invalid));
        let other = failed(&world, async |upstream| upstream.accept().await.send(OK).await).await;
        assert_eq!(other, told(502, "13", invalid), "it speaks HTTP/1");
        let (waited, silent) = seconds(failed(&world, async |upstream| {
            let mut server = Server::accept(upstream).await;
            let asked = server.asked().await;
            spawn_local(async move {
                let _asked = asked;
                while server.0.accept().await.is_some() {}
            });
        }))
        .await;
        // It waits for the request's end first.
        assert_eq!((waited, silent.0, &*silent.1), (60, 408, "3"));
    });
}

#[test]
fn routes_take_what_is_theirs() {
    run(async {
        let world = grpc().open();
        let mut client = world.client();
        client.send("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 0\r\n\r\n").await;
        let answer = client.answer().await;
        assert!(answer.body.contains("Non-gRPC request matched gRPC route"), "{answer:?}");
        assert_eq!(answer.status(), 415);
        let mut client = world.client();
        let kind = "Content-Type: application/grpc";
        client.send(format!("POST / HTTP/1.1\r\nHost: a.test\r\n{kind}\r\nContent-Length: 0\r\n\r\n")).await;
        let answer = client.answer().await;
        assert!(answer.body.contains("Please use HTTP2 protocol"), "{answer:?}");
        assert_eq!((answer.status(), answer.header("Upgrade")), (426, Some("HTTP/2")));

        let mut setup = grpc();
        setup.route["protocols"] = json!(["grpcs"]);
        let world = setup.open();
        let plain = failed(&world, async |_| {}).await;
        assert_eq!(plain, told(200, "1", "gRPC request matched gRPCs route"));

        let mut setup = grpc();
        setup.route["paths"] = json!(["/other"]);
        assert_eq!(failed(&setup.open(), async |_| {}).await, told(404, "5", "NotFound"));
    });
}

#[test]
fn a_plugin_may_answer_a_call() {
    run(async {
        let mut setup = grpc();
        setup.plugins.push(plugin("gate", &[Phase::Access], async |exchange| {
            let answer = Answer { source: Source::Exit, status: 403, body: Bytes::new() };
            (exchange.session.answer, exchange.response.status) = (Some(answer), 403);
            polygate_chain::pdk::grpc::describe(&mut exchange.response.headers, 403, Some("not you"));
            Ok(())
        }));
        assert_eq!(failed(&setup.open(), async |_| {}).await, told(403, "7", "not you"));
    });
}

/// Events and calls may never end: the head is all that a handler of the response waits for.
#[test]
fn handlers_of_the_response_do_not_hold_a_stream_back() {
    run(async {
        let seen = || {
            plugin("seen", &[Phase::Response], async |exchange| {
                exchange.response.headers.append("x-seen", "head");
                Ok(())
            })
        };
        let mut setup = grpc();
        setup.plugins.push(seen());
        let world = setup.open();
        let (_client, response, _body, (_request, mut respond)) = called(&world).await;
        let mut stream = respond.send_response(answer(), false).unwrap();
        stream.send_data("first".into(), false).unwrap();
        let (head, mut said) = response.await.unwrap().into_parts();
        assert_eq!(head.headers["x-seen"], "head");
        assert_eq!(piece(&mut said).await, "first");
        stream.send_trailers(status("0")).unwrap();
        assert!(said.data().await.is_none());
        assert_eq!(said.trailers().await.unwrap(), Some(status("0")));

        let mut setup = crate::tests::setup();
        setup.plugins.push(seen());
        let world = setup.open();
        let (_upstream, mut client, mut connection) = world.asked().await;
        let kind = "Content-Type: text/event-stream; charset=utf-8";
        connection.send(format!("HTTP/1.1 200 OK\r\n{kind}\r\nTransfer-Encoding: chunked\r\n\r\n")).await;
        connection.send("6\r\ndata: \r\n").await;
        assert!(client.head().await.unwrap().contains("\r\nx-seen: head\r\n"));
        assert_eq!(client.bytes(11).await, "6\r\ndata: \r\n");
    });
}

/// Its window is what an upstream that does not read lets through.
#[test]
fn an_upstream_that_does_not_read_is_late() {
    run(async {
        let mut setup = grpc();
        setup.service["write_timeout"] = json!(7000);
        setup.service["retries"] = json!(0);
        let world = setup.open();
        let (_client, response, mut body, (_request, _respond)) = called(&world).await;
        let sending = spawn_local(async move {
            loop {
                body.reserve_capacity(10_000);
                while body.capacity() == 0 {
                    match std::future::poll_fn(|cx| body.poll_capacity(cx)).await {
                        Some(Ok(_)) => {}
                        _ => return,
                    }
                }
                let piece = vec![b'x'; body.capacity().min(10_000)];
                if body.send_data(piece.into(), false).is_err() {
                    return;
                }
            }
        });
        let (waited, response) = seconds(response).await;
        assert_eq!((waited, response.unwrap().status().as_u16()), (7, 504));
        sleep(secs(1)).await;
        sending.abort();
    });
}

#[test]
fn a_client_of_http1_reaches_a_service_of_grpc() {
    run(async {
        let mut setup = grpc();
        setup.route["protocols"] = json!(["http"]);
        let world = setup.open();
        let mut upstream = world.upstream();
        let mut client = world.client();
        client.send("POST /a HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\n\r\nasked").await;
        let mut server = Server::accept(&mut upstream).await;
        let (request, mut respond) = server.asked().await;
        assert_eq!(request.headers()["content-length"], "5");
        let mut stream = respond.send_response(answer(), false).unwrap();
        stream.send_data("said".into(), false).unwrap();
        stream.send_trailers(status("0")).unwrap();
        server.go_on();
        assert_eq!(client.answer().await.body, "said");
    });
}

/// A query that HTTP/1 takes as it is, and the library of HTTP/2 does not.
#[test]
fn what_cannot_be_said_is_not_asked() {
    run(async {
        let mut setup = grpc();
        setup.route["protocols"] = json!(["http"]);
        let world = setup.open();
        let upstream = world.upstream();
        let mut client = world.client();
        client.send("GET /a?<b> HTTP/1.1\r\nHost: a.test\r\n\r\n").await;
        assert_eq!(client.answer().await.status(), 500);
        assert!(!upstream.is_visited());
        assert_eq!(world.ends().await[0].tries.len(), 1, "no other peer could take it");
    });
}

/// Not to be mistaken for content.
#[test]
fn frames_of_a_call() {
    run(async {
        let world = grpc().open();
        let mut upstream = world.upstream();
        let mut client = RawClient::open(&world).await;
        let kind: &[u8] = b"application/grpc";
        client.headers(1, &fields(&[("content-type", Some(kind))]), END_STREAM).await.unwrap();
        let mut server = Server::accept(&mut upstream).await;
        let (_request, mut respond) = server.asked().await;
        let mut stream = respond.send_response(answer(), false).unwrap();
        stream.send_data("said".into(), false).unwrap();
        stream.send_trailers(status("0")).unwrap();
        server.go_on();
        let mut kinds = Vec::new();
        while kinds.len() < 3 {
            let Frame { kind, flags, .. } = client.frame().await.unwrap();
            if matches!(kind, HEADERS | DATA) {
                kinds.push((kind, flags & END_STREAM));
            }
        }
        assert_eq!(kinds, [(HEADERS, 0), (DATA, 0), (HEADERS, END_STREAM)]);
    });
}
