//! The PROXY protocol, versions 1 and 2: a load balancer says who connected to it.
//!
//! [`parse`] is pure: bytes in, addresses out; [`read_header`] gets the bytes from a connection. A listener that
//! expects the header must get one on every connection, since a client could otherwise send its own; so anything
//! else is an error.
//! Source: the HAProxy specification of the protocol, revision 2020/03/05.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::time::timeout;

const V1_START: &[u8] = b"PROXY ";
/// Longest version 1 line, CR and LF included.
const V1_LONGEST: usize = 107;
const V2_START: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// Start, version and command, family, length.
const V2_FIXED: usize = 16;
/// More than addresses and the usual extensions; bounds what a connection can make us keep.
const V2_LONGEST: usize = V2_FIXED + 4096;

/// What the header said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// None for `UNKNOWN`, `LOCAL` and families other than IP: the connection's own addresses count.
    pub addresses: Option<Addresses>,
    /// How many bytes the header took; the client's data follows.
    pub length: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Addresses {
    /// The client.
    pub source: SocketAddr,
    /// What the client connected to.
    pub destination: SocketAddr,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    #[error(
        "connection does not begin with a PROXY protocol header, drop proxy_protocol from the listener or add it to the peer"
    )]
    Missing,
    #[error("malformed PROXY protocol version 1 line")]
    Line,
    #[error("PROXY protocol version 2 header has version and command {0:#04x}, expected 0x20 or 0x21")]
    Command(u8),
    #[error("PROXY protocol version 2 header has {0} bytes of addresses, which is too few for its family")]
    Short(usize),
    #[error("PROXY protocol version 2 header of {0} bytes is longer than {V2_LONGEST}")]
    Long(usize),
}

/// Why a connection has no header.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// Balancers that look whether the port is open do this.
    #[error("connection was closed before a PROXY protocol header")]
    Closed,
    #[error("connection sent no whole PROXY protocol header within {} s", .0.as_secs_f32())]
    Late(Duration),
    #[error("connection broke before its PROXY protocol header was read: {0}")]
    Io(#[from] io::Error),
}

/// Room for most headers and the request behind them, so that one read gets both.
const FIRST_READ: usize = 2048;

/// Reads the header at the start of a connection. Also answers what was read beyond it, which belongs to the
/// protocol above. `patience` is for the whole header.
pub async fn read_header(
    stream: &mut (impl AsyncRead + Unpin),
    patience: Duration,
) -> Result<(Header, Vec<u8>), ReadError> {
    timeout(patience, read(stream)).await.unwrap_or(Err(ReadError::Late(patience)))
}

/// What is kept is bounded, as [`parse`] refuses what is too long for a header.
async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Result<(Header, Vec<u8>), ReadError> {
    let mut seen = Vec::with_capacity(FIRST_READ);
    loop {
        if stream.read_buf(&mut seen).await? == 0 {
            return Err(ReadError::Closed);
        }
        if let Some(header) = parse(&seen)? {
            let beyond = seen.split_off(header.length);
            return Ok((header, beyond));
        }
    }
}

/// Reads the header at the start of `bytes`; `None` asks for more of them.
pub fn parse(bytes: &[u8]) -> Result<Option<Header>, HeaderError> {
    if begins(bytes, V2_START) {
        parse_v2(bytes)
    } else if begins(bytes, V1_START) {
        parse_v1(bytes)
    } else {
        Err(HeaderError::Missing)
    }
}

/// Whether `bytes` begin with `start`, as far as they go.
fn begins(bytes: &[u8], start: &[u8]) -> bool {
    let known = bytes.len().min(start.len());
    bytes[..known] == start[..known]
}

fn parse_v1(bytes: &[u8]) -> Result<Option<Header>, HeaderError> {
    let window = &bytes[..bytes.len().min(V1_LONGEST)];
    let Some(end) = window.windows(2).position(|pair| pair == b"\r\n") else {
        return if window.len() == V1_LONGEST { Err(HeaderError::Line) } else { Ok(None) };
    };
    let line = str::from_utf8(&window[V1_START.len()..end]).map_err(|_| HeaderError::Line)?;
    let addresses = v1_addresses(line).ok_or(HeaderError::Line)?;
    Ok(Some(Header { addresses, length: end + 2 }))
}

/// The outer option is none for a malformed line, the inner one for `UNKNOWN`.
fn v1_addresses(line: &str) -> Option<Option<Addresses>> {
    let mut words = line.split(' ');
    let family = words.next()?;
    if family == "UNKNOWN" {
        return Some(None);
    }
    let mut ip = || words.next()?.parse::<IpAddr>().ok();
    let (source, destination) = (ip()?, ip()?);
    let is_number = |word: &&str| word.bytes().all(|byte| byte.is_ascii_digit());
    let mut port = || words.next().filter(is_number)?.parse::<u16>().ok();
    let (source_port, destination_port) = (port()?, port()?);
    let fits = match family {
        "TCP4" => source.is_ipv4() && destination.is_ipv4(),
        "TCP6" => source.is_ipv6() && destination.is_ipv6(),
        _ => false,
    };
    (fits && words.next().is_none()).then_some(Some(Addresses {
        source: SocketAddr::new(source, source_port),
        destination: SocketAddr::new(destination, destination_port),
    }))
}

fn parse_v2(bytes: &[u8]) -> Result<Option<Header>, HeaderError> {
    let Some((fixed, rest)) = bytes.split_first_chunk::<V2_FIXED>() else { return Ok(None) };
    let [.., command, family, high, low] = *fixed;
    let length = usize::from(u16::from_be_bytes([high, low]));
    let is_local = match command {
        0x20 => true,
        0x21 => false,
        other => return Err(HeaderError::Command(other)),
    };
    if V2_FIXED + length > V2_LONGEST {
        return Err(HeaderError::Long(V2_FIXED + length));
    }
    let Some(block) = rest.get(..length) else { return Ok(None) };
    let addresses = if is_local { None } else { v2_addresses(family, block)? };
    Ok(Some(Header { addresses, length: V2_FIXED + length }))
}

/// The high half of `family` is the address family, the low half stream or datagram.
fn v2_addresses(family: u8, block: &[u8]) -> Result<Option<Addresses>, HeaderError> {
    let short = HeaderError::Short(block.len());
    match family >> 4 {
        1 => Ok(Some(pair(block.first_chunk::<12>().ok_or(short)?, |ip: [u8; 4]| Ipv4Addr::from(ip).into()))),
        2 => {
            Ok(Some(pair(block.first_chunk::<36>().ok_or(short)?, |ip: [u8; 16]| Ipv6Addr::from(ip).into())))
        }
        _ => Ok(None),
    }
}

/// Two addresses of `N` bytes, then two ports.
fn pair<const N: usize>(block: &[u8], ip: impl Fn([u8; N]) -> IpAddr) -> Addresses {
    let address = |at: usize| {
        let mut bytes = [0; N];
        bytes.copy_from_slice(&block[at * N..][..N]);
        let port = &block[2 * N + 2 * at..];
        SocketAddr::new(ip(bytes), u16::from_be_bytes([port[0], port[1]]))
    };
    Addresses { source: address(0), destination: address(1) }
}

#[cfg(test)]
mod tests;
