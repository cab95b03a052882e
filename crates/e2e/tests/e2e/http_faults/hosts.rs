//! H12: one valid Host, and the target's authority before it.

use polygate_testkit::Gateway;

use crate::http_faults::site::{Setup, ask};
use crate::http_faults::upstream::{OK, Upstream};

fn site() -> (Upstream, Gateway) {
    let upstream = Upstream::answering(OK);
    let gateway = Setup::of(&upstream).start();
    (upstream, gateway)
}

#[track_caller]
fn expect_refused(requests: &[String]) {
    let (upstream, gateway) = site();
    for request in requests {
        let answer = ask(&gateway, request);
        assert_eq!(answer.status, 400, "{request:?}");
        assert!(answer.closes(), "{request:?}");
    }
    assert_eq!(upstream.requests().len(), 0, "{:?}", upstream.requests());
}

fn with_host(host: &str) -> String {
    format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n")
}

#[test]
fn h12_two_host_lines_are_refused() {
    let pair = |one: &str, two: &str| format!("GET / HTTP/1.1\r\n{one}\r\nX-A: 1\r\n{two}\r\n\r\n");
    expect_refused(&[
        pair("Host: a.example", "Host: b.example"),
        pair("Host: a.example", "Host: a.example"),
        pair("host: a.example", "HOST: b.example"),
        pair("Host: a.example", "Host:"),
        pair("Host:", "Host: a.example"),
    ]);
}

#[test]
fn h12_hosts_that_are_none_are_refused() {
    let hosts = [
        "a b",
        "x/y",
        "\"><script>",
        "a.example, b.example",
        "a.example,b.example",
        "user@a.example",
        "user:pw@a.example",
        "a.example:8x",
        "a.example:port",
        "a..example",
        "a.example?x",
        "a.example#x",
        "a\\b",
        "[::1",
        "<a>",
        "a\tb",
        "",
    ];
    expect_refused(&hosts.map(with_host));
}

#[test]
fn h12_no_host_is_refused() {
    expect_refused(&["GET / HTTP/1.1\r\nX-A: 1\r\n\r\n".to_owned()]);
}

#[test]
fn h12_targets_with_a_bad_authority_are_refused() {
    let target = |target: &str| format!("GET {target} HTTP/1.1\r\nHost: a.example\r\n\r\n");
    let targets =
        ["http://user:pw@a.example/", "http://a b/", "http:///x", "http://a.example:8x/", "http://"];
    expect_refused(&targets.map(target));
}

#[test]
fn h12_hosts_of_every_kind_pass() {
    let (upstream, gateway) = site();
    let hosts = [
        "a.example",
        "A.Example",
        "a.example:8080",
        "127.0.0.1",
        "[::1]",
        "[::1]:80",
        "under_score",
        "xn--caf-dma.test",
    ];
    for host in hosts {
        assert_eq!(ask(&gateway, with_host(host)).status, 200, "{host}");
        let requests = upstream.requests();
        let forwarded = requests.last().expect("it came").values("X-Forwarded-Host");
        let name = if host.starts_with('[') { "[::1]" } else { host.split(':').next().unwrap_or_default() };
        assert_eq!(forwarded, [name.to_ascii_lowercase()], "{host}");
    }
}

#[test]
fn h12_the_authority_of_the_target_wins() {
    let (upstream, gateway) = site();
    for (target, path) in [
        ("http://target.example/x", "/x"),
        ("http://target.example:8080/x", "/x"),
        ("HTTP://Target.Example/x", "/x"),
        ("http://target.example", "/"),
        ("http://target.example?x=1", "/?x=1"),
        ("http://target.example/?x=1", "/?x=1"),
    ] {
        let answer = ask(&gateway, format!("GET {target} HTTP/1.1\r\nHost: other.example\r\n\r\n"));
        assert_eq!(answer.status, 200, "{target}");
        let requests = upstream.requests();
        let seen = requests.last().expect("it came");
        assert_eq!(seen.values("X-Forwarded-Host"), ["target.example"], "{target}");
        assert_eq!(seen.target(), path, "{target}");
        assert!(!seen.head.contains("other.example"), "{target}: {}", seen.head);
    }
}
