//! Cipher suites by the names of OpenSSL, which configurations and variables use.

use rustls::crypto::CryptoProvider;
use rustls::{CipherSuite, SupportedProtocolVersion, version};

use crate::provider::PROVIDER;

/// Those of TLS 1.2 that there are here. In TLS 1.3 OpenSSL uses the names of the standard.
const NAMES: [(CipherSuite, &str); 6] = [
    (CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, "ECDHE-ECDSA-AES128-GCM-SHA256"),
    (CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, "ECDHE-ECDSA-AES256-GCM-SHA384"),
    (CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, "ECDHE-ECDSA-CHACHA20-POLY1305"),
    (CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, "ECDHE-RSA-AES128-GCM-SHA256"),
    (CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, "ECDHE-RSA-AES256-GCM-SHA384"),
    (CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256, "ECDHE-RSA-CHACHA20-POLY1305"),
];

/// A suite's name as `$ssl_cipher` has it.
pub fn cipher_name(suite: CipherSuite) -> &'static str {
    let name = NAMES.iter().find(|(of, _)| *of == suite).map(|(_, name)| *name);
    name.or(match suite {
        CipherSuite::TLS13_AES_128_GCM_SHA256 => Some("TLS_AES_128_GCM_SHA256"),
        CipherSuite::TLS13_AES_256_GCM_SHA384 => Some("TLS_AES_256_GCM_SHA384"),
        CipherSuite::TLS13_CHACHA20_POLY1305_SHA256 => Some("TLS_CHACHA20_POLY1305_SHA256"),
        _ => None,
    })
    .unwrap_or_default()
}

/// The versions of TLS that are spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Versions {
    Only12,
    Only13,
    #[default]
    Both,
}

/// Versions and suites that are spoken; those of the provider by default.
#[derive(Debug, Clone, Default)]
pub struct CipherSuites {
    versions: Versions,
    /// Of TLS 1.2, in order of preference; `None` for all.
    chosen: Option<Vec<CipherSuite>>,
}

/// A name that stands for no suite there is.
#[derive(Debug, PartialEq, Eq)]
pub struct UnknownCipher(pub String);

impl CipherSuites {
    pub fn new(versions: Versions) -> Self {
        Self { versions, chosen: None }
    }

    pub(crate) fn has_13(&self) -> bool {
        self.versions != Versions::Only12
    }

    /// Suites of TLS 1.2 by the names in an OpenSSL list, separated by colons; also answers the names that are left out.
    /// A list that names none of those there are leaves all of them.
    pub fn choose(&mut self, list: &str) -> Vec<UnknownCipher> {
        let mut unknown = Vec::new();
        let mut chosen = Vec::new();
        let is_13 = |name: &str| name.starts_with("TLS_");
        for name in list.split([':', ',', ' ']).filter(|name| !name.is_empty() && !is_13(name)) {
            match NAMES.iter().find(|(_, known)| *known == name) {
                Some((suite, _)) => chosen.push(*suite),
                None => unknown.push(UnknownCipher(name.to_owned())),
            }
        }
        self.chosen = Some(chosen).filter(|chosen| !chosen.is_empty());
        unknown
    }

    pub(crate) fn versions(&self) -> Vec<&'static SupportedProtocolVersion> {
        match self.versions {
            Versions::Only12 => vec![&version::TLS12],
            Versions::Only13 => vec![&version::TLS13],
            Versions::Both => vec![&version::TLS13, &version::TLS12],
        }
    }

    pub(crate) fn provider(&self) -> CryptoProvider {
        let mut provider = CryptoProvider::clone(&PROVIDER);
        if let Some(chosen) = &self.chosen {
            let rank = |suite: CipherSuite| chosen.iter().position(|it| *it == suite);
            provider.cipher_suites.retain(|it| it.tls13().is_some() || rank(it.suite()).is_some());
            provider.cipher_suites.sort_by_key(|it| rank(it.suite()));
        }
        provider
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_suite_of_the_provider_has_a_name() {
        for suite in &PROVIDER.cipher_suites {
            assert_ne!(cipher_name(suite.suite()), "", "{suite:?}");
        }
    }

    #[test]
    fn a_list_chooses_and_orders_the_suites_of_tls_1_2() {
        let mut suites = CipherSuites::default();
        let left_out = suites
            .choose("ECDHE-RSA-AES256-GCM-SHA384:DHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES128-GCM-SHA256");
        assert_eq!(left_out, [UnknownCipher("DHE-RSA-AES128-GCM-SHA256".into())]);
        let of_12: Vec<_> = suites
            .provider()
            .cipher_suites
            .iter()
            .filter(|it| it.tls13().is_none())
            .map(|it| cipher_name(it.suite()))
            .collect();
        assert_eq!(of_12, ["ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-ECDSA-AES128-GCM-SHA256"]);
        assert_eq!(suites.provider().cipher_suites.len(), 5, "those of TLS 1.3 stay");
        assert_eq!(suites.choose("HIGH").len(), 1);
        assert_eq!(suites.provider().cipher_suites.len(), 9, "none is no choice");
    }
}
