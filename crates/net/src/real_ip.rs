//! Who the client is: the peer of the connection, or whom a trusted peer names.
//!
//! Three sides may say so: the connection itself, the header of the PROXY protocol on it, and a header of each
//! request. [`RealIp::client`] is the one place that weighs them, as nginx's realip module does for Kong. It is
//! always the peer of the connection that is trusted or not, since anybody can write a header. A request's header
//! may name a chain, the nearest hop last; `recursive` follows it through trusted hops to the first one that is not.
//!
//! An IPv4 client of an IPv6 socket (`ipv6only=off`) has an address such as `::ffff:10.0.0.1`. Everywhere here
//! this is 10.0.0.1, in what comes in, in what is configured and in what goes out.

use std::net::{IpAddr, SocketAddr};

use ipnet::{IpNet, Ipv4Net};

use crate::proxy_protocol::Addresses;

/// `real_ip_header` that stands for the PROXY protocol.
const PROXY_PROTOCOL: &str = "proxy_protocol";

/// The two ends of a connection, and what its PROXY header said of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    socket: SocketAddr,
    local: SocketAddr,
    proxied: Option<Addresses>,
}

impl Peer {
    /// `proxied` is `None` without a PROXY header or if it has no addresses.
    pub fn new(socket: SocketAddr, local: SocketAddr, proxied: Option<Addresses>) -> Self {
        Self {
            socket: canonical(socket),
            local: canonical(local),
            proxied: proxied
                .map(|it| Addresses { source: canonical(it.source), destination: canonical(it.destination) }),
        }
    }

    /// The other end of the connection, whoever it speaks for.
    pub fn socket(&self) -> SocketAddr {
        self.socket
    }

    /// Where the gateway listens.
    pub fn local(&self) -> SocketAddr {
        self.local
    }
}

/// What `trusted_ips`, `real_ip_header` and `real_ip_recursive` say.
#[derive(Debug, Clone, Copy)]
pub struct RealIp<'a> {
    pub trusted: &'a [IpNet],
    /// Name of a header, or `proxy_protocol`.
    pub header: &'a str,
    pub recursive: bool,
}

/// Who sent a request, as far as the gateway believes what it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Client {
    pub address: ClientAddress,
    /// What the client connected to: where the gateway listens, or what a trusted balancer says.
    pub local: SocketAddr,
    /// Whether the peer of the connection is trusted, so that `X-Forwarded-*` of the request count.
    pub is_trusted: bool,
}

/// The address of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientAddress {
    pub ip: IpAddr,
    /// `None` if a header named the address without one.
    pub port: Option<u16>,
}

impl ClientAddress {
    /// With port 0 if there is none.
    pub fn socket(self) -> SocketAddr {
        SocketAddr::new(self.ip, self.port.unwrap_or(0))
    }
}

impl From<SocketAddr> for ClientAddress {
    fn from(address: SocketAddr) -> Self {
        Self { ip: address.ip().to_canonical(), port: Some(address.port()) }
    }
}

impl RealIp<'_> {
    /// The name of the header whose values [`RealIp::client`] wants; `None` if no header counts.
    pub fn header(&self) -> Option<&str> {
        Some(self.header).filter(|header| *header != PROXY_PROTOCOL)
    }

    /// The client of a request on a connection. `values` are those of [`RealIp::header`], in the order received.
    pub fn client<'v, V>(&self, peer: &Peer, values: V) -> Client
    where
        V: DoubleEndedIterator<Item = &'v [u8]>,
    {
        let is_trusted = is_trusted(peer.socket.ip(), self.trusted);
        let unproxied = Client { address: peer.socket.into(), local: peer.local, is_trusted };
        if !is_trusted {
            return unproxied;
        }
        match (self.header(), peer.proxied) {
            (None, Some(told)) => {
                Client { address: told.source.into(), local: told.destination, ..unproxied }
            }
            (None, None) => unproxied,
            (Some(_), _) => {
                let named = named(self.trusted, values, self.recursive);
                Client { address: named.unwrap_or(unproxied.address), ..unproxied }
            }
        }
    }
}

/// Whether `address` is in one of the networks.
pub fn is_trusted(address: IpAddr, trusted: &[IpNet]) -> bool {
    let address = address.to_canonical();
    trusted.iter().any(|network| canonical_network(network).contains(&address))
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
    is_trusted(peer, trusted).then(|| named(trusted, values, recursive)).flatten()
}

/// Whom a trusted peer's header names.
fn named<'v, V>(trusted: &[IpNet], values: V, recursive: bool) -> Option<ClientAddress>
where
    V: DoubleEndedIterator<Item = &'v [u8]>,
{
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

fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// `::ffff:10.0.0.0/104` is 10.0.0.0/8.
fn canonical_network(network: &IpNet) -> IpNet {
    let mapped = match network {
        IpNet::V6(v6) => v6.addr().to_ipv4_mapped().zip(v6.prefix_len().checked_sub(96)),
        IpNet::V4(_) => None,
    };
    mapped.and_then(|(ip, length)| Ipv4Net::new(ip, length).ok()).map_or(*network, IpNet::V4)
}

fn parse_address(word: &[u8]) -> Option<ClientAddress> {
    let text = str::from_utf8(word).ok()?;
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Some(address.into());
    }
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let ip = bare.parse::<IpAddr>().ok().or_else(|| without_zeros(bare)?.parse().ok())?;
    Some(ClientAddress { ip: ip.to_canonical(), port: None })
}

/// An IPv4 address whose numbers have zeros in front, as nginx reads them: in decimal.
fn without_zeros(text: &str) -> Option<String> {
    let numbers: Option<Vec<String>> =
        text.split('.').map(|it| Some(it.parse::<u8>().ok()?.to_string())).collect();
    Some(numbers?.join("."))
}

#[cfg(test)]
mod tests;
