//! `kong.client.tls`: the handshake with the client, and its certificate.

use crate::pdk::PdkError;
use crate::{Exchange, Session};

/// Asks for a client certificate in the handshake that is under way.
pub fn request_client_certificate(session: &mut Session) {
    session.handshake.request_client_certificate = true;
}

/// No ticket and no session id for this connection.
pub fn disable_session_reuse(session: &mut Session) {
    session.handshake.disable_session_reuse = true;
}

/// PEM, leaf first; `None` without a certificate.
pub fn get_full_client_certificate_chain(exchange: &Exchange) -> Option<&str> {
    exchange.session.connection.tls.as_ref()?.client_chain.as_deref()
}

/// Overrides what the log says about the verification of the client's certificate: `SUCCESS`, `NONE` or `FAILED:` and a
/// reason.
pub fn set_client_verify(exchange: &mut Exchange, verdict: &str) -> Result<(), PdkError> {
    if !matches!(verdict, "SUCCESS" | "NONE") && !verdict.starts_with("FAILED:") {
        return Err(PdkError::thrown(format!(
            "unknown client verify value: {verdict} accepted values are: \"SUCCESS\", \"NONE\", \"FAILED:<reason>\""
        )));
    }
    exchange.session.client_verify = Some(verdict.to_owned());
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::Value;
    use crate::pdk::fixture::{self, call};

    #[test]
    fn verdicts_are_checked() {
        let exchange = &mut fixture::exchange("GET", "/", &[]);
        for verdict in ["SUCCESS", "NONE", "FAILED:expired"] {
            assert_eq!(
                call(exchange, "kong.client.tls.set_client_verify", &[verdict.into()]),
                Ok(Value::Nil)
            );
            assert_eq!(exchange.session.client_verify.as_deref(), Some(verdict));
        }
        let error =
            call(exchange, "kong.client.tls.set_client_verify", &["MAYBE".into()]).unwrap_err().to_string();
        assert!(error.starts_with("unknown client verify value: MAYBE accepted"), "{error}");
        assert_eq!(exchange.session.client_verify.as_deref(), Some("FAILED:expired"));
    }

    #[test]
    fn handshake_wishes_are_kept() {
        let exchange = &mut fixture::exchange("GET", "/", &[]);
        assert_eq!(call(exchange, "kong.client.tls.request_client_certificate", &[]), Ok(true.into()));
        assert!(
            exchange.session.handshake.request_client_certificate
                && !exchange.session.handshake.disable_session_reuse
        );
        assert_eq!(call(exchange, "kong.client.tls.disable_session_reuse", &[]), Ok(true.into()));
        assert!(exchange.session.handshake.disable_session_reuse);
        assert_eq!(call(exchange, "kong.client.tls.get_full_client_certificate_chain", &[]), Ok(Value::Nil));
    }
}
