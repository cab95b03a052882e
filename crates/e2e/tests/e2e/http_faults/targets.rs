//! H1, H10, H25: which request targets are refused, and that the others arrive as they are.

use crate::http_faults::site::{Setup, ask, expect_served, get};
use crate::http_faults::upstream::{OK, Upstream};

/// Sends a target of bytes.
fn raw(target: &[u8]) -> Vec<u8> {
    [b"GET ", target, b" HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n\r\n"].concat()
}

#[track_caller]
fn expect_refused(targets: &[&[u8]]) {
    let upstream = Upstream::answering(OK);
    let gateway = Setup::of(&upstream).start();
    for target in targets {
        let answer = ask(&gateway, raw(target));
        assert_eq!(answer.status, 400, "{:?}", String::from_utf8_lossy(target));
    }
    assert_eq!(upstream.requests().len(), 0, "{:?}", upstream.requests());
    expect_served(&gateway);
}

/// Each arrives as the same bytes.
#[track_caller]
fn expect_passed(targets: &[Vec<u8>]) {
    let upstream = Upstream::answering(OK);
    let gateway = Setup::of(&upstream).start();
    for target in targets {
        let shown: String = target.iter().copied().map(char::from).collect();
        let answer = ask(&gateway, raw(target));
        assert_eq!(answer.status, 200, "{shown:?}");
        assert_eq!(upstream.requests().last().map(|request| request.target().to_owned()), Some(shown));
    }
}

#[test]
fn h01_malformed_escapes_are_refused() {
    expect_refused(&[
        b"/public/%2%65%2%65/admin",
        b"/public/%2%65/x",
        b"/%%32%65%%32%65/admin",
        b"/a/%",
        b"/a/%2",
        b"/a/%zz",
        b"/a/%2g",
        b"/a/%g2/b",
        b"/a/%u002e/b",
        b"/a/% 2e/b",
    ]);
}

/// What a decoded escape gives is never decoded again.
#[test]
fn h01_escapes_are_decoded_once() {
    let upstream = Upstream::answering(OK);
    let gateway = Setup::of(&upstream).start();
    for target in ["/public/%252e%252e/admin", "/public/%25%32e/admin", "/a/%252F../b", "/a/%2525"] {
        ask(&gateway, get(target, "")).expect(200);
        let requests = upstream.requests();
        let seen = requests.last().expect("it came").target();
        // The digit may be unescaped on the way, what then reads like another escape must not.
        assert_eq!(seen.replace("%32", "2"), target.replace("%32", "2"), "{target}");
    }
}

/// What leads above the root, however it is spelt, and a zero byte.
#[test]
fn h25_targets_that_no_file_system_should_see_are_refused() {
    expect_refused(&[
        b"/../",
        b"/..",
        b"/a/../../b",
        b"/%2e%2e/",
        b"/%2E./a",
        b"/a/%2e%2e/%2e%2e/b",
        b"/%00",
        b"/a%00b",
    ]);
}

#[test]
fn h10_what_browsers_send_passes() {
    let paths = ["/?q={\"a\":1}", "/?a=<x>", "/?a=`b`", "/?a=^|\\[]", "/?\"", "/?a=%22%3C"];
    expect_passed(&paths.map(|target| target.as_bytes().to_vec()));
}

#[test]
fn h10_bytes_that_are_not_ascii_pass_in_queries() {
    let bytes = (0x80..=0xff).map(|byte| [b"/?a=".as_slice(), &[byte]].concat());
    expect_passed(&bytes.chain(["/?ä=ö".as_bytes().to_vec()]).collect::<Vec<_>>());
}

/// In a path they may be escaped on their way.
#[test]
fn h10_what_browsers_send_passes_in_paths() {
    let upstream = Upstream::answering(OK);
    let gateway = Setup::of(&upstream).start();
    // No route matches what is no text; it is answered all the same.
    assert_eq!(ask(&gateway, raw(b"/\xff\x80")).status, 404);
    let paths: [&[u8]; 4] = [b"/a<b>", b"/a\"b\"", b"/a`b", "/ä".as_bytes()];
    for path in paths {
        let shown: String = path.iter().copied().map(char::from).collect();
        assert_eq!(ask(&gateway, raw(path)).status, 200, "{shown}");
        let requests = upstream.requests();
        let seen = requests.last().expect("it came").target();
        let escaped: String = path
            .iter()
            .map(|byte| match byte {
                b'<' | b'>' | b'"' | b'`' | 0x80.. => format!("%{byte:02X}"),
                byte => char::from(*byte).to_string(),
            })
            .collect();
        assert!(seen == shown || seen.eq_ignore_ascii_case(&escaped), "{shown} arrived as {seen}");
    }
}

#[test]
fn h10_control_bytes_are_refused() {
    let controls = (0x01..0x20).chain([0x7f]).filter(|byte| !matches!(byte, b'\r' | b'\n'));
    let inside = |byte| [b"/a".as_slice(), &[byte], b"b"].concat();
    let in_query = |byte| [b"/?a=".as_slice(), &[byte]].concat();
    let targets: Vec<_> = controls.flat_map(|byte| [inside(byte), in_query(byte)]).collect();
    expect_refused(&targets.iter().map(Vec::as_slice).collect::<Vec<_>>());
}
