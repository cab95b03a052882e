//! Headers of the PROXY protocol.

use polygate_net::proxy_protocol::{HeaderError, parse};

/// The beginning of a connection.
pub fn proxy_header(data: &[u8]) {
    let whole = parse(data);
    for end in 0..data.len() {
        match parse(&data[..end]) {
            Ok(None) => {}
            early => {
                assert_eq!(early, whole, "of {end} bytes, and of all");
                break;
            }
        }
    }
    match whole {
        Ok(Some(header)) => {
            assert!((1..=data.len()).contains(&header.length));
            assert_eq!(parse(&data[..header.length]), whole, "nothing behind the header is looked at");
            assert_eq!(parse(&data[..header.length - 1]), Ok(None), "and all of it is needed");
            if let Some(addresses) = header.addresses {
                assert_eq!(addresses.source.is_ipv4(), addresses.destination.is_ipv4());
                is_the_same_again(data, addresses.source.is_ipv4());
            }
        }
        Ok(None) => assert!(data.len() < 16 + 4096, "a connection cannot make us keep more"),
        Err(HeaderError::Missing) => assert!(!data.is_empty()),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// Written as the other party writes it, a header of addresses says the same.
fn is_the_same_again(data: &[u8], is_ipv4: bool) {
    let Ok(Some(header)) = parse(data) else { return };
    let Some(addresses) = header.addresses else { return };
    let (source, destination) = (addresses.source, addresses.destination);
    let line = format!(
        "PROXY {} {} {} {} {}\r\n",
        if is_ipv4 { "TCP4" } else { "TCP6" },
        source.ip(),
        destination.ip(),
        source.port(),
        destination.port()
    );
    let again = parse(line.as_bytes()).expect("it is a header").expect("it is whole");
    assert_eq!((again.addresses, again.length), (header.addresses, line.len()));
}
