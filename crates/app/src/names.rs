//! How names are resolved: one resolver for each thread, and the hosts file that they share.

use polygate_net::dns::{DnsSettings, HostsFile, Resolver, SetupError};
use polygate_telemetry::log;

#[derive(Clone)]
pub struct Names {
    settings: DnsSettings,
    hosts: HostsFile,
    /// The control thread's.
    pub resolver: Resolver,
}

impl Names {
    pub fn new(settings: DnsSettings) -> Result<Self, SetupError> {
        let hosts = HostsFile::read(settings.hosts_file.as_deref())?;
        Ok(Self { resolver: Resolver::sharing(&settings, &hosts)?, settings, hosts })
    }

    /// Those of the next configuration: the same ones if nothing changed, with the hosts file read again.
    pub fn next(&self, settings: DnsSettings) -> Result<Self, SetupError> {
        if self.settings != settings {
            return Self::new(settings);
        }
        if let Err(error) = self.hosts.reload() {
            log!(Warn, "{error}; its names stay as they were");
        }
        Ok(self.clone())
    }

    /// A resolver for each of `count` workers.
    pub fn resolvers(&self, count: usize) -> Result<Vec<Resolver>, SetupError> {
        (0..count).map(|_| Resolver::sharing(&self.settings, &self.hosts)).collect()
    }
}
