//! Why a handshake failed, in words that name the cause.

use std::io;

use rustls::{CertificateError, Error};

/// What the peer, who is "it", did wrong; `None` when the failure is not one of TLS.
pub fn cause(error: &io::Error) -> Option<String> {
    let error = error.get_ref()?.downcast_ref::<Error>()?;
    Some(match error {
        Error::InvalidCertificate(why) => of_certificate(why),
        Error::AlertReceived(alert) => format!("it ended the TLS handshake with the alert {alert:?}"),
        Error::InvalidMessage(_) => "it does not speak TLS".to_owned(),
        other => format!("the TLS handshake with it failed: {other}"),
    })
}

fn of_certificate(error: &CertificateError) -> String {
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "its certificate has expired".to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "its certificate is not valid yet".to_owned()
        }
        CertificateError::UnknownIssuer => {
            "its certificate is of an authority that is not trusted; name it in \
            ca_certificates of the service or in nginx_proxy_proxy_ssl_trusted_certificate, for health checks in \
            lua_ssl_trusted_certificate"
                .to_owned()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "its certificate is for another name".to_owned()
        }
        CertificateError::Other(why) => format!("its certificate is refused: {why}"),
        other => format!("its certificate is refused: {other}"),
    }
}
