//! Names to addresses, as the reference's classic DNS client does it.
//!
//! In this order: an IP address is itself, then the hosts file, then the cache, then the
//! servers, one record type after the other. An answer is used for its TTL; after that it is still used,
//! for a while, while one task asks again in the background, so that a request waits for DNS only when a
//! name is new. Of concurrent requests for a new name one asks and the others wait.
//!
//! A [`Resolver`] belongs to one runtime: each worker has its own. They share the [`HostsFile`], which is read
//! again when somebody says so.

mod cache;
mod hosts;
mod servers;

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;

use self::cache::{Cache, Entry, Known};
use self::hosts::Hosts;
use self::servers::Servers;

/// How names are resolved.
#[derive(Debug, Clone)]
pub struct DnsSettings {
    /// Empty: those of the system, as are the search list and its options in any case.
    pub servers: Vec<SocketAddr>,
    pub hosts_file: Option<PathBuf>,
    /// The record types to ask for, until one has an answer.
    pub order: Vec<RecordKind>,
    /// Replaces the TTL of answers.
    pub valid_ttl: Option<Duration>,
    /// How long after its TTL an answer may still be used.
    pub stale_ttl: Duration,
    /// How long to believe that a name or its records do not exist.
    pub not_found_ttl: Duration,
    /// How long not to ask again after any other error.
    pub error_ttl: Duration,
}

impl Default for DnsSettings {
    fn default() -> Self {
        Self {
            servers: Vec::new(),
            hosts_file: Some("/etc/hosts".into()),
            order: vec![RecordKind::Last, RecordKind::Srv, RecordKind::A, RecordKind::Cname],
            valid_ttl: None,
            stale_ttl: Duration::from_secs(3600),
            not_found_ttl: Duration::from_secs(30),
            error_ttl: Duration::from_secs(1),
        }
    }
}

/// An entry of the order in which record types are tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordKind {
    /// The type that had an answer for this name the last time.
    Last,
    Srv,
    A,
    Aaaa,
    /// No query of its own: aliases are followed in the queries for addresses.
    Cname,
}

/// One address of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    pub addr: SocketAddr,
    /// The weight of an SRV record, at least 1; other records have none.
    pub weight: Option<u16>,
    /// The host that an SRV record names.
    pub srv_target: Option<Arc<str>>,
    /// When to resolve again, from now; none for what never changes.
    pub ttl: Option<Duration>,
}

/// Why a name has no address. The texts are those of the reference, since they reach logs and clients.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DnsError {
    /// There is no such name.
    #[error("dns server error: 3 name error")]
    NameError,
    /// The name has no records of the types asked for.
    #[error("dns client error: 101 empty record received")]
    Empty,
    #[error("{0}")]
    Other(String),
}

/// Why a resolver cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    #[error("cannot read the hosts file {}, correct dns_hostsfile", path.display())]
    HostsFile { path: PathBuf, source: std::io::Error },
    #[error("cannot set up name resolution: {0}")]
    Servers(String),
}

/// The names in the hosts file as it was read last; clones share them.
#[derive(Debug, Clone)]
pub struct HostsFile {
    path: Option<Arc<Path>>,
    names: Arc<ArcSwap<Hosts>>,
}

impl HostsFile {
    /// Without a path only `localhost` has a name.
    pub fn read(path: Option<&Path>) -> Result<Self, SetupError> {
        let names = Arc::new(ArcSwap::from_pointee(Hosts::read(path)?));
        Ok(Self { path: path.map(Arc::from), names })
    }

    /// Reads the file again, for everybody who shares it. After an error the names stay as they were.
    pub fn reload(&self) -> Result<(), SetupError> {
        self.names.store(Arc::new(Hosts::read(self.path.as_deref())?));
        Ok(())
    }
}

#[derive(Debug, Clone)]
pub struct Resolver {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    settings: DnsSettings,
    hosts: HostsFile,
    servers: Servers,
    cache: Cache,
}

impl Resolver {
    /// Reads the hosts file for itself.
    pub fn new(settings: &DnsSettings) -> Result<Self, SetupError> {
        Self::sharing(settings, &HostsFile::read(settings.hosts_file.as_deref())?)
    }

    /// Knows the names in `hosts`, whatever file `settings` name.
    pub fn sharing(settings: &DnsSettings, hosts: &HostsFile) -> Result<Self, SetupError> {
        let shared = Shared {
            hosts: hosts.clone(),
            servers: Servers::new(&settings.servers)?,
            cache: Cache::default(),
            settings: settings.clone(),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// The addresses of `host`, at least one, the one to use first in front.
    ///
    /// Successive calls take turns among the addresses, by weight. `default_port` is for all but SRV
    /// records, which bring their own.
    pub async fn resolve(&self, host: &str, default_port: u16) -> Result<Vec<Address>, DnsError> {
        let fixed = |ip| Address {
            addr: SocketAddr::new(ip, default_port),
            weight: None,
            srv_target: None,
            ttl: None,
        };
        if let Some(ip) = literal(host) {
            return Ok(vec![fixed(ip)]);
        }
        let name = host.to_ascii_lowercase();
        if let Some(ip) = self.shared.hosts.names.load().get(&name, &self.shared.settings.order) {
            return Ok(vec![fixed(ip)]);
        }
        let entry = self.shared.cache.entry(&name);
        let known = match entry.usable() {
            Some(known) if known.is_fresh() => known,
            Some(stale) => {
                self.refresh(entry.clone());
                stale
            }
            None => self.shared.learn(&entry).await,
        };
        entry.addresses(&known, default_port)
    }

    /// Asks again in the background, unless that is under way.
    fn refresh(&self, entry: Arc<Entry>) {
        let Ok(asking) = entry.asking.clone().try_lock_owned() else { return };
        let shared = self.shared.clone();
        tokio::spawn(async move {
            shared.ask(&entry).await;
            drop(asking);
        });
    }
}

impl Shared {
    /// Asks the servers, or waits for who does.
    async fn learn(&self, entry: &Entry) -> Known {
        let _asking = entry.asking.lock().await;
        match entry.usable() {
            Some(known) => known,
            None => self.ask(entry).await,
        }
    }

    async fn ask(&self, entry: &Entry) -> Known {
        let found = self.servers.query(entry.name(), &self.settings.order, entry.last_kind()).await;
        entry.store(found, &self.settings)
    }
}

/// An IP address as URLs and `host` fields have it.
pub fn literal(host: &str) -> Option<IpAddr> {
    let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    match bracketed {
        Some(inner) => inner.parse::<Ipv6Addr>().ok().map(IpAddr::from),
        None => host.parse().ok(),
    }
}

#[cfg(test)]
mod tests;
