//! `kong.service`: where the request goes, in place of what the service says.

use crate::pdk::{PdkError, PdkResult, args};
use crate::{Exchange, Value};

/// True, or `(nil, message)` if there is no Upstream of that name; then nothing changes.
pub fn set_upstream(context: &mut Exchange, args: &[Value]) -> PdkResult {
    let name = args::text(args, 0, "host")?;
    if !context.session.environment.has_upstream(name) {
        return Err(PdkError::returned(format!("could not find an Upstream named '{name}'")));
    }
    context.session.upstream.upstream = Some(name.to_owned());
    context.session.upstream.target = None;
    Ok(Value::Bool(true))
}

/// Connects to host and port; the upstream's `Host` becomes exactly that host.
pub fn set_target(context: &mut Exchange, args: &[Value]) -> PdkResult {
    let host = args::text(args, 0, "host")?;
    let port = args::integer(args, 1, "port", 0, 65535)?;
    if host.is_empty() || !is_host(host.as_bytes()) {
        return Err(PdkError::thrown(format!("host must be a name or an address: given {host:?}")));
    }
    context.session.upstream.target = Some((host.to_owned(), port as u16));
    context.session.upstream.upstream = None;
    context.session.upstream.host_header = Some(host.to_owned());
    Ok(Value::Nil)
}

/// Whether the bytes can be a name or an address, with or without a port (RFC 3986, section 3.2.2): no blank,
/// nothing that ends a host in a URL.
pub(crate) fn is_host(host: &[u8]) -> bool {
    host.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=%:[]".contains(byte))
}

pub fn set_retries(context: &mut Exchange, args: &[Value]) -> PdkResult {
    context.session.upstream.retries = Some(args::integer(args, 0, "retries", 0, 32767)? as u16);
    Ok(Value::Nil)
}

/// Connect, write and read, milliseconds.
pub fn set_timeouts(context: &mut Exchange, args: &[Value]) -> PdkResult {
    let mut timeouts = [0; 3];
    for (i, name) in ["connect_timeout", "write_timeout", "read_timeout"].into_iter().enumerate() {
        timeouts[i] = args::integer(args, i, name, 1, 2_147_483_646)? as u32;
    }
    context.session.upstream.timeouts = Some(timeouts);
    Ok(Value::Nil)
}

pub fn set_tls_verify(context: &mut Exchange, args: &[Value]) -> PdkResult {
    let Value::Bool(on) = *args::at(args, 0) else {
        return Err(args::wrong_type("argument", "a boolean"));
    };
    context.session.upstream.tls_verify = Some(on);
    Ok(Value::Bool(true))
}

pub fn set_tls_verify_depth(context: &mut Exchange, args: &[Value]) -> PdkResult {
    let depth = args::integer(args, 0, "depth", 0, u32::MAX.into())?;
    context.session.upstream.tls_verify_depth = Some(depth as u32);
    Ok(Value::Bool(true))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pdk::fixture::{self, thrown};

    #[test]
    fn target_brings_its_host() {
        let context = &mut fixture::routed("/");
        assert_eq!(set_target(context, &["a.test".into(), 8080.0.into()]), Ok(Value::Nil));
        assert_eq!(context.session.upstream.target, Some(("a.test".into(), 8080)));
        assert_eq!(context.session.upstream.host_header.as_deref(), Some("a.test"));
        for (host, port, error) in [
            (Value::Nil, Value::Int(1), "host must be a string"),
            ("a".into(), Value::Float(1.5), "port must be an integer"),
            ("a".into(), Value::Int(65536), "port must be an integer between 0 and 65535: given 65536"),
            ("a\n".into(), Value::Int(1), "host must be a name or an address: given \"a\\n\""),
        ] {
            assert_eq!(set_target(context, &[host, port]), thrown(error));
        }
        assert_eq!(context.session.upstream.target, Some(("a.test".into(), 8080)));
    }

    #[test]
    fn upstream_must_exist() {
        let context = &mut fixture::routed("/");
        let error = PdkError::returned("could not find an Upstream named 'none'");
        assert_eq!(set_upstream(context, &["none".into()]), Err(error));
        assert_eq!(context.session.upstream.upstream, None);
    }

    #[test]
    fn numbers_have_bounds() {
        let context = &mut fixture::routed("/");
        set_retries(context, &[Value::Int(3)]).unwrap();
        set_timeouts(context, &[1, 2, 3].map(Value::Int)).unwrap();
        assert_eq!(
            (context.session.upstream.retries, context.session.upstream.timeouts),
            (Some(3), Some([1, 2, 3]))
        );
        assert_eq!(
            set_timeouts(context, &[1, 0, 3].map(Value::Int)),
            thrown("write_timeout must be an integer between 1 and 2147483646: given 0")
        );
        assert_eq!(set_retries(context, &["3".into()]), thrown("retries must be an integer"));
        assert_eq!(set_tls_verify(context, &[Value::Int(1)]), thrown("argument must be a boolean"));
        assert_eq!(set_tls_verify(context, &[false.into()]), Ok(true.into()));
        assert_eq!(set_tls_verify_depth(context, &[Value::Int(2)]), Ok(true.into()));
        assert_eq!(
            (context.session.upstream.tls_verify, context.session.upstream.tls_verify_depth),
            (Some(false), Some(2))
        );
    }
}
