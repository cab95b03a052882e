//! `kong.ip`: which addresses are trusted.

use std::net::IpAddr;

use crate::pdk::{PdkResult, args};
use crate::{Exchange, Value};

/// Whether the address is in `trusted_ips`; what is no address is in no range.
pub fn is_trusted(context: &mut Exchange, args: &[Value]) -> PdkResult {
    let ip = args::at(args, 0).as_str().and_then(|ip| ip.parse::<IpAddr>().ok());
    Ok(Value::Bool(ip.is_some_and(|ip| context.session.environment.trusted_ips.contains(ip))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pdk::fixture;

    #[test]
    fn trusted_are_those_listed() {
        let context = &mut fixture::context("GET", "/", &[]);
        for (ip, expected) in [
            ("127.0.0.5", true),
            ("::ffff:127.0.0.5", true),
            ("192.0.2.1", false),
            ("::ffff:192.0.2.1", false),
            ("::1", false),
            ("x", false),
        ] {
            assert_eq!(is_trusted(context, &[ip.into()]), Ok(expected.into()), "of {ip}");
        }
        for args in [&[][..], &[Value::Int(5)]] {
            assert_eq!(is_trusted(context, args), Ok(false.into()));
        }
    }
}
