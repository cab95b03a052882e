use super::*;

fn v2(command: u8, family: u8, block: &[u8]) -> Vec<u8> {
    let length = u16::try_from(block.len()).unwrap().to_be_bytes();
    [V2_START.as_slice(), &[command, family], &length, block].concat()
}

fn addresses(source: &str, destination: &str) -> Option<Addresses> {
    Some(Addresses { source: source.parse().unwrap(), destination: destination.parse().unwrap() })
}

fn check(bytes: &[u8], expected: Option<Addresses>) {
    let header = Header { addresses: expected, length: bytes.len() };
    let followed = [bytes, b"GET / HTTP/1.1\r\n"].concat();
    assert_eq!(parse(&followed), Ok(Some(header)));
    for cut in 0..bytes.len() {
        assert_eq!(parse(&bytes[..cut]), Ok(None), "{cut} of {} bytes", bytes.len());
    }
}

#[test]
fn version_1_lines_are_read() {
    check(b"PROXY TCP4 10.0.0.1 10.0.0.2 1234 80\r\n", addresses("10.0.0.1:1234", "10.0.0.2:80"));
    check(b"PROXY TCP6 ::1 2001:db8::2 1 65535\r\n", addresses("[::1]:1", "[2001:db8::2]:65535"));
    check(b"PROXY UNKNOWN\r\n", None);
    check(b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n", None);
}

#[test]
fn version_2_headers_are_read() {
    let ipv4 = [10, 0, 0, 1, 10, 0, 0, 2, 4, 210, 0, 80];
    check(&v2(0x21, 0x11, &ipv4), addresses("10.0.0.1:1234", "10.0.0.2:80"));
    let ipv6: Vec<u8> = [Ipv6Addr::LOCALHOST.octets(), [0; 16]].concat();
    check(&v2(0x21, 0x21, &[&ipv6[..], &[0, 1, 0, 2]].concat()), addresses("[::1]:1", "[::]:2"));
    // Extensions follow the addresses, a health check of the balancer has none.
    check(&v2(0x21, 0x11, &[&ipv4[..], &[3, 0, 1, 0]].concat()), addresses("10.0.0.1:1234", "10.0.0.2:80"));
    check(&v2(0x20, 0x00, &[]), None);
    check(&v2(0x21, 0x31, &[0; 216]), None);
}

#[test]
fn other_bytes_are_refused() {
    for line in [
        "GET / HTTP/1.1\r\n",
        "PROXY\r\n",
        "PROXY TCP4\r\n",
        "PROXY TCP4 10.0.0.1 10.0.0.2 1234\r\n",
        "PROXY TCP4 10.0.0.1 10.0.0.2 1234 80 x\r\n",
        "PROXY TCP4 ::1 ::2 1 2\r\n",
        "PROXY TCP4 10.0.0.1 10.0.0.2 1 65536\r\n",
        "PROXY TCP4 10.0.0.1 10.0.0.2 +1 2\r\n",
        "PROXY TCP4 10.0.0.1 10.0.0.2 1 \r\n",
        "PROXY  TCP4 10.0.0.1 10.0.0.2 1 2\r\n",
        "PROXY tcp4 10.0.0.1 10.0.0.2 1 2\r\n",
        "PROXY UDP4 10.0.0.1 10.0.0.2 1 2\r\n",
    ] {
        assert!(parse(line.as_bytes()).is_err(), "{line}");
    }
    assert_eq!(parse(&[b"PROXY TCP4 ".as_slice(), &[b'1'; 100]].concat()), Err(HeaderError::Line));
    assert_eq!(parse(b"PROXY \xff\r\n"), Err(HeaderError::Line));
    assert_eq!(parse(&v2(0x31, 0x11, &[0; 12])), Err(HeaderError::Command(0x31)));
    assert_eq!(parse(&v2(0x21, 0x11, &[0; 11])), Err(HeaderError::Short(11)));
    assert_eq!(parse(&v2(0x21, 0x11, &[0; 5000])), Err(HeaderError::Long(5016)));
}
