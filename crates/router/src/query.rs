//! What a request is matched by.

use std::net::SocketAddr;

/// The parts of a request that routes look at.
pub struct Query<'a> {
    /// As sent; methods are case-sensitive.
    pub method: &'a str,
    /// The `Host` header or `:authority` as sent, port included; empty when there was none.
    pub host: &'a str,
    /// As [`polygate_model::path::normalize`] returns it.
    pub path: &'a str,
    pub headers: &'a dyn Headers,
    /// Whether the connection is TLS: `snis` constrain nothing on a plain connection.
    pub is_tls: bool,
    /// The TLS server name of the connection.
    pub sni: Option<&'a str>,
    /// The client, after any real-ip replacement.
    pub source: Option<SocketAddr>,
    /// The local address, its port mapped to the one clients see. A host pattern with a port compares
    /// with the port of the `Host` header first and with this one when that has none.
    pub destination: Option<SocketAddr>,
}

/// Access to request headers by name.
pub trait Headers {
    /// Shows the values of header `name` to `accept` until it returns true; says whether it did.
    ///
    /// `name` is lower-case with dashes. Case does not matter, and `_` and `-` are the same character.
    fn any_value(&self, name: &str, accept: &mut dyn FnMut(&[u8]) -> bool) -> bool;
}

impl Headers for polygate_http1::Headers {
    fn any_value(&self, name: &str, accept: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        self.iter().any(|(key, value)| same_name(key, name) && accept(value))
    }
}

impl<N: AsRef<str>, V: AsRef<[u8]>> Headers for [(N, V)] {
    fn any_value(&self, name: &str, accept: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        self.iter().any(|(key, value)| same_name(key.as_ref(), name) && accept(value.as_ref()))
    }
}

impl<N: AsRef<str>, V: AsRef<[u8]>, const COUNT: usize> Headers for [(N, V); COUNT] {
    fn any_value(&self, name: &str, accept: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        self.as_slice().any_value(name, accept)
    }
}

fn same_name(left: &str, right: &str) -> bool {
    let fold = |byte: u8| if byte == b'_' { b'-' } else { byte.to_ascii_lowercase() };
    left.len() == right.len() && left.bytes().zip(right.bytes()).all(|(a, b)| fold(a) == fold(b))
}

/// Splits `:<digits>` off at the first colon. An IPv6 literal has its first colon inside and stays whole.
pub fn split_host_port(host: &str) -> (&str, Option<u16>) {
    match host.split_once(':') {
        Some((name, port)) if !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) => {
            (name, port.parse().ok())
        }
        _ => (host, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_split_at_the_first_colon_only() {
        assert_eq!(split_host_port("a.com:80"), ("a.com", Some(80)));
        assert_eq!(split_host_port("a.com"), ("a.com", None));
        assert_eq!(split_host_port("a.com:"), ("a.com:", None));
        assert_eq!(split_host_port("a.com:x"), ("a.com:x", None));
        assert_eq!(split_host_port("[::1]:80"), ("[::1]:80", None));
        assert_eq!(split_host_port("a.com:70000"), ("a.com", None));
    }

    #[test]
    fn header_names_fold_case_and_underscores() {
        let headers = [("X_Tenant-id", "a"), ("x-tenant-id", "b")];
        let mut seen = Vec::new();
        assert!(!headers.any_value("x-tenant-id", &mut |value| {
            seen.push(value.to_vec());
            false
        }));
        assert_eq!(seen, [b"a", b"b"]);
        assert!(!headers.any_value("x-tenant", &mut |_| true));
    }

    #[test]
    fn every_line_shows_its_value() {
        let lines = polygate_http1::Headers::from_iter([("x_a", "1"), ("X-A", "2")]);
        assert!(lines.any_value("x-a", &mut |value| value == b"1"));
        assert!(lines.any_value("x-a", &mut |value| value == b"2"));
        assert!(!lines.any_value("x-b", &mut |_| true));
    }
}
