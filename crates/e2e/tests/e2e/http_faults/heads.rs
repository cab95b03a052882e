//! H21, H25: heads that are refused leave their traces, and the small print of HTTP.

use std::fs;
use std::net::Ipv4Addr;

use polygate_testkit::{Gateway, Request, eventually};
use serde_json::json;

use crate::http_faults::site::{PATIENCE, Setup, ask, connect, get, metric, wait_for_access};
use crate::http_faults::upstream::{OK, Peer, Upstream};
use crate::program::{GO, Program};

fn site() -> (Upstream, Gateway) {
    let upstream = Upstream::answering(OK);
    let gateway = Setup::of(&upstream).start();
    (upstream, gateway)
}

/// An error page, a line in the access log and a count, as for every other error.
#[track_caller]
fn expect_traces(gateway: &Gateway, request: &str, status: u16) {
    let counted = format!("polygate_http_requests_total{{code=\"{status}\"}}");
    let (lines, count) = (gateway.access_log().len(), metric(gateway, &counted));
    let answer = ask(gateway, request);
    assert_eq!(answer.status, status, "{request:?}");
    let id =
        answer.header("X-Kong-Request-Id").unwrap_or_else(|| panic!("no request id: {answer:?}")).to_owned();
    // The reference has no page of its own for 501, and the words of the server in its place.
    let page = if status == 501 { "501 Not Implemented" } else { &id };
    assert!(answer.text().contains(page), "no error page: {answer:?}");
    assert!(answer.closes(), "{request:?}");
    wait_for_access(gateway, &[&id, &format!(" {status} ")]);
    assert_eq!(gateway.access_log().len(), lines + 1);
    assert_eq!(metric(gateway, &counted), count + 1.0, "{request:?}");
}

#[test]
fn h21_heads_that_are_no_http_leave_their_traces() {
    let (upstream, gateway) = site();
    for request in [
        "nonsense\r\n\r\n",
        "GET\r\n\r\n",
        "GET / HTTX/1.1\r\nHost: a\r\n\r\n",
        "GET / http/1.1\r\nHost: a\r\n\r\n",
        "GET x HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / x HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX A: 1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n: 1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX-A: a\r\n b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX-A: a\0b\r\n\r\n",
        "G\x01T / HTTP/1.1\r\nHost: a\r\n\r\n",
    ] {
        expect_traces(&gateway, request, 400);
    }
    assert_eq!(upstream.requests().len(), 0);
}

#[test]
fn h21_heads_over_a_limit_leave_their_traces() {
    let (upstream, gateway) = site();
    expect_traces(&gateway, &get("/", &format!("X-Long: {}\r\n", "a".repeat(9000))), 400);
    expect_traces(&gateway, &get(&format!("/{}", "a".repeat(9000)), ""), 414);
    expect_traces(&gateway, "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: cow\r\n\r\n", 501);
    expect_traces(&gateway, "GET / HTTP/1.1\r\n\r\n", 400);
    assert_eq!(upstream.requests().len(), 0);
}

/// A refused head does not harm the answers before it on its connection.
#[test]
fn h21_a_refused_head_behind_a_request() {
    let (_upstream, gateway) = site();
    let mut connection = connect(&gateway);
    connection.write(format!("{}nonsense\r\n\r\n", get("/", "")).as_bytes()).expect("the gateway reads");
    assert_eq!(connection.read_response("GET").expect("the first answer").status, 200);
    assert_eq!(connection.read_response("GET").expect("the second answer").status, 400);
    assert_eq!(connection.rest().expect("the end"), b"");
}

/// A user name is not checked by anybody, so it is escaped like all of the line.
#[test]
fn h25_the_user_of_basic_credentials_is_logged() {
    let (_upstream, gateway) = site();
    // "user-a:pw", "a b:pw" and, with a quotation mark, "x\"y:".
    for (credentials, user) in [("dXNlci1hOnB3", " - user-a ["), ("eCJ5Og==", " - x\\x22y [")] {
        ask(&gateway, get("/", &format!("Authorization: Basic {credentials}\r\n"))).expect(200);
        wait_for_access(&gateway, &[user]);
    }
    for credentials in ["Basic %%%", "Bearer dXNlci1hOnB3", "Basic"] {
        let id = ask(&gateway, get("/", &format!("Authorization: {credentials}\r\n"))).expect(200);
        let id = id.header("X-Kong-Request-Id").expect("an id").to_owned();
        wait_for_access(&gateway, &[&id, " - - ["]);
    }
}

#[test]
fn h25_the_te_line_goes_on_as_far_as_it_is_understood() {
    let (upstream, gateway) = site();
    for (te, wanted) in [("trailers", Some("trailers")), ("gzip, trailers", Some("trailers")), ("gzip", None)]
    {
        ask(&gateway, get("/", &format!("TE: {te}\r\nConnection: TE\r\n"))).expect(200);
        let requests = upstream.requests();
        let seen = requests.last().expect("it came");
        assert_eq!(seen.values("TE").first().copied(), wanted, "{te}");
    }
}

/// Trailers end at the gateway. As in the reference their announcement goes on, but not to a client that wants none.
#[test]
fn h25_trailers_go_to_nobody_who_did_not_ask() {
    let answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n2\r\nok\r\n0\r\nX-T: 1\r\n\r\n";
    let upstream = Upstream::answering(answer);
    let gateway = Setup::of(&upstream).start();
    for (lines, announced) in [("", None), ("TE: gzip, trailers\r\n", Some("X-T"))] {
        let request = format!(
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n{lines}Trailer: X-T\r\n\r\n\
             2\r\nok\r\n0\r\nX-T: 1\r\n\r\n"
        );
        let answer = ask(&gateway, request);
        let seen = upstream.requests().pop().expect("it came");
        assert_eq!((&*seen.body, &*answer.body), (&b"ok"[..], &b"ok"[..]));
        assert_eq!((seen.values("Trailer"), seen.values("X-T")), (vec!["X-T"], vec![]), "{}", seen.head);
        assert_eq!((answer.header("Trailer"), answer.header("X-T")), (announced, None), "{lines}");
    }
}

/// A connection that ends after the answer says so.
#[test]
fn h25_an_answer_without_a_length_to_http10_closes() {
    let upstream = Upstream::start(|peer| {
        if peer.request().is_some() {
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nuntil the end");
        }
    });
    let gateway = Setup::of(&upstream).start();
    for lines in ["", "Connection: keep-alive\r\n"] {
        let mut connection = connect(&gateway);
        connection.write(format!("GET / HTTP/1.0\r\n{lines}\r\n").as_bytes()).expect("the gateway reads");
        let answer = String::from_utf8(connection.rest().expect("the end")).expect("text");
        assert!(answer.ends_with("\r\n\r\nuntil the end"), "{answer}");
        assert!(!answer.to_ascii_lowercase().contains("connection: keep-alive"), "{answer}");
    }
}

#[test]
fn h25_chunks_of_an_upstream_reach_http10_clients_without_their_coding() {
    let upstream =
        Upstream::answering(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n");
    let gateway = Setup::of(&upstream).start();
    let mut connection = connect(&gateway);
    connection.write(b"GET / HTTP/1.0\r\n\r\n").expect("the gateway reads");
    let answer = String::from_utf8(connection.rest().expect("the end")).expect("text");
    assert!(answer.ends_with("\r\n\r\nok"), "{answer}");
    assert!(!answer.to_ascii_lowercase().contains("transfer-encoding"), "{answer}");
}

/// The version in Via is the client's.
#[test]
fn h25_via_names_the_clients_version() {
    let (upstream, gateway) = site();
    ask(&gateway, get("/", "")).expect(200);
    ask(&gateway, "GET / HTTP/1.0\r\nHost: a\r\n\r\n").expect(200);
    let via: Vec<_> = upstream.requests().iter().map(|request| request.values("Via").join(", ")).collect();
    assert!(via[0].starts_with("1.1 "), "{via:?}");
    // The reference leaves the zero out.
    assert!(via[1].starts_with("1.0 ") || via[1].starts_with("1 "), "{via:?}");
}

#[test]
fn h25_a_higher_minor_version_is_served() {
    let (upstream, gateway) = site();
    for version in ["HTTP/1.2", "HTTP/1.9"] {
        let answer = ask(&gateway, format!("GET / {version}\r\nHost: a\r\n\r\n"));
        assert_eq!(answer.status, 200, "{version}");
    }
    assert!(upstream.requests().iter().all(|request| request.line() == "GET / HTTP/1.1"));
}

/// Names have the letters that were written, whoever wrote them.
#[test]
fn h25_names_that_plugins_set_keep_their_letters() {
    let upstream = Upstream::answering(b"HTTP/1.1 200 OK\r\nx-uP: 1\r\nContent-Length: 0\r\n\r\n");
    let gateway = Setup::of(&upstream).go().start();
    let program = Program::new(GO)
        .call("access", "kong.service.request.set_header", json!(["x-tO-Upstream", "1"]))
        .call("access", "kong.response.set_header", json!(["x-tO-Client", "1"]));
    let request = program.load_into(Request::get("/").header("x-mY-Own", "1"));
    let answer = ask(&gateway, request.to_bytes()).expect(200);
    let names: Vec<_> = answer.headers.iter().map(|(name, _)| name.as_str()).collect();
    assert!(names.contains(&"x-uP") && names.contains(&"x-tO-Client"), "{names:?}");
    let head = upstream.only().head;
    assert!(head.contains("\r\nx-mY-Own: 1") && head.contains("\r\nx-tO-Upstream: 1"), "{head}");
}

#[test]
fn h25_the_hosts_file_is_read_again_on_reload() {
    let serve = |peer: &mut Peer| while peer.request().is_some() && peer.send(OK) {};
    let first = Upstream::start(serve);
    let second = Upstream::at((Ipv4Addr::new(127, 0, 0, 2), first.address().port()).into(), serve);
    let folder = tempfile::tempdir().expect("a temporary directory");
    let hosts = folder.path().join("hosts");
    let resolve_to = |upstream: &Upstream| {
        fs::write(&hosts, format!("{} moved.example\n", upstream.address().ip()))
            .expect("the folder is writable");
    };
    resolve_to(&first);
    let gateway = Setup::at(&format!("moved.example:{}", first.address().port()))
        .conf(&format!("dns_hostsfile = {}", hosts.display()))
        .start();
    ask(&gateway, get("/", "")).expect(200);
    resolve_to(&second);
    gateway.reload();
    eventually(PATIENCE, "a request for the new address", || {
        ask(&gateway, get("/", "")).expect(200);
        (second.requests().len() == 1).then_some(())
    });
}
