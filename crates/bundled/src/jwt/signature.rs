//! Signatures of tokens (RFC 7518, section 3; RFC 8037).

use ring::hmac;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519,
    RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY,
    RSA_PKCS1_2048_8192_SHA384, RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512,
    UnparsedPublicKey, VerificationAlgorithm,
};
use x509_parser::pem::parse_x509_pem;
use x509_parser::prelude::{FromDer as _, SubjectPublicKeyInfo};

/// Whether the reference knows an algorithm of this name.
pub fn is_known(algorithm: &str) -> bool {
    algorithm == "ES512" || mac(algorithm).is_some() || public(algorithm).is_some()
}

/// Whether the signature is one over the text by the key: a secret, or a public key in PEM.
pub fn verify(algorithm: &str, key: &[u8], signed: &[u8], signature: &[u8]) -> bool {
    if let Some(mac) = mac(algorithm) {
        return hmac::verify(&hmac::Key::new(mac, key), signed, signature).is_ok();
    }
    let (Some(algorithm), Some(key)) = (public(algorithm), bits_of_key(key)) else { return false };
    UnparsedPublicKey::new(algorithm, key).verify(signed, signature).is_ok()
}

fn mac(algorithm: &str) -> Option<hmac::Algorithm> {
    match algorithm {
        "HS256" => Some(hmac::HMAC_SHA256),
        "HS384" => Some(hmac::HMAC_SHA384),
        "HS512" => Some(hmac::HMAC_SHA512),
        _ => None,
    }
}

fn public(algorithm: &str) -> Option<&'static dyn VerificationAlgorithm> {
    Some(match algorithm {
        "RS256" => &RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY,
        "RS384" => &RSA_PKCS1_2048_8192_SHA384,
        "RS512" => &RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY,
        "PS256" => &RSA_PSS_2048_8192_SHA256,
        "PS384" => &RSA_PSS_2048_8192_SHA384,
        "PS512" => &RSA_PSS_2048_8192_SHA512,
        "ES256" => &ECDSA_P256_SHA256_FIXED,
        "ES384" => &ECDSA_P384_SHA384_FIXED,
        "EdDSA" => &ED25519,
        _ => return None,
    })
}

/// What a `SubjectPublicKeyInfo` (RFC 5280, section 4.1) wraps: an RSA key in PKCS #1, a point of a curve.
fn bits_of_key(pem: &[u8]) -> Option<Vec<u8>> {
    let (_, pem) = parse_x509_pem(pem).ok()?;
    let (_, info) = SubjectPublicKeyInfo::from_der(&pem.contents).ok()?;
    Some(info.subject_public_key.data.into_owned())
}
