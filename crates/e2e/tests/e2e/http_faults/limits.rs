//! H11: limits count bytes, and exactly; nothing counts lines.

use crate::http_faults::site::{Setup, ask, expect_served, get};
use crate::http_faults::upstream::{OK, Upstream};

fn lines(count: usize) -> String {
    (0..count).map(|number| format!("X-Line-{number}: {number}\r\n")).collect()
}

fn line_of(bytes: usize) -> String {
    format!("X-Long: {}\r\n", "a".repeat(bytes - "X-Long: \r\n".len()))
}

#[test]
fn h11_many_header_lines_of_a_request_pass() {
    let upstream = Upstream::answering(OK);
    let gateway = Setup::of(&upstream).start();
    for count in [99, 101, 500, 1000] {
        assert_eq!(ask(&gateway, get("/", &lines(count))).status, 200, "{count} lines");
        let requests = upstream.requests();
        let seen = requests.last().expect("it came");
        let came = seen.head.lines().filter(|line| line.to_ascii_lowercase().starts_with("x-line-")).count();
        assert_eq!(came, count);
    }
}

#[test]
fn h11_many_header_lines_of_an_answer_pass() {
    for count in [99, 101, 500, 1000] {
        let answer = format!("HTTP/1.1 200 OK\r\n{}Content-Length: 2\r\n\r\nok", lines(count));
        let upstream = Upstream::answering(answer.as_bytes());
        let gateway = Setup::of(&upstream).start();
        let answer = ask(&gateway, get("/", ""));
        assert_eq!(answer.status, 200, "{count} lines");
        let came = answer.headers.iter().filter(|(name, _)| name.to_ascii_lowercase().starts_with("x-line-"));
        assert_eq!(came.count(), count);
        assert_eq!(upstream.requests().len(), 1);
    }
}

/// Request lines and header lines of some sizes, and what comes of them.
#[track_caller]
fn expect_sizes(conf: &str, passes: &[usize], refused: &[usize]) {
    let upstream = Upstream::answering(OK);
    let gateway = Setup::of(&upstream).conf(conf).start();
    let target = |bytes: usize| format!("/{}", "a".repeat(bytes - "GET / HTTP/1.1\r\n".len()));
    for size in passes {
        assert_eq!(ask(&gateway, get("/", &line_of(*size))).status, 200, "a header line of {size} bytes");
        assert_eq!(ask(&gateway, get(&target(*size), "")).status, 200, "a request line of {size} bytes");
    }
    let came = upstream.requests().len();
    for size in refused {
        assert_eq!(ask(&gateway, get("/", &line_of(*size))).status, 400, "a header line of {size} bytes");
        assert_eq!(ask(&gateway, get(&target(*size), "")).status, 414, "a request line of {size} bytes");
    }
    assert_eq!(upstream.requests().len(), came);
    expect_served(&gateway);
}

#[test]
fn h11_a_line_fits_into_one_buffer() {
    expect_sizes("", &[1000, 4000, 8000, 8190], &[8194, 9000, 16_000, 30_000, 40_000, 100_000]);
}

#[test]
fn h11_buffers_are_as_large_as_configured() {
    expect_sizes("nginx_http_large_client_header_buffers = 4 2k", &[1000, 2046], &[2050, 3000, 8000]);
    expect_sizes("nginx_http_large_client_header_buffers = 4 16k", &[9000, 16_382], &[16_386, 40_000]);
}

/// Four lines of 7 KiB fit into four buffers, a fifth and a sixth do not.
#[test]
fn h11_a_head_fits_into_all_buffers() {
    let upstream = Upstream::answering(OK);
    let gateway = Setup::of(&upstream).start();
    let head = |count: usize| get("/", &line_of(7168).repeat(count));
    assert_eq!(ask(&gateway, head(3)).status, 200);
    for count in [6, 10, 100] {
        assert_eq!(ask(&gateway, head(count)).status, 400, "{count} lines of 7 KiB");
    }
    assert_eq!(upstream.requests().len(), 1);
    expect_served(&gateway);
}

/// Lines without end, and nothing but line ends: neither is kept for ever.
#[test]
fn h11_a_head_without_end_is_refused() {
    let upstream = Upstream::answering(OK);
    let gateway = Setup::of(&upstream).start();
    assert_eq!(ask(&gateway, format!("GET /{}", "a".repeat(200_000))).status, 414);
    assert_eq!(ask(&gateway, format!("GET / HTTP/1.1\r\nX: {}", "a".repeat(200_000))).status, 400);
    assert_eq!(ask(&gateway, format!("GET / HTTP/1.1\r\n{}", "X: 1\r\n".repeat(50_000))).status, 400);
    assert_eq!(upstream.requests().len(), 0);
    expect_served(&gateway);
}
