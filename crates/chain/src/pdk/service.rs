//! `kong.service`: where the request goes, in place of what the service says.

use crate::pdk::PdkError;
use crate::{Exchange, Session};

/// An error, with which nothing changes, if there is no Upstream of that name.
pub fn set_upstream(exchange: &mut Exchange, name: &str) -> Result<(), PdkError> {
    let session = &mut exchange.session;
    if !session.environment.has_upstream(name) {
        return Err(PdkError::returned(format!("could not find an Upstream named '{name}'")));
    }
    session.upstream.upstream = Some(name.to_owned());
    session.upstream.target = None;
    Ok(())
}

/// Connects to host and port; the upstream's `Host` becomes exactly that host.
pub fn set_target(session: &mut Session, host: &str, port: u16) -> Result<(), PdkError> {
    if host.is_empty() || !is_host(host.as_bytes()) {
        return Err(PdkError::thrown(format!("host must be a name or an address: given {host:?}")));
    }
    session.upstream.target = Some((host.to_owned(), port));
    session.upstream.upstream = None;
    session.upstream.host_header = Some(host.to_owned());
    Ok(())
}

/// Whether the bytes can be a name or an address, with or without a port (RFC 3986, section 3.2.2): no blank,
/// nothing that ends a host in a URL.
pub(crate) fn is_host(host: &[u8]) -> bool {
    host.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=%:[]".contains(byte))
}

pub fn set_retries(exchange: &mut Exchange, retries: u16) {
    exchange.session.upstream.retries = Some(retries);
}

/// Milliseconds.
pub fn set_timeouts(exchange: &mut Exchange, connect: u32, write: u32, read: u32) {
    exchange.session.upstream.timeouts = Some([connect, write, read]);
}

pub fn set_tls_verify(session: &mut Session, on: bool) {
    session.upstream.tls_verify = Some(on);
}

pub fn set_tls_verify_depth(session: &mut Session, depth: u32) {
    session.upstream.tls_verify_depth = Some(depth);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Value;
    use crate::pdk::fixture::{self, call, thrown};

    #[test]
    fn target_brings_its_host() {
        let exchange = &mut fixture::routed("/");
        assert_eq!(
            call(exchange, "kong.service.set_target", &["a.test".into(), 8080.0.into()]),
            Ok(Value::Nil)
        );
        assert_eq!(exchange.session.upstream.target, Some(("a.test".into(), 8080)));
        assert_eq!(exchange.session.upstream.host_header.as_deref(), Some("a.test"));
        for (host, port, error) in [
            (Value::Nil, Value::Int(1), "host must be a string"),
            ("a".into(), Value::Float(1.5), "port must be an integer"),
            ("a".into(), Value::Int(65536), "port must be an integer between 0 and 65535: given 65536"),
            ("a\n".into(), Value::Int(1), "host must be a name or an address: given \"a\\n\""),
        ] {
            assert_eq!(call(exchange, "kong.service.set_target", &[host, port]), thrown(error));
        }
        assert_eq!(exchange.session.upstream.target, Some(("a.test".into(), 8080)));
    }

    #[test]
    fn upstream_must_exist() {
        let exchange = &mut fixture::routed("/");
        let error = PdkError::returned("could not find an Upstream named 'none'");
        assert_eq!(call(exchange, "kong.service.set_upstream", &["none".into()]), Err(error));
        assert_eq!(exchange.session.upstream.upstream, None);
    }

    #[test]
    fn numbers_have_bounds() {
        let exchange = &mut fixture::routed("/");
        call(exchange, "kong.service.set_retries", &[Value::Int(3)]).unwrap();
        call(exchange, "kong.service.set_timeouts", &[1, 2, 3].map(Value::Int)).unwrap();
        assert_eq!(
            (exchange.session.upstream.retries, exchange.session.upstream.timeouts),
            (Some(3), Some([1, 2, 3]))
        );
        assert_eq!(
            call(exchange, "kong.service.set_timeouts", &[1, 0, 3].map(Value::Int)),
            thrown("write_timeout must be an integer between 1 and 2147483646: given 0")
        );
        assert_eq!(
            call(exchange, "kong.service.set_retries", &["3".into()]),
            thrown("retries must be an integer")
        );
        assert_eq!(
            call(exchange, "kong.service.set_tls_verify", &[Value::Int(1)]),
            thrown("argument must be a boolean")
        );
        assert_eq!(call(exchange, "kong.service.set_tls_verify", &[false.into()]), Ok(true.into()));
        assert_eq!(call(exchange, "kong.service.set_tls_verify_depth", &[Value::Int(2)]), Ok(true.into()));
        assert_eq!(
            (exchange.session.upstream.tls_verify, exchange.session.upstream.tls_verify_depth),
            (Some(false), Some(2))
        );
    }
}
