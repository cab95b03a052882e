//! What nginx's variables say of the certificate that a client shows.

use std::fmt::Write as _;

use sha1::{Digest as _, Sha1};
use x509_parser::asn1_rs::ToDer as _;
use x509_parser::parse_x509_certificate;
use x509_parser::pem::parse_x509_pem;
use x509_parser::x509::{AttributeTypeAndValue, X509Name};

/// The short names that OpenSSL has for types of attributes.
const SHORT: [(&str, &str); 14] = [
    ("2.5.4.3", "CN"),
    ("2.5.4.4", "SN"),
    ("2.5.4.5", "serialNumber"),
    ("2.5.4.6", "C"),
    ("2.5.4.7", "L"),
    ("2.5.4.8", "ST"),
    ("2.5.4.9", "street"),
    ("2.5.4.10", "O"),
    ("2.5.4.11", "OU"),
    ("2.5.4.12", "title"),
    ("2.5.4.42", "GN"),
    ("1.2.840.113549.1.9.1", "emailAddress"),
    ("0.9.2342.19200300.100.1.1", "UID"),
    ("0.9.2342.19200300.100.1.25", "DC"),
];

/// `None` for what is no certificate in PEM, and no variable of one.
pub(crate) fn variable(pem: &str, name: &str) -> Option<String> {
    let (_, pem) = parse_x509_pem(pem.as_bytes()).ok()?;
    variable_of(&pem.contents, name)
}

/// [`variable`] for a certificate in DER: any bytes that a client sends.
pub fn variable_of(der: &[u8], name: &str) -> Option<String> {
    let (_, certificate) = parse_x509_certificate(der).ok()?;
    match name {
        "ssl_client_s_dn" => Some(distinguished(certificate.subject())),
        "ssl_client_i_dn" => Some(distinguished(certificate.issuer())),
        "ssl_client_serial" => {
            let raw = certificate.raw_serial();
            Some(hex(raw.strip_prefix(&[0]).filter(|rest| !rest.is_empty()).unwrap_or(raw)))
        }
        "ssl_client_fingerprint" => Some(hex(&Sha1::digest(der)).to_ascii_lowercase()),
        _ => None,
    }
}

/// As in RFC 2253: the last comes first.
fn distinguished(name: &X509Name<'_>) -> String {
    let mut parts: Vec<_> = name
        .iter_rdn()
        .map(|part| {
            let mut attributes: Vec<_> = part.iter().map(attribute).collect();
            attributes.reverse();
            attributes.join("+")
        })
        .collect();
    parts.reverse();
    parts.join(",")
}

/// What has no name or is no text is shown in hexadecimal digits.
fn attribute(attribute: &AttributeTypeAndValue<'_>) -> String {
    let kind = attribute.attr_type().to_id_string();
    let short = SHORT.iter().find(|(known, _)| *known == kind).map(|(_, short)| *short);
    match short.zip(attribute.as_str().ok()) {
        Some((short, text)) => format!("{short}={}", escaped(text)),
        None => {
            let encoded = attribute.attr_value().to_der_vec().unwrap_or_default();
            format!("{}=#{}", short.unwrap_or(&kind), hex(&encoded))
        }
    }
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (at, byte) in text.bytes().enumerate() {
        let is_at_end = at == 0 || at + 1 == text.len();
        match byte {
            b',' | b'+' | b'"' | b'\\' | b'<' | b'>' | b';' => out.extend(['\\', char::from(byte)]),
            b'#' if at == 0 => out.push_str("\\#"),
            b' ' if is_at_end => out.push_str("\\ "),
            b' '..=b'~' => out.push(char::from(byte)),
            // Writing to a text does not fail.
            _ => _ = write!(out, "\\{byte:02X}"),
        }
    }
    out
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut out, byte| {
        let _ = write!(out, "{byte:02X}");
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made with `openssl req -x509 -utf8 -newkey ed25519 -set_serial 0xfe01 -subj '/C=DE/O=A, B/OU= x;/CN=é"c\\+d'`.
    const PEM: &str = "-----BEGIN CERTIFICATE-----\n\
        MIIBfDCCAS6gAwIBAgIDAP4BMAUGAytlcDA7MQswCQYDVQQGEwJERTENMAsGA1UE\n\
        CgwEQSwgQjEMMAoGA1UECwwDIHg7MQ8wDQYDVQQDDAbDqSJjK2QwIBcNMjYxMTI2\n\
        MTUzNDM3WhgPMjEyNjExMDIxNTM0MzdaMDsxCzAJBgNVBAYTAkRFMQ0wCwYDVQQK\n\
        DARBLCBCMQwwCgYDVQQLDAMgeDsxDzANBgNVBAMMBsOpImMrZDAqMAUGAytlcAMh\n\
        AL7chTSj5XBvocjOK7lDynGpQJrfKS4zJJN2ExL1fQmto1MwUTAdBgNVHQ4EFgQU\n\
        +VaP86OOS9RvoNInSlXW5Q3J4f4wHwYDVR0jBBgwFoAU+VaP86OOS9RvoNInSlXW\n\
        5Q3J4f4wDwYDVR0TAQH/BAUwAwEB/zAFBgMrZXADQQBIotOux90rQupnrHUSlkTo\n\
        FekI5ne7rTCcA5g2XP/y0FVphlQSINyaThfL+Qm1DrmZ6cdlmIgnTlg0LfpQ6HUG\n\
        -----END CERTIFICATE-----\n";

    /// As `openssl x509 -noout -nameopt RFC2253 -subject -issuer -serial -fingerprint` has them.
    #[test]
    fn variables_are_those_of_openssl() {
        for (name, expected) in [
            ("ssl_client_s_dn", Some(r#"CN=\C3\A9\"c\+d,OU=\ x\;,O=A\, B,C=DE"#)),
            ("ssl_client_i_dn", Some(r#"CN=\C3\A9\"c\+d,OU=\ x\;,O=A\, B,C=DE"#)),
            ("ssl_client_serial", Some("FE01")),
            ("ssl_client_fingerprint", Some("7cfd9e57097f3978091fc1743b055b4c52f26ab8")),
            ("ssl_client_other", None),
        ] {
            assert_eq!(variable(PEM, name).as_deref(), expected, "{name}");
        }
        assert_eq!(variable("PEM", "ssl_client_serial"), None);
    }

    #[test]
    fn what_could_be_taken_for_syntax_is_escaped() {
        assert_eq!(escaped("#a# b "), "\\#a# b\\ ");
        assert_eq!(escaped("\u{1}"), "\\01");
    }
}
