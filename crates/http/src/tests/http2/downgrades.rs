//! What becomes of requests that HTTP/1 would say otherwise, or not at all (RFC 9113, sections 8.2, 8.3 and 10.3): the
//! upstream gets one request that is the client's, or none.

use std::cell::RefCell;
use std::rc::Rc;

use tokio::task::{JoinHandle, spawn_local};

use crate::tests::http2::frames::{
    DATA, END_STREAM, Fields, Frame, GOAWAY, HEADERS, RST_STREAM, RawClient, fields,
};
use crate::tests::peer::Message;
use crate::tests::{OK, World, run, settle, setup};

/// What is to become of a request.
enum Becomes {
    /// It is ended without an answer, or with the connection.
    Reset,
    /// It is answered with 400.
    Refused,
    /// One request with this line, these lines among others, and none of those names.
    Request(&'static str, &'static [&'static str], &'static [&'static str]),
}

use Becomes::{Refused, Request, Reset};

/// Changes to a request, see [`fields`]; its body is `abc`.
type Row = (&'static [(&'static str, Option<&'static [u8]>)], Becomes);

const POST: &str = "POST / HTTP/1.1";
const USUAL: Becomes = Request(POST, &["Host: 10.0.0.1", "Content-Length: 3"], &["Transfer-Encoding"]);

const fn some(value: &'static [u8]) -> Option<&'static [u8]> {
    Some(value)
}

#[rustfmt::skip]
const ROWS: &[Row] = &[
    (&[], USUAL),
    // Of one connection (RFC 9113, section 8.2.2).
    (&[("connection", some(b"close"))], Reset),
    (&[("connection", some(b"keep-alive"))], Reset),
    (&[("connection", some(b"upgrade")), ("upgrade", some(b"websocket"))], Reset),
    (&[("connection", some(b"x-a")), ("x-a", some(b"1"))], Reset),
    (&[("connection", some(b""))], Reset),
    (&[("keep-alive", some(b"timeout=5"))], Reset),
    (&[("proxy-connection", some(b"keep-alive"))], Reset),
    (&[("upgrade", some(b"h2c"))], Reset),
    (&[("transfer-encoding", some(b"chunked"))], Reset),
    (&[("transfer-encoding", some(b"identity"))], Reset),
    (&[("transfer-encoding", some(b"gzip, chunked"))], Reset),
    (&[("transfer-encoding", some(b""))], Reset),
    (&[("transfer-encoding", some(b"chunked")), ("content-length", some(b"3"))], Reset),
    (&[("te", some(b"gzip"))], Reset),
    (&[("te", some(b"trailers, deflate"))], Reset),
    (&[("te", some(b"trailers"))], Request(POST, &["TE: trailers"], &[])),
    // Letters of names (section 8.2.1).
    (&[("X-A", some(b"1"))], Reset),
    (&[("x-aB", some(b"1"))], Reset),
    (&[("Host", some(b"b.test"))], Reset),
    (&[("Content-Length", some(b"0"))], Reset),
    (&[("Transfer-Encoding", some(b"chunked"))], Reset),
    (&[("x a", some(b"1"))], Reset),
    (&[(" x", some(b"1"))], Reset),
    (&[("x ", some(b"1"))], Reset),
    (&[("x\t", some(b"1"))], Reset),
    (&[("x:a", some(b"1"))], Reset),
    (&[("x\r\ny", some(b"1"))], Reset),
    (&[("x: 1\r\ncontent-length", some(b"0"))], Reset),
    (&[("x\0", some(b"1"))], Reset),
    (&[("x\u{7f}", some(b"1"))], Reset),
    (&[("x\u{e9}", some(b"1"))], Reset),
    (&[("", some(b"1"))], Reset),
    (&[("x_a", some(b"1"))], Request(POST, &["x_a: 1"], &[])),
    (&[("x.a", some(b"1"))], Request(POST, &[], &["x.a", "x-a"])),
    (&[("transfer_encoding", some(b"chunked"))], Request(POST, &["Content-Length: 3"], &["Transfer-Encoding"])),
    (&[("transfer.encoding", some(b"chunked"))], Request(POST, &[], &["transfer.encoding"])),
    // Values.
    (&[("x", some(b"a\r\ntransfer-encoding: chunked"))], Reset),
    (&[("x", some(b"a\r\n\r\nGET /b HTTP/1.1\r\nhost: b"))], Reset),
    (&[("x", some(b"a\nb"))], Reset),
    (&[("x", some(b"a\rb"))], Reset),
    (&[("x", some(b"a\0b"))], Reset),
    (&[("x", some(b"a\x01b"))], Reset),
    (&[("x", some(b"a\x7fb"))], Reset),
    (&[("x", some(b"a\tb"))], Request(POST, &["x: a\tb"], &[])),
    (&[("x", some(b" \ta \t"))], Request(POST, &["x: a"], &[])),
    (&[("x", some(b""))], Request(POST, &["x: "], &[])),
    // The target (section 8.3.1).
    (&[(":path", some(b""))], Reset),
    (&[(":path", None)], Reset),
    (&[(":path", some(b"/a")), (":path", some(b"/b"))], Reset),
    (&[(":path", some(b"a"))], Reset),
    (&[(":path", some(b"*"))], Refused),
    (&[(":path", some(b"/a b"))], Reset),
    (&[(":path", some(b"/a HTTP/1.1"))], Reset),
    (&[(":path", some(b"/a\tb"))], Reset),
    (&[(":path", some(b"/a\r\nx: y"))], Reset),
    (&[(":path", some(b"/a HTTP/1.1\r\nhost: b\r\n\r\nGET /b"))], Reset),
    (&[(":path", some(b"/a\nb"))], Reset),
    (&[(":path", some(b"/a\0b"))], Reset),
    (&[(":path", some(b"/a?b c"))], Reset),
    (&[(":path", some(b"/%zz"))], Refused),
    (&[(":path", some(b"//b.test/x"))], Request("POST /b.test/x HTTP/1.1", &[], &[])),
    (&[(":path", some(b"/a/../b?c=%20d"))], Request("POST /b?c=%20d HTTP/1.1", &[], &[])),
    (&[(":path", some(b"/a#b"))], Request("POST /a HTTP/1.1", &[], &[])),
    // The method.
    (&[(":method", None)], Reset),
    (&[(":method", some(b""))], Reset),
    (&[(":method", some(b"GET")), (":method", some(b"PUT"))], Reset),
    (&[(":method", some(b"G T"))], Reset),
    (&[(":method", some(b"GET /b HTTP/1.1\r\nhost: b\r\n\r\nGET"))], Reset),
    (&[(":method", some(b"GET\0"))], Reset),
    (&[(":method", some(b"get"))], Refused),
    (&[(":method", some(b"PRI"))], Request("PRI / HTTP/1.1", &["Content-Length: 3"], &[])),
    (&[(":method", some(b"CONNECT"))], Reset),
    (&[(":method", some(b"CONNECT")), (":path", None), (":scheme", None)], Refused),
    (&[(":method", some(b"GET"))], Request("GET / HTTP/1.1", &["Content-Length: 3"], &[])),
    (&[(":scheme", None)], Reset),
    (&[(":scheme", some(b"ht tp"))], Reset),
    (&[(":scheme", some(b"http")), (":scheme", some(b"https"))], Reset),
    (&[(":scheme", some(b"https"))], USUAL),
    (&[(":status", some(b"200"))], Reset),
    (&[(":x", some(b"1"))], Reset),
    (&[(":protocol", some(b"websocket"))], Reset),
    // Whom it is for (section 8.3.1).
    (&[(":authority", None)], Refused),
    (&[(":authority", None), ("host", some(b"b.test"))], Request(POST, &["X-Forwarded-Host: b.test"], &[])),
    (&[("host", some(b"a.test"))], Request(POST, &["X-Forwarded-Host: a.test"], &[])),
    (&[("host", some(b"b.test"))], Refused),
    (&[("host", some(b"a.test")), ("host", some(b"b.test"))], Refused),
    (&[(":authority", None), ("host", some(b"a.test")), ("host", some(b"a.test"))], Refused),
    (&[(":authority", some(b"a.test")), (":authority", some(b"b.test"))], Reset),
    (&[(":authority", some(b"a.test, b.test"))], Reset),
    (&[(":authority", some(b"a.test,b.test"))], Refused),
    (&[(":authority", some(b"a test"))], Reset),
    (&[(":authority", some(b"a.test/x"))], Reset),
    (&[(":authority", some(b"a.test\r\nx: y"))], Reset),
    (&[(":authority", some(b"user@a.test"))], Refused),
    (&[(":authority", some(b"a.test:80:90"))], Reset),
    (&[(":authority", some(b"a..test"))], Refused),
    // The length (section 8.1.1).
    (&[("content-length", some(b"3"))], USUAL),
    (&[("content-length", some(b"2"))], Reset),
    (&[("content-length", some(b"4"))], Reset),
    (&[("content-length", some(b"0"))], Reset),
    (&[("content-length", some(b"+3"))], Reset),
    (&[("content-length", some(b"-3"))], Reset),
    (&[("content-length", some(b"0x3"))], Reset),
    (&[("content-length", some(b"3, 3"))], Reset),
    (&[("content-length", some(b"3;"))], Reset),
    (&[("content-length", some(b""))], Reset),
    (&[("content-length", some(b"18446744073709551619"))], Reset),
    (&[("content-length", some(b"3")), ("content-length", some(b"3"))], Refused),
    (&[("content-length", some(b"3")), ("content-length", some(b"0"))], Reset),
    // Leave to send is not asked for, and cookies are one line (section 8.2.3).
    (&[("expect", some(b"100-continue"))], Request(POST, &["Content-Length: 3"], &["Expect"])),
    (&[("cookie", some(b"a=b")), ("cookie", some(b"c=d"))], Request(POST, &["cookie: a=b; c=d"], &[])),
    (&[("http2-settings", some(b"AAMAAABkAAQAAP__"))], Request(POST, &[], &["HTTP2-Settings"])),
];

/// An upstream that answers as if nothing was wrong, and what it is asked.
struct Upstream {
    requests: Rc<RefCell<Vec<Message>>>,
    task: JoinHandle<()>,
}

impl Upstream {
    fn of(world: &World) -> Self {
        let requests = Rc::<RefCell<Vec<Message>>>::default();
        let (mut upstream, seen) = (world.upstream(), requests.clone());
        let task = spawn_local(async move {
            let mut connection = upstream.accept().await;
            while let Some(request) = connection.next_request().await {
                seen.borrow_mut().push(request);
                connection.send(OK).await;
            }
        });
        Self { requests, task }
    }

    /// All that it was asked, when nobody asks any more.
    async fn asked(self) -> Vec<Message> {
        settle().await;
        self.task.abort();
        self.requests.take()
    }
}

/// The frame that decides a request: the head of its answer, a reset, or that of the whole connection.
async fn decision(client: &mut RawClient) -> Option<Frame> {
    loop {
        let frame = client.frame().await?;
        if matches!(frame.kind, HEADERS | RST_STREAM | GOAWAY) {
            return Some(frame);
        }
    }
}

async fn asked(fields: &Fields<'_>) -> (Option<Frame>, Vec<Message>) {
    let world = setup().open();
    let upstream = Upstream::of(&world);
    let mut client = RawClient::open(&world).await;
    client.headers(1, fields, 0).await.unwrap();
    // The connection may be over by then.
    let _ = client.send(DATA, END_STREAM, 1, b"abc").await;
    let decision = decision(&mut client).await;
    (decision, upstream.asked().await)
}

/// What a request became, in the words of the table.
fn became(decision: Option<&Frame>, requests: &[Message]) -> String {
    let answer = match decision {
        Some(frame) if frame.kind == HEADERS => frame.status().to_string(),
        _ => "reset".to_owned(),
    };
    format!("{answer} {requests:?}")
}

fn is_as_wanted(becomes: &Becomes, decision: Option<&Frame>, requests: &[Message]) -> bool {
    let status = decision.filter(|frame| frame.kind == HEADERS).map(Frame::status);
    match (becomes, requests) {
        (Reset, []) => status.is_none(),
        (Refused, []) => status == Some(400),
        (Request(line, lines, absent), [request]) => {
            status == Some(200)
                && (request.line(), &*request.body) == (*line, "abc")
                && lines.iter().all(|wanted| request.head.lines().any(|line| line == *wanted))
                && absent.iter().all(|name| request.header(name).is_none())
        }
        _ => false,
    }
}

#[test]
fn there_is_one_request_upstream_or_none() {
    run(async {
        let mut wrong = Vec::new();
        for (changes, becomes) in ROWS {
            let fields = fields(changes);
            let (decision, requests) = asked(&fields).await;
            if !is_as_wanted(becomes, decision.as_ref(), &requests) {
                let fields: Vec<_> = fields
                    .iter()
                    .map(|(name, value)| [name, value].map(|it| it.escape_ascii().to_string()))
                    .collect();
                wrong.push(format!("{fields:?}: {}", became(decision.as_ref(), &requests)));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    });
}

/// They end at the gateway, whatever they say.
#[test]
fn trailers_are_no_head_of_anything() {
    run(async {
        for (trailer, is_taken) in [
            (fields(&[(":authority", None), (":path", None), (":scheme", None), (":method", None)]), true),
            (vec![(b"x-a".as_slice(), b"1".as_slice())], true),
            (vec![(b"content-length".as_slice(), b"99".as_slice())], true),
            (vec![(b"transfer-encoding".as_slice(), b"chunked".as_slice())], false),
            (vec![(b":path".as_slice(), b"/b".as_slice())], true),
        ] {
            let world = setup().open();
            let upstream = Upstream::of(&world);
            let mut client = RawClient::open(&world).await;
            client.headers(1, &fields(&[]), 0).await.unwrap();
            client.send(DATA, 0, 1, b"abc").await.unwrap();
            client.headers(1, &trailer, END_STREAM).await.unwrap();
            let decision = decision(&mut client).await.unwrap();
            let requests = upstream.asked().await;
            assert_eq!(decision.kind == HEADERS, is_taken, "{trailer:?}");
            let lines: Vec<_> = requests.iter().map(|request| request.line().to_owned()).collect();
            assert_eq!(lines, if is_taken { vec![POST] } else { vec![] }, "{trailer:?}");
        }
    });
}
