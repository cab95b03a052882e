//! Names to addresses, as the reference's classic DNS client does it.
//!
//! In this order: an IP address is itself, then the hosts file, then the cache, then the
//! servers, one record type after the other. An answer is used for its TTL; after that it is still used,
//! for a while, while one task asks again in the background, so that a request waits for DNS only when a
//! name is new. Of concurrent requests for a new name one asks and the others wait.
//!
//! A [`Resolver`] belongs to one runtime: each worker has its own. They share the [`HostsFile`], which is read
//! again when somebody says so.

mod address;
mod cache;
mod hosts;
mod servers;
mod settings;

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

pub use self::address::{Address, DnsError};
use self::cache::{Cache, Entry, Known};
pub use self::hosts::HostsFile;
use self::servers::Servers;
pub use self::settings::{DnsSettings, RecordKind, SetupError};

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
