//! Certificates and their keys, from PEM.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use crate::provider::PROVIDER;

/// Why a certificate or key cannot be used; says nothing of where it came from.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    #[error("it has no certificate, which begins with -----BEGIN CERTIFICATE-----")]
    NoCertificate,
    #[error("it has no private key (encrypted ones are not supported)")]
    NoKey,
    #[error("it is malformed PEM: {0}")]
    Pem(pem::Error),
    #[error("certificate and key do not belong together")]
    Mismatch,
    #[error("it cannot be used: {0}")]
    Unusable(rustls::Error),
    #[error("it cannot be made: {0}")]
    NotMade(#[from] rcgen::Error),
}

/// All certificates of a PEM text; at least one.
pub fn certificates(text: &str) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
    let all = CertificateDer::pem_slice_iter(text.as_bytes()).collect::<Result<Vec<_>, _>>();
    match all.map_err(CertificateError::Pem)? {
        none if none.is_empty() => Err(CertificateError::NoCertificate),
        all => Ok(all),
    }
}

/// A chain, leaf first, with the leaf's key.
pub fn pair(chain: &str, key: &str) -> Result<CertifiedKey, CertificateError> {
    let chain = certificates(chain)?;
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|error| match error {
        pem::Error::NoItemsFound => CertificateError::NoKey,
        other => CertificateError::Pem(other),
    })?;
    CertifiedKey::from_der(chain, key, &PROVIDER).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => CertificateError::Mismatch,
        other => CertificateError::Unusable(other),
    })
}

/// A chain as PEM.
pub fn chain_pem(chain: &[CertificateDer<'_>]) -> String {
    let mut text = String::new();
    for certificate in chain {
        text.push_str("-----BEGIN CERTIFICATE-----\n");
        let encoded = STANDARD.encode(certificate);
        let mut rest = encoded.as_str();
        while !rest.is_empty() {
            let (line, others) = rest.split_at(rest.len().min(64));
            text.extend([line, "\n"]);
            rest = others;
        }
        text.push_str("-----END CERTIFICATE-----\n");
    }
    text
}

/// A self-signed pair, as PEM.
pub struct GeneratedPair {
    pub certificate: String,
    pub key: String,
}

/// A pair for a gateway that was given none: ECDSA on P-256, for `localhost`. The reference makes one with RSA besides,
/// which no client needs that speaks TLS 1.2.
pub fn generate() -> Result<GeneratedPair, CertificateError> {
    let mut parameters = CertificateParams::new(["localhost".to_owned()])?;
    parameters.distinguished_name = DistinguishedName::new();
    parameters.distinguished_name.push(DnType::CommonName, "localhost");
    let key = KeyPair::generate()?;
    let certificate = parameters.self_signed(&key)?.pem();
    Ok(GeneratedPair { certificate, key: key.serialize_pem() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_generated_can_be_used() {
        let made = generate().unwrap();
        let pair = pair(&made.certificate, &made.key).unwrap();
        assert_eq!(pair.cert.len(), 1);
        assert_eq!(chain_pem(&pair.cert), made.certificate.replace('\r', ""));
    }

    #[test]
    fn what_cannot_be_used_is_told() {
        let (made, other) = (generate().unwrap(), generate().unwrap());
        let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let open = "-----BEGIN CERTIFICATE-----\nAAAA\n";
        for (chain, key, expected) in [
            ("", made.key.as_str(), "it has no certificate, which begins with -----BEGIN CERTIFICATE-----"),
            (&made.certificate, "", "it has no private key (encrypted ones are not supported)"),
            (&made.certificate, &other.key, "certificate and key do not belong together"),
            (broken, &made.key, "it cannot be used: invalid peer certificate: BadEncoding"),
            (open, &made.key, "it is malformed PEM: "),
        ] {
            let told = pair(chain, key).unwrap_err().to_string();
            assert!(told.starts_with(expected), "{told}");
        }
    }
}
