//! Certificates, and what TLS is spoken with.

use std::path::PathBuf;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::reader::Reader;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// What the `ssl_*`, `client_ssl*` and `nginx_proxy_proxy_ssl_*` properties say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// Shown to clients that ask for no name, or for one of nobody's; empty: a generated one is.
    pub certificates: Vec<CertificatePair>,
    /// The same for the Status API.
    pub status_certificates: Vec<CertificatePair>,
    pub versions: TlsVersions,
    /// An OpenSSL list for TLS 1.2; `None` for all there are.
    pub ciphers: Option<String>,
    pub prefer_server_ciphers: bool,
    pub session_tickets: bool,
    pub session_timeout: Duration,
    /// Shown to services that name none.
    pub client: ClientCertificate,
    /// Whether services that say nothing of it are verified.
    pub verify_upstreams: bool,
    /// Certificates that a service's chain may have between its own and the authority's.
    pub verify_depth: u32,
    /// For services that name no authorities.
    pub trusted: Option<Pem>,
    /// For connections of the gateway's own.
    pub own_trusted: Vec<Trusted>,
    pub own_verify_depth: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientCertificate {
    None,
    Generated,
    Given(CertificatePair),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsVersions {
    Only12,
    Only13,
    Both,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificatePair {
    pub certificate: Pem,
    pub key: Pem,
}

/// Authorities that are believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trusted {
    /// Those of the system.
    System,
    Given(Pem),
}

/// Where a PEM text is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pem {
    File(PathBuf),
    Text(String),
}

impl Pem {
    /// A path, the text itself, or the text in base64 (config.md, section 1).
    fn of(value: &str) -> Self {
        const BEGIN: &str = "-----BEGIN ";
        let decoded = || String::from_utf8(STANDARD.decode(value).ok()?).ok();
        if value.contains(BEGIN) {
            return Self::Text(value.to_owned());
        }
        match decoded().filter(|text| text.contains(BEGIN)) {
            Some(text) => Self::Text(text),
            // Fails for an empty path or without a working directory only.
            None => Self::File(std::path::absolute(value).unwrap_or_else(|_| value.into())),
        }
    }
}

impl Trusted {
    fn of(item: &str) -> Self {
        if item == "system" { Self::System } else { Self::Given(Pem::of(item)) }
    }
}

pub(super) fn resolve(reader: &mut Reader<'_>) -> Tls {
    let (versions, ciphers) = suite(reader);
    Tls {
        certificates: pairs(reader, "ssl_cert", "ssl_cert_key"),
        status_certificates: pairs(reader, "status_ssl_cert", "status_ssl_cert_key"),
        versions,
        ciphers,
        prefer_server_ciphers: reader.boolean("ssl_prefer_server_ciphers"),
        session_tickets: reader.boolean("ssl_session_tickets"),
        session_timeout: reader.time("ssl_session_timeout").unwrap_or(DAY),
        client: client(reader),
        verify_upstreams: reader
            .directive("nginx_proxy_proxy_ssl_verify")
            .is_some_and(|(_, text)| text == "on"),
        verify_depth: verify_depth(reader),
        trusted: reader.directive("nginx_proxy_proxy_ssl_trusted_certificate").map(|(_, text)| Pem::of(text)),
        own_trusted: reader
            .list("lua_ssl_trusted_certificate")
            .iter()
            .map(|item| Trusted::of(item))
            .collect(),
        own_verify_depth: reader.integer("lua_ssl_verify_depth", 0, u32::MAX.into()).unwrap_or(1) as u32,
    }
}

fn pairs(reader: &mut Reader<'_>, certificates: &str, keys: &str) -> Vec<CertificatePair> {
    let (given, given_keys) = (reader.list(certificates), reader.list(keys));
    match (given.len(), given_keys.len()) {
        (0, 1..) => reader.refuse(format!("{certificates} must be specified, as {keys} is")),
        (1.., 0) => reader.refuse(format!("{keys} must be specified, as {certificates} is")),
        (some, others) if some != others => {
            reader.refuse(format!(
                "{certificates} and {keys} must have as many entries, got {some} and {others}"
            ));
        }
        _ => {}
    }
    let pair = |(certificate, key): (&String, &String)| CertificatePair {
        certificate: Pem::of(certificate),
        key: Pem::of(key),
    };
    given.iter().zip(&given_keys).map(pair).collect()
}

fn client(reader: &mut Reader<'_>) -> ClientCertificate {
    let mut pairs = pairs(reader, "client_ssl_cert", "client_ssl_cert_key");
    match (reader.boolean("client_ssl"), pairs.pop()) {
        (false, _) => ClientCertificate::None,
        (true, None) => ClientCertificate::Generated,
        (true, Some(pair)) => ClientCertificate::Given(pair),
    }
}

/// Older versions and suites are not built: they are weak.
fn suite(reader: &mut Reader<'_>) -> (TlsVersions, Option<String>) {
    let suite = reader.text("ssl_cipher_suite");
    for name in ["ssl_protocols", "ssl_ciphers"] {
        if suite != Some("custom") && reader.text(name).is_some_and(|text| text != reader.default(name)) {
            reader.warn(format!("{name} has no effect unless ssl_cipher_suite is custom"));
        }
    }
    match suite {
        Some("modern") => (TlsVersions::Only13, None),
        Some("custom") => (versions(reader), reader.text("ssl_ciphers").map(str::to_owned)),
        Some("old") => {
            reader.warn("ssl_cipher_suite = old is taken as 'intermediate': TLS 1.0 and 1.1 are not built");
            (TlsVersions::Both, None)
        }
        Some("fips") => {
            reader.refuse(
                "ssl_cipher_suite has an unsupported value: 'fips' (the cryptography has no such certificate; set it to \
                 modern or intermediate)",
            );
            (TlsVersions::Both, None)
        }
        _ => (TlsVersions::Both, None),
    }
}

fn versions(reader: &mut Reader<'_>) -> TlsVersions {
    let text = reader.text("ssl_protocols").unwrap_or_default();
    let words: Vec<_> = text.split([' ', ',']).filter(|word| !word.is_empty()).collect();
    for word in words.iter().filter(|word| !["TLSv1.2", "TLSv1.3"].contains(word)) {
        reader.warn(format!("ssl_protocols names {word}, which is not built; TLSv1.2 and TLSv1.3 are"));
    }
    match (words.contains(&"TLSv1.2"), words.contains(&"TLSv1.3")) {
        (true, false) => TlsVersions::Only12,
        (false, true) => TlsVersions::Only13,
        (true, true) => TlsVersions::Both,
        (false, false) => {
            reader.refuse(format!("ssl_protocols must name TLSv1.2 or TLSv1.3, got '{text}'"));
            TlsVersions::Both
        }
    }
}

/// 1 in nginx.
fn verify_depth(reader: &mut Reader<'_>) -> u32 {
    let Some((_, text)) = reader.directive("nginx_proxy_proxy_ssl_verify_depth") else { return 1 };
    text.parse().unwrap_or_else(|_| {
        reader.refuse(format!("proxy_ssl_verify_depth must be an integer of 0 or greater, got '{text}'"));
        1
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conf::Values;

    fn resolved(values: &[(&str, &str)]) -> (Tls, Vec<String>) {
        let pairs = values.iter().map(|(name, text)| (name.to_string(), text.to_string()));
        let values = Values::new(pairs);
        let mut reader = Reader::new(&values);
        let tls = resolve(&mut reader);
        let said = reader.errors.iter().map(ToString::to_string);
        (tls, said.chain(reader.warnings.iter().map(|it| it.message.clone())).collect())
    }

    #[test]
    fn a_pem_is_a_path_a_text_or_base64() {
        let text = "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n";
        assert_eq!(Pem::of("/etc/a.crt"), Pem::File("/etc/a.crt".into()));
        assert_eq!(Pem::of(text), Pem::Text(text.into()));
        assert_eq!(Pem::of(&STANDARD.encode(text)), Pem::Text(text.into()));
    }

    #[test]
    fn what_does_not_fit_together_is_told() {
        for (values, expected) in [
            (&[("ssl_cert", "/a")][..], "ssl_cert_key must be specified, as ssl_cert is"),
            (&[("ssl_cert_key", "/a")], "ssl_cert must be specified, as ssl_cert_key is"),
            (
                &[("ssl_cert", "/a,/b"), ("ssl_cert_key", "/a")],
                "ssl_cert and ssl_cert_key must have as many entries, got 2 and 1",
            ),
            (
                &[("ssl_cipher_suite", "old")],
                "ssl_cipher_suite = old is taken as 'intermediate': TLS 1.0 and 1.1 are not built",
            ),
            (
                &[("ssl_cipher_suite", "custom"), ("ssl_protocols", "TLSv1.1 TLSv1.2")],
                "ssl_protocols names TLSv1.1, which is not built; TLSv1.2 and TLSv1.3 are",
            ),
            (
                &[("ssl_cipher_suite", "modern"), ("ssl_ciphers", "ECDHE-RSA-AES128-GCM-SHA256")],
                "ssl_ciphers has no effect unless ssl_cipher_suite is custom",
            ),
            (
                &[("nginx_proxy_proxy_ssl_verify_depth", "x")],
                "proxy_ssl_verify_depth must be an integer of 0 or greater, got 'x'",
            ),
        ] {
            assert_eq!(resolved(values).1, [expected]);
        }
    }

    #[test]
    fn suites_and_client_certificates_are_chosen() {
        let versions = |values: &[(&str, &str)]| resolved(values).0.versions;
        assert_eq!(versions(&[]), TlsVersions::Both);
        assert_eq!(versions(&[("ssl_cipher_suite", "modern")]), TlsVersions::Only13);
        assert_eq!(
            versions(&[("ssl_cipher_suite", "custom"), ("ssl_protocols", "TLSv1.2")]),
            TlsVersions::Only12
        );
        assert_eq!(
            versions(&[("ssl_protocols", "TLSv1.2")]),
            TlsVersions::Both,
            "it counts with custom only"
        );
        let client = |values: &[(&str, &str)]| resolved(values).0.client;
        assert_eq!(client(&[]), ClientCertificate::None);
        assert_eq!(client(&[("client_ssl", "on")]), ClientCertificate::Generated);
        let given = client(&[("client_ssl", "on"), ("client_ssl_cert", "/a"), ("client_ssl_cert_key", "/b")]);
        assert!(matches!(given, ClientCertificate::Given(_)));
    }
}
