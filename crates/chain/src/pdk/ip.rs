//! `kong.ip`: which addresses are trusted.

use std::net::IpAddr;

use crate::Session;

/// Whether the address is in `trusted_ips`; what is no address is in no range.
pub fn is_trusted(session: &Session, address: Option<&str>) -> bool {
    let address = address.and_then(|address| address.parse::<IpAddr>().ok());
    address.is_some_and(|address| session.environment.trusted_ips.contains(address))
}

#[cfg(test)]
mod tests {
    use crate::Value;
    use crate::pdk::fixture::{self, call};

    #[test]
    fn trusted_are_those_listed() {
        let exchange = &mut fixture::exchange("GET", "/", &[]);
        for (ip, expected) in [
            ("127.0.0.5", true),
            ("::ffff:127.0.0.5", true),
            ("192.0.2.1", false),
            ("::ffff:192.0.2.1", false),
            ("::1", false),
            ("x", false),
        ] {
            assert_eq!(call(exchange, "kong.ip.is_trusted", &[ip.into()]), Ok(expected.into()), "of {ip}");
        }
        for args in [&[][..], &[Value::Int(5)]] {
            assert_eq!(call(exchange, "kong.ip.is_trusted", args), Ok(false.into()));
        }
    }
}
