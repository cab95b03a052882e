//! `kong.ip`: which addresses are trusted.

use std::net::IpAddr;

use crate::pdk::{PdkResult, args};
use crate::{RequestContext, Value};

/// Whether the address is in `trusted_ips`; text that is no address is in no range.
pub fn is_trusted(context: &mut RequestContext, args: &[Value]) -> PdkResult {
    let ip = args::text(args, 0, "ip")?.parse::<IpAddr>();
    Ok(Value::Bool(ip.is_ok_and(|ip| context.environment.trusted_ips.contains(ip))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pdk::fixture::{self, thrown};

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
        assert_eq!(is_trusted(context, &[]), thrown("ip must be a string"));
    }
}
