//! The client's address behind trusted proxies.
//!
//! A header that names the client is believed only from a trusted peer. It may name a chain, the nearest
//! hop last; `recursive` follows it through trusted hops to the first one that is not.

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;

/// The address that a header names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientAddress {
    pub ip: IpAddr,
    /// Only if the header has one.
    pub port: Option<u16>,
}

/// Whether `address` is in one of the networks; IPv4 addresses in IPv6 form count as IPv4.
pub fn is_trusted(address: IpAddr, trusted: &[IpNet]) -> bool {
    let address = address.to_canonical();
    trusted.iter().any(|network| network.contains(&address))
}

/// The client's address according to the values of the `real_ip_header`, in the order received.
///
/// None when `peer` is not trusted or the header names no address: the peer is the client then.
pub fn client_address<'v, V>(
    peer: IpAddr,
    trusted: &[IpNet],
    values: V,
    recursive: bool,
) -> Option<ClientAddress>
where
    V: DoubleEndedIterator<Item = &'v [u8]>,
{
    if !is_trusted(peer, trusted) {
        return None;
    }
    let mut client = None;
    for word in values.rev().flat_map(|value| value.rsplit(|&byte| matches!(byte, b' ' | b',' | b'\t'))) {
        if word.is_empty() {
            continue;
        }
        // What is left of something unreadable was not written by a trusted hop.
        let Some(address) = parse_address(word) else { break };
        client = Some(address);
        if !recursive || !is_trusted(address.ip, trusted) {
            break;
        }
    }
    client
}

fn parse_address(word: &[u8]) -> Option<ClientAddress> {
    let text = str::from_utf8(word).ok()?;
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Some(ClientAddress { ip: address.ip(), port: Some(address.port()) });
    }
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    Some(ClientAddress { ip: bare.parse().ok()?, port: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(peer: &str, values: &[&str], recursive: bool) -> Option<String> {
        let trusted = ["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()];
        let values = values.iter().map(|value| value.as_bytes());
        let found = client_address(peer.parse().unwrap(), &trusted, values, recursive)?;
        Some(match found.port {
            Some(port) => SocketAddr::new(found.ip, port).to_string(),
            None => found.ip.to_string(),
        })
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
}
