//! Connections to services: what they show, and whom they believe.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock};

use polygate_model::{Entities, Id, Service};
use rustls::client::Resumption;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, RootCertStore};
use sha2::{Digest, Sha256};

use crate::certificate::{CertificateError, certificates, pair};
use crate::provider::PROVIDER;
use crate::verifier::{Unverified, Verified};

/// How services are reached over TLS; part of one loaded configuration.
pub struct UpstreamTls {
    certificates: HashMap<Id, Arc<CertifiedKey>>,
    authorities: HashMap<Id, Vec<CertificateDer<'static>>>,
    defaults: UpstreamDefaults,
    made: RwLock<HashMap<Wishes, Arc<Client>>>,
}

/// What counts where neither the service nor a plugin says otherwise.
#[derive(Clone)]
pub struct UpstreamDefaults {
    pub verify: bool,
    pub trust: Trust,
    pub certificate: Option<Arc<CertifiedKey>>,
    /// For connections that no request makes.
    pub own_trust: Trust,
}

/// Who is believed.
#[derive(Clone)]
pub struct Trust {
    pub authorities: Arc<[CertificateDer<'static>]>,
    /// Certificates that a chain may have between the leaf's and the authority's.
    pub depth: u32,
}

impl Default for Trust {
    fn default() -> Self {
        Self { authorities: Arc::default(), depth: 1 }
    }
}

impl Default for UpstreamDefaults {
    /// Those of nginx.
    fn default() -> Self {
        Self { verify: false, trust: Trust::default(), certificate: None, own_trust: Trust::default() }
    }
}

/// What is wanted of one connection.
pub struct Wanted<'a> {
    pub service: Option<&'a Service>,
    /// The upstream entity's, for services that have none.
    pub certificate: Option<Id>,
    /// A plugin's, as the next.
    pub verify: Option<bool>,
    pub depth: Option<u32>,
    /// HTTP/2 is to be spoken.
    pub http2: bool,
}

/// What tells connections of one configuration apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Wishes {
    certificate: Option<Id>,
    http2: bool,
    /// Who is believed, and the depth.
    verify: Option<(Believed, u32)>,
}

/// Whose authorities are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Believed {
    Services,
    OneService(Id),
    Own,
}

/// A certificate entity that a service needs is not there, or is none that can be used.
#[derive(Debug, thiserror::Error)]
#[error("the {what} {id} of the service cannot be used")]
pub struct Unusable {
    what: &'static str,
    id: Id,
}

/// One way of connecting. Two that show and believe the same are equal, also those of different configurations.
#[derive(Debug)]
pub struct Client {
    pub config: Arc<ClientConfig>,
    digest: [u8; 32],
}

/// What a peer is asked for. A name that is none of DNS is not told to it; then it is verified by its address.
pub fn server_name(name: &str, address: IpAddr) -> ServerName<'static> {
    ServerName::try_from(name.to_owned()).unwrap_or_else(|_| address.into())
}

impl PartialEq for Client {
    fn eq(&self, other: &Self) -> bool {
        self.digest == other.digest
    }
}

impl Eq for Client {}

impl PartialOrd for Client {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Client {
    fn cmp(&self, other: &Self) -> Ordering {
        self.digest.cmp(&other.digest)
    }
}

impl UpstreamTls {
    /// Also answers the entities that cannot be used, and why: services that need them fail.
    pub fn new(entities: &Entities, defaults: UpstreamDefaults) -> (Self, Vec<(Id, CertificateError)>) {
        let services = entities.services.values().filter_map(|service| service.client_certificate);
        let upstreams = entities.upstreams.values().filter_map(|upstream| upstream.client_certificate);
        let mut unusable = Vec::new();
        let mut shown = HashMap::new();
        for id in services.chain(upstreams).map(|reference| reference.id) {
            let Some(certificate) = entities.certificates.get(&id) else { continue };
            match pair(&certificate.cert, &certificate.key) {
                Ok(pair) => _ = shown.insert(id, Arc::new(pair)),
                Err(error) => unusable.push((id, error)),
            }
        }
        let mut authorities = HashMap::new();
        for authority in entities.ca_certificates.values() {
            match certificates(&authority.cert) {
                Ok(certificates) => _ = authorities.insert(authority.id, certificates),
                Err(error) => unusable.push((authority.id, error)),
            }
        }
        (Self { certificates: shown, authorities, defaults, made: RwLock::default() }, unusable)
    }

    /// How to connect to a service. Each way is made once.
    pub fn client(&self, wanted: &Wanted<'_>) -> Result<Arc<Client>, Unusable> {
        let service = wanted.service;
        let verify = wanted.verify.or(service.and_then(|it| it.tls_verify)).unwrap_or(self.defaults.verify);
        let of_service = || service.and_then(|it| it.tls_verify_depth).map(u32::from);
        let depth = wanted.depth.or_else(of_service).unwrap_or(self.defaults.trust.depth);
        let believed = service
            .filter(|it| it.ca_certificates.is_some())
            .map_or(Believed::Services, |it| Believed::OneService(it.id));
        let own = service.and_then(|it| it.client_certificate).map(|reference| reference.id);
        self.made(
            Wishes {
                certificate: own.or(wanted.certificate),
                http2: wanted.http2,
                verify: verify.then_some((believed, depth)),
            },
            service,
        )
    }

    /// How to connect to a target of an upstream entity that shows `certificate`, on the gateway's own account.
    pub fn probe(&self, certificate: Option<Id>, verify: bool) -> Result<Arc<Client>, Unusable> {
        let verify = verify.then_some((Believed::Own, self.defaults.own_trust.depth));
        self.made(Wishes { certificate, http2: false, verify }, None)
    }

    fn made(&self, wishes: Wishes, service: Option<&Service>) -> Result<Arc<Client>, Unusable> {
        if let Some(client) = self.made.read().unwrap_or_else(PoisonError::into_inner).get(&wishes) {
            return Ok(client.clone());
        }
        let client = Arc::new(self.make(wishes, service)?);
        self.made.write().unwrap_or_else(PoisonError::into_inner).insert(wishes, client.clone());
        Ok(client)
    }

    fn make(&self, wishes: Wishes, service: Option<&Service>) -> Result<Client, Unusable> {
        let mut digest = Sha256::new();
        let builder = ClientConfig::builder_with_provider(PROVIDER.clone())
            .with_safe_default_protocol_versions()
            .expect("the provider has suites of every version")
            .dangerous();
        let builder = match wishes.verify {
            None => builder.with_custom_certificate_verifier(Arc::new(Unverified)),
            Some((whose, depth)) => {
                let believed = match whose {
                    Believed::Own => self.defaults.own_trust.authorities.to_vec(),
                    Believed::Services | Believed::OneService(_) => self.believed(service)?,
                };
                let mut authorities = RootCertStore::empty();
                // One that is no certificate is not believed.
                authorities.add_parsable_certificates(believed.iter().cloned());
                digest.update(b"verified");
                digest.update(depth.to_le_bytes());
                believed.iter().for_each(|certificate| digest.update(certificate));
                builder.with_custom_certificate_verifier(Arc::new(Verified { authorities, depth }))
            }
        };
        let shown = match wishes.certificate {
            Some(id) => {
                let unusable = Unusable { what: "client_certificate", id };
                Some(self.certificates.get(&id).ok_or(unusable)?)
            }
            None => self.defaults.certificate.as_ref(),
        };
        let mut config = match shown {
            None => builder.with_no_client_auth(),
            Some(pair) => {
                digest.update(b"shown");
                pair.cert.iter().for_each(|certificate| digest.update(certificate));
                builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(pair.clone())))
            }
        };
        if wishes.http2 {
            config.alpn_protocols = vec![b"h2".to_vec()];
            digest.update(b"h2");
        }
        if matches!(wishes.verify, Some((Believed::Own, _))) {
            // A probe is to see the certificate each time, not what it was when the session began.
            config.resumption = Resumption::disabled();
        }
        Ok(Client { config: Arc::new(config), digest: digest.finalize().into() })
    }

    fn believed(&self, service: Option<&Service>) -> Result<Vec<CertificateDer<'static>>, Unusable> {
        let Some(ids) = service.and_then(|service| service.ca_certificates.as_ref()) else {
            return Ok(self.defaults.trust.authorities.to_vec());
        };
        let mut believed = Vec::new();
        for id in ids {
            let unusable = Unusable { what: "CA certificate", id: *id };
            believed.extend_from_slice(self.authorities.get(id).ok_or(unusable)?);
        }
        Ok(believed)
    }
}
