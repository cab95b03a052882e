use std::net::SocketAddr;
use std::sync::Arc;

use super::*;
use crate::Connection;
use crate::pdk::fixture;

/// The lines of a request to port 8000, each as `name: value`.
fn told_upstream(exchange: &Exchange) -> Vec<String> {
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    lines(exchange).iter().map(|(name, value)| format!("{name}: {}", text(value))).collect()
}

#[test]
fn a_first_hop_tells_what_it_sees() {
    let exchange = fixture::exchange("GET", "/a%20b/../c?x", &[("host", "Client.Test:81")]);
    assert_eq!(
        told_upstream(&exchange),
        [
            "X-Forwarded-For: 203.0.113.9",
            "X-Forwarded-Proto: http",
            "X-Forwarded-Host: client.test",
            "X-Forwarded-Port: 8000",
            "X-Forwarded-Path: /a%20b/../c",
            "X-Real-IP: 203.0.113.9",
            "Via: 1.1 kong/3.10.0",
        ]
    );
}

const SENT: [(&str, &str); 9] = [
    ("host", "client.test"),
    ("X-Forwarded-For", "8.8.8.8"),
    ("X-Forwarded-Proto", "HTTPS"),
    ("X-Forwarded-Host", "Out.Test:81"),
    ("X-Forwarded-Port", "82"),
    ("X-Forwarded-Path", "/out"),
    ("X-Forwarded-Prefix", "/pre"),
    ("X-Real-IP", "9.9.9.9"),
    ("Via", "1.0 fred"),
];

#[test]
fn a_trusted_peer_is_believed() {
    let exchange = fixture::exchange("GET", "/x", &SENT);
    assert_eq!(
        told_upstream(&exchange),
        [
            "X-Forwarded-For: 8.8.8.8, 127.0.0.1",
            "X-Forwarded-Proto: HTTPS",
            "X-Forwarded-Host: Out.Test:81",
            "X-Forwarded-Port: 82",
            "X-Forwarded-Path: /out",
            "X-Forwarded-Prefix: /pre",
            "X-Real-IP: 203.0.113.9",
            "Via: 1.0 fred, 1.1 kong/3.10.0",
        ]
    );
    assert_eq!((scheme(&exchange), &*host(&exchange), port(&exchange)), ("HTTPS", "out.test", 82));
    assert_eq!(host_and_port(&exchange), "Out.Test:81");
    assert_eq!((path(&exchange), prefix(&exchange)), (Some(b"/out".as_slice()), Some(b"/pre".as_slice())));
}

#[test]
fn what_plugins_say_of_the_way_before_does_not_count() {
    let mut exchange = fixture::exchange("GET", "/", &[("Via", "1.0 fred")]);
    for (name, value) in [("X-Forwarded-For", "8.8.8.8"), ("Via", "1.1 plugin")] {
        exchange.request.headers.insert(name, value);
    }
    let lines = lines(&exchange);
    assert_eq!((lines.text(FOR), lines.text(VIA)), (Some("203.0.113.9"), Some("1.0 fred, 1.1 kong/3.10.0")));
}

#[test]
fn others_only_add_to_the_way() {
    let mut exchange = fixture::exchange("GET", "/x", &SENT);
    fixture::distrust(&mut exchange);
    assert_eq!(
        told_upstream(&exchange),
        [
            "X-Forwarded-For: 8.8.8.8, 127.0.0.1",
            "X-Forwarded-Proto: http",
            "X-Forwarded-Host: client.test",
            "X-Forwarded-Port: 8000",
            "X-Forwarded-Path: /x",
            "X-Real-IP: 203.0.113.9",
            "Via: 1.0 fred, 1.1 kong/3.10.0",
        ]
    );
    assert_eq!((scheme(&exchange), &*host(&exchange), port(&exchange)), ("http", "client.test", 8000));
    assert_eq!(host_and_port(&exchange), "client.test");
    assert_eq!((path(&exchange), prefix(&exchange)), (None, None));
}

#[test]
fn of_several_lines_the_first_counts() {
    let sent =
        [("X-Forwarded-For", "1.1.1.1"), ("X-Forwarded-For", "2.2.2.2"), ("Via", "1.0 a"), ("Via", "1.1 b")];
    let lines = told_upstream(&fixture::exchange("GET", "/", &sent));
    assert_eq!(lines[0], "X-Forwarded-For: 1.1.1.1, 127.0.0.1");
    assert_eq!(lines.last().unwrap(), "Via: 1.0 a, 1.1 kong/3.10.0");
}

#[test]
fn empty_values_of_a_trusted_peer_are_left_out_and_mean_nothing() {
    let names = ["For", "Proto", "Host", "Port", "Path", "Prefix"].map(|name| format!("X-Forwarded-{name}"));
    let sent: Vec<_> =
        names.iter().map(|name| (name.as_str(), "")).chain([("host", "client.test")]).collect();
    let exchange = fixture::exchange("GET", "/x", &sent);
    let left = ["X-Forwarded-For: , 127.0.0.1", "X-Forwarded-Host: client.test", "X-Real-IP: 203.0.113.9"];
    assert_eq!(told_upstream(&exchange)[..3], left);
    assert_eq!((scheme(&exchange), &*host(&exchange), port(&exchange)), ("http", "client.test", 8000));
    assert_eq!(path(&exchange), None);
}

#[test]
fn hosts_have_a_normal_form() {
    for (sent, expected) in [
        ("Client.TEST", "client.test"),
        ("client.test:8000", "client.test"),
        ("client.test.", "client.test"),
        ("client.test.:80", "client.test"),
        ("client.test:", "client.test"),
        ("[::1]", "[::1]"),
        ("[FE80::1]:80", "[fe80::1]"),
        ("10.0.0.1:1", "10.0.0.1"),
        ("", "kong"),
        (":80", "kong"),
        (".", "kong"),
    ] {
        let exchange = fixture::exchange("GET", "/", &[("host", sent)]);
        assert_eq!(host_name(&exchange), expected, "of {sent}");
    }
    assert_eq!(host_name(&fixture::exchange("GET", "/", &[])), "kong");
}

#[test]
fn forwarded_hosts_and_ports() {
    for (sent, given_port, expected_host, expected_port) in [
        ("out.test", None, "out.test", 8000),
        ("Out.test:81", None, "out.test", 81),
        ("user@out.test:81", None, "out.test", 81),
        ("out.test:81", Some("82"), "out.test", 82),
        ("out.test:81", Some("0"), "out.test", 81),
        ("out.test:81", Some("70000"), "out.test", 81),
        ("out.test:81", Some("x"), "out.test", 81),
        ("out.test:0", None, "out.test", 8000),
        ("[::1]:81", None, "[::1]", 81),
        ("[::1]", None, "[::1]", 8000),
        (":81", None, "client.test", 81),
    ] {
        let mut headers = vec![("host", "client.test"), ("x-forwarded-host", sent)];
        headers.extend(given_port.map(|port| ("x-forwarded-port", port)));
        let exchange = fixture::exchange("GET", "/", &headers);
        assert_eq!((&*host(&exchange), port(&exchange)), (expected_host, expected_port), "of {headers:?}");
    }
}

#[test]
fn mapped_addresses_are_shown_as_what_they_are() {
    let mut exchange = fixture::exchange("GET", "/", &[("x-forwarded-for", "8.8.8.8")]);
    let mapped = |text: &str| text.parse::<SocketAddr>().unwrap();
    exchange.session.client = mapped("[::ffff:192.0.2.1]:1");
    let (peer, local) = (mapped("[::ffff:10.1.2.3]:2"), exchange.session.connection.local);
    exchange.session.connection = Arc::new(Connection::new(peer, local, None, 1));
    let lines = told_upstream(&exchange);
    assert_eq!(lines[0], "X-Forwarded-For: 8.8.8.8, 10.1.2.3");
    assert!(lines.contains(&"X-Real-IP: 192.0.2.1".to_owned()), "{lines:?}");
}

#[test]
fn prefixes_are_what_routes_strip() {
    for (strip_path, matched, expected) in
        [(true, "/api", Some("/api")), (true, "/", None), (true, "", None), (false, "/api", None)]
    {
        let mut exchange = fixture::routed("/api/x");
        exchange.session.matched.as_mut().unwrap().prefix = matched.into();
        fixture::change_route(&mut exchange, |route| route.strip_path = strip_path);
        assert_eq!(prefix(&exchange), expected.map(str::as_bytes), "of {strip_path} {matched}");
    }
}

#[test]
fn versions_are_told_in_via() {
    for (version, expected) in [
        (Version::HTTP_10, "1 kong/3.10.0"),
        (Version::HTTP_11, "1.1 kong/3.10.0"),
        (Version::HTTP_2, "2 kong/3.10.0"),
    ] {
        let mut exchange = fixture::exchange("GET", "/", &[]);
        exchange.request.version = version;
        assert_eq!(lines(&exchange).text(VIA), Some(expected));
    }
}
