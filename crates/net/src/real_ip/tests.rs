use super::*;

fn networks(texts: &[&str]) -> Vec<IpNet> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn text(address: ClientAddress) -> String {
    match address.port {
        Some(port) => SocketAddr::new(address.ip, port).to_string(),
        None => address.ip.to_string(),
    }
}

fn peer(socket: &str, proxied: Option<(&str, &str)>) -> Peer {
    let proxied = proxied.map(|(source, destination)| Addresses {
        source: source.parse().unwrap(),
        destination: destination.parse().unwrap(),
    });
    Peer::new(socket.parse().unwrap(), "192.0.2.9:8000".parse().unwrap(), proxied)
}

/// The client, what it connected to and whether its headers count, by a peer at 10.1.1.1:5 or 192.0.2.1:5.
#[track_caller]
fn check(header: &str, trusted: &[&str], peer: Peer, values: &[&str], expected: (&str, &str, bool)) {
    let trusted = networks(trusted);
    let rules = RealIp { trusted: &trusted, header, recursive: false };
    let client = rules.client(&peer, values.iter().map(|value| value.as_bytes()));
    let got = (text(client.address), client.local.to_string(), client.is_trusted);
    assert_eq!((got.0.as_str(), got.1.as_str(), got.2), expected);
}

const TRUSTED: &[&str] = &["10.0.0.0/8", "fd00::/8"];
const LOCAL: &str = "192.0.2.9:8000";

/// The cases that were observed at the reference, with a PROXY header of 7.7.7.7 in front of each request.
#[test]
fn a_proxy_header_is_believed_as_the_properties_say() {
    let proxied = Some(("7.7.7.7:1", "8.8.8.8:2222"));
    let (near, far) = (peer("10.1.1.1:5", proxied), peer("192.0.2.1:5", proxied));
    check("X-Real-IP", &[], near, &[], ("10.1.1.1:5", LOCAL, false));
    check("X-Real-IP", TRUSTED, near, &[], ("10.1.1.1:5", LOCAL, true));
    check("X-Real-IP", TRUSTED, near, &["1.1.1.1"], ("1.1.1.1", LOCAL, true));
    check("proxy_protocol", &[], near, &[], ("10.1.1.1:5", LOCAL, false));
    check("proxy_protocol", TRUSTED, far, &[], ("192.0.2.1:5", LOCAL, false));
    check("proxy_protocol", TRUSTED, near, &[], ("7.7.7.7:1", "8.8.8.8:2222", true));
}

/// Whoever the header names: trust is a matter of the connection.
#[test]
fn an_address_in_a_proxy_header_makes_nobody_trusted() {
    let pretender = peer("192.0.2.1:5", Some(("10.1.1.1:1", "10.2.2.2:2")));
    for header in ["X-Real-IP", "proxy_protocol"] {
        check(header, TRUSTED, pretender, &["1.1.1.1"], ("192.0.2.1:5", LOCAL, false));
    }
}

#[test]
fn no_header_of_a_request_stands_for_the_proxy_protocol() {
    let rules = RealIp { trusted: &networks(TRUSTED), header: "proxy_protocol", recursive: true };
    assert_eq!(rules.header(), None);
    check("proxy_protocol", TRUSTED, peer("10.1.1.1:5", None), &["1.1.1.1"], ("10.1.1.1:5", LOCAL, true));
    let rules = RealIp { header: "X-Real-IP", ..rules };
    assert_eq!(rules.header(), Some("X-Real-IP"));
}

#[test]
fn ipv4_in_the_form_of_ipv6_is_ipv4() {
    let proxied = Some(("[::ffff:7.7.7.7]:1", "[::ffff:8.8.8.8]:2"));
    let mapped = peer("[::ffff:10.1.1.1]:5", proxied);
    assert_eq!(mapped.socket().to_string(), "10.1.1.1:5");
    check("X-Real-IP", TRUSTED, mapped, &["::ffff:1.1.1.1"], ("1.1.1.1", LOCAL, true));
    check("X-Real-IP", TRUSTED, mapped, &["[::ffff:1.1.1.1]:7"], ("1.1.1.1:7", LOCAL, true));
    check("X-Real-IP", &[], mapped, &["1.1.1.1"], ("10.1.1.1:5", LOCAL, false));
    check("proxy_protocol", TRUSTED, mapped, &[], ("7.7.7.7:1", "8.8.8.8:2", true));
    let local = Peer::new(mapped.socket(), "[::ffff:127.0.0.1]:80".parse().unwrap(), None).local();
    assert_eq!(local.to_string(), "127.0.0.1:80");
    for (address, network, expected) in [
        ("10.1.1.1", "::ffff:10.0.0.0/104", true),
        ("::ffff:10.1.1.1", "::ffff:10.0.0.0/104", true),
        ("::ffff:10.1.1.1", "10.0.0.0/8", true),
        ("11.1.1.1", "::ffff:10.0.0.0/104", false),
        ("10.1.1.1", "::/0", false),
        ("10.1.1.1", "0.0.0.0/0", true),
        ("::1", "::/0", true),
    ] {
        let trusts = is_trusted(address.parse().unwrap(), &networks(&[network]));
        assert_eq!(trusts, expected, "{address} in {network}");
    }
}

fn client(peer: &str, values: &[&str], recursive: bool) -> Option<String> {
    let values = values.iter().map(|value| value.as_bytes());
    client_address(peer.parse().unwrap(), &networks(TRUSTED), values, recursive).map(text)
}

#[test]
fn only_a_trusted_peer_is_believed() {
    assert_eq!(client("192.0.2.1", &["1.1.1.1"], false), None);
    assert_eq!(client("10.1.1.1", &["1.1.1.1"], false).unwrap(), "1.1.1.1");
    assert_eq!(client("::ffff:10.1.1.1", &["1.1.1.1"], false).unwrap(), "1.1.1.1");
    assert_eq!(client("10.1.1.1", &[], false), None);
}

#[test]
fn the_last_address_counts_unless_the_chain_is_followed() {
    for (values, last, untrusted) in [
        (&["1.1.1.1, 2.2.2.2, 10.0.0.2"][..], "10.0.0.2", "2.2.2.2"),
        (&["1.1.1.1", "2.2.2.2,10.0.0.2"], "10.0.0.2", "2.2.2.2"),
        (&["10.0.0.3,10.0.0.2"], "10.0.0.2", "10.0.0.3"),
        (&["nonsense, 10.0.0.2 , "], "10.0.0.2", "10.0.0.2"),
        (&["1.1.1.1:99, fd00::1"], "fd00::1", "1.1.1.1:99"),
        (&["1.1.1.1, ::ffff:10.0.0.2"], "10.0.0.2", "1.1.1.1"),
        (&["[2001:db8::1]:5"], "[2001:db8::1]:5", "[2001:db8::1]:5"),
        (&["[2001:db8::1]"], "2001:db8::1", "2001:db8::1"),
    ] {
        assert_eq!(client("10.1.1.1", values, false).unwrap(), last, "{values:?}");
        assert_eq!(client("10.1.1.1", values, true).unwrap(), untrusted, "{values:?}");
    }
}

#[test]
fn an_unreadable_header_changes_nothing() {
    for value in ["", " , ", "unknown", "1.1.1.1, unknown", "1.1.1.256"] {
        assert_eq!(client("10.1.1.1", &[value], true), None, "{value}");
    }
}
