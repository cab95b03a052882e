//! Which certificate a client is shown, by the name it asks for.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use polygate_model::{Entities, Id};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::certificate::{CertificateError, pair};

/// Pairs of one certificate: one, or two of different kinds of key.
type Pairs = Arc<[Arc<CertifiedKey>]>;

pub struct Names {
    /// Names and patterns, in lower case.
    by_name: HashMap<String, Pairs>,
    /// For everybody else.
    default: Pairs,
}

impl Names {
    /// The names of the entities. A certificate that cannot be used is left out, and answered with why: its names get the
    /// default.
    pub fn new(entities: &Entities, default: Vec<Arc<CertifiedKey>>) -> (Self, Vec<(Id, CertificateError)>) {
        let mut unusable = Vec::new();
        let mut pairs = HashMap::<Id, Pairs>::new();
        for certificate in entities.certificates.values() {
            let alternative = certificate.cert_alt.as_deref().zip(certificate.key_alt.as_deref());
            let texts =
                [(certificate.cert.as_str(), certificate.key.as_str())].into_iter().chain(alternative);
            match texts.map(|(cert, key)| pair(cert, key).map(Arc::new)).collect::<Result<Vec<_>, _>>() {
                Ok(all) => _ = pairs.insert(certificate.id, all.into()),
                Err(error) => unusable.push((certificate.id, error)),
            }
        }
        let named = |sni: &Arc<polygate_model::Sni>| {
            Some((sni.name.to_ascii_lowercase(), pairs.get(&sni.certificate.id)?.clone()))
        };
        let by_name = entities.snis.values().filter_map(named).collect();
        (Self { by_name, default: default.into() }, unusable)
    }

    /// No names but the default.
    pub fn of(default: Vec<Arc<CertifiedKey>>) -> Self {
        Self { by_name: HashMap::new(), default: default.into() }
    }

    /// In the order of the reference (gateway.md, section 10): the name, `*.rest-of-name`, `name.*`, `*`, the default.
    fn find(&self, name: Option<&str>) -> &Pairs {
        let Some(name) = name else { return &self.default };
        let of_left = || self.by_name.get(&format!("*.{}", name.split_once('.')?.1));
        let of_right = || self.by_name.get(&format!("{}.*", name.rsplit_once('.')?.0));
        let found = self.by_name.get(name).or_else(of_left).or_else(of_right);
        found.or_else(|| self.by_name.get("*")).unwrap_or(&self.default)
    }
}

impl ResolvesServerCert for Names {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let pairs = self.find(hello.server_name());
        let fits = |pair: &&Arc<CertifiedKey>| pair.key.choose_scheme(hello.signature_schemes()).is_some();
        pairs.iter().find(fits).or(pairs.first()).cloned()
    }
}

impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Names").field("names", &self.by_name.len()).finish_non_exhaustive()
    }
}
