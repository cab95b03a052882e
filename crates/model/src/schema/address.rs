//! Host names and IP addresses with an optional port, as entities spell them.

use std::net::{Ipv4Addr, Ipv6Addr};

use thiserror::Error;

/// `host[:port]`, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    pub host: Host,
    pub port: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    Name(String),
    V4(Ipv4Addr),
    V6(Ipv6Addr),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum AddressError {
    #[error("invalid hostname")]
    Host,
    #[error("invalid port number")]
    Port,
}

impl Address {
    /// More than one colon means IPv6 (in brackets when a port follows), digits and dots IPv4.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        if text.matches(':').count() > 1 {
            return parse_v6(text);
        }
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) => (host, Some(parse_port(port)?)),
            None => (text, None),
        };
        let numeric = !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        let host = if numeric {
            Host::V4(parse_v4(host).ok_or(AddressError::Host)?)
        } else if is_host_name(host) {
            Host::Name(host.to_owned())
        } else {
            return Err(AddressError::Host);
        };
        Ok(Self { host, port })
    }

    pub fn is_name(&self) -> bool {
        matches!(self.host, Host::Name(_))
    }

    /// `host:port`, with the given port when there is none.
    pub fn with_port(&self, default: u16) -> String {
        let port = self.port.unwrap_or(default);
        match &self.host {
            Host::Name(name) => format!("{name}:{port}"),
            Host::V4(address) => format!("{address}:{port}"),
            Host::V6(address) => format!("[{address}]:{port}"),
        }
    }
}

fn parse_v6(text: &str) -> Result<Address, AddressError> {
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, "")) => (host, None),
        Some((host, rest)) => (host, Some(parse_port(rest.strip_prefix(':').ok_or(AddressError::Host)?)?)),
        None => (text, None),
    };
    let host = Host::V6(host.parse().map_err(|_| AddressError::Host)?);
    Ok(Address { host, port })
}

/// Leading zeros are allowed, unlike in the standard library.
fn parse_v4(text: &str) -> Option<Ipv4Addr> {
    let mut parts = text.split('.').map(|part| if part.len() <= 3 { part.parse::<u8>().ok() } else { None });
    let octets = [parts.next()??, parts.next()??, parts.next()??, parts.next()??];
    parts.next().is_none().then(|| Ipv4Addr::from(octets))
}

fn parse_port(text: &str) -> Result<u16, AddressError> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(AddressError::Host);
    }
    text.parse().map_err(|_| AddressError::Port)
}

/// Letters, digits, `-`, `.` and `_`; no empty label (but a final dot), none that ends in `-`.
fn is_host_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    let labels = name.strip_suffix('.').unwrap_or(name);
    !labels.is_empty()
        && name.bytes().all(allowed)
        && labels.split('.').all(|label| !label.is_empty() && !label.ends_with('-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_addresses_apart() {
        let rows = [
            ("example.com", Ok("example.com:8000")),
            ("example.com:80", Ok("example.com:80")),
            ("example.com.", Ok("example.com.:8000")),
            ("my_host", Ok("my_host:8000")),
            ("10.0.0.1", Ok("10.0.0.1:8000")),
            ("10.0.0.1:0", Ok("10.0.0.1:0")),
            ("[::1]:90", Ok("[::1]:90")),
            ("::1", Ok("[::1]:8000")),
            ("[::1]", Ok("[::1]:8000")),
            ("10.0.0", Err(AddressError::Host)),
            ("10.0.0.256", Err(AddressError::Host)),
            ("", Err(AddressError::Host)),
            (".", Err(AddressError::Host)),
            ("a..b", Err(AddressError::Host)),
            ("a-.b", Err(AddressError::Host)),
            ("a b", Err(AddressError::Host)),
            ("a:b", Err(AddressError::Host)),
            ("a:65536", Err(AddressError::Port)),
            ("[::1]90", Err(AddressError::Host)),
            (":::", Err(AddressError::Host)),
        ];
        for (text, expected) in rows {
            let parsed = Address::parse(text).map(|address| address.with_port(8000));
            assert_eq!(parsed, expected.map(str::to_owned), "{text:?}");
        }
    }
}
