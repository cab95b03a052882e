use super::*;

#[track_caller]
fn http(entry: &str) -> Listen {
    parse(entry, Traffic::Http).unwrap_or_else(|why| panic!("{entry}: {why}"))
}

#[test]
fn addresses() {
    for (entry, host, port, shown) in [
        ("0.0.0.0:8000", "0.0.0.0", 8000, "0.0.0.0:8000"),
        ("[::]:8000", "::", 8000, "[::]:8000"),
        ("[0:0::1]:80 ssl", "::1", 80, "[::1]:80"),
        ("localhost:1", "localhost", 1, "localhost:1"),
        ("ssl my-host.example:443", "my-host.example", 443, "my-host.example:443"),
    ] {
        let listen = http(entry);
        assert_eq!((listen.host.as_str(), listen.port), (host, port), "{entry}");
        assert_eq!(listen.to_string(), shown);
    }
}

#[test]
fn flags() {
    let listen = http("0.0.0.0:8443 http2 ssl reuseport backlog=16384 deferred bind proxy_protocol");
    assert!(listen.http2 && listen.ssl && listen.reuseport && listen.deferred && listen.proxy_protocol);
    assert_eq!(listen.backlog, Some(16384));
    assert_eq!(http("[::]:1 ipv6only=off").ipv6only, Some(false));
    assert!(parse("0.0.0.0:53 udp", Traffic::Stream).unwrap().udp);
}

#[test]
fn keepalive() {
    let seconds = Duration::from_secs;
    for (value, expected) in [
        ("on", SoKeepalive::On { idle: None, interval: None, count: None }),
        ("off", SoKeepalive::Off),
        ("30m::10", SoKeepalive::On { idle: Some(seconds(1800)), interval: None, count: Some(10) }),
        (":5:", SoKeepalive::On { idle: None, interval: Some(seconds(5)), count: None }),
    ] {
        assert_eq!(http(&format!("0.0.0.0:1 so_keepalive={value}")).so_keepalive, Some(expected), "{value}");
    }
}

#[test]
fn what_is_wrong_is_said() {
    for (entry, why) in [
        ("0.0.0.0", "the port is missing"),
        ("0.0.0.0:x", "'x' is not a port"),
        ("0.0.0.0:70000", "'70000' is not a port"),
        ("300.0.0.1:80", "'300.0.0.1' is not an IPv4 address"),
        ("::1:80", "an IPv6 address needs brackets"),
        ("[::1:80", "a bracket is missing"),
        ("[x]:80", "'x' is not an IPv6 address"),
        (":80", "the host is missing"),
        ("ssl", "no address"),
        ("unix:/a", "unix sockets cannot be listened on"),
        ("0.0.0.0:80 tls", "unknown flag 'tls'"),
        ("0.0.0.0:80 udp", "unknown flag 'udp'"),
        ("0.0.0.0:80 backlog=", "unknown flag 'backlog='"),
        ("0.0.0.0:80 so_keepalive=1:2", "unknown flag 'so_keepalive=1:2'"),
    ] {
        assert_eq!(parse(entry, Traffic::Http).unwrap_err(), why, "{entry}");
    }
    assert_eq!(parse("0.0.0.0:80 http2", Traffic::Stream).unwrap_err(), "unknown flag 'http2'");
    for flag in ["ssl", "proxy_protocol", "backlog=1", "so_keepalive=on"] {
        let name = flag.split('=').next().unwrap_or_default();
        let refusal = parse(&format!("0.0.0.0:53 udp {flag}"), Traffic::Stream).unwrap_err();
        assert_eq!(refusal, format!("'{name}' cannot be combined with 'udp'"));
    }
}

#[test]
fn errors_begin_with_the_property() {
    let values =
        crate::conf::Values::from_pairs(&[("proxy_listen", "0.0.0.0"), ("admin_listen", "off, nonsense")]);
    let mut reader = Reader::new(&values);
    assert!(resolve(&mut reader, "proxy_listen", Traffic::Http).is_empty());
    assert!(resolve(&mut reader, "admin_listen", Traffic::Http).is_empty());
    let errors: Vec<String> = reader.errors.iter().map(ToString::to_string).collect();
    assert_eq!(errors.len(), 1);
    assert!(
        errors[0].starts_with("proxy_listen must be of form: [off] | <ip>:<port> [ssl]"),
        "{}",
        errors[0]
    );
    assert!(errors[0].ends_with("got '0.0.0.0': the port is missing"), "{}", errors[0]);
}

#[test]
fn an_address_is_listed_once() {
    let values = crate::conf::Values::from_pairs(&[
        ("proxy_listen", "127.0.0.1:80, 127.0.0.1:81, 127.0.0.1:80 ssl, 127.0.0.1:0, 127.0.0.1:0"),
        ("stream_listen", "127.0.0.1:81, 127.0.0.2:81, 127.0.0.1:53, 127.0.0.1:53 udp"),
    ]);
    let mut reader = Reader::new(&values);
    let proxy = resolve(&mut reader, "proxy_listen", Traffic::Http);
    let stream = resolve(&mut reader, "stream_listen", Traffic::Stream);
    refuse_repeated(&mut reader, [("proxy_listen", &proxy), ("stream_listen", &stream)]);
    let errors: Vec<String> = reader.errors.iter().map(ToString::to_string).collect();
    assert_eq!(
        errors,
        [
            "proxy_listen: 127.0.0.1:80 is in use by proxy_listen already, choose another port",
            "stream_listen: 127.0.0.1:81 is in use by proxy_listen already, choose another port",
        ]
    );
}
