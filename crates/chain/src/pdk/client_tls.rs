//! `kong.client.tls`: the handshake with the client, and its certificate.

use crate::pdk::{PdkError, PdkResult, args};
use crate::{Exchange, Value};

/// Asks for a client certificate in the handshake that is under way.
pub fn request_client_certificate(context: &mut Exchange, _args: &[Value]) -> PdkResult {
    context.session.handshake.request_client_certificate = true;
    Ok(Value::Bool(true))
}

/// No ticket and no session id for this connection.
pub fn disable_session_reuse(context: &mut Exchange, _args: &[Value]) -> PdkResult {
    context.session.handshake.disable_session_reuse = true;
    Ok(Value::Bool(true))
}

/// PEM, leaf first; nil without a certificate.
pub fn get_full_client_certificate_chain(context: &mut Exchange, _args: &[Value]) -> PdkResult {
    let tls = context.session.connection.tls.as_ref();
    Ok(tls.and_then(|tls| tls.client_chain.as_deref()).into())
}

/// Overrides what the log says about the verification of the client's certificate.
pub fn set_client_verify(context: &mut Exchange, args: &[Value]) -> PdkResult {
    let verdict = args::text(args, 0, "client verify value")?;
    if !matches!(verdict, "SUCCESS" | "NONE") && !verdict.starts_with("FAILED:") {
        return Err(PdkError::thrown(format!(
            "unknown client verify value: {verdict} accepted values are: \"SUCCESS\", \"NONE\", \"FAILED:<reason>\""
        )));
    }
    context.session.client_verify = Some(verdict.to_owned());
    Ok(Value::Nil)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pdk::fixture;

    #[test]
    fn verdicts_are_checked() {
        let context = &mut fixture::context("GET", "/", &[]);
        for verdict in ["SUCCESS", "NONE", "FAILED:expired"] {
            assert_eq!(set_client_verify(context, &[verdict.into()]), Ok(Value::Nil));
            assert_eq!(context.session.client_verify.as_deref(), Some(verdict));
        }
        let error = set_client_verify(context, &["MAYBE".into()]).unwrap_err().to_string();
        assert!(error.starts_with("unknown client verify value: MAYBE accepted"), "{error}");
        assert_eq!(context.session.client_verify.as_deref(), Some("FAILED:expired"));
    }

    #[test]
    fn handshake_wishes_are_kept() {
        let context = &mut fixture::context("GET", "/", &[]);
        assert_eq!(request_client_certificate(context, &[]), Ok(true.into()));
        assert!(
            context.session.handshake.request_client_certificate
                && !context.session.handshake.disable_session_reuse
        );
        assert_eq!(disable_session_reuse(context, &[]), Ok(true.into()));
        assert!(context.session.handshake.disable_session_reuse);
        assert_eq!(get_full_client_certificate_chain(context, &[]), Ok(Value::Nil));
    }
}
