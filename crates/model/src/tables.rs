//! All entities of one configuration, as those who serve traffic see them.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::consumers::Consumers;
use crate::credentials::Credentials;
use crate::entities::{CaCertificate, Certificate, Id, Plugin, Route, Service, Sni, Target, Upstream, Vault};
use crate::written::Written;

/// A table per kind, by id.
#[derive(Debug, Default, Clone)]
pub struct Entities {
    pub services: BTreeMap<Id, Arc<Written<Service>>>,
    pub routes: BTreeMap<Id, Arc<Written<Route>>>,
    pub consumers: Consumers,
    pub plugins: BTreeMap<Id, Arc<Plugin>>,
    pub upstreams: BTreeMap<Id, Arc<Upstream>>,
    pub targets: BTreeMap<Id, Arc<Target>>,
    pub certificates: BTreeMap<Id, Arc<Certificate>>,
    pub snis: BTreeMap<Id, Arc<Sni>>,
    pub ca_certificates: BTreeMap<Id, Arc<CaCertificate>>,
    pub vaults: BTreeMap<Id, Arc<Vault>>,
    pub credentials: Credentials,
}
